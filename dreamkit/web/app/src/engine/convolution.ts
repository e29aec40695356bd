/**
 * Convolutions, and their gradients with respect to their inputs. A gradient is computed as a forward
 * convolution with flipped kernels, because forward convolutions are fast on every backend. Where the stride is
 * above one, all phases of the result are computed as channels of one small map, and then interleaved.
 */

import * as tf from "@tensorflow/tfjs-core";
import { interleave as interleaveOnCpu, isOnCpu } from "./cpu_kernels";
import { isFaster, type KernelShape, type OwnKernel, ownKernel, type Placement } from "./wasm/convolution";
import { throughRelu } from "./wasm/copies";
import { isOnWasm } from "./wasm/routine";
import { PackedKernel } from "./webgpu/convolution";
import { isOnWebgpu } from "./webgpu/program";

export type Padding = "same" | "valid" | number[];

/** Height or width: the sizes of the input and the output, and the taps of the kernel. */
interface Axis {
  input: number;
  output: number;
  taps: number;
  stride: number;
  dilation: number;
  /** Zeros before the first pixel. */
  before: number;
}

export interface Geometry {
  rows: Axis;
  columns: Axis;
}

/** How a window of `taps` moves over a map of `size` (height, width). */
export function geometry(
  size: [number, number],
  taps: number[],
  strides: number[],
  padding: Padding,
  dilations: number[] = [1, 1],
): Geometry {
  const axis = (index: 0 | 1): Axis => {
    const [input, stride, dilation] = [size[index], strides[index], dilations[index]];
    const reach = (taps[index] - 1) * dilation + 1;
    let output = Math.ceil(input / stride);
    let before = Math.floor(Math.max(0, (output - 1) * stride + reach - input) / 2);
    if (padding !== "same") {
      const [start, end] = padding === "valid" ? [0, 0] : padding.slice(2 * index, 2 * index + 2);
      before = start;
      output = Math.floor((input + start + end - reach) / stride) + 1;
    }
    return { input, output, taps: taps[index], stride, dilation, before };
  };
  return { rows: axis(0), columns: axis(1) };
}

/** A padding as TensorFlow.js takes it. */
export function tfjsPadding(padding: Padding): "same" | "valid" | tf.backend_util.ExplicitPadding {
  if (typeof padding === "string") return padding;
  const [top, bottom, left, right] = padding;
  return [[0, 0], [top, bottom], [left, right], [0, 0]];
}

/** One axis of the gradient's convolution. */
interface GradientAxis {
  /** Sub-pixels that are computed as channels. */
  phases: number;
  taps: number;
  before: number;
  after: number;
  /** Rows of the upstream gradient that no pixel of the result needs. */
  skipped: number;
  /** The tap of the kernel that phase `phase` reads at tap `tap`, or null. */
  source(phase: number, tap: number): number | null;
}

function gradientAxis(axis: Axis): GradientAxis {
  const { input, output, taps, stride, dilation, before } = axis;
  const perPhase = Math.ceil(input / stride);
  // The upstream position `i + offset` read pixel `stride * i + phase` through tap `k`.
  const offset = (phase: number, k: number) => (phase + before - k * dilation) / stride;
  const offsets: number[] = [];
  for (let phase = 0; phase < stride; phase++) {
    for (let k = 0; k < taps; k++) if (Number.isInteger(offset(phase, k))) offsets.push(offset(phase, k));
  }
  const [least, most] = [Math.min(...offsets), Math.max(...offsets)];
  return {
    phases: stride,
    taps: Math.floor((most - least) / dilation) + 1,
    before: Math.max(0, -least),
    after: Math.max(0, perPhase - 1 + most - (output - 1)),
    skipped: Math.max(0, least),
    source(phase, tap) {
      const k = (phase + before - (least + tap * dilation) * stride) / dilation;
      return Number.isInteger(k) && k >= 0 && k < taps ? k : null;
    },
  };
}

/** A ReLU that a convolution ends with, and its result. */
export interface Gate {
  activation: "relu" | "relu6";
  result: tf.Tensor4D;
}

/** The gradient of a ReLU, given its result: zero where it is flat. */
export function throughGate(upstream: tf.Tensor4D, { activation, result }: Gate): tf.Tensor4D {
  if (activation === "relu" && isOnWasm() && result.shape[3] % 4 === 0) return throughRelu(upstream, result);
  return tf.tidy(() => {
    const open = tf.mul(upstream, tf.step(result));
    return (activation === "relu6" ? tf.mul(open, tf.step(tf.sub(6, result))) : open) as tf.Tensor4D;
  });
}

/** The kernels of a convolution's gradient, built once for each padding. */
export class FlippedKernels {
  private readonly kernels = new Map<string, tf.Tensor4D>();
  private readonly packed = new Map<string, PackedKernel>();
  private readonly own = new Map<string, OwnKernel>();

  constructor(
    private readonly kernel: Float32Array,
    private readonly shape: KernelShape,
    private readonly depthwise: boolean,
  ) {}

  /** The gradient with respect to the convolution's input, `(n, height, width, channels)`. */
  gradient(upstream: tf.Tensor4D, { rows, columns }: Geometry, gate?: Gate): tf.Tensor4D {
    const [down, across] = [gradientAxis(rows), gradientAxis(columns)];
    if (isOnWebgpu() && !this.depthwise) {
      return this.packedKernel(down, across).convolve(upstream, {
        size: [rows.input, columns.input],
        places: [Math.ceil(rows.input / down.phases), Math.ceil(columns.input / across.phases)],
        phases: [down.phases, across.phases],
        strides: [1, 1],
        dilations: [rows.dilation, columns.dilation],
        before: [down.before - down.skipped, across.before - across.skipped],
        gate,
      });
    }
    const shape = this.jointShape(down, across);
    const placement: Placement = {
      size: [Math.ceil(rows.input / down.phases), Math.ceil(columns.input / across.phases)],
      before: [down.before - down.skipped, across.before - across.skipped],
    };
    const isPlain = !this.depthwise && gate?.activation !== "relu6";
    if (isPlain && isFaster(shape, [rows.dilation, columns.dilation], upstream, placement)) {
      const phased = this.ownKernel(down, across).convolve(upstream, placement, false, gate?.result);
      const gradient = interleave(phased, down, across, rows.input, columns.input);
      if (gradient !== phased) phased.dispose();
      return gradient;
    }
    return tf.tidy(() => {
      let needed = gate ? throughGate(upstream, gate) : upstream;
      if (down.skipped || across.skipped) {
        const [n, height, width, channels] = upstream.shape;
        const size = [n, height - down.skipped, width - across.skipped, channels];
        needed = tf.slice(needed, [0, down.skipped, across.skipped, 0], size as [number, number, number, number]);
      }
      const padding = [down.before, down.after, across.before, across.after];
      const dilations: [number, number] = [rows.dilation, columns.dilation];
      const phased = this.depthwise
        ? this.convolvePhases(needed, down, across, padding)
        : tf.conv2d(needed, this.jointKernel(down, across), 1, tfjsPadding(padding) as "valid", "NHWC", dilations);
      return interleave(phased, down, across, rows.input, columns.input);
    });
  }

  dispose(): void {
    for (const kernel of this.kernels.values()) kernel.dispose();
    for (const kernel of this.packed.values()) kernel.dispose();
    for (const kernel of this.own.values()) kernel.dispose();
    this.kernels.clear();
    this.own.clear();
    this.packed.clear();
  }

  private jointKernel(down: GradientAxis, across: GradientAxis): tf.Tensor4D {
    return this.cached(`${down.before} ${across.before}`, () => this.jointValues(down, across));
  }

  private ownKernel(down: GradientAxis, across: GradientAxis): OwnKernel {
    const key = `${down.before} ${across.before}`;
    let kernel = this.own.get(key);
    if (!kernel) {
      kernel = ownKernel(...this.jointValues(down, across));
      this.own.set(key, kernel);
    }
    return kernel;
  }

  private packedKernel(down: GradientAxis, across: GradientAxis): PackedKernel {
    const key = `${down.before} ${across.before}`;
    let kernel = this.packed.get(key);
    if (!kernel) {
      kernel = new PackedKernel(...this.jointValues(down, across));
      this.packed.set(key, kernel);
    }
    return kernel;
  }

  private jointShape(down: GradientAxis, across: GradientAxis): KernelShape {
    const [, , channels, outputs] = this.shape;
    return [down.taps, across.taps, outputs, down.phases * across.phases * channels];
  }

  /** A kernel whose outputs are the channels of every phase. */
  private jointValues(down: GradientAxis, across: GradientAxis): [Float32Array, KernelShape] {
    const [, width, channels, outputs] = this.shape;
    const phases = down.phases * across.phases;
    const values = new Float32Array(down.taps * across.taps * outputs * phases * channels);
    forEachTap(down, across, (phase, row, column, i, j) => {
      for (let output = 0; output < outputs; output++) {
        const to = ((i * across.taps + j) * outputs + output) * phases * channels + phase * channels;
        const from = (row * width + column) * channels * outputs + output;
        for (let c = 0; c < channels; c++) values[to + c] = this.kernel[from + c * outputs];
      }
    });
    return [values, this.jointShape(down, across)];
  }

  /** The gradient of a depthwise convolution: one kernel for each phase, and their results as channels. */
  private convolvePhases(
    upstream: tf.Tensor4D,
    down: GradientAxis,
    across: GradientAxis,
    padding: number[],
  ): tf.Tensor4D {
    const [, width, channels] = this.shape;
    const maps = Array.from({ length: down.phases * across.phases }, (_, phase) => {
      const kernel = this.cached(`${down.before} ${across.before} ${phase}`, () => {
        const values = new Float32Array(down.taps * across.taps * channels);
        forEachTap(down, across, (each, row, column, i, j) => {
          if (each !== phase) return;
          const from = (row * width + column) * channels;
          const to = (i * across.taps + j) * channels;
          values.set(this.kernel.subarray(from, from + channels), to);
        });
        return [values, [down.taps, across.taps, channels, 1]];
      });
      const [top, bottom, left, right] = padding;
      const padded = padding.some(Boolean)
        ? tf.pad(upstream, [[0, 0], [top, bottom], [left, right], [0, 0]])
        : upstream;
      return tf.depthwiseConv2d(padded, kernel, 1, "valid");
    });
    return maps.length === 1 ? maps[0] : tf.concat(maps, 3);
  }

  private cached(key: string, build: () => [Float32Array, KernelShape]): tf.Tensor4D {
    let kernel = this.kernels.get(key);
    if (!kernel) {
      kernel = tf.keep(tf.tensor4d(...build()));
      this.kernels.set(key, kernel);
    }
    return kernel;
  }
}

/** Visits every tap of every phase that reads a tap of the kernel: phase, the kernel's row and column, the tap. */
function forEachTap(
  down: GradientAxis,
  across: GradientAxis,
  visit: (phase: number, row: number, column: number, i: number, j: number) => void,
): void {
  for (let phase = 0; phase < down.phases * across.phases; phase++) {
    for (let i = 0; i < down.taps; i++) {
      for (let j = 0; j < across.taps; j++) {
        const row = down.source(Math.floor(phase / across.phases), i);
        const column = across.source(phase % across.phases, j);
        if (row !== null && column !== null) visit(phase, row, column, i, j);
      }
    }
  }
}

/** One map of `height` and `width` from phases that lie side by side as channels. */
function interleave(
  phased: tf.Tensor4D,
  down: GradientAxis,
  across: GradientAxis,
  height: number,
  width: number,
): tf.Tensor4D {
  const [n, rows, columns, all] = phased.shape;
  if (down.phases === 1 && across.phases === 1) {
    return rows === height && columns === width
      ? phased
      : tf.slice(phased, [0, 0, 0, 0], [n, height, width, all]);
  }
  if (isOnCpu()) return interleaveOnCpu(phased, down.phases, across.phases, height, width);
  const channels = all / down.phases / across.phases;
  const separate = tf.reshape(phased, [n * rows, columns, down.phases, across.phases * channels]);
  const size: [number, number, number, number] = [n, rows * down.phases, columns * across.phases, channels];
  const whole = tf.reshape(tf.transpose(separate, [0, 2, 1, 3]), size) as tf.Tensor4D;
  return tf.slice(whole, [0, 0, 0, 0], [n, height, width, channels]);
}
