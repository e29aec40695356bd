/** What the worker measures: the share of a mask, the speed of a backend, the features of pictures. */

import { middleSquare } from "../engine/concept";
import type { DreamConfig } from "../engine/config";
import { dream } from "../engine/loop";
import type { Network } from "../engine/network";
import type { Picture } from "../engine/resize";
import { noise } from "../engine/rng";
import { everywhere } from "./dream_jobs";
import type { Job } from "./job";
import type { MaskLevels, Pixels } from "./protocol";

/** How far a step moves the pixels under a mask, as a share of how far it moves all of them. */
export async function weigh(
  network: Network,
  photo: Pixels,
  config: DreamConfig,
  mask: MaskLevels,
): Promise<number> {
  const once = { octaves: 1, steps: 1, schedule: [], first_octave: null, max_objective: null, clouds: 0 };
  const short = { ...everywhere(network, config), ...once };
  const { value } = await dream(photo, network, short).next();
  const moved = "objective" in value ? value.pixels.values : value.pixels;
  let [under, covered, all] = [0, 0, 0];
  for (let i = 0; i < moved.length; i++) {
    const square = (moved[i] - photo.bytes[i]) ** 2;
    const coverage = mask[Math.floor(i / 3)];
    all += square;
    under += coverage * square;
    covered += coverage;
  }
  return Math.sqrt(under / Math.max(1, covered) / (all / moved.length || 1));
}

/** Measures how long a step takes. The first one does not count, because the backend compiles in it. */
export async function measure(network: Network, side: number): Promise<number> {
  const values = Float32Array.from(noise(0n, side, side, "clouds"));
  const window: Picture = { height: side, width: side, values };
  const layer = network.layers[network.layers.length - 1].name;
  const specs = [{ layer, kind: "mean-square" as const, channelWeights: null }];
  let milliseconds = Infinity;
  for (let turn = 0; turn < 3; turn++) {
    const start = performance.now();
    await network.step(window, { specs, weights: [1], border: 0 });
    if (turn) milliseconds = Math.min(milliseconds, performance.now() - start);
  }
  return milliseconds;
}

/** Looks at pictures: for each, the activations of the layers, averaged over the places of its middle square. */
export async function look(
  job: Job,
  pictures: Pixels[],
  layers: string[],
  side: number,
): Promise<Float32Array[][]> {
  const features: Float32Array[][] = [];
  for (const { height, width, bytes } of pictures) {
    const square = middleSquare({ height, width, values: Float32Array.from(bytes) }, side);
    features.push(await job.network.means(square, layers));
    await job.receiveMessages();
  }
  return features;
}
