/** The file of cases that both test suites read: dreamkit's Python tests, and these. */

import { readFileSync } from "node:fs";
import type { ConceptsDescription } from "../src/engine/concept";
import type { DreamConfig, TermTable } from "../src/engine/config";
import type { NetworkDescription } from "../src/engine/network";

interface EncodedPicture {
  height: number;
  width: number;
  bytes: string;
}

export interface Parity {
  model: { description: NetworkDescription; weights: string };
  photo: EncodedPicture;
  mask: EncodedPicture;
  options: DreamConfig;
  dreams: {
    name: string;
    options: DreamConfig & { layers: (string | TermTable)[] | null };
    masked: boolean;
    objectives: number[];
    terms: Record<string, number>;
    octaves: [number, number][];
    tile_size: number;
    pixels: string;
  }[];
  words: { seed: number; octave: number; step: number; purpose: number; words: string[] }[];
  noise: (EncodedPicture & { kind: string })[];
  octaves: { size: [number, number]; options: Partial<DreamConfig>; octaves: [number, number, number][] }[];
  tiles: {
    length: number;
    tile_size: number;
    min_size: number;
    axis: { window: number; spans: [number, number][] };
  }[];
  resized: { size: [number, number]; values: string }[];
  shrunk: (EncodedPicture & { longest: number })[];
  softened: string;
  concept: {
    description: ConceptsDescription;
    pictures: EncodedPicture[];
    features: string[];
    direction: string;
    separation: number;
  };
  blurred: { sigma: number; values: string }[];
}

const file = new URL("../../../../tests/data/web/parity.json", import.meta.url);
export const parity = JSON.parse(readFileSync(file, "utf8")) as Parity;

export function decodeBytes(text: string): Uint8ClampedArray<ArrayBuffer> {
  return Uint8ClampedArray.from(Buffer.from(text, "base64"));
}

export function decodeFloats(text: string): Float32Array {
  return new Float32Array(decodeBytes(text).buffer);
}

/** The cosine between two changes. */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, squaresA, squaresB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    squaresA += a[i] * a[i];
    squaresB += b[i] * b[i];
  }
  return dot / Math.sqrt(squaresA * squaresB);
}

/** The largest absolute difference; infinite where lengths differ. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}
