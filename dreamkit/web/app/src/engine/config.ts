/** The options of a dream: the names and the meaning are those of dreamkit's `DreamConfig`. */

import supported from "../../../supported.json";
import { UserError } from "./errors";

/** A term of `layers`, written as a table in a recipe. */
export interface TermTable {
  layer: string;
  channels?: number[];
  /** Column and row of a single neuron, on the layer's map of the whole picture. */
  place?: [number, number];
  direction?: number[];
  weight?: number;
  objective?: ObjectiveKind;
  /** Whether the dream's guide applies to it; without it, the guide applies to whole layers. */
  guide?: boolean;
  /** The name of the term's mask; without it, the mask of the whole dream applies. */
  mask?: string;
}

/** What can grow in a layer. */
export type ObjectiveKind = "mean" | "mean-square" | "cosine";

/** How a guide works: at each place its most similar feature grows, or what is strong in it grows everywhere. */
export type GuideStyle = "match" | "channels";

const { transforms: TRANSFORMS, ...CHOICES } = supported.choices;
export const OBJECTIVES: string[] = CHOICES.objective;
export const MOST_STRENGTH = 10; // that a recipe may have

export type Layers = (string | TermTable)[] | Record<string, number> | null;

export interface DreamConfig {
  /** Factor of the step size. */
  strength: number;
  /** Share of the photograph that is mixed into the finished dream, 0 to 1. */
  blend: number;
  layers: Layers;
  objective: ObjectiveKind;
  guide_style: GuideStyle;
  balance: boolean;
  border: number;
  normalise: string;
  smooth: string;
  /** Null for what suits the layers' depth. */
  smooth_width: number | null;
  smooth_levels: number;
  /** How much of the photograph's colours the dream keeps: 0 free, 0.5 natural, 1 changes lightness alone. */
  color: number;
  /** Null for what suits the weights' signs. */
  tv: number | null;
  l2: number;
  octaves: number | null;
  octave_scale: number;
  octave_scheme: string;
  first_octave: number | null;
  /** Of each octave; null for what suits the layers' depth. */
  steps: number | null;
  step_size: number;
  unit: [number, number, number];
  clip: boolean;
  max_objective: number | null;
  space: string;
  jitter: number;
  rotate: number;
  zoom: number;
  /** Transforms before each step, each with its strength. */
  transforms: Record<string, number> | null;
  schedule: Partial<Pick<DreamConfig, "layers" | "steps" | "step_size" | "jitter">>[];
  tile_size: number;
  precision: string;
  max_size: number | null;
  upscale: number;
  wrap: string;
  size: [number, number];
  noise: string;
  /** Strength of the clouds of a seed other than 0, in pixel values. */
  clouds: number;
  /** A whole number up to 2^64 - 1, written as text where a JavaScript number cannot hold it. */
  seed: number | string;
  [name: string]: unknown;
}

/** Throws a `UserError` for a config with options that the page does not support. */
export function checkConfig(config: DreamConfig): void {
  for (const [name, value] of Object.entries(supported.off)) {
    const given = config[name] ?? null;
    if (given === null || given === value) continue;
    const change = value === null ? "leave it out" : `set it to ${String(value)}`;
    const shown = typeof given === "object" ? JSON.stringify(given) : String(given);
    throw new UserError(`${name} is ${shown}, which a page cannot do; ${change}`);
  }
  const unknown = Object.keys(config.transforms ?? {}).find((name) => !TRANSFORMS.includes(name));
  if (unknown) {
    const given = JSON.stringify(config.transforms);
    throw new UserError(`transforms is ${given}, which a page cannot do; leave ${unknown} out`);
  }
  for (const [name, choices] of Object.entries(CHOICES)) {
    const given = String(config[name]);
    if (choices.includes(given)) continue;
    throw new UserError(`${name} is ${given}, which a page cannot do; set it to ${choices.join(" or ")}`);
  }
}

/** The config of one octave, counted from 0 at the smallest: its entry of the schedule replaces options. */
export function configAt(config: DreamConfig, octave: number): DreamConfig {
  const { schedule } = config;
  if (!schedule.length) return config;
  return { ...config, ...schedule[Math.min(octave, schedule.length - 1)], schedule: [] };
}
