/** A network that was exported, and the gradient of what is raised in its layers with respect to pixels. */

import * as tf from "@tensorflow/tfjs-core";
import { type Described, type Numbers, type Operation, operationsOf } from "./operations";
import type { Picture } from "./resize";

export interface Layer {
  name: string;
  channels: number;
  /** Which activation it is: 0 is the picture, and operation `i` makes activation `i + 1`. */
  activation: number;
}

/** What an exported `model.json` says. */
export interface Description {
  format: string;
  name: string;
  sha256: string;
  licence: string;
  description: string;
  min_size: number;
  min_sizes: Record<string, number>;
  default_layers: Record<string, number>;
  layers: Layer[];
  operations: Described[];
  weights: { shape: number[]; dtype: "float32" | "float16" }[];
  shards: { path: string; bytes: number; sha256: string }[];
}

/** What is raised in one layer, with its numbers. */
export interface Goal {
  layer: string;
  kind: "mean" | "mean-square";
  /** How much each channel counts; null where all count the same. */
  counts: Float32Array | null;
}

/** What is raised, by how much, and at which activations. */
export interface Aim {
  goals: Goal[];
  /** For each goal, what its objective is multiplied by. */
  pulls: number[];
  /** Activations at the edges of a map that are not raised. */
  border: number;
}

export interface Ascent {
  /** `(height, width, 3)`. */
  gradient: Float32Array;
  /** For each goal, before any pull. */
  objectives: number[];
  meanSquares: number[];
}

export class Network {
  private readonly operations: Operation[];
  private readonly activations: Map<string, number>;

  constructor(
    readonly description: Description,
    numbers: Numbers[],
  ) {
    this.operations = operationsOf(description.operations, numbers);
    this.activations = new Map(description.layers.map((layer) => [layer.name, layer.activation]));
  }

  get layers(): Layer[] {
    return this.description.layers;
  }

  /** The shortest side that `layers` can be dreamed in. */
  minSize(layers: Iterable<string>): number {
    const { min_size, min_sizes } = this.description;
    return Math.max(min_size, ...[...layers].map((layer) => min_sizes[layer] ?? 1));
  }

  /** The gradient of what `aim` raises, with respect to a window, as dreamkit's `engine/steps.py` has it. */
  async ascent(window: Picture, aim: Aim): Promise<Ascent> {
    const [gradient, seen] = this.gradient(window, aim);
    const [values, numbers] = await Promise.all([gradient.data(), seen.data()]);
    gradient.dispose();
    seen.dispose();
    return {
      gradient: values as Float32Array,
      objectives: aim.goals.map((_, i) => numbers[2 * i]),
      meanSquares: aim.goals.map((_, i) => numbers[2 * i + 1]),
    };
  }

  dispose(): void {
    for (const operation of this.operations) operation.dispose();
  }

  private gradient(window: Picture, { goals, pulls, border }: Aim): [tf.Tensor4D, tf.Tensor1D] {
    const wanted = goals.map((goal) => this.activations.get(goal.layer)!);
    const operations = this.operations.slice(0, Math.max(...wanted));
    const needed = new Set(wanted);
    for (let i = operations.length; i > 0; i--) {
      if (needed.has(i)) for (const input of operations[i - 1].inputs) needed.add(input);
    }
    tf.engine().startScope();
    try {
      const values: tf.Tensor4D[] = [tf.tensor4d(window.values, [1, window.height, window.width, 3])];
      operations.forEach((operation, i) => {
        if (needed.has(i + 1)) values[i + 1] = operation.forward(operation.inputs.map((input) => values[input]));
      });
      const gradients: (tf.Tensor4D | undefined)[] = [];
      const add = (to: number, gradient: tf.Tensor4D) => {
        const before = gradients[to];
        gradients[to] = before ? tf.add(before, gradient) : gradient;
        if (before) {
          before.dispose();
          gradient.dispose();
        }
      };
      const seen = goals.map((goal, i) => {
        const [numbers, gradient] = raised(values[wanted[i]], goal, pulls[i], border);
        add(wanted[i], gradient);
        return numbers;
      });
      for (let i = operations.length; i > 0; i--) {
        const upstream = gradients[i];
        if (!needed.has(i) || !upstream) continue;
        const { inputs, backward } = operations[i - 1];
        const back = backward(upstream, inputs.map((input) => values[input]), values[i]);
        inputs.forEach((input, k) => add(input, back[k]));
        upstream.dispose();
        values[i].dispose(); // whatever read it has been passed already
      }
      return [tf.keep(gradients[0]!), tf.keep(tf.concat(seen) as tf.Tensor1D)];
    } finally {
      tf.engine().endScope();
    }
  }
}

/** The objective of a goal and the mean square of what it looks at, and the pulled gradient at its layer. */
function raised(layer: tf.Tensor4D, goal: Goal, pull: number, border: number): [tf.Tensor1D, tf.Tensor4D] {
  return tf.tidy(() => {
    const [, height, width, channels] = layer.shape;
    const area = height * width;
    const counts = goal.counts ?? new Float32Array(channels).fill(1 / channels);
    const total = counts.reduce((sum, count) => sum + Math.abs(count), 0) || 1;
    const looked = counts.map((count) => Math.abs(count) / total);
    const there = withoutBorder(height, width, border);
    const within = (values: tf.Tensor4D) => (there ? (tf.mul(values, there) as tf.Tensor4D) : values);
    const square = within(tf.square(layer));
    const sums = (values: tf.Tensor4D) => tf.sum(values, [0, 1, 2]) as tf.Tensor1D;
    const squares = sums(square);
    const raisedSums = goal.kind === "mean-square" ? squares : sums(within(layer));
    const of = (values: tf.Tensor1D, weights: Float32Array) =>
      tf.reshape(tf.div(tf.sum(tf.mul(values, tf.tensor1d(weights))), area), [1]);
    const numbers = tf.concat([of(raisedSums, counts), of(squares, looked)]) as tf.Tensor1D;
    const squared = goal.kind === "mean-square";
    const weights = tf.tensor1d(counts.map((count) => ((squared ? 2 : 1) * count * pull) / area));
    const start = squared ? tf.mul(layer, weights) : tf.add(tf.zeros(layer.shape), weights);
    return [numbers, within(start as tf.Tensor4D)];
  });
}

/** One where a goal looks, zero at the edges; null where it looks everywhere. */
function withoutBorder(height: number, width: number, border: number): tf.Tensor4D | null {
  if (!border) return null;
  const values = new Float32Array(height * width);
  for (let row = border; row < height - border; row++) {
    for (let column = border; column < width - border; column++) values[row * width + column] = 1;
  }
  return tf.tensor4d(values, [1, height, width, 1]);
}
