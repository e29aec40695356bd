/**
 * Concepts: directions of layers that tell pictures from other photographs. dreamkit's `concepts/separation.py`
 * and `concepts/reference.py`.
 */

import { fromHalf, roundHalfEven } from "./numbers";
import { type Picture, resized } from "./resize";

/** The content of an exported `concepts.json`. */
export interface ConceptsDescription {
  layers: string[];
  /** Side in pixels of the square that is seen of a picture. */
  side: number;
  /** What is added to the covariance's diagonal, in mean variances. */
  shrinkage: number;
  reference: Record<string, { unit: number; mean: string; factors: string; variances: string }>;
  concepts: { name: string; directions: Record<string, string> }[];
}

/** The activations of a layer over other photographs: the covariance is `factors factors^T + diag(variances)`. */
export interface LayerStatistics {
  mean: Float64Array;
  /** `(channels, rank)`. */
  factors: Float64Array;
  variances: Float64Array;
}

/** A concept in some layers: a weight for each channel. */
export interface Concept {
  name: string;
  directions: Record<string, number[]>;
}

/** Numbers in half precision, the low byte first, in base64. */
export function readHalves(text: string): Float32Array {
  return fromHalf(new Uint16Array(readBytes(text).buffer));
}

function readBytes(text: string): Uint8Array<ArrayBuffer> {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}

/** The concepts of an export; each is read when its directions are first used. */
export function readConcepts(description: ConceptsDescription): Concept[] {
  return description.concepts.map(({ name, directions }) => {
    let read: Concept["directions"] | null = null;
    const readAll = () => Object.fromEntries(Object.entries(directions).map(([layer, text]) => [layer, [...readHalves(text)]]));
    return {
      name,
      get directions() {
        return (read ??= readAll());
      },
    };
  });
}

export function readStatistics(description: ConceptsDescription, layer: string): LayerStatistics {
  const { unit, mean, factors, variances } = description.reference[layer];
  const scaled = (values: Float32Array, by: number) => Float64Array.from(values, (value) => value * by);
  return {
    mean: scaled(new Float32Array(readBytes(mean).buffer), unit),
    factors: scaled(readHalves(factors), unit),
    variances: scaled(readHalves(variances), unit ** 2),
  };
}

/** The middle square of a picture with `side` pixels, its shorter side whole. */
export function middleSquare(picture: Picture, side: number): Picture {
  const shorter = Math.min(picture.height, picture.width);
  const length = (of: number) => Math.max(side, roundHalfEven((of * side) / shorter));
  const { height, width, values } = resized(picture, length(picture.height), length(picture.width));
  const [top, left] = [(height - side) >> 1, (width - side) >> 1];
  const square = new Float32Array(side * side * 3);
  for (let row = 0; row < side; row++) {
    const start = ((top + row) * width + left) * 3;
    square.set(values.subarray(start, start + side * 3), row * side * 3);
  }
  return { height: side, width: side, values: square };
}

/** The direction from the reference to pictures with these features, scaled to a largest size of 1. */
export function direction(features: Float32Array[], reference: LayerStatistics, shrinkage: number): number[] {
  const difference = Float64Array.from(
    reference.mean,
    (mean, channel) => features.reduce((sum, each) => sum + each[channel], 0) / features.length - mean,
  );
  const found = whitened(difference, reference, shrinkage);
  const largest = found.reduce((most, each) => Math.max(most, Math.abs(each)), 0) || 1;
  return [...found].map((each) => each / largest);
}

/**
 * The share of other photographs that a picture which was left out stands out from, on average; null for one
 * picture. 0.5 is chance.
 */
export function leaveOneOut(features: Float32Array[], reference: LayerStatistics, shrinkage: number): number | null {
  if (features.length < 2) return null;
  const shares = features.map((own, index) => {
    const weights = direction(features.filter((_, other) => other !== index), reference, shrinkage);
    const along = weights.reduce((sum, each, channel) => sum + each * (own[channel] - reference.mean[channel]), 0);
    return normalShare(along / Math.sqrt(varianceAlong(weights, reference)));
  });
  return shares.reduce((sum, each) => sum + each, 0) / shares.length;
}

/** The inverse of the shrunk covariance times `vector`, by Woodbury's identity. */
function whitened(vector: Float64Array, reference: LayerStatistics, shrinkage: number): Float64Array {
  const { factors, variances } = reference;
  const channels = vector.length;
  const rank = factors.length / channels;
  const total = factors.reduce((sum, each) => sum + each * each, 0) + variances.reduce((sum, each) => sum + each, 0);
  const diagonal = variances.map((each) => each + (shrinkage * total) / channels);
  const inner = Array.from({ length: rank }, (_, i) => Array.from({ length: rank }, (_, k) => (i === k ? 1 : 0)));
  const projected = new Array<number>(rank).fill(0);
  for (let channel = 0; channel < channels; channel++) {
    for (let i = 0; i < rank; i++) {
      const scaled = factors[channel * rank + i] / diagonal[channel];
      projected[i] += scaled * vector[channel];
      for (let k = 0; k < rank; k++) inner[i][k] += factors[channel * rank + k] * scaled;
    }
  }
  const solution = solve(inner, projected);
  return vector.map((each, channel) => {
    let sum = 0;
    for (let i = 0; i < rank; i++) sum += factors[channel * rank + i] * solution[i];
    return (each - sum) / diagonal[channel];
  });
}

function varianceAlong(weights: number[], { factors, variances }: LayerStatistics): number {
  const rank = factors.length / weights.length;
  let variance = weights.reduce((sum, each, channel) => sum + each * each * variances[channel], 0);
  for (let i = 0; i < rank; i++) {
    variance += weights.reduce((sum, each, channel) => sum + each * factors[channel * rank + i], 0) ** 2;
  }
  return variance;
}

/** The solution of a symmetric positive definite system, by Gaussian elimination. */
function solve(matrix: number[][], vector: number[]): number[] {
  const rows = matrix.map((row, i) => [...row, vector[i]]);
  const size = rows.length;
  for (let i = 0; i < size; i++) {
    for (let below = i + 1; below < size; below++) {
      const factor = rows[below][i] / rows[i][i];
      for (let k = i; k <= size; k++) rows[below][k] -= factor * rows[i][k];
    }
  }
  const found = new Array<number>(size).fill(0);
  for (let i = size - 1; i >= 0; i--) {
    const known = found.reduce((sum, each, k) => (k > i ? sum + rows[i][k] * each : sum), 0);
    found[i] = (rows[i][size] - known) / rows[i][i];
  }
  return found;
}

/** The share of a normal distribution below a standard score (Abramowitz and Stegun 7.1.26; 1.5e-7 exact). */
function normalShare(score: number): number {
  const x = Math.abs(score) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const error = 1 - series * Math.exp(-x * x);
  return 0.5 * (1 + (score < 0 ? -error : error));
}
