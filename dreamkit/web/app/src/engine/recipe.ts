/** A dream's options, by the names and with the meaning that dreamkit's `DreamConfig` gives them. */

import { Refused } from "./refused";

/** A term of `layers` as a recipe's table has it. */
export interface TermTable {
  layer: string;
  channels?: number[];
  direction?: number[];
  weight?: number;
  objective?: "mean" | "mean-square";
}

export type Layers = (string | TermTable)[] | Record<string, number> | null;

export interface Options {
  layers: Layers;
  objective: "mean" | "mean-square";
  balance: boolean;
  border: number;
  normalise: string;
  smooth: string;
  smooth_width: number;
  color: string;
  tv: number;
  l2: number;
  octaves: number | null;
  octave_scale: number;
  octave_scheme: string;
  first_octave: number | null;
  steps: number;
  step_size: number;
  unit: [number, number, number];
  clip: boolean;
  max_objective: number | null;
  space: string;
  jitter: number;
  rotate: number;
  zoom: number;
  schedule: Partial<Pick<Options, "layers" | "steps" | "step_size" | "jitter">>[];
  tile_size: number;
  precision: string;
  max_size: number | null;
  upscale: number;
  wrap: string;
  size: [number, number];
  noise: string;
  /** A whole number up to 2^64 - 1: as text where it is beyond what a number holds. */
  seed: number | string;
  [name: string]: unknown;
}

/** What this engine does not do, and the one value of each option that leaves it out. */
const LEFT_OUT: Partial<Options> = {
  color: "free",
  space: "pixels",
  tv: 0,
  l2: 0,
  rotate: 0,
  zoom: 0,
  precision: "float32",
  upscale: 1,
  wrap: "none",
};

/** Refuses a recipe that asks for what only dreamkit itself does. */
export function check(options: Options): void {
  for (const [name, value] of Object.entries(LEFT_OUT)) {
    if (options[name] !== value) {
      throw new Refused(`${name} is ${String(options[name])}, which dreamkit does and a browser does not yet`);
    }
  }
  if (options.smooth === "laplacian") {
    throw new Refused("smooth is laplacian, which dreamkit does and a browser does not yet; use gaussian");
  }
}

/** The options of one octave, counted from 0 at the smallest: those of its schedule put over. */
export function at(options: Options, octave: number): Options {
  const { schedule } = options;
  if (!schedule.length) return options;
  return { ...options, ...schedule[Math.min(octave, schedule.length - 1)], schedule: [] };
}
