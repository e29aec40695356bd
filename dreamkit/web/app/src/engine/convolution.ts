/**
 * Convolutions, and their gradients with respect to what they are given, which are forward convolutions with
 * flipped kernels: the backends are quick at those, and none of them is at the others. Where the stride is
 * more than one, all phases of the result are computed as channels of one small map and then interleaved.
 */

import * as tf from "@tensorflow/tfjs-core";
import { interleaved as inMemory, isInMemory } from "./inmemory";

export type Padding = "same" | "valid" | number[];

/** Height or width: the sizes of what is read and made, and the kernel's taps over it. */
interface Axis {
  inside: number;
  outside: number;
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
    const [inside, stride, dilation] = [size[index], strides[index], dilations[index]];
    const reach = (taps[index] - 1) * dilation + 1;
    let outside = Math.ceil(inside / stride);
    let before = Math.floor(Math.max(0, (outside - 1) * stride + reach - inside) / 2);
    if (padding !== "same") {
      const [start, end] = padding === "valid" ? [0, 0] : padding.slice(2 * index, 2 * index + 2);
      before = start;
      outside = Math.floor((inside + start + end - reach) / stride) + 1;
    }
    return { inside, outside, taps: taps[index], stride, dilation, before };
  };
  return { rows: axis(0), columns: axis(1) };
}

export function explicit(padding: Padding): "same" | "valid" | tf.backend_util.ExplicitPadding {
  if (typeof padding === "string") return padding;
  const [top, bottom, left, right] = padding;
  return [[0, 0], [top, bottom], [left, right], [0, 0]];
}

/** One axis of the gradient's convolution. */
interface Back {
  /** Sub-pixels that are computed as channels. */
  phases: number;
  taps: number;
  before: number;
  after: number;
  /** Rows of the upstream gradient that no pixel of the result needs. */
  skipped: number;
  /** The kernel's tap that phase `phase` reads at tap `tap`, or null. */
  source(phase: number, tap: number): number | null;
}

function back(axis: Axis): Back {
  const { inside, outside, taps, stride, dilation, before } = axis;
  const each = Math.ceil(inside / stride);
  // Pixel `stride * i + phase` was read by the upstream place `i + offset` through tap `k`.
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
    after: Math.max(0, each - 1 + most - (outside - 1)),
    skipped: Math.max(0, least),
    source(phase, tap) {
      const k = (phase + before - (least + tap * dilation) * stride) / dilation;
      return Number.isInteger(k) && k >= 0 && k < taps ? k : null;
    },
  };
}

/** Kernels for gradients, made once for each padding that they are asked for with. */
export class Flipped {
  private readonly kept = new Map<string, tf.Tensor4D>();

  constructor(
    private readonly kernel: Float32Array,
    private readonly shape: [number, number, number, number],
    private readonly depthwise: boolean,
  ) {}

  /** The gradient with respect to what the convolution read, `(n, height, width, channels)`. */
  gradient(upstream: tf.Tensor4D, { rows, columns }: Geometry): tf.Tensor4D {
    const [down, across] = [back(rows), back(columns)];
    return tf.tidy(() => {
      let needed = upstream;
      if (down.skipped || across.skipped) {
        const [n, height, width, channels] = upstream.shape;
        const size = [n, height - down.skipped, width - across.skipped, channels];
        needed = tf.slice(upstream, [0, down.skipped, across.skipped, 0], size as [number, number, number, number]);
      }
      const padding = [down.before, down.after, across.before, across.after];
      const dilations: [number, number] = [rows.dilation, columns.dilation];
      const phased = this.depthwise
        ? this.byPhase(needed, down, across, padding)
        : tf.conv2d(needed, this.all(down, across), 1, explicit(padding) as "valid", "NHWC", dilations);
      return interleaved(phased, down, across, rows.inside, columns.inside);
    });
  }

  dispose(): void {
    for (const kernel of this.kept.values()) kernel.dispose();
    this.kept.clear();
  }

  /** A kernel whose outputs are the channels of every phase. */
  private all(down: Back, across: Back): tf.Tensor4D {
    return this.once(`${down.before} ${across.before}`, () => {
      const [, width, channels, outputs] = this.shape;
      const phases = down.phases * across.phases;
      const values = new Float32Array(down.taps * across.taps * outputs * phases * channels);
      each(down, across, (phase, row, column, i, j) => {
        for (let output = 0; output < outputs; output++) {
          const to = ((i * across.taps + j) * outputs + output) * phases * channels + phase * channels;
          const from = (row * width + column) * channels * outputs + output;
          for (let c = 0; c < channels; c++) values[to + c] = this.kernel[from + c * outputs];
        }
      });
      return [values, [down.taps, across.taps, outputs, phases * channels]];
    });
  }

  /** Of a depthwise convolution: a kernel for each phase, and their results side by side. */
  private byPhase(upstream: tf.Tensor4D, down: Back, across: Back, padding: number[]): tf.Tensor4D {
    const [, width, channels] = this.shape;
    const maps = Array.from({ length: down.phases * across.phases }, (_, wanted) => {
      const kernel = this.once(`${down.before} ${across.before} ${wanted}`, () => {
        const values = new Float32Array(down.taps * across.taps * channels);
        each(down, across, (phase, row, column, i, j) => {
          if (phase !== wanted) return;
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

  private once(key: string, make: () => [Float32Array, [number, number, number, number]]): tf.Tensor4D {
    let kernel = this.kept.get(key);
    if (!kernel) {
      kernel = tf.keep(tf.tensor4d(...make()));
      this.kept.set(key, kernel);
    }
    return kernel;
  }
}

/** Every tap of every phase that reads one of the kernel's own: phase, its own row and column, and the tap. */
function each(
  down: Back,
  across: Back,
  take: (phase: number, row: number, column: number, i: number, j: number) => void,
): void {
  for (let phase = 0; phase < down.phases * across.phases; phase++) {
    for (let i = 0; i < down.taps; i++) {
      for (let j = 0; j < across.taps; j++) {
        const row = down.source(Math.floor(phase / across.phases), i);
        const column = across.source(phase % across.phases, j);
        if (row !== null && column !== null) take(phase, row, column, i, j);
      }
    }
  }
}

/** Phases that lie side by side as channels, as one map of `height` and `width`. */
function interleaved(phased: tf.Tensor4D, down: Back, across: Back, height: number, width: number): tf.Tensor4D {
  const [n, rows, columns, all] = phased.shape;
  if (down.phases === 1 && across.phases === 1) {
    return rows === height && columns === width
      ? phased
      : tf.slice(phased, [0, 0, 0, 0], [n, height, width, all]);
  }
  if (isInMemory()) return inMemory(phased, down.phases, across.phases, height, width);
  const channels = all / down.phases / across.phases;
  const apart = tf.reshape(phased, [n * rows, columns, down.phases, across.phases * channels]);
  const size: [number, number, number, number] = [n, rows * down.phases, columns * across.phases, channels];
  const whole = tf.reshape(tf.transpose(apart, [0, 2, 1, 3]), size) as tf.Tensor4D;
  return tf.slice(whole, [0, 0, 0, 0], [n, height, width, channels]);
}
