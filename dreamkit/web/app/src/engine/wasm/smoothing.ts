/** A blur in WebAssembly. TensorFlow.js' depthwise convolution takes twenty times as long for three channels. */

import * as tf from "@tensorflow/tfjs-core";
import { add, type Code, I32, multiply, Routine, V128, type Variable, vectors as v, whole } from "./assembler";
import { empty, run, view } from "./routine";

const AT_ONCE = 16; // numbers of the result that are computed together
const BYTES = 4;

/**
 * A picture of `height` and `width` with three channels, convolved with `taps x taps` weights. `rows` and `columns`
 * are the places that lie under the kernel: `taps - 1` more than the picture has.
 */
export function blur(
  values: Float32Array,
  width: number,
  rows: number[],
  columns: number[],
  weights: Float32Array,
): Float32Array {
  const taps = Math.sqrt(weights.length);
  const reach = (taps - 1) / 2;
  const [line, height] = [columns.length * 3, rows.length - taps + 1];
  const blurred = new Float32Array(height * width * 3);
  tf.tidy(() => {
    const padded = empty([1, 1, 1, rows.length * line + AT_ONCE]);
    const kernel = tf.tensor1d(weights);
    const out = empty([1, 1, 1, height * line + AT_ONCE]);
    const into = view(padded);
    const edges = columns.map((_, x) => x).filter((x) => x < reach || x >= reach + width);
    rows.forEach((row, y) => {
      const [from, to] = [row * width * 3, y * line];
      into.set(values.subarray(from, from + width * 3), to + reach * 3);
      for (const x of edges) {
        for (let k = 0; k < 3; k++) into[to + x * 3 + k] = values[from + columns[x] * 3 + k];
      }
    });
    // The lines of the result are as long as the padded ones, and what lies beyond the picture is left out below.
    run(`blur ${taps}`, () => routine(taps), [padded, out, kernel, line * BYTES, (height - 1) * line + width * 3]);
    const found = view(out);
    for (let y = 0; y < height; y++) blurred.set(found.subarray(y * line, y * line + width * 3), y * width * 3);
  });
  return blurred;
}

function routine(taps: number): Routine {
  const f = new Routine([I32, I32, I32, I32, I32]);
  const [from, to, kernel, line, count] = [0, 1, 2, 3, 4].map((index) => f.parameter(index));
  const [i, row, at, weight] = [f.variable(), f.variable(), f.variable(), f.variable()];
  const factor = f.variable(V128);
  const sums: Variable[] = Array.from({ length: AT_ONCE / 4 }, () => f.variable(V128));
  const bytes = (index: Code) => multiply(index, whole(BYTES));
  f.repeat(i, whole(0), count.get, AT_ONCE, () => {
    f.do(...sums.map((sum) => sum.set(v.zero)), at.set(add(from.get, bytes(i.get))), weight.set(kernel.get));
    f.repeat(row, whole(0), whole(taps), 1, () => {
      for (let tap = 0; tap < taps; tap++) {
        f.do(factor.set(v.loadEach(weight.get, tap * BYTES)));
        sums.forEach((sum, k) => {
          const value = v.load(at.get, (tap * 3 + 4 * k) * BYTES);
          f.do(sum.set(v.add(sum.get, v.multiply(factor.get, value))));
        });
      }
      f.do(at.set(add(at.get, line.get)), weight.set(add(weight.get, whole(taps * BYTES))));
    });
    sums.forEach((sum, k) => f.do(v.store(add(to.get, bytes(i.get)), sum.get, 4 * k * BYTES)));
  });
  return f;
}
