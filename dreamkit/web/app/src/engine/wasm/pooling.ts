/** The gradient of max pooling in WebAssembly. TensorFlow.js' own is slow, and wrong where all values are below 0. */

import type * as tf from "@tensorflow/tfjs-core";
import type { Geometry } from "../convolution";
import {
  add,
  type Code,
  I32,
  larger,
  multiply,
  Routine,
  smaller,
  subtract,
  V128,
  vectors as v,
  whole,
} from "./assembler";
import { empty, run, view } from "./routine";

const BYTES = 4;

/** Where values are equal, the first of a window gets all of `upstream`. The channels are a multiple of four. */
export function maxPoolGradient(
  upstream: tf.Tensor4D,
  x: tf.Tensor4D,
  result: tf.Tensor4D,
  { rows, columns }: Geometry,
): tf.Tensor4D {
  const [pictures, height, width, channels] = x.shape;
  const gradient = empty(x.shape);
  view(gradient).fill(0);
  const [from, to] = [height * width * channels * BYTES, rows.output * columns.output * channels * BYTES];
  const places = [rows, columns].flatMap(({ input, output, taps, stride, before }) => [
    ...[input, output, taps, stride, before],
  ]);
  for (let picture = 0; picture < pictures; picture++) {
    run("max pool gradient", gradientRoutine, [
      ...[upstream, x, result, gradient, channels * BYTES, picture * from, picture * to],
      ...places,
    ]);
  }
  return gradient;
}

function gradientRoutine(): Routine {
  const f = new Routine(Array.from({ length: 17 }, () => I32));
  const [upstream, x, result, gradient, depth, begin, window] = [0, 1, 2, 3, 4, 5, 6].map((i) => f.parameter(i));
  const axis = (first: number) => {
    const [input, output, taps, stride, before] = [0, 1, 2, 3, 4].map((i) => f.parameter(first + i).get);
    const [place, at, start, end] = Array.from({ length: 4 }, () => f.variable());
    return { input, output, taps, stride, before, place, at, start, end };
  };
  const [down, across] = [axis(7), axis(12)];
  const [channel, at, pixel] = [f.variable(), f.variable(), f.variable()];
  const [most, incoming, remaining, here] = [0, 1, 2, 3].map(() => f.variable(V128));
  /** The part of the window at `place` that lies within the map. */
  const bound = ({ input, taps, stride, before, place, start, end }: ReturnType<typeof axis>): void => {
    f.do(start.set(subtract(multiply(place.get, stride), before)));
    f.do(end.set(smaller(input, add(start.get, taps))), start.set(larger(whole(0), start.get)));
  };
  const visit = (body: (pixel: Code) => void): void => {
    f.repeat(down.at, down.start.get, down.end.get, 1, () => {
      const first = add(multiply(down.at.get, across.input), across.start.get);
      f.do(pixel.set(add(begin.get, channel.get, multiply(first, depth.get))));
      f.repeat(across.at, across.start.get, across.end.get, 1, () => {
        body(pixel.get);
        f.do(pixel.set(add(pixel.get, depth.get)));
      });
    });
  };
  f.repeat(down.place, whole(0), down.output, 1, () => {
    bound(down);
    f.repeat(across.place, whole(0), across.output, 1, () => {
      bound(across);
      f.repeat(channel, whole(0), depth.get, 4 * BYTES, () => {
        f.do(at.set(add(window.get, channel.get)));
        f.do(most.set(v.load(add(result.get, at.get))), incoming.set(v.load(add(upstream.get, at.get))));
        f.do(remaining.set(v.isEqual(v.zero, v.zero)));
        visit((pixel) => {
          f.do(here.set(v.and(v.isEqual(v.load(add(x.get, pixel)), most.get), remaining.get)));
          f.do(remaining.set(v.andNot(remaining.get, here.get)));
          const to = add(gradient.get, pixel);
          f.do(v.store(to, v.add(v.load(to), v.and(incoming.get, here.get))));
        });
      });
      f.do(window.set(add(window.get, depth.get)));
    });
  });
  return f;
}
