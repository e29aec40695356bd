/** What a dream reports: dreamkit's `engine/progress.py`. */

import type { Picture } from "./resize";

/** The event of each step. */
export interface StepEvent {
  /** Which octave, from 1, and how many there are. */
  octave: number;
  octaves: number;
  /** Which step of the octave, from 1, and how many there are. */
  step: number;
  steps: number;
  /** The objective as a multiple of its value at the first step. */
  objective: number;
  /** The share of the whole work that is done, 0 to 1; work is proportional to pixels. */
  done: number;
  /** The dream so far. The next step changes it. */
  pixels: Picture;
}

/** A finished dream. */
export interface DreamResult {
  /** `(height, width, 3)`, of the photograph's size. */
  pixels: Uint8ClampedArray;
  /** Of each network, the terms of the last octave with their weights. */
  terms: Record<string, number>[];
  /** Height and width of each octave. */
  sizes: [number, number][];
  /** Longest side of the tiles of the last step, in pixels. */
  tileSize: number;
}
