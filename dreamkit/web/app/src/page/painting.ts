/** What the brush has painted: strokes that grew, one after another, and what was erased of them. */

import { type DreamConfig, MOST_STRENGTH, type TermTable } from "../engine/config";
import type { Growth } from "../engine/growth";
import type { MaskLevels, Pixels } from "./protocol";

export interface Stroke {
  /** The layers as the picker shows them. */
  readonly label: string;
  readonly terms: TermTable[];
  /** Times the strength of the recipe. */
  readonly strength: number;
  /** What grew; null where the stroke erases. */
  readonly growth: Growth | null;
  /** How much of each pixel is erased, 0 to 255; null where the stroke does not erase. */
  readonly erased: MaskLevels | null;
}

export type Painting = readonly Stroke[];

/** Strokes that show: not those that were erased, and not the erasing. */
export function visible(painting: Painting): Stroke[] {
  return painting.filter(({ growth }, index) => {
    const later = painting.slice(index + 1);
    return growth?.times.some((time, i) => time > 0 && later.every(({ erased }) => erased?.[i] !== 255));
  });
}

/** The options of a stroke's growth, from those of the recipe. */
export function strokeConfig(config: DreamConfig, { terms, strength }: Pick<Stroke, "terms" | "strength">): DreamConfig {
  const layers = terms.map(({ mask: _, ...term }) => term);
  return { ...config, layers, strength: config.strength * strength };
}

/** `picture` where nothing is erased, and `ground` where all is. */
export function erase(picture: Pixels, ground: Pixels, erased: MaskLevels): Pixels {
  const bytes = picture.bytes.map((value, i) => {
    const share = erased[Math.floor(i / 3)] / 255;
    return share ? value + share * (ground.bytes[i] - value) : value;
  });
  return { ...picture, bytes };
}

/** By how many levels of 255 what grew changed a picture, on average over the pixels of its strokes. */
export function changeOf(before: Pixels, after: Pixels, times: Growth["times"]): number {
  let [sum, count] = [0, 0];
  times.forEach((time, i) => {
    if (!time) return;
    count += 3;
    for (let k = 3 * i; k < 3 * i + 3; k++) sum += Math.abs(after.bytes[k] - before.bytes[k]);
  });
  return count && sum / count;
}

/**
 * One recipe of all strokes, in which each has a mask: it dreams nearly the same, and can be previewed and dreamed at
 * other sizes. `everywhere` are the terms of the dream that was painted on; null where that is a photograph.
 */
export function jointRecipe(
  config: DreamConfig,
  everywhere: TermTable[] | null,
  painting: Painting,
): { config: DreamConfig; masks: Record<string, MaskLevels> } {
  const masks: Record<string, MaskLevels> = {};
  const layers = everywhere ? weighed(everywhere, 1) : [];
  let most = everywhere ? 1 : 0;
  painting.forEach(({ growth, terms, strength }, index) => {
    if (!growth) return;
    const mask = `stroke-${index + 1}`;
    masks[mask] = Uint8ClampedArray.from(growth.times, (time, i) => {
      return time ? 255 - Math.max(0, ...painting.slice(index + 1).map(({ erased }) => erased?.[i] ?? 0)) : 0;
    });
    layers.push(...weighed(terms, strength).map((term) => ({ ...term, mask })));
    most = Math.max(most, strength);
  });
  // The strongest mask moves by the step size, and the others by their share of it.
  const strength = Math.min(MOST_STRENGTH, config.strength * most);
  const schedule = config.schedule.map(({ layers: _, ...entry }) => entry);
  return { config: { ...config, strength, schedule, layers }, masks };
}

/** Terms whose weights sum to `strength`. */
function weighed(terms: TermTable[], strength: number): TermTable[] {
  const total = terms.reduce((sum, { weight = 1 }) => sum + Math.abs(weight), 0) || 1;
  return terms.map((term) => ({ ...term, weight: ((term.weight ?? 1) * strength) / total }));
}
