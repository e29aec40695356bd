/**
 * Products of matrices in WebAssembly. A block of three rows and eight columns is what V8 keeps in registers; it is
 * one and a half times as fast as TensorFlow.js' own blocks.
 */

import * as tf from "@tensorflow/tfjs-core";
import {
  add,
  type Code,
  F32,
  I32,
  isLess,
  multiply,
  Routine,
  smaller,
  subtract,
  V128,
  vectors as v,
  whole,
} from "./assembler";
import { run } from "./routine";

const ROWS = 3; // of a block
/** Columns of a block. The second matrix of a pair is stored in panels of as many outputs, each with all inputs. */
export const PANEL = 8;
const LANES = [0, 1]; // vectors of four columns
const BYTES = 4;
const VECTOR = 4 * BYTES;
/** The fewest rows that a product can have. */
export const FEWEST_ROWS = ROWS;

/** One or more pairs of matrices: `(rows, inputs)` and `(inputs, outputs)`. */
interface Sizes {
  pairs: number;
  /** Rows that are multiplied, and those from one pair to the next. */
  rows: number;
  room: number;
  inputs: number;
  /** A multiple of four. */
  outputs: number;
}

/** How many numbers a matrix has in panels. */
export function packedSize(inputs: number, outputs: number): number {
  return inputs * columnsOf(outputs);
}

/** A matrix `(inputs, outputs)` in panels; those that fill the last one up are zero. */
export function pack(values: Float32Array, inputs: number, outputs: number): Float32Array {
  const out = new Float32Array(packedSize(inputs, outputs));
  for (let start = 0, to = 0; start < outputs; start += PANEL) {
    const count = Math.min(PANEL, outputs - start);
    for (let input = 0; input < inputs; input++, to += PANEL) {
      const from = input * outputs + start;
      for (let k = 0; k < count; k++) out[to + k] = values[from + k];
    }
  }
  return out;
}

/** A bias as `multiplyMatrices` takes it; zero without one. */
export function biasOf(outputs: number, values?: Float32Array): tf.Tensor {
  const all = new Float32Array(columnsOf(outputs));
  if (values) all.set(values);
  return tf.tensor1d(all);
}

/**
 * Products of the matrices of `a`, from row `first` on, and of `packed`, plus a bias; none is below `floor`. They are
 * written to the same rows of `out`.
 */
export function multiplyMatrices(
  a: tf.Tensor,
  packed: tf.Tensor,
  bias: tf.Tensor,
  out: tf.Tensor,
  { pairs, rows, room, inputs, outputs }: Sizes,
  first: number,
  floor: number,
): void {
  const sizes = [pairs, rows, room, inputs, outputs, columnsOf(outputs)];
  run("multiply matrices", routine, [a, packed, bias, out, ...sizes, first, floor]);
}

function columnsOf(outputs: number): number {
  return Math.ceil(outputs / PANEL) * PANEL;
}

function routine(): Routine {
  const f = new Routine([...Array.from({ length: 11 }, () => I32), F32]);
  const given = Array.from({ length: 12 }, (_, index) => f.parameter(index));
  const [a, packed, bias, out, pairs, rows, room, inputs, outputs, columns, first, floor] = given;
  const [pair, column, row, at, input, to, weight, depth, line] = Array.from({ length: 9 }, () => f.variable());
  const block = Array.from({ length: ROWS }, () => f.variable());
  const [weights, value] = [LANES.map(() => f.variable(V128)), f.variable(V128)];
  const sums = block.map(() => LANES.map(() => f.variable(V128)));
  const bytes = (...factors: Code[]) => multiply(whole(BYTES), ...factors);
  f.do(depth.set(bytes(inputs.get)), line.set(bytes(outputs.get)));
  f.do(a.set(add(a.get, multiply(first.get, depth.get))), out.set(add(out.get, multiply(first.get, line.get))));
  f.repeat(pair, whole(0), pairs.get, 1, () => {
    f.repeat(column, whole(0), columns.get, PANEL, () => {
      f.repeat(row, whole(0), rows.get, ROWS, () => {
        // The last block overlaps the one before it where the rows are no multiple of its own.
        f.do(at.set(smaller(row.get, subtract(rows.get, whole(ROWS)))));
        block.forEach((each, k) => f.do(each.set(add(a.get, multiply(add(at.get, whole(k)), depth.get)))));
        for (const lane of LANES) {
          const start = v.load(add(bias.get, bytes(column.get)), lane * VECTOR);
          f.do(...sums.map((sum) => sum[lane].set(start)));
        }
        f.do(weight.set(add(packed.get, bytes(column.get, inputs.get))));
        f.repeat(input, whole(0), inputs.get, 1, () => {
          for (const lane of LANES) f.do(weights[lane].set(v.load(weight.get, lane * VECTOR)));
          block.forEach((each, k) => {
            f.do(value.set(v.loadEach(each.get)));
            for (const lane of LANES) {
              f.do(sums[k][lane].set(v.add(sums[k][lane].get, v.multiply(value.get, weights[lane].get))));
            }
          });
          f.do(...block.map((each) => each.set(add(each.get, whole(BYTES)))));
          f.do(weight.set(add(weight.get, whole(PANEL * BYTES))));
        });
        const store = (lane: number): void => {
          f.do(to.set(add(out.get, multiply(at.get, line.get), bytes(column.get))));
          for (const sum of sums) {
            f.do(v.store(to.get, v.max(sum[lane].get, v.each(floor.get)), lane * VECTOR));
            f.do(to.set(add(to.get, line.get)));
          }
        };
        store(0);
        f.when(isLess(add(column.get, whole(4)), outputs.get), () => store(1));
      });
    });
    f.do(a.set(add(a.get, multiply(room.get, depth.get))), out.set(add(out.get, multiply(room.get, line.get))));
    f.do(packed.set(add(packed.get, multiply(columns.get, depth.get))));
  });
  return f;
}
