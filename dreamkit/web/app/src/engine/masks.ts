/** Masks, where a dream happens, soft at the edge: dreamkit's `engine/masks.py`. */

import { type Picture, resized } from "./resize";
import { cropPadding, OPEN, padWrapped, type Wrapped } from "./wrap";

const SOFTNESS = 64; // a mask's edge is soft over about this part of the picture's shorter side
const BLURRED = 4; // radii of a blur, beyond which its weights are zero
const PASSES = 3; // box blurs, which together are nearly a Gaussian

/** Strengths, `(height, width)`. */
export type Mask = Picture;

/** Strengths 0 to 1 of a mask's grey levels: they fade out towards where it is black. */
export function soften(grey: Uint8ClampedArray, height: number, width: number, wraps = OPEN): Mask {
  const inside = insideShares(
    Uint8Array.from(grey, (level) => (level > 0 ? 1 : 0)),
    height,
    width,
    wraps,
  );
  return { height, width, values: inside.map((share, i) => (Math.fround(grey[i] / 255) * share)) };
}

/** The mask at the size of an octave. */
export function at(mask: Mask, height: number, width: number, wraps = OPEN): Mask {
  return resized(mask, height, width, 1, wraps);
}

/** Puts the photograph back, in place, wherever all masks are zero, with a soft transition. */
export function blend(photo: ArrayLike<number>, pixels: Float32Array, masks: Mask[], wraps = OPEN): void {
  const [{ height, width, values }] = masks;
  const support = Uint8Array.from(values, (_, i) => (masks.some((mask) => mask.values[i] > 0) ? 1 : 0));
  const share = insideShares(support, height, width, wraps);
  for (let i = 0; i < pixels.length; i++) {
    pixels[i] = photo[i] + share[Math.floor(i / 3)] * (pixels[i] - photo[i]);
  }
}

/** One well inside `support`, zero at its edge and beyond. */
function insideShares(support: Uint8Array, height: number, width: number, wraps: Wrapped): Float32Array {
  const out = new Float32Array(support.length);
  if (support.every(Boolean)) return out.fill(1);
  const sigma = Math.max(1, Math.min(height, width) / SOFTNESS);
  const picture = { height, width, values: Float32Array.from(support, (inside) => inside * 255) };
  const [above, beside] = wraps.map((isWrapped) => (isWrapped ? Math.ceil(BLURRED * sigma) : 0));
  const padded = above || beside ? padWrapped(picture, above, beside, 1) : picture;
  const softened = { ...padded, values: blur(padded, boxRadius(sigma)) };
  const blurred = above || beside ? cropPadding(softened, above, beside, picture, 1) : softened.values;
  for (let i = 0; i < out.length; i++) {
    if (support[i]) out[i] = Math.min(1, Math.max(0, blurred[i] / 127.5 - 1));
  }
  return out;
}

/** The picture, `(height, width)`, after box blurs that together are nearly a Gaussian. */
function blur({ height, width, values }: Mask, radius: number): Float32Array {
  let blurred = values;
  for (let pass = 0; pass < PASSES; pass++) blurred = boxBlur(blurred, height, width, 1, width, radius);
  for (let pass = 0; pass < PASSES; pass++) blurred = boxBlur(blurred, width, height, width, 1, radius);
  return blurred;
}

/** The radius of the box that blurs, in three passes, like a Gaussian of `sigma` (Gwosdek et al., 2011; Pillow's). */
function boxRadius(sigma: number): number {
  const variance = (sigma * sigma) / PASSES;
  const length = Math.sqrt(12 * variance + 1);
  const whole = Math.floor((length - 1) / 2);
  const rest = ((2 * whole + 1) * (whole * (whole + 1) - 3 * variance)) / (6 * (variance - (whole + 1) ** 2));
  return whole + rest;
}

/** A box blur along one axis, with repeated edges, rounded to whole grey levels. */
function boxBlur(
  values: Float32Array,
  lines: number,
  length: number,
  step: number,
  stride: number,
  radius: number,
): Float32Array<ArrayBuffer> {
  const whole = Math.floor(radius);
  const edge = radius - whole;
  const out = new Float32Array(values.length);
  for (let line = 0; line < lines; line++) {
    const at = (position: number) =>
      values[line * stride + Math.min(length - 1, Math.max(0, position)) * step];
    let sum = 0;
    for (let k = -whole; k <= whole; k++) sum += at(k);
    for (let i = 0; i < length; i++) {
      const ends = at(i - whole - 1) + at(i + whole + 1);
      out[line * stride + i * step] = Math.round((sum + edge * ends) / (2 * radius + 1));
      sum += at(i + whole + 1) - at(i - whole);
    }
  }
  return out;
}
