/** The objectives of a dream, octave by octave: dreamkit's `engine/objective_set.py`. */

import { configAt, type DreamConfig } from "./config";
import type { Network } from "./network";
import { Objective } from "./objective";
import { parseTerms } from "./terms";

export class ObjectiveSet {
  /** One for each entry of the schedule, and one where there is no schedule. */
  private readonly objectives: Objective[];
  /** The shortest side, in pixels, of the windows that the network takes. */
  readonly minSize: number;

  constructor(network: Network, config: DreamConfig) {
    const entries = Math.max(1, config.schedule.length);
    this.objectives = Array.from({ length: entries }, (_, octave) => {
      const own = configAt(config, octave);
      const layers = own.layers ?? network.description.default_layers;
      return new Objective(network, parseTerms(layers, network.layers, own), own);
    });
    const terms = this.objectives.flatMap((objective) => objective.terms);
    this.minSize = network.minSize(new Set(terms.map((term) => term.spec.layer)));
  }

  /** The objective of an octave, counted from 0 at the smallest. */
  ofOctave(octave: number): Objective {
    return this.objectives[Math.min(octave, this.objectives.length - 1)];
  }
}
