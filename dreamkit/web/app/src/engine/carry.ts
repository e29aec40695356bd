/** What was dreamed of a frame, carried to the next one along the motion between them. */

import { type Grey, greyOf, halved, mean, sampleLinear } from "./grey";
import { type Motion, motionBetween, resizedMotion } from "./motion";
import type { Photograph } from "./octave_schemes";
import type { Picture } from "./resize";

const AGREEMENT = [0.01, 0.125]; // of the motions back and forth, as in `optical_flow.py`, in half-size pixels
const MATCH = 24; // grey levels that a moved pixel may differ by

/** `change`, the dream of `before` less `before`, at its places in `now`; zero where they were hidden. */
export function carried(change: Picture, before: Photograph, now: Photograph): Picture {
  const [then, current] = [before, now].map(({ height, width, bytes }) => halved(greyOf(height, width, bytes)));
  const back = motionBetween(then, current);
  const known = visible(back, motionBetween(current, then), then, current);
  return warped(change, resizedMotion(back, now.height, now.width), known);
}

/**
 * How surely each pixel of `now` was visible in `before`, 0 to 1: the motions back and forth cancel each other there
 * (Sundaram, Brox and Keutzer, 2010), and both show the same.
 */
function visible(back: Motion, forth: Motion, before: Grey, now: Grey): Grey {
  const { height, width } = now;
  const values = new Float32Array(height * width);
  const [there, right, down] = [before, componentOf(forth, 0), componentOf(forth, 1)];
  const brighter = average(now.values) - average(before.values);
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++, i++) {
      const [u, v] = [back.offsets[2 * i], back.offsets[2 * i + 1]];
      const [y, x] = [row + v, column + u];
      if (y <= -1 || x <= -1 || y >= height || x >= width) continue;
      const [s, t] = [sampleLinear(right, y, x), sampleLinear(down, y, x)];
      const error = (u + s) ** 2 + (v + t) ** 2;
      const agrees = error < AGREEMENT[0] * (u * u + v * v + s * s + t * t) + AGREEMENT[1];
      const differs = Math.abs(now.values[i] - sampleLinear(there, y, x) - brighter) > MATCH;
      values[i] = agrees && !differs ? 1 : 0;
    }
  }
  const inner = mean({ height, width, values }, 1);
  for (let i = 0; i < values.length; i++) inner.values[i] = inner.values[i] > 0.99 ? 1 : 0;
  return mean(inner, 1);
}

function componentOf({ height, width, offsets }: Motion, which: 0 | 1): Grey {
  return { height, width, values: Float32Array.from({ length: height * width }, (_, i) => offsets[2 * i + which]) };
}

function average(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** `picture` moved by bicubic interpolation (Keys, 1981), times `known`, which may be smaller. */
function warped(picture: Picture, { height, width, offsets }: Motion, known: Grey): Picture {
  const values = new Float32Array(height * width * 3);
  const [down, right] = [known.height / height, known.width / width];
  const [rows, columns] = [new Float32Array(4), new Float32Array(4)];
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++, i++) {
      const share = sampleLinear(known, (row + 0.5) * down - 0.5, (column + 0.5) * right - 0.5);
      if (!share) continue;
      const [y, x] = [row + offsets[2 * i + 1], column + offsets[2 * i]];
      const [top, left] = [Math.floor(y), Math.floor(x)];
      weigh(rows, y - top);
      weigh(columns, x - left);
      let [red, green, blue] = [0, 0, 0];
      for (let line = 0; line < 4; line++) {
        const from = within(top - 1 + line, picture.height) * picture.width;
        for (let place = 0; place < 4; place++) {
          const weight = rows[line] * columns[place];
          const at = 3 * (from + within(left - 1 + place, picture.width));
          red += weight * picture.values[at];
          green += weight * picture.values[at + 1];
          blue += weight * picture.values[at + 2];
        }
      }
      values[3 * i] = share * red;
      values[3 * i + 1] = share * green;
      values[3 * i + 2] = share * blue;
    }
  }
  return { height, width, values };
}

/** The weights of four pixels for a place `t` of the way from the second to the third, by Keys' cubic with a = -1/2. */
function weigh(weights: Float32Array, t: number): void {
  weights[0] = (-t + 2 * t * t - t * t * t) / 2;
  weights[1] = (2 - 5 * t * t + 3 * t * t * t) / 2;
  weights[2] = (t + 4 * t * t - 3 * t * t * t) / 2;
  weights[3] = (-t * t + t * t * t) / 2;
}

function within(position: number, length: number): number {
  return Math.min(length - 1, Math.max(0, position));
}
