/** Masks that a recipe brings, at the size of a photograph: `fit_mask` in dreamkit's `inputs.py`. */

import { UserError } from "./errors";
import { stretched } from "./resize";

const SHAPES_DIFFER = 0.02; // of a side, by which a picture of another's shape may be off, beside one pixel

/**
 * The grey levels of a mask of `from` (height, width) at `to`.
 *
 * Throws a `UserError` where the shapes differ.
 */
export function fitted(
  levels: Uint8ClampedArray,
  from: [number, number],
  to: [number, number],
  name: string,
): Uint8ClampedArray {
  // Either side may be the one that was rounded.
  const acrossOff = Math.abs((from[1] * to[0]) / from[0] - to[1]);
  const downOff = Math.abs((from[0] * to[1]) / from[1] - to[0]);
  if (acrossOff > 1 + SHAPES_DIFFER * to[1] && downOff > 1 + SHAPES_DIFFER * to[0]) {
    const sizes = `${from[1]} x ${from[0]} pixels and the picture ${to[1]} x ${to[0]}`;
    throw new UserError(`the recipe's mask ${name} has ${sizes}; choose a picture of the same shape`);
  }
  return from[0] === to[0] && from[1] === to[1] ? levels : stretched(levels, from, to, 1);
}
