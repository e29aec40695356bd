/**
 * Local response normalisation over channels, and its gradient. A workgroup takes 64 channels of one pixel, and
 * has their neighbours in its memory.
 */

import type * as tf from "@tensorflow/tfjs-core";
import { run } from "./program";

export interface Normalisation {
  radius: number;
  bias: number;
  alpha: number;
  beta: number;
}

const THREADS = 64;
/** The farthest neighbours that fit in every workgroup's memory. */
export const MOST_RADIUS = 128;

/** `x s^-beta` with `s = bias + alpha * (sum of squares nearby)`. */
export function normaliseResponses(x: tf.Tensor4D, how: Normalisation): tf.Tensor4D {
  return program("response normalisation", { x }, x, how, 1, `
    if (pixel < uniforms.pixels && channel < uniforms.xShape.w) {
      result[pixel * uniforms.xShape.w + channel] = nearby[lane + RADIUS] * power(size(lane + RADIUS));
    }
  `);
}

/** Its gradient: `u s^-beta - 2 alpha beta x * (sum of u x s^(-beta - 1) nearby)`. */
export function responseGradient(upstream: tf.Tensor4D, x: tf.Tensor4D, how: Normalisation): tf.Tensor4D {
  return program("response normalisation gradient", { x, upstream }, x, how, 2, `
    for (var i = lane; i < ${THREADS} + 2 * RADIUS; i += ${THREADS}) {
      let other = first + i - RADIUS;
      var term = 0.0;
      if (other >= 0 && other < uniforms.xShape.w) {
        let s = size(i + RADIUS);
        term = upstream[pixel * uniforms.xShape.w + other] * nearby[i + RADIUS] * power(s) / s;
      }
      terms[i] = term;
    }
    workgroupBarrier();
    if (pixel < uniforms.pixels && channel < uniforms.xShape.w) {
      var spread = 0.0;
      for (var i = lane; i <= lane + 2 * RADIUS; i++) { spread += terms[i]; }
      let direct = upstream[pixel * uniforms.xShape.w + channel] * power(size(lane + 2 * RADIUS));
      result[pixel * uniforms.xShape.w + channel] =
        direct - 2.0 * ALPHA * BETA * nearby[lane + 2 * RADIUS] * spread;
    }
  `);
}

/** A program whose `nearby` holds a workgroup's channels, and `reach` times the radius on both sides. */
function program(
  name: string,
  inputs: Record<string, tf.Tensor4D>,
  x: tf.Tensor4D,
  { radius, bias, alpha, beta }: Normalisation,
  reach: 1 | 2,
  main: string,
): tf.Tensor4D {
  const [images, height, width, channels] = x.shape;
  const [pixels, groups] = [images * height * width, Math.ceil(channels / THREADS)];
  const most = THREADS + 2 * reach * radius;
  return run({
    name: `dreamkit ${name} ${radius} ${bias} ${alpha} ${beta}`,
    source: `
      const RADIUS = ${radius};
      const BIAS = ${float(bias)};
      const ALPHA = ${float(alpha)};
      const BETA = ${float(beta)};
      var<workgroup> nearby: array<f32, ${most}>;
      var<workgroup> terms: array<f32, ${THREADS + 2 * radius}>;

      fn size(at: i32) -> f32 {
        var sum = 0.0;
        for (var i = at - RADIUS; i <= at + RADIUS; i++) { sum += nearby[i] * nearby[i]; }
        return BIAS + ALPHA * sum;
      }

      fn power(s: f32) -> f32 { ${POWERS[beta] ?? "return pow(s, -BETA);"} }

      fn main(index: i32) {
        let lane = i32(localIndex);
        let group = index / ${THREADS};
        let pixel = group / uniforms.groups;
        let first = (group % uniforms.groups) * ${THREADS};
        let channel = first + lane;
        for (var i = lane; i < ${most}; i += ${THREADS}) {
          let other = first + i - ${reach} * RADIUS;
          var value = 0.0;
          if (other >= 0 && other < uniforms.xShape.w) { value = x[pixel * uniforms.xShape.w + other]; }
          nearby[i] = value;
        }
        workgroupBarrier();
        ${main}
      }
    `,
    inputs,
    lanes: { inputs: Object.keys(inputs).map(() => 1), result: 1 },
    uniforms: { pixels: [pixels], groups: [groups] },
    shape: x.shape,
    threads: [THREADS, 1, 1],
    dispatch: pixels * groups,
  });
}

/** The usual exponents use square roots, because `pow` is slow. */
const POWERS: Record<number, string> = {
  0.5: "return inverseSqrt(s);",
  0.75: "let root = inverseSqrt(s); return root * sqrt(root);",
};

/** A number as WGSL writes it. */
function float(value: number): string {
  return /[.e]/.test(String(value)) ? String(value) : `${value}.0`;
}
