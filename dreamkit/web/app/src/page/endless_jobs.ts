/** Dreams that the worker goes on with until they are stopped: growth under the brush, and the zoom. */

import * as colorMatch from "../engine/color_match";
import type { DreamConfig } from "../engine/config";
import { type Growth, growOnce, lastTurn, newGrowth } from "../engine/growth";
import type { Network } from "../engine/network";
import { ObjectiveSet } from "../engine/objective_set";
import { type Photograph, toBytes } from "../engine/octave_schemes";
import type { Picture } from "../engine/resize";
import { movedInto } from "../engine/zoom";
import { dreamShort, everywhere } from "./dream_jobs";
import { asPicture, endlessStep, type Job, toPixels } from "./job";
import type { FinishedDream, Pixels } from "./protocol";

const HALF = 127; // of 255, above which the brush covers a pixel
const ZOOM = { octaves: 2, steps: 2 }; // of each frame
const ZOOM_STEPS = ZOOM.octaves * ZOOM.steps;

/**
 * Grows a dream turn after turn under a mask that may get larger meanwhile, until all that was painted has grown and
 * no more may follow, or until it is stopped. Returns what grew.
 */
export async function grow(job: Job, photo: Pixels, config: DreamConfig): Promise<FinishedDream> {
  const picture: Photograph = { ...photo, bytes: photo.bytes.slice() };
  const growth = growthOf(job.network, photo, config);
  const { times } = growth;
  let before = copyOf(picture, growth);
  while (!job.isStopped()) {
    const start = performance.now();
    const { mask, segments, isOpen } = job.painted();
    if (times.some((time, i) => time && mask[i] <= HALF)) goBack(picture, growth, before); // a stroke was taken back
    if (!isOpen) before = copyOf(picture, growth); // only an open stroke may be
    mask.forEach((level, i) => {
      if (level > HALF && !times[i]) times[i] = growth.turns + 1;
    });
    if (growth.turns >= lastTurn(growth)) {
      if (!isOpen) break;
      await job.nextMessage();
      continue;
    }
    await growOnce(job.network, picture, growth);
    job.send({ ...endlessStep(picture, performance.now() - start, growth.turns, 1), segments });
    await job.receiveMessages();
  }
  return finishedGrowth(picture, growth, growth.turns >= lastTurn(growth));
}

type Grown = Pick<Growth, "times" | "turns"> & Pick<Photograph, "bytes">;

function copyOf({ bytes }: Photograph, { times, turns }: Growth): Grown {
  return { bytes: bytes.slice(), times: times.slice(), turns };
}

/** What grew since is forgotten; strokes that stay grow again from there. */
function goBack(picture: Photograph, growth: Growth, { bytes, times, turns }: Grown): void {
  picture.bytes.set(bytes);
  growth.times.set(times);
  growth.turns = turns;
}

/** Grows a stroke again, with other options or on another picture; null where it was stopped. */
export async function regrow(
  job: Job,
  { photo, config, times }: { photo: Pixels; config: DreamConfig; times: Growth["times"] },
): Promise<FinishedDream | null> {
  const picture: Photograph = { ...photo, bytes: photo.bytes.slice() };
  const growth = { ...growthOf(job.network, photo, config), times };
  for (const last = lastTurn(growth); growth.turns < last; ) {
    const start = performance.now();
    await growOnce(job.network, picture, growth);
    job.send({ ...endlessStep(picture, performance.now() - start, growth.turns, 1), done: growth.turns / last });
    await job.receiveMessages();
    if (job.isStopped()) return null;
  }
  return finishedGrowth(picture, growth, true);
}

function growthOf(network: Network, { height, width }: Pixels, config: DreamConfig): Growth {
  const plain = { ...everywhere(network, config), schedule: [] };
  const objectives = new ObjectiveSet(network, plain, {});
  return newGrowth(plain, height * width, objectives.steps({ number: 0, height, width }), objectives.minSize);
}

function finishedGrowth(picture: Photograph, growth: Growth, isWhole: boolean): FinishedDream {
  const { height, width } = picture;
  const { tile_size: tileSize } = growth.config;
  return { picture: toPixels(picture, picture.bytes), terms: {}, sizes: [[height, width]], tileSize, isWhole, last: null, growth };
}

/**
 * Dreams and moves into the centre a little at each turn, until it is stopped. Each frame has the colours of the
 * first picture, so that nothing drifts.
 */
export async function zoom(job: Job, photo: Pixels, config: DreamConfig, factor: number): Promise<void> {
  const moments = colorMatch.measure(photo.bytes);
  const matched = ({ values, ...size }: Picture): Photograph => {
    colorMatch.match(values, moments);
    return { ...size, bytes: toBytes({ ...size, values }) };
  };
  let picture: Photograph = { height: photo.height, width: photo.width, bytes: photo.bytes };
  for (let turn = 0; !job.isStopped(); turn++) {
    const start = performance.now();
    const moved = matched(movedInto(asPicture(picture), factor));
    picture = matched(asPicture(await dreamShort(job.network, moved, { ...config, ...ZOOM, seed: turn })));
    job.send(endlessStep(picture, performance.now() - start, turn, ZOOM_STEPS));
    await job.receiveMessages();
  }
}
