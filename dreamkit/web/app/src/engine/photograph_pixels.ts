/** A photograph as it is dreamed, shrunk, enlarged and without seams: `open_photograph` in dreamkit's `inputs.py`. */

import { UserError } from "./errors";
import { roundHalfEven } from "./numbers";
import { shrunk } from "./resize";
import { closeSeams } from "./seams";
import { OPEN, wrappedAxes } from "./wrap";

/** A decoded picture: `bytes` are `(height, width, 3)`, and `alpha`, where something is transparent, `(height, width)`. */
export interface DecodedPicture {
  height: number;
  width: number;
  bytes: Uint8ClampedArray;
  alpha: Uint8ClampedArray | null;
}

/** The options that a photograph is read by. */
export interface PhotographOptions {
  /** The longest side, in pixels, before it is enlarged. */
  max_size: number | null;
  upscale: number;
  wrap: string;
}

/**
 * The picture as `options` say; `most` pixels are allowed.
 *
 * Throws a `UserError` where it would have more.
 */
export function prepared(picture: DecodedPicture, options: PhotographOptions, most: number): DecodedPicture {
  const { height, width } = picture;
  const wraps = wrappedAxes(options.wrap);
  const longest = Math.max(height, width);
  const limit = options.max_size;
  let found = picture;
  if (limit !== null && longest > limit) {
    const scaled = (side: number) => Math.max(1, roundHalfEven((side * limit) / longest));
    found = resampled(found, [scaled(height), scaled(width)], wraps);
  }
  if (options.upscale > 1) {
    const to: [number, number] = [roundHalfEven(found.height * options.upscale), roundHalfEven(found.width * options.upscale)];
    if (to[0] * to[1] > most) {
      const sizes = `${to[1]} x ${to[0]} pixels, more than the ${most} allowed`;
      throw new UserError(`the picture enlarged ${options.upscale} times has ${sizes}; choose a smaller longest side`);
    }
    found = resampled(found, to, wraps);
  }
  return wraps.some(Boolean) ? closeSeams(found, wraps) : found;
}

function resampled(picture: DecodedPicture, to: [number, number], wraps = OPEN): DecodedPicture {
  const size: [number, number] = [picture.height, picture.width];
  const { bytes, alpha } = picture;
  return {
    height: to[0],
    width: to[1],
    bytes: shrunk(bytes, size, to, 3, wraps),
    alpha: alpha && shrunk(alpha, size, to, 1, wraps),
  };
}
