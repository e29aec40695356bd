/** The file of cases that both test suites read: dreamkit's Python tests, and these. */

import { readFileSync } from "node:fs";
import { inflateSync } from "node:zlib";
import type { ConceptsDescription } from "../src/engine/concept";
import type { DreamConfig, Layers, TermTable } from "../src/engine/config";
import type { Network, NetworkDescription } from "../src/engine/network";
import { buildNetwork } from "../src/engine/network_files";
import type { PhotographOptions } from "../src/engine/photograph_pixels";

interface EncodedPicture {
  height: number;
  width: number;
  bytes: string;
}

export interface Parity {
  networks: Record<string, { description: NetworkDescription; weights: string }>;
  photo: EncodedPicture;
  guide: EncodedPicture;
  masks: Record<string, EncodedPicture>;
  options: DreamConfig;
  dreams: {
    name: string;
    options: DreamConfig & { layers: (string | TermTable)[] | null };
    networks: { name: string; weight: number; layers: Layers }[];
    guided: boolean;
    /** The name of a picture for each mask. */
    masks: Record<string, string>;
    objectives: number[];
    terms: Record<string, number>[];
    octaves: [number, number][];
    tile_size: number;
    change: string;
  }[];
  grown: { options: DreamConfig; times: string; turns: number; lasts: number; least: number; change: string }[];
  words: { seed: number; octave: number; step: number; purpose: number; words: string[] }[];
  noise: (EncodedPicture & { kind: string; wrap: string })[];
  steps: [number, number, number][];
  octaves: { size: [number, number]; options: Partial<DreamConfig>; octaves: [number, number, number][] }[];
  tiles: {
    length: number;
    tile_size: number;
    min_size: number;
    wraps: boolean;
    axis: { window: number; context: number; spans: [number, number][] };
  }[];
  resized: { size: [number, number]; wrap: string; values: string }[];
  opened: (EncodedPicture & { options: PhotographOptions })[];
  grain: { size: [number, number]; values: string }[];
  shrunk: (EncodedPicture & { longest: number })[];
  stretched: EncodedPicture[];
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

/** The pixels of a dream: what it adds to the photograph, modulo 256, is compressed in the file. */
export function decodeDream(change: string): Uint8Array {
  const added = inflateSync(Buffer.from(change, "base64"));
  return Uint8Array.from(decodeBytes(parity.photo.bytes), (before, i) => before + added[i]);
}

/** One of the networks in the file. */
export function openNetwork(name = "tiny"): Promise<Network> {
  const { description, weights } = parity.networks[name];
  return buildNetwork(description, async () => decodeBytes(weights).buffer);
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
