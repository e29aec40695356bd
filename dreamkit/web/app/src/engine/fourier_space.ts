/**
 * A picture as its Fourier spectrum, moved by Adam: dreamkit's `engine/parametrisations/fourier.py`. All frequencies
 * move equally fast, scaled to their strength in natural pictures. A sigmoid limits pixels to 0 to 255.
 */

import { Adam } from "./adam";
import { MIXING, UNMIXING } from "./color";
import type { Picture } from "./resize";
import { SpectrumTransform } from "./spectrum";

const [BLACK, WHITE] = [0.5, 254.5]; // as near as a sigmoid comes to black and white
const SOFTNESS = 4; // Lucid divides its spatial values by this

export class FourierSpace {
  private readonly transform: SpectrumTransform;
  /** Of each decorrelated colour. */
  private readonly coefficients: Float32Array[];
  private readonly moments: Adam[];
  private readonly scale: (row: number, column: number) => number;
  private readonly height: number;
  private readonly width: number;

  /** The variables of `pixels`. */
  constructor({ height, width, values }: Picture) {
    [this.height, this.width] = [height, width];
    this.transform = new SpectrumTransform(height, width);
    this.scale = naturalScale(height, width);
    const logits = values.map((value) => {
      const clipped = Math.min(WHITE, Math.max(BLACK, value));
      return Math.fround(Math.log(clipped)) - Math.fround(Math.log(255 - clipped));
    });
    const factor = (row: number, column: number) => SOFTNESS / this.scale(row, column);
    this.coefficients = UNMIXING.map((weights) => this.transform.forward(logits, weights, factor));
    this.moments = this.coefficients.map(({ length }) => new Adam(length));
  }

  /** Takes a step along `update`, the gradient by the pixels, which is overwritten, and recomputes `pixels`. */
  step(pixels: Picture, update: Float32Array, stepSize: number): void {
    const { height, width } = this;
    throughSigmoid(update, this.pixels());
    // The adjoint of the inverse is the transform, doubled for columns that stand for their mirror images as well.
    const isOwnMirror = (column: number) => column === 0 || 2 * column === width;
    const factor = (row: number, column: number) =>
      (this.scale(row, column) * (isOwnMirror(column) ? 1 : 2)) / (SOFTNESS * height * width);
    this.coefficients.forEach((coefficients, colour) => {
      const weights = MIXING.map((row) => row[colour]);
      this.moments[colour].step(coefficients, this.transform.forward(update, weights, factor), stepSize);
    });
    pixels.values.set(this.pixels());
  }

  private pixels(): Float32Array {
    const { height, width } = this;
    const out: Picture = { height, width, values: new Float32Array(height * width * 3) };
    const factor = (row: number, column: number) => this.scale(row, column) / SOFTNESS;
    this.coefficients.forEach((coefficients, colour) => {
      const weights = MIXING.map((row) => row[colour]);
      this.transform.addInverse(out, coefficients, weights, factor);
    });
    // 255 sigmoid(x), in a form that cannot overflow.
    return out.values.map((value) => (Math.fround(Math.tanh(value / 2)) + 1) * 127.5);
  }
}

/** The strength of each frequency in natural pictures. */
function naturalScale(height: number, width: number): (row: number, column: number) => number {
  const [size, least] = [Math.sqrt(height * width), 1 / Math.max(height, width)];
  const columns = Math.floor(width / 2) + 1;
  const scale = Float64Array.from({ length: height * columns }, (_, i) => {
    const row = Math.floor(i / columns);
    const frequency = Math.hypot(Math.min(row, height - row) / height, (i % columns) / width);
    return size / Math.max(frequency, least);
  });
  return (row, column) => scale[row * columns + column];
}

/** Converts the gradient by `pixels = 255 sigmoid(x)` to the one by `x`, in place. */
function throughSigmoid(gradient: Float32Array, pixels: Float32Array): void {
  for (let i = 0; i < gradient.length; i++) {
    gradient[i] = Math.fround(gradient[i] * pixels[i]) * Math.fround(Math.fround(255 - pixels[i]) / 255);
  }
}
