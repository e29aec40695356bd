/** The dream of Google's notebook of 2015 as a page writes it with TensorFlow.js alone: `tf.grad`, octaves, no tiles. */

import * as tf from "@tensorflow/tfjs-core";

const OCTAVES = 4;
const SCALE = 1.4;
const STEPS = 10;
const STEP_SIZE = 1.5; // pixel values
const JITTER = 32; // pixels

/** The number of steps of a dream. */
export const PLAIN_STEPS = OCTAVES * STEPS;

/** Dreams a photograph, `(1, height, width, 3)` from 0 to 255, to where the mean square of `activation` is large. */
export async function plainDream(photo: tf.Tensor4D, activation: (x: tf.Tensor) => tf.Tensor): Promise<tf.Tensor4D> {
  const gradient = tf.grad((x) => tf.mean(tf.square(activation(x))));
  const [, height, width] = photo.shape;
  let detail: tf.Tensor4D | null = null;
  for (let octave = OCTAVES - 1; octave >= 0; octave--) {
    const size: [number, number] = [Math.round(height / SCALE ** octave), Math.round(width / SCALE ** octave)];
    const base = tf.image.resizeBilinear(photo, size);
    let pixels: tf.Tensor4D = detail ? tf.add(base, tf.image.resizeBilinear(detail, size)) : base;
    for (let step = 0; step < STEPS; step++) {
      const [down, across] = [Math.floor(Math.random() * JITTER), Math.floor(Math.random() * JITTER)];
      pixels = tf.tidy(() => {
        const seen = rolled(pixels, down, across);
        const change = gradient(seen);
        const stepped = tf.add(seen, tf.div(tf.mul(STEP_SIZE, change), tf.mean(tf.abs(change))));
        const moved = tf.clipByValue(stepped, 0, 255) as tf.Tensor4D;
        return rolled(moved, size[0] - down, size[1] - across);
      });
      await pixels.data(); // as a page does that shows each step
    }
    detail = tf.sub(pixels, base);
  }
  return tf.add(photo, detail!);
}

function rolled(x: tf.Tensor4D, down: number, across: number): tf.Tensor4D {
  const [, height, width] = x.shape;
  const [top, left] = [height - down, width - across];
  const part = (from: tf.Tensor4D, begin: number[], size: number[]) => tf.slice(from, [0, ...begin, 0], [1, ...size, 3]);
  const rows = tf.concat([part(x, [top, 0], [down, width]), part(x, [0, 0], [top, width])], 1) as tf.Tensor4D;
  return tf.concat([part(rows, [0, left], [height, across]), part(rows, [0, 0], [height, left])], 2) as tf.Tensor4D;
}
