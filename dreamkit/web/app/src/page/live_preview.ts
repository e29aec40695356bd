/** How a finished dream would look with another strength, other colours, or more of the photograph. */

import type { Pixels } from "./protocol";

const MOST_CHROMA = 4; // times the colours of a dream, because those of grey ones cannot be told
const LEAST_FREEDOM = 0.05;
// The root mean square of a dream's change grows with this power of the strength: measured on two photographs and five
// strengths from 0.5 to 3, with the default recipe.
const GROWTH = 0.75;

export interface Tuning {
  /** Times the change of the picture. */
  gain: number;
  /** Times the colours of the change; its lightness stays. */
  chroma: number;
  /** Share of the photograph that is mixed in, 0 to 1. */
  blend: number;
}

interface Look {
  strength: number;
  color: number;
  blend: number;
}

/**
 * The tuning that turns a dream without its `blend`, dreamed with the options `before`, into one with the options
 * `after`: the blend exactly, the strength and the colours nearly.
 */
export function tuningTo(before: Look, after: Look): Tuning {
  const freedom = (1 - after.color) / Math.max(LEAST_FREEDOM, 1 - before.color);
  const chroma = after.color === before.color ? 1 : Math.min(MOST_CHROMA, freedom);
  return { gain: (after.strength / before.strength) ** GROWTH, chroma, blend: after.blend };
}

/** A dream of `photo` with a share of it, 0 to 1, mixed in. */
export function blended(photo: Pixels, dream: Pixels, blend: number): Pixels {
  return tuned(photo, dream, { gain: 1, chroma: 1, blend });
}

/** A dream of `photo`, with a tuning. */
export function tuned(photo: Pixels, dream: Pixels, { gain, chroma, blend }: Tuning): Pixels {
  const { height, width } = dream;
  if (gain === 1 && chroma === 1 && blend === 0) return dream;
  const bytes = new Uint8ClampedArray(dream.bytes.length);
  for (let i = 0; i < bytes.length; i += 3) {
    const before = [photo.bytes[i], photo.bytes[i + 1], photo.bytes[i + 2]];
    const change = before.map((value, k) => dream.bytes[i + k] - value);
    const lightness = (change[0] + change[1] + change[2]) / 3;
    for (let k = 0; k < 3; k++) {
      const moved = before[k] + gain * (lightness + chroma * (change[k] - lightness));
      const clipped = Math.min(255, Math.max(0, moved));
      bytes[i + k] = clipped + blend * (before[k] - clipped);
    }
  }
  return { height, width, bytes };
}
