/** Convolutions with a single tap in WebAssembly: products of all pixels and one matrix. */

import * as tf from "@tensorflow/tfjs-core";
import type { KernelShape, OwnKernel, Placement } from "./convolution";
import { throughRelu } from "./copies";
import { biasOf, FEWEST_ROWS, multiplyMatrices, pack } from "./matrices";
import { empty } from "./routine";

const PIXELS = 96; // that are multiplied together, so that they stay in the processor's cache

export class PointwiseKernel implements OwnKernel {
  private readonly matrix: tf.Tensor;
  private readonly bias: tf.Tensor;

  constructor(
    values: Float32Array,
    private readonly shape: KernelShape,
    bias?: Float32Array,
  ) {
    const [, , inputs, outputs] = shape;
    this.matrix = tf.keep(tf.tensor1d(pack(values, inputs, outputs)));
    this.bias = tf.keep(biasOf(outputs, bias));
  }

  convolve(x: tf.Tensor4D, { size }: Placement, isRelu: boolean, gate?: tf.Tensor4D): tf.Tensor4D {
    const [, , inputs, outputs] = this.shape;
    const out = empty([x.shape[0], ...size, outputs]);
    const all = x.size / inputs;
    const seen = gate ? throughRelu(x, gate) : x;
    for (let done = 0; done < all; done += PIXELS) {
      const rows = Math.max(FEWEST_ROWS, Math.min(PIXELS, all - done));
      const sizes = { pairs: 1, rows, room: rows, inputs, outputs };
      multiplyMatrices(seen, this.matrix, this.bias, out, sizes, Math.min(done, all - rows), isRelu ? 0 : -Infinity);
    }
    if (gate) seen.dispose();
    return out;
  }

  dispose(): void {
    tf.dispose([this.matrix, this.bias]);
  }
}
