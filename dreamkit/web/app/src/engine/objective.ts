/**
 * The objective of one entry of the schedule, and its gradient: dreamkit's `engine/masked_objective.py`, for
 * one network, under one mask.
 */

import type { DreamConfig } from "./config";
import type { Network, ObjectiveSpec } from "./network";
import type { Picture } from "./resize";
import type { Term } from "./terms";
import { tiledGradient } from "./tiled_gradient";
import type { Cover } from "./tiles";

/** A gradient, and the values that it was computed with. */
export interface GradientStats {
  /** `(height, width, 3)`, in the frame of the rolled picture. */
  gradient: Float32Array;
  /** The objective with balanced weights. */
  balanced: number;
  /** The objective with the weights as given. */
  weighted: number;
  /** Share of the picture that was computed, 0 to 1. */
  coverage: number;
}

export class Objective {
  /** The name of its mask; empty for that of the dream. */
  readonly mask: string;
  /** The shortest side, in pixels, of the windows that the network takes. */
  readonly minSize: number;
  /** Pixels of the picture between neighbouring activations, in its deepest layer. */
  readonly stride: number;
  private readonly specs: ObjectiveSpec[];
  private readonly weights: number[];
  /** Null until they are measured at the first step. */
  private balancedWeights: number[] | null;

  constructor(
    private readonly network: Network,
    readonly terms: Term[],
    private readonly config: DreamConfig,
    /** Factor of the normalised gradient. */
    readonly strength: number,
  ) {
    this.mask = terms[0].mask;
    const layers = new Set(terms.map((term) => term.spec.layer));
    this.minSize = network.minSize(layers);
    this.stride = network.stride(layers);
    this.specs = terms.map((term) => term.spec);
    this.weights = terms.map((term) => term.weight);
    // Normalisation cancels the weight of one term.
    this.balancedWeights = !config.balance || terms.length === 1 ? this.weights : null;
  }

  /** Whether every weight is negative, so that what the network sees is minimised. */
  get isNegative(): boolean {
    return this.weights.every((weight) => weight <= 0);
  }

  /** The gradient with respect to `pixels`, rolled by `roll`; `region` and `margin` are those of `tiledGradient`. */
  async gradient(
    pixels: Picture,
    cover: Cover,
    roll: [number, number],
    region: Float32Array | null,
    margin: number,
  ): Promise<GradientStats> {
    const { specs, config } = this;
    const measure = (roll: [number, number], weights: number[]) =>
      tiledGradient(this.network, pixels, cover, roll, { specs, weights, border: config.border }, region, margin);
    this.balancedWeights ??= balanced(this.terms, (await measure([0, 0], this.weights)).meanSquares);
    const { gradient, objectives, coverage } = await measure(roll, this.balancedWeights);
    const sum = (weights: number[]) => objectives.reduce((total, each, i) => total + each * weights[i], 0);
    return { gradient, balanced: sum(this.balancedWeights), weighted: sum(this.weights), coverage };
  }
}

/** The weight of each term divided by the size of its activations: a layer moves the picture alike in any unit. */
function balanced(terms: Term[], meanSquares: number[]): number[] {
  return terms.map(({ spec, weight }, i) => {
    const size = spec.kind === "mean-square" ? meanSquares[i] : Math.sqrt(meanSquares[i]);
    return Math.fround(weight / (size > 0 ? size : 1));
  });
}
