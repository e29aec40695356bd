/** Grey pictures, for the search for motion. */

const LEAST_OVERLAP = 0.5; // of two pictures that are compared, along each axis
const BETTER = 0.8; // of the difference without a shift, that one with a shift may have

export interface Grey {
  height: number;
  width: number;
  /** `(height, width)`. */
  values: Float32Array;
}

/** The lightness of pixels, `(height, width, 3)`. */
export function greyOf(height: number, width: number, pixels: ArrayLike<number>): Grey {
  const values = new Float32Array(height * width);
  for (let i = 0; i < values.length; i++) {
    values[i] = 0.299 * pixels[3 * i] + 0.587 * pixels[3 * i + 1] + 0.114 * pixels[3 * i + 2];
  }
  return { height, width, values };
}

/** A picture half as large: each pixel is the mean of four. */
export function halved({ height, width, values }: Grey): Grey {
  const [rows, columns] = [height >> 1, width >> 1];
  const small = new Float32Array(rows * columns);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) {
      const from = 2 * (row * width + column);
      small[i] = (values[from] + values[from + 1] + values[from + width] + values[from + width + 1]) / 4;
    }
  }
  return { height: rows, width: columns, values: small };
}

/** The mean over squares of `2 * radius + 1` pixels, or over the part of them that lies inside. */
export function mean({ height, width, values }: Grey, radius: number): Grey {
  const across = new Float32Array(values.length);
  for (let row = 0; row < height; row++) slide(values, across, row * width, 1, width, radius);
  const both = new Float32Array(values.length);
  for (let column = 0; column < width; column++) slide(across, both, column, width, height, radius);
  return { height, width, values: both };
}

function slide(from: Float32Array, to: Float32Array, start: number, step: number, length: number, radius: number): void {
  let [sum, count] = [0, 0];
  for (let i = 0; i < Math.min(radius, length); i++, count++) sum += from[start + i * step];
  for (let i = 0; i < length; i++) {
    if (i + radius < length) (sum += from[start + (i + radius) * step]), count++;
    if (i > radius) (sum -= from[start + (i - radius - 1) * step]), count--;
    to[start + i * step] = sum / count;
  }
}

/** The value at a place between pixels; beyond an edge lies the edge. */
export function sampleLinear({ height, width, values }: Grey, y: number, x: number): number {
  const [row, column] = [Math.min(height - 1, Math.max(0, y)), Math.min(width - 1, Math.max(0, x))];
  const [top, left] = [Math.floor(row), Math.floor(column)];
  const [down, right] = [row - top, column - left];
  const at = top * width + left;
  const [beside, below] = [left < width - 1 ? 1 : 0, top < height - 1 ? width : 0];
  const upper = values[at] + right * (values[at + beside] - values[at]);
  const lower = values[at + below] + right * (values[at + below + beside] - values[at + below]);
  return upper + down * (lower - upper);
}

/** The whole pixels by which `now` lies further left and up than `before`; none where no shift is clearly better. */
export function globalShift(before: Grey, now: Grey): [right: number, down: number] {
  const { height, width } = now;
  const [most, furthest] = [Math.floor(height * (1 - LEAST_OVERLAP)), Math.floor(width * (1 - LEAST_OVERLAP))];
  let best: [number, number] = [0, 0];
  let least = BETTER * difference(before, now, 0, 0);
  for (let down = -most; down <= most; down++) {
    for (let right = -furthest; right <= furthest; right++) {
      const found = difference(before, now, right, down);
      if (found < least) [least, best] = [found, [right, down]];
    }
  }
  return best;
}

/** The mean difference between `now` and what lies `right` and `down` of it in `before`, where they overlap. */
function difference(before: Grey, now: Grey, right: number, down: number): number {
  const { height, width } = now;
  let sum = 0;
  const [top, bottom] = [Math.max(0, -down), Math.min(height, height - down)];
  const [left, end] = [Math.max(0, -right), Math.min(width, width - right)];
  for (let row = top; row < bottom; row++) {
    for (let column = left; column < end; column++) {
      const i = row * width + column;
      sum += Math.abs(now.values[i] - before.values[i + down * width + right]);
    }
  }
  return sum / ((bottom - top) * (end - left));
}
