/** The file of cases that dreamkit's own tests read as well. */

import { readFileSync } from "node:fs";
import type { Description } from "../src/engine/network";
import type { Options, TermTable } from "../src/engine/recipe";

interface Coded {
  height: number;
  width: number;
  bytes: string;
}

export interface Parity {
  model: { description: Description; weights: string };
  photo: Coded;
  mask: Coded;
  options: Options;
  dreams: {
    name: string;
    options: Options & { layers: (string | TermTable)[] | null };
    masked: boolean;
    objectives: number[];
    terms: Record<string, number>;
    octaves: [number, number][];
    tile_size: number;
    pixels: string;
  }[];
  words: { seed: number; octave: number; step: number; purpose: number; words: string[] }[];
  noise: (Coded & { kind: string })[];
  octaves: { size: [number, number]; options: Partial<Options>; octaves: [number, number, number][] }[];
  tiles: {
    length: number;
    tile_size: number;
    min_size: number;
    axis: { window: number; spans: [number, number][] };
  }[];
  resized: { size: [number, number]; values: string }[];
  shrunk: (Coded & { longest: number })[];
  softened: string;
  blurred: { sigma: number; values: string }[];
}

const file = new URL("../../../../tests/data/web/parity.json", import.meta.url);
export const parity = JSON.parse(readFileSync(file, "utf8")) as Parity;

export function bytesOf(text: string): Uint8ClampedArray<ArrayBuffer> {
  return Uint8ClampedArray.from(Buffer.from(text, "base64"));
}

export function floatsOf(text: string): Float32Array {
  return new Float32Array(bytesOf(text).buffer);
}

/** The cosine between two changes. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, one, other] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    one += a[i] * a[i];
    other += b[i] * b[i];
  }
  return dot / Math.sqrt(one * other);
}

/** The largest difference. */
export function furthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] - b[i]));
  return most;
}
