/** What grows in one layer, and its gradient: dreamkit's `engine/tf/objectives` and `_objective` of its compiled step. */

import * as tf from "@tensorflow/tfjs-core";
import type { ObjectiveKind } from "./config";

const MOST_SIMILARITIES = 1 << 22; // numbers in memory at once while places are compared with a guide's

/** What is maximised in one layer. */
export interface ObjectiveSpec {
  layer: string;
  kind: ObjectiveKind | "match";
  /** One weight for each channel; null where all weigh the same. */
  channelWeights: Float32Array | null;
  /** Whether it is a single neuron; false where it is missing. */
  isNeuron?: boolean;
  /** The features of a guide, `(places, channels)`, for the kind `match`. */
  guide?: Float32Array;
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
      case "match": {
        const similar = mostSimilar(layer, spec.guide!);
        value = tf.reshape(tf.div(tf.sum(count(tf.mul(layer, similar) as tf.Tensor4D)), channels * places), [1]);
        gradient = tf.mul(similar, weight / (channels * places));
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

/** For each place of `layer`, the feature of a guide with the largest product. A few places are compared at a time. */
function mostSimilar(layer: tf.Tensor4D, guide: Float32Array): tf.Tensor4D {
  const channels = layer.shape[3];
  const features = tf.tensor2d(guide, [guide.length / channels, channels]);
  const places = tf.reshape(layer, [-1, channels]) as tf.Tensor2D;
  const atOnce = Math.max(1, Math.floor(MOST_SIMILARITIES / features.shape[0]));
  const best: tf.Tensor1D[] = [];
  for (let start = 0; start < places.shape[0]; start += atOnce) {
    const few = tf.slice(places, [start, 0], [Math.min(atOnce, places.shape[0] - start), channels]);
    best.push(tf.tidy(() => tf.argMax(tf.matMul(few, features, false, true), 1)));
  }
  const chosen = best.length === 1 ? best[0] : tf.concat(best);
  return tf.reshape(tf.gather(features, chosen), layer.shape);
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
