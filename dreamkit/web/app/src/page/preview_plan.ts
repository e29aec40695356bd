/**
 * How a dream is previewed: first a very small dream of few, large steps, then the first octaves of the dream itself,
 * as far as they are small. Both move as much as all octaves of the dream would.
 */

import { configAt, type DreamConfig } from "../engine/config";
import { type Octave, octavesOf } from "../engine/octaves";
import { averaged } from "./preview_pixels";
import type { DreamTask, MaskLevels, Pixels } from "./protocol";

const ROUGH = 96; // pixels on the longest side
const ROUGH_STEPS = 3;
const ROUGH_SHARE = 0.2; // of what a dream moves, for each rough step; few large steps move more than many small ones
const ROUGHEST = 8; // times the step size; more is noise alone
const FINE = 192; // pixels, where the dream has no octave that is small enough
const MOST_FINE = 224; // pixels of an octave that is small enough
const TYPICAL_STEPS = 15; // of an octave, where the network chooses
const PLACE = /@\d+x\d+/;

/** Whether a small dream shows what `task` dreams. `minSize` is the shortest side, in pixels, that the network takes. */
export function canPreview({ photo, config }: DreamTask, minSize: number): boolean {
  // A single neuron sees another part of a smaller picture.
  return Math.min(photo.height, photo.width) >= minSize && !hasPlace(config);
}

/** A very small dream of few steps. */
export function roughTask(task: DreamTask, minSize: number): DreamTask {
  const options = roughOptions(task.config, octavesFor(task, minSize));
  return shrunkTask(task, Math.max(ROUGH, neededSide(task.photo, minSize)), options);
}

/** The first octaves of the dream, up to a small size. */
export function fineTask(task: DreamTask, minSize: number): DreamTask {
  const [side, options] = fineOptions(task.config, octavesFor(task, minSize));
  return shrunkTask(task, Math.max(side, neededSide(task.photo, minSize)), options);
}

function octavesFor({ photo, config }: DreamTask, minSize: number): Octave[] {
  return octavesOf(photo.height, photo.width, minSize, config);
}

/** The longest side at which the shorter one has `minSize` pixels. */
function neededSide({ height, width }: Pixels, minSize: number): number {
  return Math.ceil((minSize * Math.max(height, width)) / Math.min(height, width));
}

function roughOptions(config: DreamConfig, octaves: Octave[]): Partial<DreamConfig> {
  const { border: _, ...last } = { ...configAt(config, octaves[octaves.length - 1].number), schedule: [] };
  const times = ROUGH_SHARE * (last.steps ?? TYPICAL_STEPS) * Math.sqrt(octaves.length);
  return {
    ...last,
    octaves: 1,
    first_octave: null,
    octave_scheme: "residual",
    steps: ROUGH_STEPS,
    step_size: last.step_size * Math.min(ROUGHEST, times),
    max_objective: null,
  };
}

/** The longest side of the fine preview, and its options. */
function fineOptions(config: DreamConfig, octaves: Octave[]): [number, Partial<DreamConfig>] {
  if (config.octave_scheme === "whole") return [FINE, {}]; // whose octaves are larger and smaller than the photograph
  const small = octaves.filter(({ height, width }) => Math.max(height, width) <= MOST_FINE);
  const last = small[small.length - 1];
  const side = last ? Math.max(last.height, last.width) : FINE;
  // The changes of octaves are unlike each other, so their squares add up.
  const strength = config.strength * Math.sqrt(octaves.length / Math.max(1, small.length));
  return [side, { octaves: last ? last.number + 1 : 1, first_octave: null, strength }];
}

/** Whether a term is a single neuron, such as `mixed4c:12@3x4`. */
function hasPlace({ layers, schedule }: DreamConfig): boolean {
  return [layers, ...schedule.map((entry) => entry.layers)].some((terms) =>
    (Array.isArray(terms) ? terms : Object.keys(terms ?? {})).some((term) =>
      typeof term === "string" ? PLACE.test(term) : term.place || PLACE.test(term.layer),
    ),
  );
}

/** The task on a picture whose longest side is `longest`, with its masks and its guide as much smaller. */
function shrunkTask(task: DreamTask, longest: number, options: Partial<DreamConfig>): DreamTask {
  const photo = shrunkTo(task.photo, longest);
  const masks: Record<string, MaskLevels> = {};
  for (const [name, levels] of Object.entries(task.masks)) {
    masks[name] = averaged(levels, sizeOf(task.photo), sizeOf(photo), 1);
  }
  const guide = task.guide && shrunkTo(task.guide, longest);
  const border = Math.round((task.config.border * photo.width) / task.photo.width);
  return { ...task, photo, masks, guide, config: { ...task.config, border, ...options } };
}

/** A picture whose longest side is at most `longest`. */
export function shrunkTo(picture: Pixels, longest: number): Pixels {
  const most = Math.max(picture.height, picture.width);
  if (most <= longest) return picture;
  const [height, width] = sizeOf(picture).map((side) => Math.max(1, Math.round((side * longest) / most)));
  return { height, width, bytes: averaged(picture.bytes, sizeOf(picture), [height, width], 3) };
}

/** Height and width. */
export function sizeOf({ height, width }: Pixels): [number, number] {
  return [height, width];
}
