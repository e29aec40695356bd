/** What grows in one layer, and its gradient: dreamkit's `engine/tf/objectives` and `_objective` of its compiled step. */

import * as tf from "@tensorflow/tfjs-core";
import type { ObjectiveKind } from "./config";

/** What is maximised in one layer. */
export interface ObjectiveSpec {
  layer: string;
  kind: ObjectiveKind;
  /** One weight for each channel; null where all weigh the same. */
  channelWeights: Float32Array | null;
  /** Whether it is a single neuron; false where it is missing. */
  isNeuron?: boolean;
}

/** Where a neuron lies in a picture, row and column, as shares of its sides; null where it does not. */
export type NeuronPlace = [number, number] | null;

/**
 * The value of an objective and the mean square of its activations, and the gradient with respect to `layer`, times
 * `weight`. `border` is the number of activations at each edge that do not count.
 */
export function evaluate(
  layer: tf.Tensor4D,
  spec: ObjectiveSpec,
  weight: number,
  border: number,
  place: NeuronPlace = null,
): [tf.Tensor1D, tf.Tensor4D] {
  return tf.tidy(() => {
    const [, height, width, channels] = layer.shape;
    const counted = spec.isNeuron ? neuronMask(height, width, place) : borderMask(height, width, border);
    const places = spec.isNeuron ? 1 : height * width;
    const count = (values: tf.Tensor4D) => (counted ? (tf.mul(values, counted) as tf.Tensor4D) : values);
    const sumByChannel = (values: tf.Tensor4D) => tf.sum(count(values), [0, 1, 2]) as tf.Tensor1D;
    const mean = (sums: tf.Tensor, weights: Float32Array) =>
      tf.reshape(tf.div(tf.sum(tf.mul(sums, tf.tensor1d(weights))), places), [1]);
    const channelWeights = spec.channelWeights ?? new Float32Array(channels).fill(1 / channels);
    const total = channelWeights.reduce((sum, each) => sum + Math.abs(each), 0) || 1;
    const squares = sumByChannel(tf.square(layer));
    const meanSquare = mean(squares, channelWeights.map((each) => Math.abs(each) / total));
    const factors = (factor: number) => tf.tensor1d(channelWeights.map((each) => (factor * each * weight) / places));
    let value: tf.Tensor;
    let gradient: tf.Tensor;
    switch (spec.kind) {
      case "mean":
        value = mean(sumByChannel(layer), channelWeights);
        gradient = tf.add(tf.zeros(layer.shape), factors(1));
        break;
      case "mean-square":
        value = mean(squares, channelWeights);
        gradient = tf.mul(layer, factors(2));
        break;
      case "cosine": {
        const [cosines, slope] = angle(layer, channelWeights);
        value = tf.reshape(tf.div(tf.sum(count(cosines)), places), [1]);
        gradient = tf.mul(slope, weight / places);
        break;
      }
    }
    return [tf.concat([value, meanSquare]) as tf.Tensor1D, count(gradient as tf.Tensor4D)];
  });
}

/**
 * The cosine between the channels of each place and a direction, and its gradient with respect to them. A place whose
 * activations are all zero has no angle: both are 0 there.
 */
function angle(layer: tf.Tensor4D, direction: Float32Array): [tf.Tensor4D, tf.Tensor4D] {
  const squares = tf.sum(tf.square(layer), 3, true);
  const length = direction.reduce((sum, each) => sum + each * each, 0);
  const hasAngle = tf.greater(tf.mul(squares, length), 0);
  const safe = tf.where(hasAngle, squares, tf.onesLike(squares));
  const inverse = tf.where(hasAngle, tf.rsqrt(tf.mul(safe, length)), tf.zerosLike(squares));
  const weights = tf.tensor1d(direction);
  const cosines = tf.mul(tf.sum(tf.mul(layer, weights), 3, true), inverse);
  const slope = tf.sub(tf.mul(inverse, weights), tf.mul(layer, tf.div(cosines, safe)));
  return [cosines as tf.Tensor4D, slope as tf.Tensor4D];
}

/** Zero at the edges of a map, one elsewhere; null where there is no border. */
function borderMask(height: number, width: number, border: number): tf.Tensor4D | null {
  if (!border) return null;
  const values = new Float32Array(height * width);
  for (let row = border; row < height - border; row++) {
    for (let column = border; column < width - border; column++) values[row * width + column] = 1;
  }
  return tf.tensor4d(values, [1, height, width, 1]);
}

/** One at a neuron, zero elsewhere. */
function neuronMask(height: number, width: number, place: NeuronPlace): tf.Tensor4D {
  const values = new Float32Array(height * width);
  if (place) {
    const along = (share: number, side: number) =>
      Math.min(side - 1, Math.max(0, Math.trunc(Math.fround(Math.fround(share) * side))));
    values[along(place[0], height) * width + along(place[1], width)] = 1;
  }
  return tf.tensor4d(values, [1, height, width, 1]);
}
