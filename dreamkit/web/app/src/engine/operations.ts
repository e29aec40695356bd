/** Every kind of operation that a program may have: how it is done, and how a gradient passes back through it. */

import * as tf from "@tensorflow/tfjs-core";
import { explicit, Flipped, type Geometry, geometry, type Padding } from "./convolution";
import { isInMemory, maxPoolGradient } from "./inmemory";
import { Refused } from "./refused";

type Map4 = tf.Tensor4D;

/** An operation as a model file has it: see dreamkit's `engine/program.py`. */
export interface Described {
  kind: string;
  inputs: number[];
  attributes: Record<string, unknown>;
  /** Indices of its numbers among the model's weights. */
  constants: Record<string, number>;
}

export interface Numbers {
  values: Float32Array;
  shape: number[];
}

export interface Operation {
  inputs: number[];
  forward(inputs: Map4[]): Map4;
  /** Gradients with respect to the inputs, from the one with respect to the result. All are new tensors. */
  backward(upstream: Map4, inputs: Map4[], result: Map4): Map4[];
  dispose(): void;
}

/** A program's operations; `numbers` holds the model's weights. */
export function operationsOf(described: Described[], numbers: Numbers[]): Operation[] {
  return described.map((each) => {
    const make = KINDS[each.kind];
    if (!make) throw new Refused(`this network does ${each.kind}, which this page cannot; export it again`);
    const constants = Object.fromEntries(
      Object.entries(each.constants).map(([name, index]) => [name, numbers[index]]),
    );
    return { inputs: each.inputs, ...make(each.attributes, constants) };
  });
}

type Made = Omit<Operation, "inputs">;
type Make = (attributes: Record<string, unknown>, constants: Record<string, Numbers>) => Made;

const KINDS: Record<string, Make> = {
  conv2d: (attributes, constants) => convolution(attributes, constants, false),
  depthwise_conv2d: (attributes, constants) => convolution(attributes, constants, true),
  relu: () => activation(tf.relu),
  relu6: () => activation(tf.relu6, "relu6"),
  elu: () => ({
    ...plain,
    forward: ([x]) => tf.elu(x),
    backward: (upstream, _, result) => [
      tf.tidy(() => tf.mul(upstream, tf.where(tf.greater(result, 0), tf.onesLike(result), tf.add(result, 1))) as Map4),
    ],
  }),
  leaky_relu: ({ slope }) => ({
    ...plain,
    forward: ([x]) => tf.leakyRelu(x, slope as number),
    backward: (upstream, [x]) => [tf.tidy(() => tf.mul(upstream, tf.step(x, slope as number)) as Map4)],
  }),
  sigmoid: () => ({
    ...plain,
    forward: ([x]) => tf.sigmoid(x),
    backward: (upstream, _, result) => [
      tf.tidy(() => tf.mul(tf.mul(upstream, result), tf.sub(1, result)) as Map4),
    ],
  }),
  tanh: () => ({
    ...plain,
    forward: ([x]) => tf.tanh(x),
    backward: (upstream, _, result) => [
      tf.tidy(() => tf.mul(upstream, tf.sub(1, tf.square(result))) as Map4),
    ],
  }),
  add: (_, { addend }) =>
    addend
      ? withConstant(addend, (x, constant) => tf.add(x, constant), (upstream) => upstream.clone())
      : {
          ...plain,
          forward: (inputs) => tf.tidy(() => inputs.reduce((sum, each) => tf.add(sum, each) as Map4)),
          backward: (upstream, inputs) => inputs.map((each) => summedTo(upstream, each.shape)),
        },
  subtract: () => ({
    ...plain,
    forward: ([a, b]) => tf.sub(a, b),
    backward: (upstream, [a, b]) => [
      summedTo(upstream, a.shape),
      tf.tidy(() => tf.neg(summedTo(upstream, b.shape))),
    ],
  }),
  multiply: (_, { factor }) =>
    factor
      ? withConstant(factor, (x, constant) => tf.mul(x, constant), (upstream, constant) => tf.mul(upstream, constant))
      : {
          ...plain,
          forward: ([a, b]) => tf.mul(a, b),
          backward: (upstream, [a, b]) => [
            tf.tidy(() => summedTo(tf.mul(upstream, b) as Map4, a.shape)),
            tf.tidy(() => summedTo(tf.mul(upstream, a) as Map4, b.shape)),
          ],
        },
  concat: () => ({
    ...plain,
    forward: (inputs) => tf.concat(inputs, 3),
    backward: (upstream, inputs) => {
      let begin = 0;
      return inputs.map(({ shape }) => {
        begin += shape[3];
        return tf.slice(upstream, [0, 0, 0, begin - shape[3]], shape);
      });
    },
  }),
  slice_channels: ({ begin, count, of }) => ({
    ...plain,
    forward: ([x]) => tf.slice(x, [0, 0, 0, begin as number], [...x.shape.slice(0, 3), count as number] as Size),
    backward: (upstream) => {
      const after = (of as number) - (begin as number) - (count as number);
      return [tf.pad(upstream, [[0, 0], [0, 0], [0, 0], [begin as number, after]])];
    },
  }),
  reverse_channels: () => ({
    ...plain,
    forward: ([x]) => tf.reverse(x, 3),
    backward: (upstream) => [tf.reverse(upstream, 3)],
  }),
  pad: ({ padding, value }) => {
    const [top, bottom, left, right] = padding as number[];
    return {
      ...plain,
      forward: ([x]) => tf.pad(x, [[0, 0], [top, bottom], [left, right], [0, 0]], value as number),
      backward: (upstream, [x]) => [tf.slice(upstream, [0, top, left, 0], x.shape)],
    };
  },
  mean: () => ({
    ...plain,
    forward: ([x]) => tf.mean(x, [1, 2], true),
    backward: (upstream, [x]) => [
      tf.tidy(() => tf.add(tf.zeros(x.shape), tf.div(upstream, x.shape[1] * x.shape[2])) as Map4),
    ],
  }),
  max_pool: maxPool,
  avg_pool: averagePool,
  lrn: responseNormalisation,
};

type Size = [number, number, number, number];
const plain = { dispose(): void {} };

function activation(forward: (x: Map4) => Map4, kind = "relu"): Made {
  return {
    ...plain,
    forward: ([x]) => forward(x),
    backward: (upstream, _, result) => [throughActivation(upstream, result, kind)],
  };
}

/** Back through a ReLU, by what came out of it. Where it is flat, nothing passes. */
function throughActivation(upstream: Map4, result: Map4, kind: string): Map4 {
  return tf.tidy(() => {
    const open = tf.mul(upstream, tf.step(result));
    return (kind === "relu6" ? tf.mul(open, tf.step(tf.sub(6, result))) : open) as Map4;
  });
}

function withConstant(
  { values }: Numbers,
  forward: (x: Map4, constant: tf.Tensor) => tf.Tensor,
  backward: (upstream: Map4, constant: tf.Tensor) => tf.Tensor,
): Made {
  const constant = tf.keep(values.length === 1 ? tf.scalar(values[0]) : tf.tensor1d(values));
  return {
    forward: ([x]) => forward(x, constant) as Map4,
    backward: (upstream) => [backward(upstream, constant) as Map4],
    dispose: () => constant.dispose(),
  };
}

/** A gradient of what was broadcast. */
function summedTo(gradient: Map4, shape: number[]): Map4 {
  const axes = gradient.shape.map((_, axis) => axis).filter((axis) => shape[axis] !== gradient.shape[axis]);
  return axes.length ? tf.sum(gradient, axes, true) : gradient.clone();
}

function convolution(
  attributes: Record<string, unknown>,
  { kernel, bias }: Record<string, Numbers>,
  depthwise: boolean,
): Made {
  const shape = kernel.shape as Size;
  const strides = attributes.strides as [number, number];
  const dilations = (attributes.dilations ?? [1, 1]) as [number, number];
  const padding = attributes.padding as Padding;
  const kind = attributes.activation as "relu" | "relu6" | undefined;
  const filter = tf.keep(tf.tensor4d(kernel.values, shape));
  const added = bias && tf.keep(tf.tensor1d(bias.values));
  const flipped = new Flipped(kernel.values, shape, depthwise);
  const fused = depthwise ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
  return {
    forward: ([x]) =>
      fused({
        x,
        filter,
        strides,
        pad: explicit(padding) as "valid",
        dilations,
        bias: added,
        activation: kind ?? "linear",
      }),
    backward: (upstream, [x], result) => {
      const moved = geometry([x.shape[1], x.shape[2]], shape.slice(0, 2), strides, padding, dilations);
      if (!kind) return [flipped.gradient(upstream, moved)];
      const open = throughActivation(upstream, result, kind);
      const gradient = flipped.gradient(open, moved);
      open.dispose();
      return [gradient];
    },
    dispose: () => {
      filter.dispose();
      added?.dispose();
      flipped.dispose();
    },
  };
}

function maxPool(attributes: Record<string, unknown>): Made {
  const window = attributes.window as [number, number];
  const strides = attributes.strides as [number, number];
  const padding = attributes.padding as Padding;
  const pad = explicit(padding);
  return {
    ...plain,
    forward: ([x]) => tf.maxPool(x, window, strides, pad as "valid"),
    backward: (upstream, [x], result) => {
      if (isInMemory()) {
        const moved = geometry([x.shape[1], x.shape[2]], window, strides, padding);
        return [maxPoolGradient(upstream, x, result, moved)];
      }
      const given = { dy: upstream, input: x, output: result } as unknown as tf.NamedTensorMap;
      const how = { filterSize: window, strides, pad } as unknown as Record<string, never>;
      return [tf.engine().runKernel("MaxPoolGrad", given, how) as Map4];
    },
  };
}

/**
 * The mean of those pixels of a window that are there. The backends' own gradient takes all to be there; this
 * is the gradient of a depthwise convolution with ones, after a division by how many there were.
 */
function averagePool(attributes: Record<string, unknown>): Made {
  const window = attributes.window as [number, number];
  const strides = attributes.strides as [number, number];
  const padding = attributes.padding as Padding;
  const ones = new Map<number, Flipped>();
  const counts = new Map<string, tf.Tensor4D>();
  return {
    forward: ([x]) => tf.avgPool(x, window, strides, explicit(padding) as "valid"),
    backward: (upstream, [x]) => {
      const [, height, width, channels] = x.shape;
      const moved = geometry([height, width], window, strides, padding);
      const size = window[0] * window[1];
      if (!ones.has(channels)) {
        const kernel = new Float32Array(size * channels).fill(1);
        ones.set(channels, new Flipped(kernel, [window[0], window[1], channels, 1], true));
      }
      const key = `${height} ${width}`;
      if (!counts.has(key)) counts.set(key, tf.keep(sharesOf(moved)));
      const shared = tf.mul(upstream, counts.get(key)!) as Map4;
      const gradient = ones.get(channels)!.gradient(shared, moved);
      shared.dispose();
      return [gradient];
    },
    dispose: () => {
      for (const each of ones.values()) each.dispose();
      for (const each of counts.values()) each.dispose();
    },
  };
}

/** One over how many pixels of each window lie within the map. */
function sharesOf({ rows, columns }: Geometry): tf.Tensor4D {
  const [down, across] = [rows, columns].map(({ inside, outside, taps, stride, before }) =>
    Array.from({ length: outside }, (_, place) => {
      const start = place * stride - before;
      return Math.min(inside, start + taps) - Math.max(0, start);
    }),
  );
  const values = down.flatMap((high) => across.map((wide) => 1 / (high * wide)));
  return tf.tensor4d(values, [1, down.length, across.length, 1]);
}

/**
 * Local response normalisation over channels, `x s^-beta` with `s = bias + alpha * (sum of squares near)`.
 * What is near is a banded matrix, so its sums are a 1 x 1 convolution, and their gradient the same one.
 */
function responseNormalisation(attributes: Record<string, unknown>): Made {
  const { radius, bias, alpha, beta } = attributes as Record<string, number>;
  const bands = new Map<string, tf.Tensor4D>();
  /** Sums of what is near, times a number, and one more number. */
  const near = (x: Map4, factor: number, added: number): Map4 => {
    const channels = x.shape[3];
    const key = `${channels} ${factor}`;
    let filter = bands.get(key);
    if (!filter) {
      const values = Float32Array.from({ length: channels * channels }, (_, i) =>
        Math.abs(Math.floor(i / channels) - (i % channels)) <= radius ? factor : 0,
      );
      filter = tf.keep(tf.tensor4d(values, [1, 1, channels, channels]));
      bands.set(key, filter);
    }
    return tf.fused.conv2d({ x, filter, strides: 1, pad: "valid", bias: tf.fill([channels], added) });
  };
  const sizes = (x: Map4) => near(tf.square(x), alpha, bias);
  return {
    forward: ([x]) => tf.tidy(() => tf.mul(x, power(sizes(x), beta)) as Map4),
    backward: (upstream, [x]) => [
      tf.tidy(() => {
        const size = sizes(x);
        const direct = tf.mul(upstream, power(size, beta)) as Map4;
        const spread = near(tf.div(tf.mul(direct, x), size) as Map4, -2 * alpha * beta, 0);
        return tf.add(direct, tf.mul(x, spread)) as Map4;
      }),
    ],
    dispose: () => {
      for (const band of bands.values()) band.dispose();
    },
  };
}

/** `x^-beta`; the usual exponents by square roots, because `tf.pow` is slow. */
function power(x: Map4, beta: number): Map4 {
  if (beta !== 0.5 && beta !== 0.75) return tf.pow(x, -beta) as Map4;
  const root = tf.rsqrt(x);
  return beta === 0.5 ? root : (tf.mul(root, tf.sqrt(root)) as Map4);
}
