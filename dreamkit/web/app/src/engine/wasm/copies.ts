/** Copies in WebAssembly: of channels, of rows into a larger map, and through a ReLU's gate. */

import type * as tf from "@tensorflow/tfjs-core";
import { add, I32, Routine, vectors as v, whole } from "./assembler";
import { empty, run } from "./routine";

const BYTES = 4;
const VECTOR = 4 * BYTES;

/** Rows of the same length in two maps: all numbers are bytes, and rows are multiples of 16. */
export interface Rows {
  count: number;
  length: number;
  /** From one row to the next. */
  lines: { from: number; to: number };
  starts: { from: number; to: number };
}

/** Copies rows of `x` to `out`; numbers whose `gate` is zero or less become zero. */
export function copyRows(x: tf.Tensor, out: tf.Tensor, { count, length, lines, starts }: Rows, gate?: tf.Tensor): void {
  const values = [x, gate ?? x, out, count, length, lines.from, lines.to, starts.from, starts.to];
  run(gate ? "gated copy" : "copy", () => routine(Boolean(gate)), values);
}

/** The gradient of a ReLU, given its result. The channels are a multiple of four. */
export function throughRelu(upstream: tf.Tensor4D, result: tf.Tensor4D): tf.Tensor4D {
  const out = empty(upstream.shape);
  const length = upstream.size * BYTES;
  copyRows(upstream, out, { count: 1, length, lines: { from: 0, to: 0 }, starts: { from: 0, to: 0 } }, result);
  return out;
}

/** Some channels of a map; `begin` and `count` are multiples of four. */
export function channelsOf(x: tf.Tensor4D, begin: number, count: number): tf.Tensor4D {
  const [pictures, height, width, channels] = x.shape;
  const out = empty([pictures, height, width, count]);
  const length = count * BYTES;
  copyRows(x, out, {
    count: pictures * height * width,
    length,
    lines: { from: channels * BYTES, to: length },
    starts: { from: begin * BYTES, to: 0 },
  });
  return out;
}

function routine(isGated: boolean): Routine {
  const f = new Routine(Array.from({ length: 9 }, () => I32));
  const given = Array.from({ length: 9 }, (_, index) => f.parameter(index));
  const [x, gate, to, rows, bytes, fromLine, toLine, fromStart, toStart] = given;
  const [row, i] = [f.variable(), f.variable()];
  f.repeat(row, whole(0), rows.get, 1, () => {
    f.repeat(i, whole(0), bytes.get, VECTOR, () => {
      const from = add(fromStart.get, i.get);
      const value = v.load(add(x.get, from));
      const isOpen = v.isGreater(v.load(add(gate.get, from)), v.zero);
      f.do(v.store(add(to.get, toStart.get, i.get), isGated ? v.and(value, isOpen) : value));
    });
    f.do(fromStart.set(add(fromStart.get, fromLine.get)), toStart.set(add(toStart.get, toLine.get)));
  });
  return f;
}
