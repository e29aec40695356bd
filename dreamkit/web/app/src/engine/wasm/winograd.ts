/**
 * Convolutions with 3 x 3 taps in WebAssembly, with a quarter of the multiplications: Winograd's minimal filtering
 * F(4 x 4, 3 x 3), after Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015). Tiles of 6 x 6
 * pixels are transformed to 36 numbers for each channel; matrices that multiply these numbers take the place of
 * the taps; and each tile is transformed back to 4 x 4 pixels of the result.
 */

import * as tf from "@tensorflow/tfjs-core";
import * as routines from "./winograd_routines";
import { empty, isOnWasm, run, threads, view } from "./routine";

const { BYTES, COLUMNS, INPUT_SIDE, OUTPUT_SIDE, ROWS } = routines;
const NUMBERS = INPUT_SIDE ** 2; // of a transformed tile
const TILES = 12 * ROWS; // that are computed together, so that they stay in the processor's cache
const FEWEST_TILES = 2 * ROWS; // fewer do not pay for reading the matrices
const MOST_THREADS = 2; // of TensorFlow.js' own convolutions, beyond which those are faster
const FEWEST_CHANNELS = 16;
/** Values of a row of three taps. */
const TAPS = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
];

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
  const [fewest, isWhole] = [Math.min(inputs, outputs), inputs % 4 === 0 && outputs % 4 === 0];
  return height === 3 && width === 3 && [...strides, ...dilations].every((each) => each === 1) &&
    fewest >= FEWEST_CHANNELS && isWhole;
}

/** Whether a result of this size is computed sooner in this way: it has enough tiles, and few threads share the work. */
export function isFaster([height, width]: [number, number]): boolean {
  return isOnWasm() && threads() <= MOST_THREADS && tilesAlong(height) * tilesAlong(width) >= FEWEST_TILES;
}

function tilesAlong(side: number): number {
  return Math.ceil(side / OUTPUT_SIDE);
}

export class TransformedKernel {
  private readonly matrices: tf.Tensor;
  private readonly bias: tf.Tensor;
  private readonly inputs: number;
  private readonly outputs: number;
  /** Outputs, and those that fill the last columns up. */
  private readonly columns: number;

  /** `values` are those of a kernel of `shape`: height, width, inputs, outputs. */
  constructor(values: Float32Array, [, , inputs, outputs]: Shape, bias?: Float32Array) {
    [this.inputs, this.outputs] = [inputs, outputs];
    this.columns = Math.ceil(outputs / COLUMNS) * COLUMNS;
    this.matrices = tf.keep(tf.tensor1d(this.transformed(values)));
    this.bias = tf.keep(tf.tensor1d(bias ?? new Float32Array(outputs)));
  }

  /** The convolution of `x`, `(n, height, width, inputs)`. Where `gate` is zero or less, `x` counts as zero. */
  convolve(x: tf.Tensor4D, { size, before }: Placement, isRelu: boolean, gate?: tf.Tensor4D): tf.Tensor4D {
    const [pictures, height, width] = x.shape;
    const [down, across] = size.map(tilesAlong);
    const out = empty([pictures, ...size, this.outputs]);
    const [sides, depth] = [[down, across].map((tiles) => tiles * OUTPUT_SIDE + 2), this.inputs * BYTES];
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
        const inside = before[0] * line + before[1] * depth;
        // Rows and columns beyond the last tile are not read.
        const [rows, columns] = [Math.min(height, sides[0] - before[0]), Math.min(width, sides[1] - before[1])];
        const copied = [rows, columns * depth, width * depth, line, picture * height * width * depth, inside];
        run(`copy ${Boolean(gate)}`, () => routines.copy(Boolean(gate)), [x, gate ?? x, padded, ...copied]);
        for (let first = 0; first < down * across; first += TILES) {
          const count = Math.min(TILES, down * across - first);
          const place = [first, count, across];
          run("transform input", routines.transformInput, [
            ...[padded, tiles, square, ...place, line, depth, TILES * depth],
          ]);
          run("multiply matrices", routines.multiplyMatrices, [
            ...[tiles, this.matrices, products, NUMBERS, count, TILES, this.inputs, this.columns],
          ]);
          run("transform output", routines.transformOutput, [
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
    const { inputs, outputs, columns } = this;
    const all = new Float32Array(NUMBERS * inputs * columns);
    TAPS.forEach((vertical, i) => {
      TAPS.forEach((horizontal, j) => {
        const start = (i * INPUT_SIDE + j) * inputs * columns;
        for (let tap = 0; tap < 9; tap++) {
          const factor = vertical[Math.floor(tap / 3)] * horizontal[tap % 3];
          if (!factor) continue;
          let from = tap * inputs * outputs;
          for (let input = 0; input < inputs; input++) {
            for (let output = 0; output < outputs; output++) {
              const panel = Math.floor(output / COLUMNS) * inputs + input;
              all[start + panel * COLUMNS + (output % COLUMNS)] += factor * values[from++];
            }
          }
        }
      });
    });
    return all;
  }
}
