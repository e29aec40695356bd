/** The spectra of pictures in decorrelated colours: the transforms in dreamkit's `engine/parametrisations/fourier.py`. */

import { type Complex, Fourier, zeros } from "./fft";
import type { Picture } from "./resize";

/**
 * Transforms pictures of one size. A spectrum is `(height, floor(width / 2) + 1)` complex numbers, real and imaginary
 * part side by side; its other half mirrors it.
 */
export class SpectrumTransform {
  /** Columns of a spectrum. */
  readonly columns: number;
  private readonly along: Fourier;
  private readonly down: Fourier;
  private readonly row: Complex;
  private readonly column: Complex;

  constructor(
    private readonly height: number,
    private readonly width: number,
  ) {
    this.columns = Math.floor(width / 2) + 1;
    [this.along, this.down] = [new Fourier(width), new Fourier(height)];
    [this.row, this.column] = [zeros(width), zeros(height)];
  }

  /** The spectrum of the weighted sum of a picture's colours, times `factor` at each frequency. */
  forward(values: Float32Array, weights: number[], factor: (row: number, column: number) => number): Float32Array {
    const { height, width, columns, row, column } = this;
    const out = new Float32Array(height * columns * 2);
    for (let y = 0; y < height; y++) {
      row.imaginary.fill(0);
      for (let x = 0; x < width; x++) {
        const at = (y * width + x) * 3;
        row.real[x] = values[at] * weights[0] + values[at + 1] * weights[1] + values[at + 2] * weights[2];
      }
      this.along.transform(row);
      for (let x = 0; x < columns; x++) {
        out[(y * columns + x) * 2] = row.real[x];
        out[(y * columns + x) * 2 + 1] = row.imaginary[x];
      }
    }
    for (let x = 0; x < columns; x++) {
      for (let y = 0; y < height; y++) {
        column.real[y] = out[(y * columns + x) * 2];
        column.imaginary[y] = out[(y * columns + x) * 2 + 1];
      }
      this.down.transform(column);
      for (let y = 0; y < height; y++) {
        const scale = factor(y, x);
        out[(y * columns + x) * 2] = column.real[y] * scale;
        out[(y * columns + x) * 2 + 1] = column.imaginary[y] * scale;
      }
    }
    return out;
  }

  /** Adds the picture of `spectrum` times `factor`, times each colour's weight, to the colours of `out`. */
  addInverse(
    out: Picture,
    spectrum: Float32Array,
    weights: number[],
    factor: (row: number, column: number) => number,
  ): void {
    const { height, width, columns, row, column } = this;
    const half = new Float32Array(spectrum.length);
    for (let x = 0; x < columns; x++) {
      for (let y = 0; y < height; y++) {
        const scale = factor(y, x);
        column.real[y] = spectrum[(y * columns + x) * 2] * scale;
        column.imaginary[y] = spectrum[(y * columns + x) * 2 + 1] * scale;
      }
      this.down.transform(column, true);
      for (let y = 0; y < height; y++) {
        half[(y * columns + x) * 2] = column.real[y] / height;
        half[(y * columns + x) * 2 + 1] = column.imaginary[y] / height;
      }
    }
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < columns; x++) {
        const [real, imaginary] = [half[(y * columns + x) * 2], half[(y * columns + x) * 2 + 1]];
        const mirror = (width - x) % width;
        row.real[x] = row.real[mirror] = real;
        row.imaginary[x] = mirror === x ? 0 : imaginary; // its own mirror image is real
        if (mirror !== x) row.imaginary[mirror] = -imaginary;
      }
      this.along.transform(row, true);
      for (let x = 0; x < width; x++) {
        const at = (y * width + x) * 3;
        for (let k = 0; k < 3; k++) out.values[at + k] += (row.real[x] / width) * weights[k];
      }
    }
  }
}
