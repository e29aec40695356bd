/** What the brush has painted: where each choice of layers is dreamed, and how strongly. */

import type { DreamConfig, TermTable } from "../engine/config";
import type { MaskLevels } from "./protocol";

const MOST_STRENGTH = 10; // that a recipe may have

/** All strokes with the same layers. */
export interface Paint {
  /** The layers as the picker shows them; strokes with the same label are one paint. */
  readonly label: string;
  readonly terms: TermTable[];
  /** The strength of each pixel; 1 moves it by the step size of the recipe. */
  readonly strengths: Float32Array;
}

export type Painting = readonly Paint[];

export interface Stroke {
  label: string;
  terms: TermTable[];
  /** How much of each pixel the brush covered, 0 to 255. */
  coverage: MaskLevels;
  strength: number;
}

/** `painting` with another stroke, which covers earlier strokes of the same layers. */
export function withStroke(painting: Painting, { label, terms, coverage, strength }: Stroke): Painting {
  const known = painting.find((paint) => paint.label === label);
  const before = known?.strengths ?? new Float32Array(coverage.length);
  const strengths = before.map((each, i) => each + (coverage[i] / 255) * (strength - each));
  const paint = { label, terms, strengths };
  return known ? painting.map((each) => (each === known ? paint : each)) : [...painting, paint];
}

/** `painting` without what the brush covered. */
export function erased(painting: Painting, coverage: MaskLevels): Painting {
  return painting
    .map((paint) => ({ ...paint, strengths: paint.strengths.map((each, i) => each * (1 - coverage[i] / 255)) }))
    .filter(({ strengths }) => strengths.some(Boolean));
}

/**
 * The recipe of a painting: each paint has a mask of its own. `everywhere` are the terms of the dream that it
 * was painted on; null where that is a photograph.
 */
export function paintedRecipe(
  config: DreamConfig,
  everywhere: TermTable[] | null,
  painting: Painting,
): { config: DreamConfig; masks: Record<string, MaskLevels> } {
  const most = painting.map(({ strengths }) => strengths.reduce((largest, each) => Math.max(largest, each), 0));
  const masks: Record<string, MaskLevels> = {};
  const layers = everywhere ? weighed(everywhere, 1) : [];
  painting.forEach(({ terms, strengths }, index) => {
    const mask = `stroke-${index + 1}`;
    masks[mask] = Uint8ClampedArray.from(strengths, (each) => (255 * each) / most[index]);
    layers.push(...weighed(terms, most[index]).map((term) => ({ ...term, mask })));
  });
  // The strongest mask moves by the step size, and the others by their share of it.
  const strength = Math.min(MOST_STRENGTH, config.strength * Math.max(everywhere ? 1 : 0, ...most));
  const schedule = config.schedule.map(({ layers: _, ...entry }) => entry);
  return { config: { ...config, strength, schedule, layers }, masks };
}

/** Terms whose weights sum to `strength`. */
function weighed(terms: TermTable[], strength: number): TermTable[] {
  const total = terms.reduce((sum, { weight = 1 }) => sum + Math.abs(weight), 0) || 1;
  return terms.map((term) => ({ ...term, weight: ((term.weight ?? 1) * strength) / total }));
}
