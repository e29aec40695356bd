/** Gradient ascent, the steps of one octave after another: dreamkit's `engine/ascent.py`. */

import * as color from "./color";
import { configAt, type DreamConfig } from "./config";
import { blursFor } from "./depth";
import { UserError } from "./errors";
import { FourierSpace } from "./fourier_space";
import * as masks from "./masks";
import { wrapped } from "./numbers";
import type { Objective } from "./objective";
import type { ObjectiveSet } from "./objective_set";
import type { Octave } from "./octaves";
import { stepPixels } from "./pixel_space";
import type { StepEvent } from "./progress";
import { type Regulariser, regularisation } from "./regularisers";
import { type Picture, resized } from "./resize";
import { roll as drawRoll } from "./rng";
import { rolled } from "./roll";
import { REACH } from "./smoothing";
import type { Term } from "./terms";
import { type Cover, coverOf, reach } from "./tiles";
import { drawTransforms } from "./transforms";
import { type Shape, shaping } from "./updates";
import { type Wrapped, wrappedAxes } from "./wrap";

const SMALLEST_TILE = 32; // pixels; smaller tiles are all overhead

/** What stays the same through the steps of an octave. */
interface OctaveContext {
  pixels: Picture;
  octave: Octave;
  objectives: MaskedObjective[];
  config: DreamConfig;
  steps: number;
}

/** An objective of the octave, with the strengths of its mask at the octave's size; null for everywhere. */
interface MaskedObjective {
  objective: Objective;
  region: Float32Array | null;
}

/** The direction of a step. */
interface Direction {
  /** `(height, width, 3)`, in the frame of the picture rolled by `roll`. */
  update: Float32Array;
  roll: [number, number];
  /** Strengths of the mask; null where the update is to be taken as it is. */
  region: Float32Array | null;
  /** The objectives with balanced weights, and with the weights as given. */
  balanced: number;
  weighted: number;
}

export class Ascent {
  /** Longest side of the tiles, in pixels; it shrinks where memory runs out. */
  tileSize: number;
  /** Of each network, in the octave that was climbed last. */
  terms: Term[][];
  private first: number | null = null;
  private done = 0;
  private readonly work: number;
  private readonly seed: bigint;
  private readonly shapes: Shape[];
  private readonly regularisers: Regulariser[];
  private readonly hold: number;
  private readonly spread: color.Spread | null;
  private readonly wraps: Wrapped;

  constructor(
    private readonly objectives: ObjectiveSet,
    private readonly config: DreamConfig,
    private readonly photo: Picture,
    private readonly run: Octave[],
  ) {
    this.tileSize = config.tile_size;
    this.terms = objectives.terms(0);
    this.seed = BigInt(config.seed);
    this.shapes = shaping(config);
    this.regularisers = regularisation(config, objectives.allNegative);
    this.wraps = wrappedAxes(config.wrap);
    this.hold = color.held(config.color);
    this.spread = this.hold ? color.spread(photo.values) : null;
    this.work = run.reduce((sum, octave) => sum + this.workOf(octave), 0);
  }

  /** Takes the steps of an octave on `pixels`, in place: all, or those until `isStopped`. */
  async *climb(pixels: Picture, octave: Octave, isStopped: () => boolean): AsyncGenerator<StepEvent> {
    const config = configAt(this.config, octave.number);
    this.terms = this.objectives.terms(octave.number);
    const objectives = this.objectives.ofOctave(octave.number).map((objective) => {
      const mask = this.objectives.mask(objective);
      return { objective, region: mask && masks.at(mask, octave.height, octave.width, this.wraps).values };
    });
    const steps = this.objectives.steps(octave);
    const context: OctaveContext = { pixels, octave, objectives, config, steps };
    const photo = config.l2 ? resized(this.photo, octave.height, octave.width, 3, this.wraps) : null;
    const spectrum = config.space === "fourier" ? new FourierSpace(pixels) : null;
    for (let step = 0; step < steps; step++) {
      const { update, roll, region, balanced, weighted } = await this.direction(context, step);
      for (const regularise of this.regularisers) regularise(update, pixels, photo);
      if (spectrum) spectrum.step(pixels, update, config.strength * config.step_size);
      else stepPixels(pixels, update, roll, region, config);
      if (this.spread) color.hold(pixels, this.spread, this.hold);
      const ends = config.max_objective !== null && weighted > config.max_objective;
      yield this.event(pixels, octave, step, ends ? step + 1 : steps, balanced);
      if (ends || isStopped()) break;
    }
  }

  private event(pixels: Picture, octave: Octave, step: number, steps: number, objective: number): StepEvent {
    this.first ??= Math.abs(objective) || 1;
    this.done += octave.height * octave.width;
    const number = this.run.indexOf(octave) + 1;
    if (step + 1 === steps) {
      // The octave may end sooner than planned.
      this.done = this.run.slice(0, number).reduce((sum, each) => sum + this.workOf(each), 0);
    }
    return {
      octave: number,
      octaves: this.run.length,
      step: step + 1,
      steps,
      objective: objective / this.first,
      done: this.done / this.work,
      pixels,
    };
  }

  private workOf(octave: Octave): number {
    return octave.height * octave.width * this.objectives.steps(octave);
  }

  /** The direction of a step; where memory runs out, the step begins again with smaller tiles. */
  private async direction(context: OctaveContext, step: number): Promise<Direction> {
    for (;;) {
      try {
        return await this.computeDirection(context, step);
      } catch (error) {
        if (!isOutOfMemory(error)) throw error;
        this.halveTiles();
      }
    }
  }

  private async computeDirection(context: OctaveContext, step: number): Promise<Direction> {
    const { pixels, octave, objectives, config, steps } = context;
    const { height, width } = octave;
    const covers = objectives.map(({ objective }) => this.coverOf(octave, objective));
    const reaches = covers.map(reach);
    const along = (axis: 0 | 1) => Math.max(config.jitter, ...reaches.map((each) => each[axis]));
    const roll = drawRoll(this.seed, octave.number, step, [along(0), along(1)]);
    const drawn = drawTransforms(config, { seed: this.seed, octave: octave.number, step, size: octave });
    const seen = drawn.reduce((picture, transform) => transform.apply(picture), pixels);
    // Where nothing is dreamed, nothing is computed, unless what is there comes to matter elsewhere.
    const isLocal = !drawn.length && config.smooth !== "laplacian";
    const frame: [number, number] = isLocal || config.smooth === "gaussian" ? roll : [0, 0];
    // What comes after needs no update in the frame of the picture itself.
    const isPlain = objectives.length === 1 && !this.regularisers.length && config.space === "pixels";
    let [balanced, weighted] = [0, 0];
    let total: Float32Array | null = null;
    for (const [index, { objective, region }] of objectives.entries()) {
      const blurs = config.smooth_width === null ? blursFor(objective.stride) : 1;
      const margin = config.smooth === "gaussian" ? REACH * blurs : 0;
      const stats = await objective.gradient(seen, covers[index], roll, isLocal ? region : null, margin);
      let update: Picture = { height, width, values: stats.gradient };
      if (!isLocal) {
        update.values = rolled(update, [-roll[0], -roll[1]]);
        update = drawn.reduceRight((gradient, transform) => transform.adjoint(gradient), update);
        update.values = rolled(update, frame);
      }
      for (const shape of this.shapes) await shape(update, { step, steps, coverage: stats.coverage, blurs });
      [balanced, weighted] = [balanced + stats.balanced, weighted + stats.weighted];
      if (isPlain && objective.strength === 1) {
        return { update: update.values, roll: frame, region, balanced, weighted };
      }
      total ??= new Float32Array(update.values.length);
      addWeighed(total, update, frame, region, objective.strength);
    }
    return { update: total!, roll: [0, 0], region: null, balanced, weighted };
  }

  private coverOf({ height, width }: Octave, objective: Objective): Cover {
    return coverOf(height, width, this.tileSize, objective.minSize, this.wraps);
  }

  private halveTiles(): void {
    const smallest = Math.max(this.objectives.minSize, SMALLEST_TILE);
    if (this.tileSize <= smallest) {
      throw new UserError(
        `too little memory, even for tiles of ${this.tileSize} pixels; choose a smaller longest side`,
      );
    }
    this.tileSize = Math.max(Math.floor(this.tileSize / 2), smallest);
  }
}

/** Adds an update, which lies in the frame of the picture rolled by `roll`, times `strength` and its mask to `total`. */
function addWeighed(
  total: Float32Array,
  { height, width, values }: Picture,
  [down, right]: [number, number],
  region: Float32Array | null,
  strength: number,
): void {
  for (let row = 0; row < height; row++) {
    const line = wrapped(row + down, height) * width;
    for (let column = 0; column < width; column++) {
      const weight = region ? strength * region[row * width + column] : strength;
      if (!weight) continue;
      const from = (line + wrapped(column + right, width)) * 3;
      const to = (row * width + column) * 3;
      for (let k = 0; k < 3; k++) total[to + k] += weight * values[from + k];
    }
  }
}

function isOutOfMemory(error: unknown): boolean {
  return /out of memory|memory access out of bounds|allocation failed|cannot enlarge memory|Aborted\(OOM/i.test(
    String((error as Error)?.message ?? error),
  );
}
