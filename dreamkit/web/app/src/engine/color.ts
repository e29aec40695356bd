/** The colours of natural pictures, and how to keep a dream near them: dreamkit's `engine/color.py`. */

import type { Picture } from "./resize";

export const FREE = 0;
export const NATURAL = 0.5;
export const KEEP = 1;

/** Rows are red, green and blue, 0 to 1; a column is one standard deviation of natural pictures. */
const AXES = [
  [0.26, 0.09, 0.02],
  [0.27, 0.0, -0.05],
  [0.27, -0.09, 0.03],
];
const INVERSE = [
  [1.25, 1.25, 1.25],
  [6, -2 / 3, -46 / 9],
  [6.75, -13.25, 6.75],
];
/**
 * Eigenvalues, divided by the largest, and eigenvectors of `M M^T`, where `M` is `AXES` divided by the length of
 * its longest column.
 */
const EIGENVALUES = [0.0175005089, 0.0761982051, 1];
const EIGENVECTORS = [
  [0.43796708, -0.70175967, -0.56188807],
  [-0.8104679, -0.03775977, -0.58456478],
  [0.38900722, 0.71141237, -0.58529122],
];
/** `AXES` with its longest column at length 1, and its inverse: the colours of Lucid's decorrelated space. */
const LONGEST = Math.max(...[0, 1, 2].map((column) => Math.hypot(...AXES.map((row) => row[column]))));
export const MIXING = AXES.map((row) => row.map((each) => each / LONGEST));
export const UNMIXING = INVERSE.map((row) => row.map((each) => each * LONGEST));
const SPREAD = 1; // standard deviations along each axis that every picture may have

type Matrix = number[][];

/** Means and standard deviations of a picture's colours along the columns of `AXES`. */
export interface Spread {
  mean: number[];
  deviation: number[];
}

/** The matrix that multiplies each pixel's gradient, so that a dream keeps `amount` of the photograph's colours. */
export function direction(amount: number): Matrix {
  const power = Math.min(1, amount / NATURAL);
  const part = Math.max(0, (amount - NATURAL) / (KEEP - NATURAL));
  return [0, 1, 2].map((row) =>
    [0, 1, 2].map((column) => {
      const natural = EIGENVALUES.reduce(
        (sum, value, k) => sum + EIGENVECTORS[row][k] * value ** power * EIGENVECTORS[column][k],
        0,
      );
      return (1 - part) * natural + part / 3;
    }),
  );
}

/** The part of `hold` that suits `amount`: 0 at free and at keep, where no colour can drift. */
export function held(amount: number): number {
  return Math.min(1, (2 * amount) / NATURAL, (2 * (KEEP - amount)) / (KEEP - NATURAL));
}

/** Multiplies each pixel, in place, by a matrix, and adds an offset. */
export function turn(values: Float32Array, matrix: Matrix, offset = [0, 0, 0]): void {
  const [[a, b, c], [d, e, f], [g, h, k]] = matrix;
  const [p, q, r] = offset;
  for (let i = 0; i < values.length; i += 3) {
    const [red, green, blue] = [values[i], values[i + 1], values[i + 2]];
    values[i] = a * red + b * green + c * blue + p;
    values[i + 1] = d * red + e * green + f * blue + q;
    values[i + 2] = g * red + h * green + k * blue + r;
  }
}

/** The spread of pixels with values 0 to 255. */
export function spread(values: ArrayLike<number>): Spread {
  const total = [0, 0, 0];
  const squares = [0, 0, 0];
  const count = values.length / 3;
  for (let i = 0; i < values.length; i += 3) {
    for (let axis = 0; axis < 3; axis++) {
      const row = INVERSE[axis];
      const along = (row[0] * values[i] + row[1] * values[i + 1] + row[2] * values[i + 2]) / 255;
      total[axis] += along;
      squares[axis] += along * along;
    }
  }
  const mean = total.map((sum) => sum / count);
  return { mean, deviation: squares.map((sum, axis) => Math.sqrt(Math.max(0, sum / count - mean[axis] ** 2))) };
}

/**
 * Moves means `part` of the way back to the photograph's, and deviations down to the photograph's or natural
 * ones, whichever are larger; in place.
 */
export function hold({ values }: Picture, original: Spread, part: number): void {
  const now = spread(values);
  const scale = now.deviation.map((deviation, axis) => {
    const limit = Math.max(original.deviation[axis], SPREAD);
    return 1 - part + (part * limit) / Math.max(deviation, limit);
  });
  const moved = now.mean.map((mean, axis) => (1 - part) * mean + part * original.mean[axis] - scale[axis] * mean);
  const matrix = AXES.map((row) =>
    [0, 1, 2].map((column) => row.reduce((sum, value, k) => sum + value * scale[k] * INVERSE[k][column], 0)),
  );
  const offset = AXES.map((row) => 255 * row.reduce((sum, value, k) => sum + value * moved[k], 0));
  turn(values, matrix, offset);
  for (let i = 0; i < values.length; i++) values[i] = Math.min(255, Math.max(0, values[i]));
}

/** Adds `shift` to the three colours of the pixel at index `at`, as far as 0 to 255 allows. */
export function shiftWithin(values: Float32Array, at: number, shift: number): void {
  const [red, green, blue] = [values[at], values[at + 1], values[at + 2]];
  const allowed = Math.min(255 - Math.max(red, green, blue), Math.max(-Math.min(red, green, blue), shift));
  for (let k = 0; k < 3; k++) values[at + k] += allowed;
}
