/**
 * Convolutions with 3 x 3, 4 x 4 or 5 x 5 taps in WebAssembly, with a third or a quarter of the multiplications:
 * Winograd's minimal filtering, after Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015).
 * Tiles of 6 x 6 pixels are transformed to 36 numbers for each channel; matrices that multiply these numbers take
 * the place of the taps; and each tile is transformed back to 4 x 4, 3 x 3 or 2 x 2 pixels of the result.
 */

import * as tf from "@tensorflow/tfjs-core";
import type { KernelShape, OwnKernel, Placement } from "./convolution";
import { copyRows } from "./copies";
import { biasOf, multiplyMatrices, packedSize, PANEL } from "./matrices";
import { empty, run, view } from "./routine";
import * as routines from "./winograd_routines";

const { BYTES, INPUT_SIDE } = routines;
const NUMBERS = INPUT_SIDE ** 2; // of a transformed tile
const TILES = 60; // that are computed together, so that they stay in the processor's cache
/** Where the polynomials of taps and pixels are evaluated, beside infinity, and the factors of their taps. */
const POINTS = [[0, 1 / 4], [1, -1 / 6], [-1, -1 / 6], [2, 1 / 24], [-2, 1 / 24]];

/** How many tiles a result has, down and across. */
export function tilesOf(size: [number, number], taps: number): [number, number] {
  const along = (side: number) => Math.ceil(side / stepOf(taps));
  return [along(size[0]), along(size[1])];
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

export class TransformedKernel implements OwnKernel {
  private readonly matrices: tf.Tensor;
  private readonly bias: tf.Tensor;
  private readonly none: tf.Tensor;

  constructor(
    values: Float32Array,
    private readonly shape: KernelShape,
    bias?: Float32Array,
  ) {
    this.matrices = tf.keep(transformed(values, shape));
    this.bias = tf.keep(biasOf(shape[3], bias));
    this.none = tf.keep(biasOf(shape[3]));
  }

  convolve(x: tf.Tensor4D, { size, before }: Placement, isRelu: boolean, gate?: tf.Tensor4D): tf.Tensor4D {
    const [taps, , inputs, outputs] = this.shape;
    const [pictures, height, width] = x.shape;
    const step = stepOf(taps);
    const [down, across] = tilesOf(size, taps);
    const out = empty([pictures, ...size, outputs]);
    const sides = [down, across].map((tiles) => tiles * step + taps - 1);
    const [depth, room] = [inputs * BYTES, Math.min(TILES, down * across)];
    const line = sides[1] * depth;
    tf.tidy(() => {
      const padded = empty([1, sides[0], sides[1], inputs]);
      const tiles = empty([1, NUMBERS, room, inputs]);
      const products = empty([1, NUMBERS, room, outputs]);
      const square = empty([1, INPUT_SIDE, INPUT_SIDE, 4]);
      for (let picture = 0; picture < pictures; picture++) {
        view(padded).fill(0);
        // Rows and columns beyond the last tile are not read.
        const [rows, columns] = [Math.min(height, sides[0] - before[0]), Math.min(width, sides[1] - before[1])];
        const starts = { from: picture * height * width * depth, to: before[0] * line + before[1] * depth };
        const lines = { from: width * depth, to: line };
        copyRows(x, padded, { count: rows, length: columns * depth, lines, starts }, gate);
        for (let done = 0; done < down * across; done += room) {
          // The last round overlaps the one before it, so that all have as many tiles.
          const place = [Math.min(done, down * across - room), room, across];
          run(`transform input ${step}`, () => routines.transformInput(step), [
            ...[padded, tiles, square, ...place, line, depth, room * depth],
          ]);
          const sizes = { pairs: NUMBERS, rows: room, room, inputs, outputs };
          multiplyMatrices(tiles, this.matrices, this.none, products, sizes, 0, -Infinity);
          run(`transform output ${step}`, () => routines.transformOutput(step), [
            ...[products, out, square, this.bias, ...place, ...size, outputs * BYTES],
            ...[room * outputs * BYTES, picture * size[0] * size[1] * outputs * BYTES, isRelu ? 0 : -Infinity],
          ]);
        }
      }
    });
    return out;
  }

  dispose(): void {
    tf.dispose([this.matrices, this.bias, this.none]);
  }
}

/** For each number of a tile, a matrix of inputs and outputs. */
function transformed(values: Float32Array, [taps, , inputs, outputs]: KernelShape): tf.Tensor {
  return tf.tidy(() => {
    const size = packedSize(inputs, outputs);
    const matrices = empty([1, 1, NUMBERS, size]);
    view(matrices).fill(0); // outputs that fill the last panel up stay zero
    const square = empty([1, INPUT_SIDE, taps, 4]);
    run(`transform kernel ${taps}`, () => routines.transformKernel(factorsOf(taps), PANEL), [
      ...[tf.tensor1d(values), matrices, square, inputs, outputs, size * BYTES],
    ]);
    return matrices;
  });
}
