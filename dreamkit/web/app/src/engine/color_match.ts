/** Colour moments of a picture, kept equal through the frames of a zoom: dreamkit's `media/color_match.py`. */

const LUMA = [0.2126, 0.7152, 0.0722]; // BT.709
const PASSES = 3; // each makes up for what the one before lost by clipping

export interface ColorMoments {
  /** Red, green and blue, 0 to 255. */
  mean: number[];
  /** The standard deviation of lightness. */
  contrast: number;
  /** The mean distance between a pixel's largest and smallest colour. */
  saturation: number;
}

/** The moments of pixels, `(height, width, 3)`, 0 to 255. */
export function measure(values: ArrayLike<number>): ColorMoments {
  const count = values.length / 3;
  const mean = [0, 0, 0];
  let [light, squares, saturation] = [0, 0, 0];
  for (let i = 0; i < values.length; i += 3) {
    const [red, green, blue] = [values[i], values[i + 1], values[i + 2]];
    const luma = lightness(red, green, blue);
    light += luma;
    squares += luma * luma;
    saturation += Math.max(red, green, blue) - Math.min(red, green, blue);
    for (let k = 0; k < 3; k++) mean[k] += values[i + k];
  }
  const variance = squares / count - (light / count) ** 2;
  return {
    mean: mean.map((sum) => sum / count),
    contrast: Math.sqrt(Math.max(0, variance)),
    saturation: saturation / count,
  };
}

/** Gives pixels the moments, in place, as nearly as clipping to 0 to 255 allows. */
export function match(values: Float32Array, moments: ColorMoments): void {
  for (let pass = 0; pass < PASSES; pass++) {
    const now = measure(values);
    const light = lightness(now.mean[0], now.mean[1], now.mean[2]);
    const contrast = moments.contrast / (now.contrast || 1);
    const saturation = moments.saturation / (now.saturation || 1);
    for (let i = 0; i < values.length; i += 3) {
      const luma = lightness(values[i], values[i + 1], values[i + 2]);
      for (let k = 0; k < 3; k++) {
        const colour = (values[i + k] - luma - (now.mean[k] - light)) * saturation;
        const matched = (luma - light) * contrast + colour + moments.mean[k];
        values[i + k] = Math.min(255, Math.max(0, matched));
      }
    }
  }
}

function lightness(red: number, green: number, blue: number): number {
  return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue;
}
