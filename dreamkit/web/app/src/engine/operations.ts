/** Every kind of operation in an exported graph: its forward pass, and its gradient. */

import * as tf from "@tensorflow/tfjs-core";
import {
  FlippedKernels,
  type Gate,
  type Geometry,
  geometry,
  type Padding,
  tfjsPadding,
  throughGate,
} from "./convolution";
import { isOnCpu, maxPoolGradient } from "./cpu_kernels";
import { UserError } from "./errors";
import { isFaster, type OwnKernel, ownKernel, type Placement } from "./wasm/convolution";
import { channelsOf } from "./wasm/copies";
import * as wasmPools from "./wasm/pooling";
import * as wasmNormalisation from "./wasm/response_normalisation";
import { isOnWasm } from "./wasm/routine";
import { PackedKernel } from "./webgpu/convolution";
import * as gpuPools from "./webgpu/pooling";
import { isOnWebgpu } from "./webgpu/program";
import * as gpuNormalisation from "./webgpu/response_normalisation";

type Map4 = tf.Tensor4D;

/** An operation in `model.json`: see dreamkit's `web/exported_graph.py`. */
export interface OperationDescription {
  kind: string;
  inputs: number[];
  attributes: Record<string, unknown>;
  /** Indices of its constants among the model's weights. */
  constants: Record<string, number>;
}

/** A kernel, a bias or another array of weights. */
export interface Constant {
  values: Float32Array;
  shape: number[];
}

export interface Operation {
  inputs: number[];
  forward(inputs: Map4[]): Map4;
  /** Gradients with respect to the inputs, given the one with respect to the result. All are new tensors. */
  backward(upstream: Map4, inputs: Map4[], result: Map4): Map4[];
  dispose(): void;
}

/**
 * The operations of an exported graph; `weights` are those of the model.
 *
 * Throws a `UserError` for a kind that this page does not know.
 */
export function buildOperations(descriptions: OperationDescription[], weights: Constant[]): Operation[] {
  return descriptions.map(({ kind, inputs, attributes, constants }) => {
    const build = BUILDERS[kind];
    if (!build) {
      throw new UserError(`this network has the operation ${kind}, which this page does not know; export it again`);
    }
    const own = Object.fromEntries(Object.entries(constants).map(([name, index]) => [name, weights[index]]));
    return { inputs, ...build(attributes, own) };
  });
}

type Passes = Omit<Operation, "inputs">;
type Builder = (attributes: Record<string, unknown>, constants: Record<string, Constant>) => Passes;

const BUILDERS: Record<string, Builder> = {
  conv2d: (attributes, constants) => convolution(attributes, constants, false),
  depthwise_conv2d: (attributes, constants) => convolution(attributes, constants, true),
  relu: () => activation(tf.relu),
  relu6: () => activation(tf.relu6, "relu6"),
  elu: () => ({
    ...stateless,
    forward: ([x]) => tf.elu(x),
    backward: (upstream, _, result) => [
      tf.tidy(() => tf.mul(upstream, tf.where(tf.greater(result, 0), tf.onesLike(result), tf.add(result, 1))) as Map4),
    ],
  }),
  leaky_relu: ({ slope }) => ({
    ...stateless,
    forward: ([x]) => tf.leakyRelu(x, slope as number),
    backward: (upstream, [x]) => [tf.tidy(() => tf.mul(upstream, tf.step(x, slope as number)) as Map4)],
  }),
  sigmoid: () => ({
    ...stateless,
    forward: ([x]) => tf.sigmoid(x),
    backward: (upstream, _, result) => [
      tf.tidy(() => tf.mul(tf.mul(upstream, result), tf.sub(1, result)) as Map4),
    ],
  }),
  tanh: () => ({
    ...stateless,
    forward: ([x]) => tf.tanh(x),
    backward: (upstream, _, result) => [
      tf.tidy(() => tf.mul(upstream, tf.sub(1, tf.square(result))) as Map4),
    ],
  }),
  add: (_, { addend }) =>
    addend
      ? withConstant(addend, (x, constant) => tf.add(x, constant), (upstream) => upstream.clone())
      : {
          ...stateless,
          forward: (inputs) => tf.tidy(() => inputs.reduce((sum, each) => tf.add(sum, each) as Map4)),
          backward: (upstream, inputs) => inputs.map((each) => sumTo(upstream, each.shape)),
        },
  subtract: () => ({
    ...stateless,
    forward: ([a, b]) => tf.sub(a, b),
    backward: (upstream, [a, b]) => [
      sumTo(upstream, a.shape),
      tf.tidy(() => tf.neg(sumTo(upstream, b.shape))),
    ],
  }),
  multiply: (_, { factor }) =>
    factor
      ? withConstant(factor, (x, constant) => tf.mul(x, constant), (upstream, constant) => tf.mul(upstream, constant))
      : {
          ...stateless,
          forward: ([a, b]) => tf.mul(a, b),
          backward: (upstream, [a, b]) => [
            tf.tidy(() => sumTo(tf.mul(upstream, b) as Map4, a.shape)),
            tf.tidy(() => sumTo(tf.mul(upstream, a) as Map4, b.shape)),
          ],
        },
  concat: () => ({
    ...stateless,
    forward: (inputs) => tf.concat(inputs, 3),
    backward: (upstream, inputs) => {
      const isCopied = isOnWasm() && inputs.every(({ shape }) => shape[3] % 4 === 0);
      let begin = 0;
      return inputs.map(({ shape }) => {
        begin += shape[3];
        if (isCopied) return channelsOf(upstream, begin - shape[3], shape[3]);
        return tf.slice(upstream, [0, 0, 0, begin - shape[3]], shape);
      });
    },
  }),
  slice_channels: ({ begin, count, of }) => ({
    ...stateless,
    forward: ([x]) => tf.slice(x, [0, 0, 0, begin as number], [...x.shape.slice(0, 3), count as number] as Size),
    backward: (upstream) => {
      const after = (of as number) - (begin as number) - (count as number);
      return [tf.pad(upstream, [[0, 0], [0, 0], [0, 0], [begin as number, after]])];
    },
  }),
  reverse_channels: () => ({
    ...stateless,
    forward: ([x]) => tf.reverse(x, 3),
    backward: (upstream) => [tf.reverse(upstream, 3)],
  }),
  pad: ({ padding, value }) => {
    const [top, bottom, left, right] = padding as number[];
    return {
      ...stateless,
      forward: ([x]) => tf.pad(x, [[0, 0], [top, bottom], [left, right], [0, 0]], value as number),
      backward: (upstream, [x]) => [tf.slice(upstream, [0, top, left, 0], x.shape)],
    };
  },
  mean: () => ({
    ...stateless,
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
const stateless = { dispose(): void {} };

function activation(forward: (x: Map4) => Map4, kind: Gate["activation"] = "relu"): Passes {
  return {
    ...stateless,
    forward: ([x]) => forward(x),
    backward: (upstream, _, result) => [throughGate(upstream, { activation: kind, result })],
  };
}

function withConstant(
  { values }: Constant,
  forward: (x: Map4, constant: tf.Tensor) => tf.Tensor,
  backward: (upstream: Map4, constant: tf.Tensor) => tf.Tensor,
): Passes {
  const constant = tf.keep(values.length === 1 ? tf.scalar(values[0]) : tf.tensor1d(values));
  return {
    forward: ([x]) => forward(x, constant) as Map4,
    backward: (upstream) => [backward(upstream, constant) as Map4],
    dispose: () => constant.dispose(),
  };
}

/** Sums a gradient over the axes along which its input was broadcast. */
function sumTo(gradient: Map4, shape: number[]): Map4 {
  const axes = gradient.shape.map((_, axis) => axis).filter((axis) => shape[axis] !== gradient.shape[axis]);
  return axes.length ? tf.sum(gradient, axes, true) : gradient.clone();
}

function convolution(
  attributes: Record<string, unknown>,
  { kernel, bias }: Record<string, Constant>,
  depthwise: boolean,
): Passes {
  const shape = kernel.shape as Size;
  const strides = attributes.strides as [number, number];
  const dilations = (attributes.dilations ?? [1, 1]) as [number, number];
  const padding = attributes.padding as Padding;
  const kind = attributes.activation as Gate["activation"] | undefined;
  let filter: Map4 | undefined; // only where no kernel of our own takes its place
  const offset = bias && tf.keep(tf.tensor1d(bias.values));
  let packed: PackedKernel | undefined;
  let own: OwnKernel | undefined;
  const flipped = new FlippedKernels(kernel.values, shape, depthwise);
  const fused = depthwise ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
  const place = (x: Map4) => geometry([x.shape[1], x.shape[2]], shape.slice(0, 2), strides, padding, dilations);
  return {
    forward: ([x]) => {
      if (isOnWebgpu() && !depthwise) {
        const { rows, columns } = place(x);
        packed ??= new PackedKernel(kernel.values, shape, bias?.values);
        return packed.convolve(x, {
          size: [rows.output, columns.output],
          before: [rows.before, columns.before],
          strides,
          dilations,
          activation: kind,
        });
      }
      const pad = tfjsPadding(padding) as "valid";
      const { rows, columns } = place(x);
      const placement: Placement = { size: [rows.output, columns.output], before: [rows.before, columns.before] };
      const isPlain = !depthwise && kind !== "relu6" && strides.every((each) => each === 1);
      if (isPlain && isFaster(shape, dilations, x, placement)) {
        own ??= ownKernel(kernel.values, shape, bias?.values);
        return own.convolve(x, placement, kind === "relu");
      }
      filter ??= tf.keep(tf.tensor4d(kernel.values, shape));
      return fused({ x, filter, strides, pad, dilations, bias: offset, activation: kind ?? "linear" });
    },
    backward: (upstream, [x], result) => [
      flipped.gradient(upstream, place(x), kind && { activation: kind, result }),
    ],
    dispose: () => {
      filter?.dispose();
      offset?.dispose();
      packed?.dispose();
      own?.dispose();
      flipped.dispose();
    },
  };
}

function maxPool(attributes: Record<string, unknown>): Passes {
  const window = attributes.window as [number, number];
  const strides = attributes.strides as [number, number];
  const padding = attributes.padding as Padding;
  const pad = tfjsPadding(padding);
  const place = (x: Map4) => geometry([x.shape[1], x.shape[2]], window, strides, padding);
  return {
    ...stateless,
    forward: ([x]) =>
      isOnWebgpu() ? gpuPools.pool("max", x, place(x)) : tf.maxPool(x, window, strides, pad as "valid"),
    backward: (upstream, [x], result) => {
      if (isOnWebgpu()) return [gpuPools.maxPoolGradient(upstream, x, result, place(x))];
      if (isOnWasm() && x.shape[3] % 4 === 0) return [wasmPools.maxPoolGradient(upstream, x, result, place(x))];
      if (isOnCpu()) return [maxPoolGradient(upstream, x, result, place(x))];
      const tensors = { dy: upstream, input: x, output: result } as unknown as tf.NamedTensorMap;
      const options = { filterSize: window, strides, pad } as unknown as Record<string, never>;
      return [tf.engine().runKernel("MaxPoolGrad", tensors, options) as Map4];
    },
  };
}

/**
 * The mean of those pixels of a window that lie within the map. The backends' own gradient counts the padding
 * as well. This one divides by the number of pixels within the map, and is then the gradient of a depthwise
 * convolution with ones.
 */
function averagePool(attributes: Record<string, unknown>): Passes {
  const window = attributes.window as [number, number];
  const strides = attributes.strides as [number, number];
  const padding = attributes.padding as Padding;
  const ones = new Map<number, FlippedKernels>();
  const shares = new Map<string, tf.Tensor4D>();
  const place = (x: Map4) => geometry([x.shape[1], x.shape[2]], window, strides, padding);
  return {
    forward: ([x]) =>
      isOnWebgpu()
        ? gpuPools.pool("average", x, place(x))
        : tf.avgPool(x, window, strides, tfjsPadding(padding) as "valid"),
    backward: (upstream, [x]) => {
      const [, height, width, channels] = x.shape;
      const placed = place(x);
      if (isOnWebgpu()) return [gpuPools.averagePoolGradient(upstream, x.shape, placed)];
      const size = window[0] * window[1];
      if (!ones.has(channels)) {
        const kernel = new Float32Array(size * channels).fill(1);
        ones.set(channels, new FlippedKernels(kernel, [window[0], window[1], channels, 1], true));
      }
      const key = `${height} ${width}`;
      if (!shares.has(key)) shares.set(key, tf.keep(windowShares(placed)));
      const shared = tf.mul(upstream, shares.get(key)!) as Map4;
      const gradient = ones.get(channels)!.gradient(shared, placed);
      shared.dispose();
      return [gradient];
    },
    dispose: () => {
      for (const each of ones.values()) each.dispose();
      for (const each of shares.values()) each.dispose();
    },
  };
}

/** For each window, one divided by the number of its pixels that lie within the map. */
function windowShares({ rows, columns }: Geometry): tf.Tensor4D {
  const [down, across] = [rows, columns].map(({ input, output, taps, stride, before }) =>
    Array.from({ length: output }, (_, position) => {
      const start = position * stride - before;
      return Math.min(input, start + taps) - Math.max(0, start);
    }),
  );
  const values = down.flatMap((height) => across.map((width) => 1 / (height * width)));
  return tf.tensor4d(values, [1, down.length, across.length, 1]);
}

/**
 * Local response normalisation over channels: `x s^-beta` with `s = bias + alpha * (sum of squares nearby)`.
 * The sums over nearby channels are a 1 x 1 convolution with a banded matrix, and so is their gradient.
 */
function responseNormalisation(attributes: Record<string, unknown>): Passes {
  const normalisation = attributes as unknown as gpuNormalisation.Normalisation;
  const { radius, bias, alpha, beta } = normalisation;
  /** Routines of our own, where there are some. */
  const own = (x: Map4) => {
    if (isOnWebgpu() && radius <= gpuNormalisation.MOST_RADIUS) return gpuNormalisation;
    return isOnWasm() && wasmNormalisation.canNormalise(normalisation, x.shape[3]) ? wasmNormalisation : null;
  };
  const bands = new Map<string, tf.Tensor4D>();
  /** Sums over nearby channels, times `factor`, plus `offset`. */
  const sumNearby = (x: Map4, factor: number, offset: number): Map4 => {
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
    return tf.fused.conv2d({ x, filter, strides: 1, pad: "valid", bias: tf.fill([channels], offset) });
  };
  const sizes = (x: Map4) => sumNearby(tf.square(x), alpha, bias);
  return {
    forward: ([x]) =>
      own(x)?.normaliseResponses(x, normalisation) ??
      tf.tidy(() => tf.mul(x, power(sizes(x), beta)) as Map4),
    backward: (upstream, [x]) => [
      tf.tidy(() => {
        const gradient = own(x)?.responseGradient(upstream, x, normalisation);
        if (gradient) return gradient;
        const size = sizes(x);
        const direct = tf.mul(upstream, power(size, beta)) as Map4;
        const spread = sumNearby(tf.div(tf.mul(direct, x), size) as Map4, -2 * alpha * beta, 0);
        return tf.add(direct, tf.mul(x, spread)) as Map4;
      }),
    ],
    dispose: () => {
      for (const band of bands.values()) band.dispose();
    },
  };
}

/** `x^-beta`. The usual exponents use square roots, because `tf.pow` is slow. */
function power(x: Map4, beta: number): Map4 {
  if (beta !== 0.5 && beta !== 0.75) return tf.pow(x, -beta) as Map4;
  const root = tf.rsqrt(x);
  return beta === 0.5 ? root : (tf.mul(root, tf.sqrt(root)) as Map4);
}
