/** The objectives of a dream, octave by octave: dreamkit's `engine/objective_set.py`. */

import { configAt, type DreamConfig, type Layers } from "./config";
import { stepsFor } from "./depth";
import { UserError } from "./errors";
import type { Mask } from "./masks";
import type { Network } from "./network";
import { Objective } from "./objective";
import type { Octave } from "./octaves";
import type { Size } from "./octave_schemes";
import type { Picture } from "./resize";
import { parseTerms, type Term } from "./terms";

/** A network of a dream. */
export interface LoadedModel {
  network: Network;
  /** Relative to the other networks'; negative, what it sees is minimised. */
  weight: number;
  /** Its own layers; null for those of the dream. */
  layers: Layers;
}

export class ObjectiveSet {
  /** Those of each network, for each entry of the schedule; one entry where there is no schedule. */
  private readonly byEntry: Objective[][][];
  /** The shortest side, in pixels, of the windows that the network takes. */
  readonly minSize: number;
  /** The masks that bound the dream together; empty where it happens everywhere. */
  readonly masks: Mask[];

  /**
   * `named` are masks by name; the one with an empty name is for terms that name none. `size` is that of the dream,
   * which single neurons need, and `guide` a picture whose features the dream follows.
   */
  constructor(
    models: Network | LoadedModel[],
    private readonly config: DreamConfig,
    private readonly named: Record<string, Mask>,
    size: Size | null = null,
    guide: Picture | null = null,
  ) {
    const loaded = Array.isArray(models) ? models : [{ network: models, weight: 1, layers: null }];
    const total = loaded.reduce((sum, { weight }) => sum + Math.abs(weight), 0);
    if (!total) throw new UserError("every network has weight zero; give at least one a weight");
    const entries = Math.max(1, config.schedule.length);
    this.byEntry = Array.from({ length: entries }, (_, octave) => {
      const own = configAt(config, octave);
      return loaded.map(({ network, weight, layers }) => {
        if (!weight) return [];
        const { default_layers, guide_layers } = network.description;
        const given = layers ?? own.layers ?? (guide ? guide_layers : default_layers);
        return objectivesOf(network, parseTerms(given, network.layers, own), own, weight / total, { size, guide });
      });
    });
    const all = this.byEntry.flat(2);
    const missing = all.find(({ mask }) => mask && !(mask in named));
    if (missing) throw new UserError(`the mask ${missing.mask} is not given; paint it, or leave its layers out`);
    this.minSize = Math.max(...all.map((objective) => objective.minSize));
    const found = all.map((objective) => this.mask(objective));
    // One objective without a mask is enough for the dream to happen everywhere.
    this.masks = found.every((mask) => mask !== null) ? found : [];
  }

  /** The objectives of an octave, counted from 0 at the smallest. */
  ofOctave(octave: number): Objective[] {
    return this.byNetwork(octave).flat();
  }

  /** The steps of an octave: as given, or else as suits its deepest layer and its size. */
  steps({ number, height, width }: Octave): number {
    const given = configAt(this.config, number).steps;
    const stride = Math.max(...this.ofOctave(number).map(({ stride }) => stride));
    return given ?? stepsFor(stride, number ? height * width : 0);
  }

  /** Whether every weight is negative, so that the dream minimises everything. */
  get allNegative(): boolean {
    return this.byEntry.flat(2).every(({ isNegative }) => isNegative);
  }

  /** The terms of each network in an octave; none for weight zero. */
  terms(octave: number): Term[][] {
    return this.byNetwork(octave).map((objectives) => objectives.flatMap(({ terms }) => terms));
  }

  private byNetwork(octave: number): Objective[][] {
    return this.byEntry[Math.min(octave, this.byEntry.length - 1)];
  }

  /** The mask of an objective; null where it has none. */
  mask({ mask }: Objective): Mask | null {
    return this.named[mask] ?? null;
  }
}

/** One objective for each mask that the terms name; the strongest moves by `share` of the step size. */
function objectivesOf(
  network: Network,
  terms: Term[],
  config: DreamConfig,
  share: number,
  { size, guide }: { size: Size | null; guide: Picture | null },
): Objective[] {
  const byMask = new Map<string, Term[]>();
  for (const term of terms) byMask.set(term.mask, [...(byMask.get(term.mask) ?? []), term]);
  const weight = (under: Term[]) => under.reduce((sum, term) => sum + Math.abs(term.weight), 0);
  const most = Math.max(...[...byMask.values()].map(weight));
  return [...byMask.values()].map(
    (under) => new Objective(network, under, config, (share * weight(under)) / most, size, guide),
  );
}
