/**
 * The objective of one entry of the schedule, and its gradient: dreamkit's `engine/masked_objective.py`, for
 * one network, under one mask.
 */

import type { DreamConfig } from "./config";
import { UserError } from "./errors";
import { guided } from "./guide";
import type { NeuronPlace, ObjectiveSpec } from "./layer_objective";
import type { Network } from "./network";
import type { Size } from "./octave_schemes";
import type { Picture } from "./resize";
import type { Term } from "./terms";
import { tiledGradient } from "./tiled_gradient";
import type { Cover } from "./tiles";

/** How an objective grows with its activations: with their square, in proportion, or not. */
const POWERS: Record<ObjectiveSpec["kind"], number> = { mean: 1, match: 1, "mean-square": 2, cosine: 0 };

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
  /** Null until the guide has been seen, at the first step. */
  private specs: ObjectiveSpec[] | null;
  private readonly weights: number[];
  private readonly isGuided: boolean;
  /** Null until they are measured at the first step. */
  private balancedWeights: number[] | null;
  /** Of the terms that are one; empty where none is. */
  private readonly neurons: NeuronPlace[];

  /** `size` is that of the dream, which single neurons need. */
  constructor(
    private readonly network: Network,
    readonly terms: Term[],
    private readonly config: DreamConfig,
    /** Factor of the normalised gradient; negative where what the network sees is minimised. */
    readonly strength: number,
    size: Size | null,
    /** A picture whose features it follows. */
    private readonly guide: Picture | null,
  ) {
    this.mask = terms[0].mask;
    const layers = new Set(terms.map((term) => term.spec.layer));
    this.minSize = network.minSize(layers);
    this.stride = network.stride(layers);
    this.isGuided = guide !== null && terms.some((term) => term.isGuided);
    this.specs = this.isGuided ? null : terms.map((term) => term.spec);
    if (!this.isGuided) terms.forEach(checkDirection);
    this.weights = terms.map((term) => term.weight);
    const places = terms.map((term) => size && neuronPlace(network, term, size));
    this.neurons = places.some(Boolean) ? places : [];
    // Normalisation cancels the weight of one term.
    this.balancedWeights = !config.balance || terms.length === 1 ? this.weights : null;
  }

  /** Whether every weight is negative, so that what the network sees is minimised. */
  get isNegative(): boolean {
    return this.weights.every((weight) => weight * this.strength <= 0);
  }

  /** The gradient with respect to `pixels`, rolled by `roll`; `region` and `margin` are those of `tiledGradient`. */
  async gradient(
    pixels: Picture,
    cover: Cover,
    roll: [number, number],
    region: Float32Array | null,
    margin: number,
  ): Promise<GradientStats> {
    const { config } = this;
    const specs = (this.specs ??= await this.guidedSpecs());
    const measure = (roll: [number, number], weights: number[]) => {
      const objective = { specs, weights, border: config.border };
      return tiledGradient(this.network, pixels, cover, roll, objective, region, margin, this.neurons);
    };
    this.balancedWeights ??= balanced(specs, this.weights, (await measure([0, 0], this.weights)).meanSquares);
    const { gradient, objectives, coverage } = await measure(roll, this.balancedWeights);
    const sum = (weights: number[]) => objectives.reduce((total, each, i) => total + each * weights[i], 0);
    return { gradient, balanced: sum(this.balancedWeights), weighted: sum(this.weights), coverage };
  }

  private async guidedSpecs(): Promise<ObjectiveSpec[]> {
    const specs: ObjectiveSpec[] = [];
    for (const { spec, isGuided } of this.terms) {
      specs.push(isGuided ? await guided(spec, this.network, this.guide!, this.config.guide_style) : spec);
    }
    return specs;
  }
}

/** Throws a `UserError` where an objective needs a direction and the term has none. */
function checkDirection({ spec, text }: Term): void {
  if (spec.kind !== "cosine" || spec.channelWeights) return;
  const advice = "give a concept, channels or a direction, or use mean or mean-square";
  throw new UserError(`the objective cosine compares with a direction, and ${text} has none; ${advice}`);
}

/** The middle of a neuron's cell, as shares of the picture's height and width; null where the term is none. */
function neuronPlace(network: Network, { spec, place }: Term, { height, width }: Size): NeuronPlace {
  if (!place) return null;
  const [rows, columns] = network.mapSize(spec.layer, height, width);
  const [column, row] = place;
  if (column >= columns || row >= rows) {
    const range = `columns 0 to ${columns - 1} and rows 0 to ${rows - 1}`;
    throw new UserError(`there is no neuron ${column}x${row}; the map of ${spec.layer} for this picture has ${range}`);
  }
  return [(row + 0.5) / rows, (column + 0.5) / columns];
}

/** The weight of each term divided by the size of its activations: a layer moves the picture alike in any unit. */
function balanced(specs: ObjectiveSpec[], weights: number[], meanSquares: number[]): number[] {
  return specs.map(({ kind }, i) => {
    const size = meanSquares[i] ** (POWERS[kind] / 2);
    return Math.fround(weights[i] / (size > 0 ? size : 1));
  });
}
