/** Gradient ascent, the steps of one octave after another: dreamkit's `engine/ascent.py`. */

import * as color from "./color";
import { configAt, type DreamConfig } from "./config";
import { UserError } from "./errors";
import * as masks from "./masks";
import type { Objective } from "./objective";
import type { ObjectiveSet } from "./objective_set";
import type { Octave } from "./octaves";
import { stepPixels } from "./pixel_space";
import type { StepEvent } from "./progress";
import type { Picture } from "./resize";
import { roll as drawRoll } from "./rng";
import { REACH } from "./smoothing";
import type { Term } from "./terms";
import { coverOf, reach } from "./tiles";
import { type Shape, shaping } from "./updates";

const SMALLEST_TILE = 32; // pixels; smaller tiles are all overhead

/** What stays the same through the steps of an octave. */
interface OctaveContext {
  pixels: Picture;
  octave: Octave;
  objective: Objective;
  config: DreamConfig;
  /** Strengths of the mask at this size; null where the dream happens everywhere. */
  region: Float32Array | null;
}

/** The direction of a step. */
interface Direction {
  /** `(height, width, 3)`, in the frame of the rolled picture. */
  update: Float32Array;
  roll: [number, number];
  /** The objective with balanced weights, and with the weights as given. */
  balanced: number;
  weighted: number;
}

export class Ascent {
  /** Longest side of the tiles, in pixels; it shrinks where memory runs out. */
  tileSize: number;
  /** Of the octave that was climbed last. */
  terms: Term[];
  private first: number | null = null;
  private done = 0;
  private readonly work: number;
  private readonly seed: bigint;
  private readonly shapes: Shape[];
  private readonly hold: number;
  private readonly spread: color.Spread | null;

  constructor(
    private readonly objectives: ObjectiveSet,
    private readonly config: DreamConfig,
    photo: Picture,
    private readonly mask: masks.Mask | null,
    private readonly run: Octave[],
  ) {
    this.tileSize = config.tile_size;
    this.terms = objectives.ofOctave(0).terms;
    this.seed = BigInt(config.seed);
    this.shapes = shaping(config);
    this.hold = color.held(config.color);
    this.spread = this.hold ? color.spread(photo.values) : null;
    this.work = run.reduce((sum, octave) => sum + this.workOf(octave), 0);
  }

  /** Takes the steps of an octave on `pixels`, in place: all, or those until `isStopped`. */
  async *climb(pixels: Picture, octave: Octave, isStopped: () => boolean): AsyncGenerator<StepEvent> {
    const config = configAt(this.config, octave.number);
    const objective = this.objectives.ofOctave(octave.number);
    this.terms = objective.terms;
    const region = this.mask && masks.at(this.mask, octave.height, octave.width).values;
    const context: OctaveContext = { pixels, octave, objective, config, region };
    for (let step = 0; step < config.steps; step++) {
      const { update, roll, balanced, weighted } = await this.direction(context, step);
      stepPixels(pixels, update, roll, region, config);
      if (this.spread) color.hold(pixels, this.spread, this.hold);
      const ends = config.max_objective !== null && weighted > config.max_objective;
      yield this.event(pixels, octave, step, ends ? step + 1 : config.steps, balanced);
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
    return octave.height * octave.width * configAt(this.config, octave.number).steps;
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
    const { pixels, octave, objective, config, region } = context;
    const { height, width } = octave;
    const cover = coverOf(height, width, this.tileSize, this.objectives.minSize);
    const [down, right] = reach(cover);
    const roll = drawRoll(this.seed, octave.number, step, [
      Math.max(config.jitter, down),
      Math.max(config.jitter, right),
    ]);
    const margin = config.smooth === "gaussian" ? REACH : 0;
    const stats = await objective.gradient(pixels, cover, roll, region, margin);
    const update: Picture = { height, width, values: stats.gradient };
    for (const shape of this.shapes) await shape(update, { step, steps: config.steps, coverage: stats.coverage });
    return { update: update.values, roll, balanced: stats.balanced, weighted: stats.weighted };
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

function isOutOfMemory(error: unknown): boolean {
  return /out of memory|memory access out of bounds|allocation failed|cannot enlarge memory|Aborted\(OOM/i.test(
    String((error as Error)?.message ?? error),
  );
}
