/** Dreams that the worker computes: whole ones, short ones and thumbnails. */

import type { DreamConfig, Layers } from "../engine/config";
import { UserError } from "../engine/errors";
import { dream } from "../engine/loop";
import { type Mask, soften } from "../engine/masks";
import type { Network } from "../engine/network";
import { loadNetwork } from "../engine/network_files";
import { type LoadedModel, ObjectiveSet } from "../engine/objective_set";
import { type Photograph, toBytes } from "../engine/octave_schemes";
import { noise } from "../engine/rng";
import { toTables } from "../engine/terms";
import { wrappedAxes } from "../engine/wrap";
import { asPicture, type Job, toPixels } from "./job";
import type { DreamTask, FinishedDream, ThumbnailTask } from "./protocol";
import type { ModelInRecipe } from "./site";

const CLOUDS = 4; // that a thumbnail is tried from

/** The networks that dreamed together, by address. */
const others = new Map<string, Promise<Network>>();

/** Dreams a photograph, and sends every step. */
export async function dreamWhole(
  job: Job,
  { photo, config, masks, guide, together }: DreamTask,
): Promise<FinishedDream> {
  const models = together?.length ? await openTogether(together) : null;
  const regions: Record<string, Mask> = {};
  for (const [name, levels] of Object.entries(masks)) {
    regions[name] = soften(levels, photo.height, photo.width, wrappedAxes(config.wrap));
  }
  let isWhole = true;
  let last: FinishedDream["last"] = null;
  const followed = guide ? asPicture(guide) : null;
  const steps = dream(photo, models ?? job.network, config, regions, () => !isWhole, followed);
  for (;;) {
    const start = performance.now();
    const next = await steps.next();
    if (next.done) {
      const { pixels, terms, sizes, tileSize } = next.value;
      const networks = models?.map(({ network, weight, layers }, i) => {
        const { name, sha256 } = network.description;
        return { name, sha256, weight, layers, dreamed: terms[i] };
      });
      return { picture: toPixels(photo, pixels), terms: terms[0], networks, sizes, tileSize, isWhole, last };
    }
    const milliseconds = performance.now() - start;
    const { pixels, ...event } = next.value;
    last = { octave: event.octave, octaves: event.octaves, step: event.step, steps: event.steps };
    job.send({ picture: toPixels(pixels, toBytes(pixels)), milliseconds, stepsTaken: 1, ...event });
    await job.receiveMessages();
    isWhole &&= !job.isStopped();
  }
}

/** The networks of a recipe, each loaded once. */
async function openTogether(models: ModelInRecipe[]): Promise<LoadedModel[]> {
  return Promise.all(
    models.map(async ({ path, weight, layers }) => {
      if (!others.has(path)) others.set(path, loadNetwork(path));
      return { network: await others.get(path)!, weight, layers };
    }),
  );
}

/** `config` with terms that no masks of their own bound. */
export function everywhere(network: Network, config: DreamConfig): DreamConfig {
  const unmasked = <Part extends { layers?: Layers }>(part: Part): Part => {
    if (!part.layers) return part;
    return { ...part, layers: toTables(part.layers, network.layers).map(({ mask: _, ...term }) => term) };
  };
  return { ...unmasked(config), schedule: config.schedule.map(unmasked) };
}

/** A dream of few steps; no updates are sent. */
export async function dreamShort(
  network: Network,
  photo: Photograph,
  config: DreamConfig,
  regions: Record<string, Mask> = {},
): Promise<Photograph> {
  const plain = { ...everywhere(network, config), schedule: [], first_octave: null, max_objective: null, clouds: 0 };
  return dreamQuietly(network, photo, plain, regions);
}

/** A dream of which no updates are sent. */
export async function dreamQuietly(
  network: Network,
  photo: Photograph,
  config: DreamConfig,
  regions: Record<string, Mask> = {},
): Promise<Photograph> {
  const steps = dream(photo, network, config, regions);
  let next = await steps.next();
  while (!next.done) next = await steps.next();
  return { ...photo, bytes: next.value.pixels };
}

/** A small dream on a photograph or on clouds; null where it was stopped. */
export async function thumbnail(job: Job, { config, side, photo }: ThumbnailTask): Promise<FinishedDream | null> {
  if (!photo) return fromClouds(job, config, side);
  let isStopped = false;
  const steps = dream(photo, job.network, config, {}, () => isStopped);
  for (let next = await steps.next(); ; next = await steps.next()) {
    if (isStopped) return null;
    if (next.done) {
      const { pixels, terms, sizes, tileSize } = next.value;
      return { picture: toPixels(photo, pixels), terms: terms[0], sizes, tileSize, isWhole: true, last: null };
    }
    await job.receiveMessages();
    isStopped = job.isStopped();
  }
}

/**
 * A small dream that starts from clouds; null where it was stopped. Where nothing in the clouds excites the
 * objective, its gradient is zero, and the dream begins again: from other clouds, then from what the whole layer
 * dreams into them.
 */
async function fromClouds(job: Job, config: DreamConfig, least: number): Promise<FinishedDream | null> {
  const { network } = job;
  const side = Math.max(least, new ObjectiveSet(network, config, {}).minSize);
  const layers = toTables(config.layers, network.layers).map(({ layer }) => layer);
  for (let seed = 0; seed < 2 * CLOUDS; seed++) {
    let photo: Photograph = { height: side, width: side, bytes: noise(BigInt(seed), side, side, "clouds") };
    if (seed >= CLOUDS) photo = await dreamShort(network, photo, { ...config, layers, objective: "mean-square", steps: 3 });
    const steps = dream(photo, network, { ...config, clouds: 0 });
    for (;;) {
      const next = await steps.next();
      if (next.done) {
        const { pixels, terms, sizes, tileSize } = next.value;
        return { picture: toPixels(photo, pixels), terms: terms[0], sizes, tileSize, isWhole: true, last: null };
      }
      await job.receiveMessages();
      if (job.isStopped()) return null;
      const { octave, octaves, step, objective } = next.value;
      if (octave === octaves && step > 1 && !objective) break;
    }
  }
  throw new UserError("nothing in the clouds that it was drawn from excites it");
}
