/**
 * Local response normalisation over channels in WebAssembly, and its gradient: `x s^-beta` with
 * `s = bias + alpha * (sum of squares nearby)`. Sums run over a line of numbers with zeros at both ends.
 */

import * as tf from "@tensorflow/tfjs-core";
import type { Normalisation } from "../webgpu/response_normalisation";
import { add, type Code, F32, fraction, I32, Routine, V128, type Variable, vectors as v, whole } from "./assembler";
import { empty, run, view } from "./routine";

const BYTES = 4;
const VECTOR = 4 * BYTES;

/** Whether these routines compute it: with square roots alone, four channels at a time. */
export function canNormalise({ beta }: Normalisation, channels: number): boolean {
  return (beta === 0.5 || beta === 0.75) && channels % 4 === 0;
}

export function normaliseResponses(x: tf.Tensor4D, normalisation: Normalisation): tf.Tensor4D {
  return compute(x, x, normalisation, false);
}

/** The gradient with respect to `x`. */
export function responseGradient(upstream: tf.Tensor4D, x: tf.Tensor4D, normalisation: Normalisation): tf.Tensor4D {
  return compute(upstream, x, normalisation, true);
}

function compute(
  upstream: tf.Tensor4D,
  x: tf.Tensor4D,
  { radius, bias, alpha, beta }: Normalisation,
  isGradient: boolean,
): tf.Tensor4D {
  const [pictures, height, width, channels] = x.shape;
  const out = empty(x.shape);
  tf.tidy(() => {
    const lines = empty([1, 1, 2, channels + 2 * radius]);
    view(lines).fill(0);
    const name = `response ${isGradient ? "gradient" : "normalisation"} ${radius} ${beta}`;
    const pixels = pictures * height * width;
    const values = [upstream, x, out, lines, pixels, channels * BYTES, bias, alpha, -2 * alpha * beta];
    run(name, () => routine(radius, beta, isGradient), values);
  });
  return out;
}

function routine(radius: number, beta: number, isGradient: boolean): Routine {
  const f = new Routine([I32, I32, I32, I32, I32, I32, F32, F32, F32]);
  const [upstream, x, out, line, pixels, depth] = [0, 1, 2, 3, 4, 5].map((index) => f.parameter(index));
  const [bias, alpha, slope] = [6, 7, 8].map((index) => v.each(f.parameter(index).get));
  const [pixel, channel, second] = [f.variable(), f.variable(), f.variable()];
  const [sum, size, inverse, direct] = [0, 1, 2, 3].map(() => f.variable(V128));
  const at = (start: Variable): Code => add(start.get, channel.get);
  const overChannels = (body: () => void): void => f.repeat(channel, whole(0), depth.get, VECTOR, body);
  const sumNearby = (start: Variable): void => {
    f.do(sum.set(v.load(at(start))));
    for (let k = 1; k <= 2 * radius; k++) f.do(sum.set(v.add(sum.get, v.load(at(start), k * BYTES))));
  };
  f.do(second.set(add(line.get, depth.get, whole(2 * radius * BYTES))));
  f.repeat(pixel, whole(0), pixels.get, 1, () => {
    overChannels(() => {
      f.do(v.store(at(line), v.multiply(v.load(at(x)), v.load(at(x))), radius * BYTES));
    });
    overChannels(() => {
      sumNearby(line);
      f.do(size.set(v.add(bias, v.multiply(alpha, sum.get))));
      f.do(inverse.set(v.divide(v.each(fraction(1)), v.root(size.get))));
      if (beta === 0.75) f.do(inverse.set(v.multiply(inverse.get, v.root(inverse.get))));
      f.do(direct.set(v.multiply(v.load(at(upstream)), inverse.get)), v.store(at(out), direct.get));
      if (!isGradient) return;
      f.do(v.store(at(second), v.divide(v.multiply(direct.get, v.load(at(x))), size.get), radius * BYTES));
    });
    if (isGradient) {
      overChannels(() => {
        sumNearby(second);
        const spread = v.multiply(v.load(at(x)), v.multiply(slope, sum.get));
        f.do(v.store(at(out), v.add(v.load(at(out)), spread)));
      });
    }
    f.do(...[upstream, x, out].map((each) => each.set(add(each.get, depth.get))));
  });
  return f;
}
