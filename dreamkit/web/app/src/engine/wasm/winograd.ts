/**
 * Convolutions with 3 x 3, 4 x 4 or 5 x 5 taps in WebAssembly, with a third or a quarter of the multiplications:
 * Winograd's minimal filtering, after Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015).
 * Tiles of 6 x 6 pixels are transformed to 36 numbers for each channel; matrices that multiply these numbers take
 * the place of the taps; and each tile is transformed back to 4 x 4, 3 x 3 or 2 x 2 pixels of the result.
 */

import * as tf from "@tensorflow/tfjs-core";
import * as routines from "./winograd_routines";
import { copyRows } from "./copies";
import { empty, isOnWasm, run, threads, view } from "./routine";

const { BYTES, COLUMNS, INPUT_SIDE, ROWS } = routines;
const NUMBERS = INPUT_SIDE ** 2; // of a transformed tile
const TILES = 12 * ROWS; // that are computed together, so that they stay in the processor's cache
const FEWEST_TILES = 2 * ROWS; // fewer do not pay for reading the matrices
const MOST_THREADS = 2; // of TensorFlow.js' own convolutions, beyond which those are faster
const FEWEST_CHANNELS = 12;
/** Where the polynomials of taps and pixels are evaluated, beside infinity, and the factors of their taps. */
const POINTS = [[0, 1 / 4], [1, -1 / 6], [-1, -1 / 6], [2, 1 / 24], [-2, 1 / 24]];

type Shape = [number, number, number, number];

/** Where a convolution starts, and its size. */
export interface Placement {
  /** Height and width of the result. */
  size: [number, number];
  /** Rows and columns of zeros before the first pixel. */
  before: [number, number];
}

/** Whether a kernel has the taps and channels that are computed in this way. */
export function suits([height, width, inputs, outputs]: Shape, strides: number[], dilations: number[]): boolean {
  const isSquare = height === width && height >= 3 && height <= 5;
  const isWhole = inputs % 4 === 0 && outputs % 4 === 0 && Math.min(inputs, outputs) >= FEWEST_CHANNELS;
  return isSquare && isWhole && [...strides, ...dilations].every((each) => each === 1);
}

/** Whether a result is computed sooner in this way: it has enough tiles, and few threads share the work. */
export function isFaster([taps]: Shape, { size, before }: Placement): boolean {
  const [down, across] = size.map((side) => tilesAlong(side, taps));
  return isOnWasm() && threads() <= MOST_THREADS && down * across >= FEWEST_TILES && before.every((each) => each >= 0);
}

function tilesAlong(side: number, taps: number): number {
  return Math.ceil(side / stepOf(taps));
}

/** The side of what a tile gives. */
function stepOf(taps: number): number {
  return INPUT_SIDE + 1 - taps;
}

/** What multiplies a row of taps: a row for each number of a tile's side. */
function factorsOf(taps: number): number[][] {
  const powers = (point: number) => Array.from({ length: taps }, (_, power) => point ** power);
  const last = Array.from({ length: taps }, (_, tap) => (tap === taps - 1 ? 1 : 0));
  return [...POINTS.map(([point, factor]) => powers(point).map((power) => factor * power)), last];
}

export class TransformedKernel {
  private readonly matrices: tf.Tensor;
  private readonly bias: tf.Tensor;
  private readonly taps: number;
  private readonly inputs: number;
  private readonly outputs: number;
  /** Outputs, and those that fill the last columns up. */
  private readonly columns: number;

  /** `values` are those of a kernel of `shape`: height, width, inputs, outputs. */
  constructor(values: Float32Array, [taps, , inputs, outputs]: Shape, bias?: Float32Array) {
    [this.taps, this.inputs, this.outputs] = [taps, inputs, outputs];
    this.columns = Math.ceil(outputs / COLUMNS) * COLUMNS;
    this.matrices = tf.keep(tf.tensor1d(this.transformed(values)));
    this.bias = tf.keep(tf.tensor1d(bias ?? new Float32Array(outputs)));
  }

  /** The convolution of `x`, `(n, height, width, inputs)`. Where `gate` is zero or less, `x` counts as zero. */
  convolve(x: tf.Tensor4D, { size, before }: Placement, isRelu: boolean, gate?: tf.Tensor4D): tf.Tensor4D {
    const [pictures, height, width] = x.shape;
    const step = stepOf(this.taps);
    const [down, across] = size.map((side) => tilesAlong(side, this.taps));
    const out = empty([pictures, ...size, this.outputs]);
    const [sides, depth] = [[down, across].map((tiles) => tiles * step + this.taps - 1), this.inputs * BYTES];
    const line = sides[1] * depth;
    tf.tidy(() => {
      const padded = empty([1, sides[0], sides[1], this.inputs]);
      const tiles = empty([1, NUMBERS, TILES, this.inputs]);
      const products = empty([1, NUMBERS, TILES, this.columns]);
      const square = empty([1, INPUT_SIDE, INPUT_SIDE, 4]);
      // Places of tiles that the last round does not fill are computed too, and must be numbers.
      view(tiles).fill(0);
      for (let picture = 0; picture < pictures; picture++) {
        view(padded).fill(0);
        // Rows and columns beyond the last tile are not read.
        const [rows, columns] = [Math.min(height, sides[0] - before[0]), Math.min(width, sides[1] - before[1])];
        const starts = { from: picture * height * width * depth, to: before[0] * line + before[1] * depth };
        const lines = { from: width * depth, to: line };
        copyRows(x, padded, { count: rows, length: columns * depth, lines, starts }, gate);
        for (let first = 0; first < down * across; first += TILES) {
          const count = Math.min(TILES, down * across - first);
          const place = [first, count, across];
          run(`transform input ${step}`, () => routines.transformInput(step), [
            ...[padded, tiles, square, ...place, line, depth, TILES * depth],
          ]);
          run("multiply matrices", routines.multiplyMatrices, [
            ...[tiles, this.matrices, products, NUMBERS, count, TILES, this.inputs, this.columns],
          ]);
          run(`transform output ${step}`, () => routines.transformOutput(step), [
            ...[products, out, square, this.bias, ...place, ...size, this.outputs * BYTES, this.columns * BYTES],
            ...[TILES * this.columns * BYTES, picture * size[0] * size[1] * this.outputs * BYTES],
            isRelu ? 0 : -Infinity,
          ]);
        }
      }
    });
    return out;
  }

  dispose(): void {
    this.matrices.dispose();
    this.bias.dispose();
  }

  /** For each number of a tile, a matrix of inputs and outputs; a few outputs of all inputs lie together. */
  private transformed(values: Float32Array): Float32Array {
    const { taps, inputs, outputs, columns } = this;
    const all = new Float32Array(NUMBERS * inputs * columns);
    const factors = factorsOf(taps);
    for (let number = 0; number < NUMBERS; number++) {
      const [vertical, horizontal] = [factors[Math.floor(number / INPUT_SIDE)], factors[number % INPUT_SIDE]];
      for (let tap = 0; tap < taps * taps; tap++) {
        const factor = vertical[Math.floor(tap / taps)] * horizontal[tap % taps];
        if (!factor) continue;
        let from = tap * inputs * outputs;
        for (let input = 0; input < inputs; input++) {
          for (let output = 0; output < outputs; output++) {
            const panel = Math.floor(output / COLUMNS) * inputs + input;
            all[(number * columns * inputs) + panel * COLUMNS + (output % COLUMNS)] += factor * values[from++];
          }
        }
      }
    }
    return all;
  }
}
