/** Pixels of instant previews: photographs made small, and small dreams laid over large photographs. */

import type { MaskLevels, Pixels } from "./protocol";

/** Bytes at a smaller size; each pixel is the average of those that it replaces. */
export function averaged(
  bytes: Uint8ClampedArray,
  [height, width]: [number, number],
  to: [number, number],
  channels: number,
): MaskLevels {
  const small = new Uint8ClampedArray(to[0] * to[1] * channels);
  for (let row = 0; row < to[0]; row++) {
    const [top, bottom] = spanOf(row, height, to[0]);
    for (let column = 0; column < to[1]; column++) {
      const [left, right] = spanOf(column, width, to[1]);
      for (let k = 0; k < channels; k++) {
        let sum = 0;
        for (let y = top; y < bottom; y++) {
          for (let x = left; x < right; x++) sum += bytes[(y * width + x) * channels + k];
        }
        small[(row * to[1] + column) * channels + k] = sum / ((bottom - top) * (right - left));
      }
    }
  }
  return small;
}

/** The pixels, first and after the last, of `length` that one of `count` stands for; at least one. */
function spanOf(position: number, length: number, count: number): [number, number] {
  const first = Math.floor((position * length) / count);
  return [first, Math.max(first + 1, Math.floor(((position + 1) * length) / count))];
}

/**
 * `photo` with the change from `before` to `after`, two smaller pictures of one size, times `gain`. So the photograph
 * stays sharp where a small dream of it changes little.
 */
export function withChange(photo: Pixels, before: Pixels, after: Pixels, gain: number): Pixels {
  const { height, width } = photo;
  const change = Float32Array.from(after.bytes, (value, i) => gain * (value - before.bytes[i]));
  const rows = betweenOf(height, after.height);
  const columns = betweenOf(width, after.width);
  const bytes = new Uint8ClampedArray(photo.bytes.length);
  for (let y = 0, i = 0; y < height; y++) {
    const [top, bottom] = [rows.first[y] * after.width * 3, rows.second[y] * after.width * 3];
    const down = rows.share[y];
    for (let x = 0; x < width; x++) {
      const [left, right] = [columns.first[x] * 3, columns.second[x] * 3];
      const across = columns.share[x];
      for (let k = 0; k < 3; k++, i++) {
        const above = change[top + left + k] + across * (change[top + right + k] - change[top + left + k]);
        const below = change[bottom + left + k] + across * (change[bottom + right + k] - change[bottom + left + k]);
        bytes[i] = photo.bytes[i] + above + down * (below - above);
      }
    }
  }
  return { height, width, bytes };
}

/** For each of `length` pixels, the two of `count` that it lies between, and the share of the second. */
function betweenOf(length: number, count: number) {
  const first = new Int32Array(length);
  const second = new Int32Array(length);
  const share = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const at = Math.min(count - 1, Math.max(0, ((i + 0.5) * count) / length - 0.5));
    first[i] = Math.floor(at);
    second[i] = Math.min(count - 1, first[i] + 1);
    share[i] = at - first[i];
  }
  return { first, second, share };
}
