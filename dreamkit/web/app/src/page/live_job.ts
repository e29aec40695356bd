/** The camera, dreamed frame after frame: each frame begins with what was dreamed of the one before. */

import { carried } from "../engine/carry";
import type { DreamConfig } from "../engine/config";
import type { Network } from "../engine/network";
import { ObjectiveSet } from "../engine/objective_set";
import { type Photograph, type Size, toBytes } from "../engine/octave_schemes";
import { octavesOf } from "../engine/octaves";
import { type Picture, resized } from "../engine/resize";
import { dreamQuietly, everywhere } from "./dream_jobs";
import { asPicture, endlessStep, type Job } from "./job";
import type { LiveFrame } from "./protocol";

const OCTAVES = 2; // of a frame, at most; they take turns, one step a frame
const PACE = 3; // step sizes of a step, so that a dream is there soon
const GAIN = 1.5; // times the steps of the recipe, because motion loses a third of them
const MOST = 0.7; // of the steps of the recipe, which pull in many directions: the most that a dream comes to
const KNOWN = 0.9; // of how much a step adds, that is known from earlier steps
const KEPT = [0.5, 0.95]; // least and most of what was dreamed before, that an octave keeps until its next step

/** Dreams the newest frame that the page sent, until it is stopped; older ones are forgotten. */
export async function dreamLive(job: Job): Promise<void> {
  const live = new LiveDream(job.network);
  let last: LiveFrame | null = null;
  for (let turn = 0; !job.isStopped(); ) {
    const frame = job.frame();
    if (!frame || frame === last) {
      await job.nextMessage();
      continue;
    }
    const start = performance.now();
    const dreamed = await live.next(frame.photo, frame.config);
    job.send(endlessStep(dreamed, performance.now() - start, turn++, 1));
    last = frame;
    await job.receiveMessages();
  }
}

/**
 * Dreams one frame after another. A step adds `d`, and `kept` of the steps before remains, so that they sum to
 * `d / (1 - kept)` where nothing moves. Where steps pull in one direction for long, the dream is held at about what a
 * whole dream of the recipe comes to. So it neither dies nor runs away.
 */
export class LiveDream {
  private before: Photograph | null = null;
  /** The dream of the frame before, less the frame. */
  private change: Picture | null = null;
  /** The mean absolute change by one step size, in pixel values. */
  private added = 0;
  private turn = 0;

  constructor(private readonly network: Network) {}

  /** The dream of the frame that comes next. */
  async next(frame: Photograph, config: DreamConfig): Promise<Photograph> {
    const { step, size, steps, pace, kept } = this.planOf(frame, config);
    const now = asPicture(frame);
    const { values } = now;
    const isSame = this.before?.height === frame.height && this.before.width === frame.width;
    const change = isSame ? carried(this.change!, this.before!, frame).values : new Float32Array(values.length);
    const start = values.slice();
    for (let i = 0; i < start.length; i++) start[i] += kept * change[i];
    const more = (await this.stepOn({ ...now, values: start }, size, step)).values;
    const added = meanAbsolute(more) / pace;
    this.added = this.added ? KNOWN * this.added + (1 - KNOWN) * added : added;
    for (let i = 0; i < values.length; i++) change[i] = Math.min(255, Math.max(0, start[i] + more[i])) - values[i];
    const part = Math.min(1, (MOST * steps * this.added) / (meanAbsolute(change) || 1));
    for (let i = 0; i < values.length; i++) {
      change[i] *= part;
      // With half of the new step, successive frames show the means of both octaves, and flicker less.
      start[i] = values[i] + (1 - config.blend) * (change[i] - more[i] / 2);
    }
    [this.before, this.change] = [frame, { ...now, values: change }];
    return { ...frame, bytes: toBytes({ ...now, values: start }) };
  }

  /** What a step at another size adds to a picture. */
  private async stepOn(picture: Picture, { height, width }: Size, step: DreamConfig): Promise<Picture> {
    const small = { height, width, bytes: toBytes(resized(picture, height, width)) };
    const { bytes } = await dreamQuietly(this.network, small, step);
    const added = new Float32Array(bytes.length);
    for (let i = 0; i < added.length; i++) added[i] = bytes[i] - small.bytes[i];
    // A grid of pixels that a network leaves would grow from frame to frame.
    return resized({ height, width, values: softened(added, height, width) }, picture.height, picture.width);
  }

  /** The config of one step of `pace` step sizes, its size, and how much of the dream before remains. */
  private planOf({ height, width }: Photograph, config: DreamConfig) {
    const plain = { ...everywhere(this.network, config), schedule: [], max_objective: null, clouds: 0, blend: 0 };
    const whole = { ...plain, first_octave: null, octave_scheme: "residual" };
    const objectives = new ObjectiveSet(this.network, whole, {});
    const wanted = { ...whole, octaves: Math.min(OCTAVES, config.octaves ?? OCTAVES) };
    const octaves = octavesOf(height, width, objectives.minSize, wanted);
    const size = octaves[octaves.length - 1 - (this.turn % octaves.length)];
    const steps = objectives.steps(octaves[0]);
    const kept = Math.min(KEPT[1], Math.max(KEPT[0], 1 - PACE / (GAIN * steps)));
    const pace = GAIN * steps * (1 - kept);
    const step = { ...whole, octaves: 1, steps: 1, step_size: pace * config.step_size, seed: this.turn++ };
    return { step, size, steps, pace, kept: kept ** (1 / octaves.length) };
  }
}

function meanAbsolute(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.abs(values[i]);
  return sum / values.length;
}

/** Each value and its neighbours, weighed 1, 2 and 1 along each axis: nothing remains of what alternates by pixel. */
function softened(values: Float32Array, height: number, width: number): Float32Array {
  const out = values.slice();
  for (const [length, step] of [[width, 3], [height, 3 * width]]) {
    const from = out.slice();
    for (let i = 0; i < out.length; i++) {
      const place = Math.floor(i / step) % length;
      out[i] = (from[place ? i - step : i] + 2 * from[i] + from[place < length - 1 ? i + step : i]) / 4;
    }
  }
  return out;
}
