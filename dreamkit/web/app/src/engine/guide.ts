/** A guide: a picture whose features a dream follows. dreamkit's `engine/masked_objective.py` and its objective `match`. */

import type { GuideStyle } from "./config";
import { UserError } from "./errors";
import type { ObjectiveSpec } from "./layer_objective";
import type { Network } from "./network";
import type { Picture } from "./resize";

/**
 * `spec` as it follows `guide`: at each place the guide's most similar feature grows, or what is strong in the guide
 * grows everywhere.
 *
 * Throws a `UserError` where the guide is too small for the layer.
 */
export async function guided(
  spec: ObjectiveSpec,
  network: Network,
  guide: Picture,
  style: GuideStyle,
): Promise<ObjectiveSpec> {
  const { height, width } = guide;
  const least = network.minSize([spec.layer]);
  if (Math.min(height, width) < least || Math.min(...network.mapSize(spec.layer, height, width)) < 1) {
    throw new UserError(`the guide has ${width} x ${height} pixels, too few for ${spec.layer}; give a larger one`);
  }
  const features = await network.activations(guide, spec.layer);
  scale(features);
  if (style === "match") return { ...spec, kind: "match", guide: features };
  return { ...spec, channelWeights: channelWeights(features, network.channels(spec.layer)) };
}

/** Brings features to a mean square of one, in place. */
function scale(features: Float32Array): void {
  const square = features.reduce((sum, each) => sum + each * each, 0) / features.length;
  const size = Math.fround(Math.sqrt(square) || 1);
  for (let i = 0; i < features.length; i++) features[i] /= size;
}

/** The sums of features over the places of the guide, scaled to absolute values that sum to one. */
function channelWeights(features: Float32Array, channels: number): Float32Array {
  const sums = new Float64Array(channels);
  features.forEach((each, i) => {
    sums[i % channels] += each;
  });
  const total = sums.reduce((sum, each) => sum + Math.abs(each), 0) || 1;
  return Float32Array.from(sums, (each) => each / total);
}
