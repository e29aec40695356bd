/** An exported network, and the gradient of objectives in its layers with respect to pixels. */

import * as tf from "@tensorflow/tfjs-core";
import { evaluate, type NeuronPlace, type ObjectiveSpec } from "./layer_objective";
import { mapSize } from "./map_size";
import { buildOperations, type Constant, type Operation, type OperationDescription } from "./operations";
import type { Picture } from "./resize";

export interface Layer {
  name: string;
  channels: number;
  /** Index of its activations: 0 is the picture, and operation `i` computes activation `i + 1`. */
  activation: number;
  /** Pixels of the picture between neighbouring activations. */
  stride: number;
}

/** The content of an exported `model.json`. */
export interface NetworkDescription {
  format: string;
  name: string;
  sha256: string;
  licence: string;
  description: string;
  min_size: number;
  min_sizes: Record<string, number>;
  default_layers: Record<string, number>;
  /** The default layers of a dream with a guide. */
  guide_layers: Record<string, number>;
  layers: Layer[];
  operations: OperationDescription[];
  weights: { shape: number[]; dtype: "float32" | "float16" }[];
  shards: { path: string; bytes: number; sha256: string }[];
}

/** The weighted sum that a step maximises. */
export interface WeightedObjective {
  specs: ObjectiveSpec[];
  /** One for each spec. */
  weights: number[];
  /** Activations at each edge of a map that do not count. */
  border: number;
  /** Of each spec that is a neuron. */
  places?: NeuronPlace[];
}

/** The result of one step over a window. */
export interface StepResult {
  /** Of the weighted sum of objectives by the window's pixels, `(height, width, 3)`. */
  gradient: Float32Array;
  /** Of each spec, before weights. */
  objectives: number[];
  /** Of the activations that each spec is computed from. */
  meanSquares: number[];
}

export class Network {
  private readonly operations: Operation[];

  constructor(
    readonly description: NetworkDescription,
    weights: Constant[],
  ) {
    this.operations = buildOperations(description.operations, weights);
  }

  get layers(): Layer[] {
    return this.description.layers;
  }

  /** The shortest side, in pixels, of the windows that `layers` take. */
  minSize(layers: Iterable<string>): number {
    const { min_size, min_sizes } = this.description;
    return Math.max(min_size, ...[...layers].map((layer) => min_sizes[layer] ?? 1));
  }

  /** Pixels of the picture between neighbouring activations of the deepest of `layers`. */
  stride(layers: Iterable<string>): number {
    const named = new Set(layers);
    return Math.max(...this.layers.filter(({ name }) => named.has(name)).map(({ stride }) => stride));
  }

  /** The height and width of a layer's map for a picture of this size. */
  mapSize(layer: string, height: number, width: number): [number, number] {
    const { operations, weights } = this.description;
    const shapes = weights.map(({ shape }) => shape);
    return mapSize(operations, shapes, this.activation(layer), [height, width]);
  }

  /** The gradient of `objective` with respect to a window: dreamkit's `engine/tf/compiled_step.py`. */
  async step(window: Picture, objective: WeightedObjective): Promise<StepResult> {
    const [gradient, statistics] = this.gradient(window, objective);
    const [values, numbers] = await Promise.all([gradient.data(), statistics.data()]);
    gradient.dispose();
    statistics.dispose();
    return {
      gradient: values as Float32Array,
      objectives: objective.specs.map((_, i) => numbers[2 * i]),
      meanSquares: objective.specs.map((_, i) => numbers[2 * i + 1]),
    };
  }

  /** How many channels a layer has. */
  channels(layer: string): number {
    return this.layers.find(({ name }) => name === layer)!.channels;
  }

  /** The activations of a layer in a picture, `(places, channels)`. */
  async activations(picture: Picture, layer: string): Promise<Float32Array> {
    const output = this.activation(layer);
    const values = tf.tidy(() => {
      const [operations, needed] = this.needed([output]);
      return this.forward(picture, operations, needed)[output];
    });
    const found = (await values.data()) as Float32Array;
    values.dispose();
    return found;
  }

  /** The activations of `layers` in a picture, averaged over places: `(channels,)` each. */
  async means(picture: Picture, layers: string[]): Promise<Float32Array[]> {
    const outputs = layers.map((layer) => this.activation(layer));
    const means = tf.tidy(() => {
      const [operations, needed] = this.needed(outputs);
      const values = this.forward(picture, operations, needed);
      return outputs.map((output) => tf.mean(values[output], [0, 1, 2]));
    });
    const found = (await Promise.all(means.map((each) => each.data()))) as Float32Array[];
    tf.dispose(means);
    return found;
  }

  dispose(): void {
    for (const operation of this.operations) operation.dispose();
  }

  private activation(layer: string): number {
    return this.layers.find(({ name }) => name === layer)!.activation;
  }

  /** The operations up to `outputs`, and the activations that they need. */
  private needed(outputs: number[]): [Operation[], Set<number>] {
    const operations = this.operations.slice(0, Math.max(...outputs));
    const needed = new Set(outputs);
    for (let i = operations.length; i > 0; i--) {
      if (needed.has(i)) for (const input of operations[i - 1].inputs) needed.add(input);
    }
    return [operations, needed];
  }

  /** The activations that are needed, by number. */
  private forward(picture: Picture, operations: Operation[], needed: Set<number>): tf.Tensor4D[] {
    const values: tf.Tensor4D[] = [tf.tensor4d(picture.values, [1, picture.height, picture.width, 3])];
    operations.forEach((operation, i) => {
      if (needed.has(i + 1)) values[i + 1] = operation.forward(operation.inputs.map((input) => values[input]));
    });
    return values;
  }

  /** The gradient, and for each spec its objective and mean square. */
  private gradient(window: Picture, { specs, weights, border, places }: WeightedObjective): [tf.Tensor4D, tf.Tensor1D] {
    const outputs = specs.map((spec) => this.activation(spec.layer));
    const [operations, needed] = this.needed(outputs);
    tf.engine().startScope();
    try {
      const values = this.forward(window, operations, needed);
      const gradients: (tf.Tensor4D | undefined)[] = [];
      const add = (to: number, gradient: tf.Tensor4D) => {
        const before = gradients[to];
        gradients[to] = before ? tf.add(before, gradient) : gradient;
        if (before) {
          before.dispose();
          gradient.dispose();
        }
      };
      const statistics = specs.map((spec, i) => {
        const [numbers, gradient] = evaluate(values[outputs[i]], spec, weights[i], border, places?.[i]);
        add(outputs[i], gradient);
        return numbers;
      });
      for (let i = operations.length; i > 0; i--) {
        const upstream = gradients[i];
        if (!needed.has(i) || !upstream) continue;
        const { inputs, backward } = operations[i - 1];
        const downstream = backward(upstream, inputs.map((input) => values[input]), values[i]);
        inputs.forEach((input, k) => add(input, downstream[k]));
        upstream.dispose();
        values[i].dispose(); // every operation that reads it has been passed
      }
      return [tf.keep(gradients[0]!), tf.keep(tf.concat(statistics) as tf.Tensor1D)];
    } finally {
      tf.engine().endScope();
    }
  }
}
