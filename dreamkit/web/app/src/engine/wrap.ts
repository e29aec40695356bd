/** Pictures that go on at their other side. */

import { wrapped as wrappedPlace } from "./numbers";
import type { Picture } from "./resize";

/** Whether a picture goes on at its other side: from bottom to top, from right to left. */
export type Wrapped = readonly [boolean, boolean];

export const OPEN: Wrapped = [false, false];

/** The axes that an option `wrap` names. */
export function wrappedAxes(wrap: string): Wrapped {
  return [wrap === "both", wrap === "both" || wrap === "horizontal"];
}

/** A picture with `rows` and `columns` more on each side, from its opposite side. */
export function padWrapped({ height, width, values }: Picture, rows: number, columns: number, channels = 3): Picture {
  const [tall, broad] = [height + 2 * rows, width + 2 * columns];
  const out = new Float32Array(tall * broad * channels);
  for (let y = 0; y < tall; y++) {
    const line = wrappedPlace(y - rows, height) * width;
    for (let x = 0; x < broad; x++) {
      const from = (line + wrappedPlace(x - columns, width)) * channels;
      for (let k = 0; k < channels; k++) out[(y * broad + x) * channels + k] = values[from + k];
    }
  }
  return { height: tall, width: broad, values: out };
}

/** The part of a padded picture that `padWrapped` began with. */
export function cropPadding({ width, values }: Picture, rows: number, columns: number, picture: Picture, channels = 3): Float32Array {
  const out = new Float32Array(picture.height * picture.width * channels);
  for (let y = 0; y < picture.height; y++) {
    const from = ((y + rows) * width + columns) * channels;
    out.set(values.subarray(from, from + picture.width * channels), y * picture.width * channels);
  }
  return out;
}
