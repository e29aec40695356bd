/**
 * The loop over octaves and steps, as dreamkit's `engine/dream.py` has it: the same sizes, rolls, tiles,
 * normalisation and detail, so that a recipe dreams the same picture there and here.
 */

import * as colours from "./colour";
import { roll } from "./draws";
import * as masks from "./masks";
import type { Aim, Network } from "./network";
import { normalise } from "./normalise";
import { roundHalfEven, wrapped } from "./numbers";
import { type Octave, octavesOf } from "./octaves";
import { at, check, type Options } from "./recipe";
import { Refused } from "./refused";
import { type Picture, resized } from "./resize";
import { blurred, REACH, widths } from "./smoothing";
import { balanced, type Term, termsOf } from "./terms";
import { type Axis, reach, split } from "./tiles";

const LEAST_TILE = 32; // pixels; smaller tiles are all overhead

/** What is known after each step. */
export interface Step {
  octave: number;
  octaves: number;
  step: number;
  steps: number;
  /** What the ascent raises, as a multiple of its value at the first step. */
  objective: number;
  /** The share of the whole work that is done; work goes with pixels. */
  done: number;
  /** The dream so far. It is changed by the next step. */
  pixels: Picture;
}

export interface Dreamed {
  /** `(height, width, 3)` of the photograph. */
  pixels: Uint8ClampedArray;
  terms: Record<string, number>;
  octaves: [number, number][];
  tileSize: number;
}

export interface Photograph {
  height: number;
  width: number;
  /** `(height, width, 3)`. */
  bytes: Uint8ClampedArray;
}

/**
 * Dreams a photograph, and gives each step as it is taken; with `mask`, only where that is not black. Once
 * `isEnough`, what is there is brought to the photograph's size.
 */
export async function* dream(
  photo: Photograph,
  network: Network,
  options: Options,
  mask: masks.Mask | null = null,
  isEnough: () => boolean = () => false,
): AsyncGenerator<Step, Dreamed> {
  check(options);
  const asked = asksOf(network, options);
  const layers = new Set(asked.flatMap((terms) => terms.map((term) => term.goal.layer)));
  const minSize = network.minSize(layers);
  if (options.tile_size < minSize) {
    throw new Refused(`tile_size is ${options.tile_size}, and this network needs at least ${minSize}`);
  }
  const original: Picture = { ...photo, values: Float32Array.from(photo.bytes) };
  const run = octavesOf(photo.height, photo.width, minSize, options);
  const climber = new Climber(network, options, asked, minSize, mask, run, original);
  const grow = options.octave_scheme === "residual" ? grownResidual : grownWhole;
  let pixels = resized(original, run[0].height, run[0].width);
  let before: Octave = run[0];
  for (const octave of run) {
    if (pixels.height !== octave.height || pixels.width !== octave.width) pixels = grow(original, pixels, octave);
    yield* climber.climb(pixels, octave, isEnough);
    if (isEnough()) break;
    if (options.octave_scheme === "lost-detail") addLostDetail(original, pixels, before);
    before = octave;
  }
  if (pixels.height !== photo.height || pixels.width !== photo.width) pixels = grow(original, pixels, photo);
  if (mask) masks.blend(photo.bytes, pixels.values, mask);
  if (options.blend) {
    const { values } = pixels;
    for (let i = 0; i < values.length; i++) {
      const clipped = Math.min(255, Math.max(0, values[i]));
      values[i] = clipped + options.blend * (photo.bytes[i] - clipped);
    }
  }
  return {
    pixels: bytesOf(pixels),
    terms: Object.fromEntries(climber.terms.map((term) => [term.text, term.weight])),
    octaves: run.map((octave) => [octave.height, octave.width]),
    tileSize: climber.tileSize,
  };
}

/** Pixels as bytes, rounded as NumPy rounds. */
export function bytesOf({ values }: Picture): Uint8ClampedArray {
  const bytes = new Uint8ClampedArray(values.length);
  for (let i = 0; i < values.length; i++) bytes[i] = roundHalfEven(Math.min(255, Math.max(0, values[i])));
  return bytes;
}

function asksOf(network: Network, options: Options): Term[][] {
  const entries = Math.max(1, options.schedule.length);
  return Array.from({ length: entries }, (_, octave) => {
    const own = at(options, octave);
    return termsOf(own.layers ?? network.description.default_layers, network.layers, own);
  });
}

/** What stays the same through the steps of an octave. */
interface Stretch {
  pixels: Picture;
  octave: Octave;
  /** Which entry of the schedule. */
  entry: number;
  options: Options;
  /** Strengths of the mask at this size; null where the dream goes everywhere. */
  region: Float32Array | null;
}

class Climber {
  tileSize: number;
  terms: Term[];
  private pulls: (number[] | null)[];
  private first: number | null = null;
  private worked = 0;
  private readonly work: number;
  private readonly seed: bigint;
  private readonly colours: number[][] | null;
  private readonly spread: colours.Spread | null;

  constructor(
    private readonly network: Network,
    private readonly options: Options,
    private readonly asked: Term[][],
    private readonly minSize: number,
    private readonly mask: masks.Mask | null,
    private readonly run: Octave[],
    original: Picture,
  ) {
    this.colours = options.color > colours.FREE ? colours.direction(options.color) : null;
    this.spread = colours.held(options.color) ? colours.spread(original.values) : null;
    this.tileSize = options.tile_size;
    this.terms = asked[0];
    this.seed = BigInt(options.seed);
    this.pulls = asked.map((terms) =>
      !options.balance || terms.length === 1 ? terms.map((term) => term.weight) : null,
    );
    this.work = run.reduce((sum, octave) => sum + this.workOf(octave), 0);
  }

  /** Takes all steps of an octave on `pixels`, in place. */
  async *climb(pixels: Picture, octave: Octave, isEnough: () => boolean): AsyncGenerator<Step> {
    const options = at(this.options, octave.number);
    const entry = Math.min(octave.number, this.asked.length - 1);
    this.terms = this.asked[entry];
    const region = this.mask && masks.at(this.mask, octave.height, octave.width).values;
    const stretch: Stretch = { pixels, octave, entry, options, region };
    for (let step = 0; step < options.steps; step++) {
      const direction = await this.direction(stretch, step);
      this.move(pixels, direction.update, direction.rolled, region, options);
      if (this.spread) colours.hold(pixels, this.spread, colours.held(options.color));
      const { pulled, weighed } = direction;
      const enough = options.max_objective !== null && weighed > options.max_objective;
      this.first ??= Math.abs(pulled) || 1;
      this.worked += octave.height * octave.width;
      if (enough || step + 1 === options.steps) {
        const passed = this.run.slice(0, this.run.indexOf(octave) + 1);
        this.worked = passed.reduce((sum, each) => sum + this.workOf(each), 0);
      }
      yield {
        octave: this.run.indexOf(octave) + 1,
        octaves: this.run.length,
        step: step + 1,
        steps: enough ? step + 1 : options.steps,
        objective: pulled / this.first,
        done: this.worked / this.work,
        pixels,
      };
      if (enough || isEnough()) break;
    }
  }

  private workOf(octave: Octave): number {
    return octave.height * octave.width * at(this.options, octave.number).steps;
  }

  /** Where a step goes, in the frame of the rolled picture; it begins again with smaller tiles where memory
   * runs out. */
  private async direction(stretch: Stretch, step: number) {
    for (;;) {
      try {
        return await this.directed(stretch, step);
      } catch (error) {
        const least = Math.max(this.minSize, LEAST_TILE);
        if (!isOutOfMemory(error)) throw error;
        if (this.tileSize <= least) {
          throw new Refused(
            `too little memory, even for tiles of ${this.tileSize} pixels; take a smaller picture`,
          );
        }
        this.tileSize = Math.max(Math.floor(this.tileSize / 2), least);
      }
    }
  }

  private async directed({ pixels, octave, entry, options, region }: Stretch, step: number) {
    const cover: [Axis, Axis] = [
      split(octave.height, this.tileSize, this.minSize),
      split(octave.width, this.tileSize, this.minSize),
    ];
    const goals = this.asked[entry].map((term) => term.goal);
    const weights = this.asked[entry].map((term) => term.weight);
    const margin = options.smooth === "gaussian" ? REACH : 0;
    const measured = (rolled: [number, number], pulls: number[]) => {
      const aim = { goals, pulls, border: options.border };
      return gradientOf(this.network, pixels, cover, rolled, aim, region, margin);
    };
    const pulls = this.pulls[entry] ?? balanced(this.asked[entry], (await measured([0, 0], weights)).meanSquares);
    this.pulls[entry] = pulls;
    const rolled = roll(this.seed, octave.number, step, [
      Math.max(options.jitter, reach(cover[0])),
      Math.max(options.jitter, reach(cover[1])),
    ]);
    const seen = await measured(rolled, pulls);
    let update: Float32Array = seen.gradient;
    if (new Set(options.unit).size > 1 || options.normalise === "none") {
      for (let i = 0; i < update.length; i++) update[i] *= options.unit[i % 3];
    }
    if (options.smooth === "gaussian") {
      const sigma = widths(step, options.steps, options.smooth_width);
      update = await blurred(update, octave.height, octave.width, sigma);
    }
    if (this.colours) colours.turn(update, this.colours);
    normalise(update, options.normalise, seen.share);
    const sum = (factors: number[]) => seen.objectives.reduce((total, each, i) => total + each * factors[i], 0);
    return { update, rolled, pulled: sum(pulls), weighed: sum(weights) };
  }

  /** Adds an update, which lies in the frame of the rolled picture. */
  private move(
    { height, width, values }: Picture,
    update: Float32Array,
    [down, right]: [number, number],
    region: Float32Array | null,
    options: Options,
  ): void {
    const stepSize = options.strength * options.step_size;
    const sizes = options.unit.map((unit) => Math.fround(Math.fround(stepSize) * Math.fround(unit)));
    const kept = options.color === colours.KEEP;
    const unit = options.unit.reduce((sum, each) => sum + each / 3, 0);
    for (let row = 0; row < height; row++) {
      const there = wrapped(row + down, height) * width;
      for (let column = 0; column < width; column++) {
        const to = row * width + column;
        const from = there + wrapped(column + right, width);
        const strength = region ? region[to] : 1;
        if (!strength) continue;
        if (kept) {
          const mean = (update[from * 3] + update[from * 3 + 1] + update[from * 3 + 2]) / 3;
          colours.shiftWithin(values, to * 3, mean * strength * stepSize * unit);
          continue;
        }
        for (let colour = 0; colour < 3; colour++) {
          const moved = values[to * 3 + colour] + Math.fround(update[from * 3 + colour] * strength) * sizes[colour];
          values[to * 3 + colour] = options.clip ? Math.min(255, Math.max(0, moved)) : moved;
        }
      }
    }
  }
}

/** The gradient of a whole picture, tile by tile, in the frame of the rolled picture. */
async function gradientOf(
  network: Network,
  pixels: Picture,
  [rows, columns]: [Axis, Axis],
  rolled: [number, number],
  aim: Aim,
  region: Float32Array | null,
  margin: number,
) {
  const { height, width } = pixels;
  const gradient = new Float32Array(height * width * 3);
  const objectives = aim.goals.map(() => 0);
  const meanSquares = aim.goals.map(() => 0);
  let [tiles, computed] = [0, 0];
  for (const row of rows.spans) {
    for (const column of columns.spans) {
      const [top, left] = [row.start - rolled[0], column.start - rolled[1]];
      if (region && !anyWithin(region, height, width, top, left, row.core, column.core, margin)) continue;
      const window = windowOf(pixels, top, left, rows.window, columns.window);
      const seen = await network.ascent(window, aim);
      for (let y = 0; y < row.core; y++) {
        const from = y * columns.window * 3;
        gradient.set(
          seen.gradient.subarray(from, from + column.core * 3),
          ((row.start + y) * width + column.start) * 3,
        );
      }
      aim.goals.forEach((_, i) => {
        objectives[i] += seen.objectives[i];
        meanSquares[i] += seen.meanSquares[i];
      });
      tiles++;
      computed += row.core * column.core;
    }
  }
  const mean = (sums: number[]) => sums.map((sum) => sum / Math.max(1, tiles));
  return {
    gradient,
    objectives: mean(objectives),
    meanSquares: mean(meanSquares),
    share: computed / (height * width),
  };
}

/** A rectangle of a picture that goes on at its other sides. */
function windowOf(pixels: Picture, top: number, left: number, height: number, width: number): Picture {
  const window = new Float32Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    const line = wrapped(top + y, pixels.height) * pixels.width;
    for (let x = 0; x < width; ) {
      const start = wrapped(left + x, pixels.width);
      const stretch = Math.min(width - x, pixels.width - start);
      const from = (line + start) * 3;
      window.set(pixels.values.subarray(from, from + stretch * 3), (y * width + x) * 3);
      x += stretch;
    }
  }
  return { height, width, values: window };
}

function anyWithin(
  region: Float32Array,
  height: number,
  width: number,
  top: number,
  left: number,
  rows: number,
  columns: number,
  margin: number,
): boolean {
  for (let y = -margin; y < rows + margin; y++) {
    const line = wrapped(top + y, height) * width;
    for (let x = -margin; x < columns + margin; x++) if (region[line + wrapped(left + x, width)]) return true;
  }
  return false;
}

function grownResidual(photo: Picture, pixels: Picture, size: { height: number; width: number }): Picture {
  const small = resized(photo, pixels.height, pixels.width).values;
  const detail = { ...pixels, values: pixels.values.map((value, i) => value - small[i]) };
  const grown = resized(detail, size.height, size.width);
  const large = resized(photo, size.height, size.width).values;
  for (let i = 0; i < large.length; i++) grown.values[i] += large[i];
  return grown;
}

function grownWhole(_: Picture, pixels: Picture, size: { height: number; width: number }): Picture {
  return resized(pixels, size.height, size.width);
}

/** What the photograph has more at this size than at the size `before`. */
function addLostDetail(photo: Picture, pixels: Picture, before: Octave): void {
  const sharp = resized(photo, pixels.height, pixels.width).values;
  const soft = resized(resized(photo, before.height, before.width), pixels.height, pixels.width).values;
  for (let i = 0; i < sharp.length; i++) pixels.values[i] += sharp[i] - soft[i];
}

function isOutOfMemory(error: unknown): boolean {
  return /out of memory|memory access out of bounds|allocation failed|cannot enlarge memory|Aborted\(OOM/i.test(
    String((error as Error)?.message ?? error),
  );
}
