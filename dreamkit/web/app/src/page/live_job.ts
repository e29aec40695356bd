/** The camera, dreamed frame after frame: each frame begins with what was dreamed of the one before. */

import { carried, isSameSize } from "../engine/carry";
import type { DreamConfig } from "../engine/config";
import { dream } from "../engine/loop";
import type { Network } from "../engine/network";
import { ObjectiveSet } from "../engine/objective_set";
import { type Photograph, toBytes } from "../engine/octave_schemes";
import type { Picture } from "../engine/resize";
import { everywhere } from "./dream_jobs";
import { asPicture } from "./job";

const OCTAVES = 2; // of a frame, at most; each takes one step
const KEPT = [0.5, 0.95]; // least and most of what was dreamed before, that the next frame keeps

/**
 * Dreams frames. What a frame's step adds, and what it keeps of the steps before, sum to the steps of the recipe
 * where nothing moves: a step adds `d`, and the sum of `d * kept ** n` is `d / (1 - kept)`. So the dream neither dies
 * nor runs away.
 */
export class LiveDream {
  private before: Photograph | null = null;
  private change: Picture | null = null;
  private turn = 0;

  constructor(private readonly network: Network) {}

  /** The dream of the frame that comes next. */
  async next(frame: Photograph, config: DreamConfig): Promise<Photograph> {
    const short = this.configOf(config);
    const kept = this.keptOf(config);
    const now = asPicture(frame);
    const change = this.before && this.change && isSameSize(this.before, frame) ? carried(this.change, this.before, frame) : null;
    const start = { ...now, values: now.values.slice() };
    for (let i = 0; change && i < start.values.length; i++) start.values[i] += kept * change.values[i];
    const bytes = toBytes(start);
    const more = await this.dreamed({ ...frame, bytes }, short);
    const next = { ...now, values: new Float32Array(now.values.length) };
    for (let i = 0; i < next.values.length; i++) {
      const moved = start.values[i] + more.values[i] - bytes[i];
      next.values[i] = Math.min(255, Math.max(0, moved)) - now.values[i];
    }
    [this.before, this.change] = [frame, next];
    for (let i = 0; i < next.values.length; i++) start.values[i] = now.values[i] + (1 - config.blend) * next.values[i];
    return { ...frame, bytes: toBytes(start) };
  }

  /** The picture after a step in each octave. */
  private async dreamed(photo: Photograph, config: DreamConfig): Promise<Picture> {
    let last = asPicture(photo);
    for await (const { pixels } of dream(photo, this.network, config)) last = pixels;
    return last;
  }

  private configOf(config: DreamConfig): DreamConfig {
    const plain = { ...everywhere(this.network, config), schedule: [], first_octave: null, max_objective: null };
    const octaves = Math.min(OCTAVES, config.octaves ?? OCTAVES);
    return { ...plain, octaves, steps: 1, clouds: 0, blend: 0, upscale: 1, seed: this.turn++ };
  }

  private keptOf(config: DreamConfig): number {
    const steps = new ObjectiveSet(this.network, { ...config, schedule: [] }, {}).steps(0);
    return Math.min(KEPT[1], Math.max(KEPT[0], 1 - 1 / steps));
  }
}
