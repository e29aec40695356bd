/** What the page and its worker say to each other. */

import type { Layer } from "../engine/network";
import type { Options } from "../engine/recipe";

export type Backend = "wasm" | "webgl" | "webgpu" | "cpu";

/** A picture on its way between threads: `(height, width, 3)`. */
export interface Pixels {
  height: number;
  width: number;
  bytes: Uint8ClampedArray<ArrayBuffer>;
}

/** What the worker is asked to do. Each has a number of its own, which the answers carry. */
export type Task =
  | { kind: "open"; model: string; backend: Backend }
  | { kind: "dream"; photo: Pixels; options: Options; mask: Uint8ClampedArray<ArrayBuffer> | null }
  | { kind: "grow"; photo: Pixels; options: Options; mask: Uint8ClampedArray<ArrayBuffer> }
  | { kind: "zoom"; photo: Pixels; options: Options; factor: number }
  | { kind: "thumbnail"; options: Options; side: number }
  | { kind: "trial"; side: number };

export type Asked =
  | { number: number; task: Task }
  | { number: number; stop: true }
  | { number: number; mask: Uint8ClampedArray<ArrayBuffer> };

export interface Opened {
  name: string;
  licence: string;
  sha256: string;
  backend: string;
  layers: Layer[];
  defaultLayers: Record<string, number>;
}

export interface Finished {
  picture: Pixels;
  terms: Record<string, number>;
  octaves: [number, number][];
  tileSize: number;
  /** Whether it was not stopped before its end. */
  isWhole: boolean;
}

export interface Moment {
  picture: Pixels;
  done: number;
  octave: number;
  octaves: number;
  step: number;
  steps: number;
  objective: number;
  /** Milliseconds that the step took. */
  took: number;
}

export type Answer = { number: number } & (
  | { kind: "loading"; done: number; total: number }
  | { kind: "opened"; opened: Opened }
  | { kind: "moment"; moment: Moment }
  | { kind: "finished"; finished: Finished | null }
  | { kind: "timed"; milliseconds: number }
  | { kind: "failed"; message: string; mendable: boolean }
);
