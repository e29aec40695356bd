/** Dreams that the worker goes on with until they are stopped: growth under the brush, and the zoom. */

import * as colorMatch from "../engine/color_match";
import type { DreamConfig } from "../engine/config";
import { soften } from "../engine/masks";
import { ObjectiveSet } from "../engine/objective_set";
import { type Photograph, toBytes } from "../engine/octave_schemes";
import { octavesOf } from "../engine/octaves";
import type { Picture } from "../engine/resize";
import { movedInto } from "../engine/zoom";
import { boxAround, cut, paste } from "./crop";
import { dreamShort, everywhere } from "./dream_jobs";
import { asPicture, endlessStep, type Job } from "./job";
import type { Pixels } from "./protocol";

const ZOOM = { octaves: 2, steps: 2 }; // of each frame
const ZOOM_STEPS = ZOOM.octaves * ZOOM.steps;
const GROWTH = 2; // step sizes that a picture grows by in a turn under the brush
const GROWN = 0.6; // of the recipe's steps that it grows at most, because one octave alone changes it more

/**
 * Dreams step after step under a mask that may change meanwhile, until it is stopped. No pixel changes more than
 * by the whole recipe, which is dreamed at the end of the stroke.
 */
export async function grow(job: Job, photo: Pixels, config: DreamConfig): Promise<void> {
  const picture: Photograph = { ...photo, bytes: photo.bytes.slice() };
  const objectives = new ObjectiveSet(job.network, everywhere(job.network, config), {});
  const octaves = octavesOf(photo.height, photo.width, objectives.minSize, config);
  const steps = octaves.reduce((sum, { number }) => sum + objectives.steps(number), 0);
  const left = new Float32Array(photo.height * photo.width).fill(Math.ceil((GROWN * steps) / GROWTH));
  for (let turn = 0; !job.isStopped(); turn++) {
    const start = performance.now();
    const growing = job.mask()?.map((level, i) => (left[i] > 0 ? level : 0));
    const box = growing && boxAround(growing, picture);
    if (!growing || !box) {
      await job.nextMessage();
      continue;
    }
    const part = cut(picture, box, 3);
    const mask = soften(cut({ ...picture, bytes: growing }, box, 1).bytes, part.height, part.width);
    const short = { ...config, octaves: 1, steps: 1, step_size: GROWTH * config.step_size, seed: turn };
    paste(picture, (await dreamShort(job.network, part, short, { "": mask })).bytes, box);
    growing.forEach((level, i) => level && left[i]--);
    job.send(endlessStep(picture, performance.now() - start, turn, 1));
    await job.receiveMessages();
  }
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
