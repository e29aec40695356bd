/** Growth under the brush, turn after turn, each pixel from when it was painted: dreamkit's `engine/growth.py`. */

import { type DreamConfig, MOST_STRENGTH } from "./config";
import { boxAround, cut, paste } from "./crop";
import { dream } from "./loop";
import { soften } from "./masks";
import type { Network } from "./network";
import type { Photograph } from "./octave_schemes";

export const PACE = 2; // step sizes of a turn, in each octave
const SHARE = 0.65; // of an octave's steps, that a pixel grows for so many turns
const LEAST_BOX = 128; // pixels on each side of what the network sees

/** What grew, so that it can grow again. */
export interface Growth {
  /** The config of each turn, but for its seed, which is its number. */
  config: DreamConfig;
  /** For each pixel, the turn at which it was painted, from 1; 0 where it was not. */
  times: Uint16Array<ArrayBuffer>;
  /** How many turns there were, and for how many a pixel grows. */
  turns: number;
  lasts: number;
  /** Pixels on each side of what the network sees, at least. */
  least: number;
}

/** A growth that begins. `config` has the options of a dream and the layers of the stroke; `steps` are those of an octave. */
export function newGrowth(config: DreamConfig, pixels: number, steps: number, minSize: number): Growth {
  const turn = {
    ...config,
    strength: Math.min(MOST_STRENGTH, config.strength),
    step_size: PACE * config.step_size,
    steps: 1,
    schedule: [],
    first_octave: null,
    octave_scheme: "residual",
    max_objective: null,
    clouds: 0,
    blend: 0,
    wrap: "none",
  };
  const lasts = Math.ceil(SHARE * steps);
  return { config: turn, times: new Uint16Array(pixels), turns: 0, lasts, least: Math.max(LEAST_BOX, minSize) };
}

/** The turn after which nothing grows any more. */
export function lastTurn({ times, lasts }: Growth): number {
  const latest = times.reduce((latest, time) => Math.max(latest, time), 0);
  return latest && latest - 1 + lasts;
}

/** Grows `picture`, in place, by the turn that comes next. Returns whether anything grew. */
export async function growOnce(network: Network, picture: Photograph, growth: Growth): Promise<boolean> {
  const { config, times, turns, lasts, least } = growth;
  const grows = (time: number) => time > 0 && time <= turns + 1 && turns + 1 < time + lasts;
  const mask = Uint8ClampedArray.from(times, (time) => (grows(time) ? 255 : 0));
  const box = boxAround(mask, picture, least);
  growth.turns++;
  if (!box) return false;
  const part = cut(picture, box, 3);
  const region = soften(cut({ ...picture, bytes: mask }, box, 1).bytes, part.height, part.width);
  const steps = dream(part, network, { ...config, seed: turns }, { "": region });
  let next = await steps.next();
  while (!next.done) next = await steps.next();
  paste(picture, next.value.pixels, box);
  return true;
}
