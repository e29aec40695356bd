/** The options of a dream: the names and the meaning are those of dreamkit's `DreamConfig`. */

import { UserError } from "./errors";

/** A term of `layers`, written as a table in a recipe. */
export interface TermTable {
  layer: string;
  channels?: number[];
  direction?: number[];
  weight?: number;
  objective?: "mean" | "mean-square";
  /** The name of the term's mask; without it, the mask of the whole dream applies. */
  mask?: string;
}

export type Layers = (string | TermTable)[] | Record<string, number> | null;

export interface DreamConfig {
  /** Factor of the step size. */
  strength: number;
  /** Share of the photograph that is mixed into the finished dream, 0 to 1. */
  blend: number;
  layers: Layers;
  objective: "mean" | "mean-square";
  balance: boolean;
  border: number;
  normalise: string;
  smooth: string;
  smooth_width: number;
  /** How much of the photograph's colours the dream keeps: 0 free, 0.5 natural, 1 changes lightness alone. */
  color: number;
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
  schedule: Partial<Pick<DreamConfig, "layers" | "steps" | "step_size" | "jitter">>[];
  tile_size: number;
  precision: string;
  max_size: number | null;
  upscale: number;
  wrap: string;
  size: [number, number];
  noise: string;
  /** A whole number up to 2^64 - 1, written as text where a JavaScript number cannot hold it. */
  seed: number | string;
  [name: string]: unknown;
}

/** Options that the page does not support, each with the value that switches it off, as where it is left out. */
const UNSUPPORTED: Partial<DreamConfig> = {
  space: "pixels",
  tv: 0,
  l2: 0,
  rotate: 0,
  zoom: 0,
  precision: "float32",
  upscale: 1,
  wrap: "none",
  clouds: 0,
  alpha: "photograph",
  views: 1,
  start: "photograph",
};

/** Options that a recipe has only where the page cannot do what they ask for. */
const ELSEWHERE = ["crop", "hold"];

const FOR_PLUGINS = ["transforms", "regularisers", "plugin_options"];

/** Throws a `UserError` for a config with options that the page does not support. */
export function checkConfig(config: DreamConfig): void {
  for (const [name, value] of Object.entries(UNSUPPORTED)) {
    if ((config[name] ?? value) !== value) {
      throw new UserError(`${name} is ${String(config[name])}, which a page cannot do; set it to ${String(value)}`);
    }
  }
  for (const name of ELSEWHERE) {
    if (config[name] != null) throw new UserError(`${name} is given, which a page cannot do; leave it out`);
  }
  for (const name of FOR_PLUGINS) {
    if (config[name] != null) throw new UserError(`${name} is for plugins of Python, which a page cannot do; leave it out`);
  }
  if (config.objective !== "mean" && config.objective !== "mean-square") {
    throw new UserError(`objective is ${String(config.objective)}, which a page cannot do; set it to mean or mean-square`);
  }
  if (config.smooth === "laplacian") {
    throw new UserError("smooth is laplacian, which a page cannot do; set it to gaussian or none");
  }
}

/** The config of one octave, counted from 0 at the smallest: its entry of the schedule replaces options. */
export function configAt(config: DreamConfig, octave: number): DreamConfig {
  const { schedule } = config;
  if (!schedule.length) return config;
  return { ...config, ...schedule[Math.min(octave, schedule.length - 1)], schedule: [] };
}
