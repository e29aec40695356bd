/** What the worker measures: the speed of a backend, the features of pictures. */

import { middleSquare } from "../engine/concept";
import type { Network } from "../engine/network";
import type { Picture } from "../engine/resize";
import { noise } from "../engine/rng";
import type { Job } from "./job";
import type { Pixels } from "./protocol";

/** Measures how long a step takes. The first one does not count, because the backend compiles in it. */
export async function measure(network: Network, side: number): Promise<number> {
  const values = new Float32Array(noise(0n, side, side, "clouds"));
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
    const square = middleSquare({ height, width, values: new Float32Array(bytes) }, side);
    features.push(await job.network.means(square, layers));
    await job.receiveMessages();
  }
  return features;
}
