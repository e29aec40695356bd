/** Fourier transforms of lines of any length, in float64. */

/** Complex numbers. */
export interface Complex {
  real: Float64Array;
  imaginary: Float64Array;
}

export function zeros(length: number): Complex {
  return { real: new Float64Array(length), imaginary: new Float64Array(length) };
}

/** The discrete Fourier transform of lines of one length; the inverse is not divided by it. */
export class Fourier {
  private readonly chirp: Chirp | null;
  private readonly powers: PowerOfTwo;

  constructor(private readonly length: number) {
    const isPower = (length & (length - 1)) === 0;
    this.chirp = isPower ? null : new Chirp(length);
    this.powers = this.chirp?.powers ?? new PowerOfTwo(length);
  }

  /** Transforms `line`, of `length` numbers, in place. */
  transform(line: Complex, isInverse = false): void {
    // The inverse is the transform with real and imaginary parts exchanged.
    const { real, imaginary } = line;
    const given = isInverse ? { real: imaginary, imaginary: real } : line;
    if (this.length === 1) return;
    if (this.chirp) this.chirp.transform(given);
    else this.powers.transform(given);
  }
}

/** Cooley and Tukey's transform for powers of two. */
class PowerOfTwo {
  private readonly cosines: Float64Array;
  private readonly sines: Float64Array;
  private readonly reversed: Uint32Array;

  constructor(readonly length: number) {
    const angles = Float64Array.from({ length: length / 2 }, (_, i) => (-2 * Math.PI * i) / length);
    this.cosines = angles.map(Math.cos);
    this.sines = angles.map(Math.sin);
    const bits = Math.log2(length);
    this.reversed = Uint32Array.from({ length }, (_, i) => {
      let found = 0;
      for (let bit = 0; bit < bits; bit++) if (i & (1 << bit)) found |= 1 << (bits - 1 - bit);
      return found;
    });
  }

  transform({ real, imaginary }: Complex): void {
    const { length, cosines, sines, reversed } = this;
    for (let i = 0; i < length; i++) {
      const other = reversed[i];
      if (other <= i) continue;
      [real[i], real[other]] = [real[other], real[i]];
      [imaginary[i], imaginary[other]] = [imaginary[other], imaginary[i]];
    }
    for (let half = 1; half < length; half *= 2) {
      const stride = length / (2 * half);
      for (let start = 0; start < length; start += 2 * half) {
        for (let i = 0; i < half; i++) {
          const [cos, sin] = [cosines[i * stride], sines[i * stride]];
          const [low, high] = [start + i, start + i + half];
          const x = real[high] * cos - imaginary[high] * sin;
          const y = real[high] * sin + imaginary[high] * cos;
          real[high] = real[low] - x;
          imaginary[high] = imaginary[low] - y;
          real[low] += x;
          imaginary[low] += y;
        }
      }
    }
  }
}

/** Bluestein's transform for any length: a convolution with a chirp, by transforms of a power of two. */
class Chirp {
  readonly powers: PowerOfTwo;
  /** `exp(-i pi k^2 / length)`. */
  private readonly chirp: Complex;
  /** The transform of the chirp's conjugate, wrapped around. */
  private readonly filter: Complex;
  private readonly spare: Complex;

  constructor(private readonly length: number) {
    const padded = 2 ** Math.ceil(Math.log2(2 * length - 1));
    this.powers = new PowerOfTwo(padded);
    this.spare = zeros(padded);
    this.chirp = zeros(length);
    this.filter = zeros(padded);
    for (let k = 0; k < length; k++) {
      const angle = (-Math.PI * ((k * k) % (2 * length))) / length;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      this.chirp.real[k] = cos;
      this.chirp.imaginary[k] = sin;
      for (const place of k ? [k, padded - k] : [0]) {
        this.filter.real[place] = cos;
        this.filter.imaginary[place] = -sin;
      }
    }
    this.powers.transform(this.filter);
  }

  transform(line: Complex): void {
    const { length, chirp, filter, spare, powers } = this;
    spare.real.fill(0);
    spare.imaginary.fill(0);
    for (let k = 0; k < length; k++) {
      spare.real[k] = line.real[k] * chirp.real[k] - line.imaginary[k] * chirp.imaginary[k];
      spare.imaginary[k] = line.real[k] * chirp.imaginary[k] + line.imaginary[k] * chirp.real[k];
    }
    powers.transform(spare);
    for (let k = 0; k < powers.length; k++) {
      const [x, y] = [spare.real[k], spare.imaginary[k]];
      // Exchanged real and imaginary parts, for the inverse.
      spare.imaginary[k] = x * filter.real[k] - y * filter.imaginary[k];
      spare.real[k] = x * filter.imaginary[k] + y * filter.real[k];
    }
    powers.transform(spare);
    for (let k = 0; k < length; k++) {
      const [x, y] = [spare.imaginary[k] / powers.length, spare.real[k] / powers.length];
      line.real[k] = x * chirp.real[k] - y * chirp.imaginary[k];
      line.imaginary[k] = x * chirp.imaginary[k] + y * chirp.real[k];
    }
  }
}
