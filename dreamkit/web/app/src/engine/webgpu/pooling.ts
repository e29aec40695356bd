/** Pools and their gradients. Each thread gathers what one pixel needs, four channels at a time where it can. */

import type * as tf from "@tensorflow/tfjs-core";
import type { Geometry } from "../convolution";
import { lanes, type Program, run } from "./program";

export type Pool = "max" | "average";

/** The largest or the mean of those pixels of each window that lie within the map. */
export function pool(kind: Pool, x: tf.Tensor4D, placed: Geometry): tf.Tensor4D {
  const [images, , , channels] = x.shape;
  const shape: Shape = [images, placed.rows.output, placed.columns.output, channels];
  return run(program(`${kind} pool`, { x }, shape, placed, kind === "max" ? LARGEST : MEAN));
}

/**
 * The gradient of max pooling with `result`: where values are equal, the first of a window gets all of it. A
 * window is searched for an earlier one only by those of its pixels that are as large as its result.
 */
export function maxPoolGradient(
  upstream: tf.Tensor4D,
  x: tf.Tensor4D,
  result: tf.Tensor4D,
  placed: Geometry,
): tf.Tensor4D {
  return run(program("max pool gradient", { x, pooled: result, upstream }, x.shape, placed, LARGEST_GRADIENT));
}

/** The gradient of average pooling with respect to a map of the shape `shape`. */
export function averagePoolGradient(upstream: tf.Tensor4D, shape: Shape, placed: Geometry): tf.Tensor4D {
  return run(program("average pool gradient", { upstream }, shape, placed, MEAN_GRADIENT));
}

type Shape = [number, number, number, number];
const THREADS = 64;

function program(
  name: string,
  inputs: Record<string, tf.Tensor4D>,
  shape: Shape,
  { rows, columns }: Geometry,
  main: string,
): Program {
  const each = lanes(shape[3]);
  const elements = (shape[0] * shape[1] * shape[2] * shape[3]) / each;
  return {
    name: `dreamkit ${name} ${each}`,
    source: `
      alias Value = ${each === 4 ? "vec4<f32>" : "f32"};
      ${COMMON}
      ${main}
    `,
    inputs,
    lanes: { inputs: Object.keys(inputs).map(() => each), result: each },
    uniforms: {
      mapSize: [rows.input, columns.input],
      pooledSize: [rows.output, columns.output],
      taps: [rows.taps, columns.taps],
      strides: [rows.stride, columns.stride],
      before: [rows.before, columns.before],
      parts: [shape[3] / each],
    },
    shape,
    threads: [THREADS, 1, 1],
    dispatch: Math.ceil(elements / THREADS),
  };
}

const COMMON = `
  /** The image, row, column and channel of an element of the result. */
  fn position(index: i32, size: vec2<i32>) -> vec4<i32> {
    let pixel = index / uniforms.parts;
    let line = pixel / size.y;
    return vec4<i32>(line / size.x, line % size.x, pixel % size.y, index % uniforms.parts);
  }

  fn inMap(at: vec4<i32>, place: vec2<i32>) -> i32 {
    return ((at.x * uniforms.mapSize.x + place.x) * uniforms.mapSize.y + place.y) * uniforms.parts + at.w;
  }

  fn inPooled(at: vec4<i32>, place: vec2<i32>) -> i32 {
    return ((at.x * uniforms.pooledSize.x + place.x) * uniforms.pooledSize.y + place.y) * uniforms.parts + at.w;
  }

  /** The first pixel of a window that lies within the map, and the one after the last. */
  fn start(window: vec2<i32>) -> vec2<i32> {
    return max(window * uniforms.strides - uniforms.before, vec2<i32>(0));
  }
  fn end(window: vec2<i32>) -> vec2<i32> {
    return min(window * uniforms.strides - uniforms.before + uniforms.taps, uniforms.mapSize);
  }

  /** The first window that a pixel is in, and the one after the last. */
  fn firstWindow(pixel: vec2<i32>) -> vec2<i32> {
    let reach = max(pixel + uniforms.before - uniforms.taps + uniforms.strides, vec2<i32>(0));
    return reach / uniforms.strides;
  }
  fn endOfWindows(pixel: vec2<i32>) -> vec2<i32> {
    return min((pixel + uniforms.before) / uniforms.strides + 1, uniforms.pooledSize);
  }
`;

/** Collects the values of each window; the result is `total`. */
const overWindow = (initial: string, collect: string, total: string) => `
  fn main(index: i32) {
    if (index >= uniforms.size) { return; }
    let at = position(index, uniforms.pooledSize);
    let first = start(at.yz);
    let last = end(at.yz);
    var found = Value(${initial});
    for (var row = first.x; row < last.x; row++) {
      for (var column = first.y; column < last.y; column++) {
        let value = x[inMap(at, vec2<i32>(row, column))];
        ${collect}
      }
    }
    result[index] = ${total};
  }
`;

const LARGEST = overWindow("-3.4e38", "found = max(found, value);", "found");
const MEAN = overWindow("0.0", "found += value;", "found / f32((last.x - first.x) * (last.y - first.y))");

/** Sums, for each pixel, what its windows give it. */
const overWindows = (give: string) => `
  fn main(index: i32) {
    if (index >= uniforms.size) { return; }
    let at = position(index, uniforms.mapSize);
    let first = firstWindow(at.yz);
    let last = endOfWindows(at.yz);
    var sum = Value(0.0);
    for (var row = first.x; row < last.x; row++) {
      for (var column = first.y; column < last.y; column++) {
        let window = vec2<i32>(row, column);
        let pooledAt = inPooled(at, window);
        ${give}
      }
    }
    result[index] = sum;
  }
`;

const LARGEST_GRADIENT = overWindows(`
  let largest = pooled[pooledAt];
  var isFirst = x[index] == largest;
  let corner = start(window);
  let right = end(window).y;
  for (var y = corner.x; y <= at.y; y++) {
    for (var across = corner.y; across < select(right, at.z, y == at.y); across++) {
      if (!any(isFirst)) { break; }
      isFirst = isFirst & (x[inMap(at, vec2<i32>(y, across))] != largest);
    }
  }
  if (any(isFirst)) { sum += select(Value(0.0), upstream[pooledAt], isFirst); }
`);

const MEAN_GRADIENT = overWindows(`
  let inside = end(window) - start(window);
  sum += upstream[pooledAt] / f32(inside.x * inside.y);
`);
