/** Random rotation and scaling of a picture, and its adjoint for the gradient: dreamkit's `engine/transforms/warp.py`. */

import type { Picture } from "./resize";

const OUTSIDE = 127.5; // mid-grey

/** The four pixels that an output pixel reads, as indices, negative outside the picture, and their weights. */
interface Taps {
  places: number[];
  weights: number[];
}

/** A rotation by `angle`, in radians, anticlockwise as seen, and an enlargement by `scale`, about the centre. */
export class Warp {
  constructor(
    private readonly angle: number,
    private readonly scale: number,
  ) {}

  /** The warped picture; outside the picture lies mid-grey. */
  apply(pixels: Picture): Picture {
    const values = new Float32Array(pixels.values.length);
    this.each(pixels, (to, { places, weights }) => {
      for (let k = 0; k < 3; k++) {
        let sum = 0;
        for (let tap = 0; tap < 4; tap++) {
          sum += weights[tap] * (places[tap] < 0 ? OUTSIDE : pixels.values[places[tap] * 3 + k]);
        }
        values[to * 3 + k] = sum;
      }
    });
    return { ...pixels, values };
  }

  /** The exact transpose of the linear part of `apply`: each value goes, with the same weights, to what it was read from. */
  adjoint(gradient: Picture): Picture {
    const sums = new Float64Array(gradient.values.length);
    this.each(gradient, (from, { places, weights }) => {
      for (let tap = 0; tap < 4; tap++) {
        if (places[tap] < 0) continue;
        for (let k = 0; k < 3; k++) sums[places[tap] * 3 + k] += weights[tap] * gradient.values[from * 3 + k];
      }
    });
    return { ...gradient, values: new Float32Array(sums) };
  }

  /** Calls `visit` with each output pixel and what it reads. */
  private each({ height, width }: Picture, visit: (pixel: number, taps: Taps) => void): void {
    const [middle, centre] = [(height - 1) / 2, (width - 1) / 2];
    const [cos, sin] = [Math.cos(this.angle) / this.scale, Math.sin(this.angle) / this.scale];
    const taps: Taps = { places: [0, 0, 0, 0], weights: [0, 0, 0, 0] };
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const [dy, dx] = [row - middle, column - centre];
        const [y, x] = [cos * dy + sin * dx + middle, cos * dx - sin * dy + centre];
        const [top, left] = [Math.floor(y), Math.floor(x)];
        const [down, right] = [y - top, x - left];
        for (let tap = 0; tap < 4; tap++) {
          const [below, beside] = [tap >> 1, tap & 1];
          const [line, place] = [top + below, left + beside];
          const isInside = line >= 0 && line < height && place >= 0 && place < width;
          taps.places[tap] = isInside ? line * width + place : -1;
          taps.weights[tap] = (below ? down : 1 - down) * (beside ? right : 1 - right);
        }
        visit(row * width + column, taps);
      }
    }
  }
}
