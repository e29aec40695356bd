/** Moving into a picture by a windowed sinc (Lanczos, 8 x 8), as dreamkit's `jobs/zoom.py` does. */

import { roundHalfEven } from "./numbers";
import type { Picture } from "./resize";

const TAPS = 8;
const BEFORE = 3; // taps before the pixel that a place lies in
const PLACES = 32; // between two pixels; OpenCV rounds to one of them

const KERNELS = Array.from({ length: PLACES }, (_, place) => kernelAt(place / PLACES));

/** The middle of a picture, `factor` times as large. Beyond an edge lies the picture's mirror. */
export function movedInto({ height, width, values }: Picture, factor: number): Picture {
  const [rows, columns] = [tapsOf(height, factor), tapsOf(width, factor)];
  const across = new Float32Array(values.length);
  for (let y = 0; y < height; y++) {
    columns.forEach(({ pixels, kernel }, x) => {
      for (let k = 0; k < 3; k++) {
        let sum = 0;
        for (let tap = 0; tap < TAPS; tap++) sum += kernel[tap] * values[(y * width + pixels[tap]) * 3 + k];
        across[(y * width + x) * 3 + k] = sum;
      }
    });
  }
  const moved = new Float32Array(values.length);
  rows.forEach(({ pixels, kernel }, y) => {
    for (let i = 0; i < width * 3; i++) {
      let sum = 0;
      for (let tap = 0; tap < TAPS; tap++) sum += kernel[tap] * across[pixels[tap] * width * 3 + i];
      moved[y * width * 3 + i] = Math.min(255, Math.max(0, sum)); // Lanczos overshoots
    }
  });
  return { height, width, values: moved };
}

interface Taps {
  pixels: number[];
  kernel: number[];
}

/** For each pixel of an axis, the pixels that it is made of. */
function tapsOf(length: number, factor: number): Taps[] {
  const middle = (length - 1) / 2;
  const start = roundHalfEven((middle - middle / factor) * 1024);
  return Array.from({ length }, (_, position) => {
    const place = (start + roundHalfEven((position / factor) * 1024) + 1024 / PLACES / 2) >> 5;
    const first = (place >> 5) - BEFORE;
    const pixels = Array.from({ length: TAPS }, (_, tap) => mirrored(first + tap, length));
    return { pixels, kernel: KERNELS[place & (PLACES - 1)] };
  });
}

/** A position within `length`; the pixel at an edge is not repeated. */
function mirrored(position: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const within = ((position % period) + period) % period;
  return within < length ? within : period - within;
}

function kernelAt(share: number): number[] {
  const weights = Array.from({ length: TAPS }, (_, tap) => {
    const x = Math.PI * (tap - BEFORE - share);
    return x === 0 ? 1 : ((TAPS / 2) * Math.sin(x) * Math.sin(x / (TAPS / 2))) / (x * x);
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
