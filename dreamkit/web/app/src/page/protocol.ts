/** The messages between the page and its worker. */

import type { DreamConfig, Layers } from "../engine/config";
import type { Growth } from "../engine/growth";
import type { Layer } from "../engine/network";
import type { ModelInRecipe } from "./site";

export type Backend = "wasm" | "webgl" | "webgpu" | "cpu";

/** A picture on its way between threads: `(height, width, 3)`. */
export interface Pixels {
  height: number;
  width: number;
  bytes: Uint8ClampedArray<ArrayBuffer>;
}

/** Grey levels, `(height, width)`. */
export type MaskLevels = Uint8ClampedArray<ArrayBuffer>;

/** What the brush has painted so far. */
export interface Painted {
  mask: MaskLevels;
  /** How many segments were drawn by then. */
  segments: number;
  /** Whether more may follow. */
  isOpen: boolean;
}

export interface DreamTask {
  kind: "dream";
  photo: Pixels;
  config: DreamConfig;
  masks: Record<string, MaskLevels>;
  guide?: Pixels | null;
  together?: ModelInRecipe[];
  /** Whether thumbnails that wait are drawn between its steps. */
  yields?: boolean;
}

/** A frame of the camera, and the config of its dream. */
export interface LiveFrame {
  photo: Pixels;
  config: DreamConfig;
}

export interface ThumbnailTask {
  kind: "thumbnail";
  config: DreamConfig;
  side: number;
  /** What it is dreamed on; without it, clouds. */
  photo?: Pixels;
}

/** What the worker can do. */
export type Task =
  | { kind: "open"; model: string; backend: Backend }
  | DreamTask
  | { kind: "grow"; photo: Pixels; config: DreamConfig; painted: Painted }
  | { kind: "regrow"; photo: Pixels; config: DreamConfig; times: Growth["times"] }
  | { kind: "zoom"; photo: Pixels; config: DreamConfig; factor: number }
  | { kind: "live"; first: LiveFrame }
  | ThumbnailTask
  | { kind: "measure"; side: number }
  | { kind: "look"; pictures: Pixels[]; layers: string[]; side: number };

/**
 * A task has an `id` of its own, which its replies carry. `painted` replaces that of the task that grows, which ends
 * once nothing grows and nothing may follow; `frame` replaces the frame of the live one.
 */
export type Request =
  | { id: number; task: Task }
  | { id: number; stop: true }
  | { id: number; painted: Painted }
  | { id: number; frame: LiveFrame };

export interface OpenedNetwork {
  name: string;
  licence: string;
  sha256: string;
  backend: string;
  layers: Layer[];
  defaultLayers: Record<string, number>;
  /** The shortest side, in pixels, of the pictures that it takes, and that each layer takes. */
  minSize: number;
  minSizes: Record<string, number>;
}

/** One of several networks that dreamed together, as a recipe has it. */
export interface DreamedNetwork {
  name: string;
  sha256: string;
  weight: number;
  layers: Layers;
  dreamed: Record<string, number>;
}

export interface FinishedDream {
  picture: Pixels;
  terms: Record<string, number>;
  /** The networks of a dream of several; missing where there is one. */
  networks?: DreamedNetwork[];
  sizes: [number, number][];
  tileSize: number;
  /** Whether all steps were taken; false where the dream was stopped. */
  isWhole: boolean;
  /** The last step that was taken; null where there was none. */
  last: Pick<StepUpdate, "octave" | "octaves" | "step" | "steps"> | null;
  /** What grew under the brush; missing where the dream is another. */
  growth?: Growth;
}

/** Sent after each step. */
export interface StepUpdate {
  picture: Pixels;
  /** The share of the whole work that is done, 0 to 1. */
  done: number;
  octave: number;
  octaves: number;
  step: number;
  /** 0 where there is no end. */
  steps: number;
  objective: number;
  /** How many steps were taken since the update before, and for how long. */
  stepsTaken: number;
  milliseconds: number;
  /** Of growth under the brush: how many of its segments have grown. */
  segments?: number;
}

export type Reply = { id: number } & (
  | { kind: "loading"; done: number; total: number }
  | { kind: "opened"; network: OpenedNetwork }
  | { kind: "step"; update: StepUpdate }
  | { kind: "finished"; dream: FinishedDream | null }
  | { kind: "measured"; milliseconds: number }
  | { kind: "seen"; features: Float32Array[][] }
  | { kind: "failed"; message: string; isUserError: boolean }
);
