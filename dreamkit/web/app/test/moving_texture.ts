/** Frames of a camera that moves over a smooth texture without end. */

import { type Grey, greyOf } from "../src/engine/grey";

const WAVES = 40;
const LONGEST = 60; // pixels of a wave
const SHORTEST = 9;

/** Where a camera looks: the middle of its frame, its turn in radians, and how near it is. */
export interface Camera {
  right: number;
  down: number;
  angle: number;
  scale: number;
}

export const STILL: Camera = { right: 0, down: 0, angle: 0, scale: 1 };

/** The colour of a place, 0 to 255. */
export type Texture = (y: number, x: number, channel: number) => number;

export interface Frame {
  height: number;
  width: number;
  bytes: Uint8ClampedArray<ArrayBuffer>;
  grey: Grey;
  /** The row and the column of the texture that a pixel shows. */
  placeOf(row: number, column: number): [number, number];
}

/** A sum of waves of random lengths, directions and colours. */
export function textureOf(seed: number): Texture {
  const random = randomNumbers(seed);
  const waves = Array.from({ length: WAVES }, () => {
    const length = SHORTEST * (LONGEST / SHORTEST) ** random();
    const direction = 2 * Math.PI * random();
    const [ky, kx] = [Math.sin(direction), Math.cos(direction)].map((each) => (2 * Math.PI * each) / length);
    const phases = [0, 1, 2].map(() => 2 * Math.PI * random() * 0.2);
    return { ky, kx, phases, start: 2 * Math.PI * random(), height: 14 * Math.sqrt(length / LONGEST) };
  });
  return (y, x, channel) =>
    waves.reduce(
      (sum, { ky, kx, phases, start, height }) => sum + height * Math.sin(ky * y + kx * x + start + phases[channel]),
      127,
    );
}

export function frameOf(texture: Texture, height: number, width: number, camera: Camera): Frame {
  const [middle, centre] = [(height - 1) / 2, (width - 1) / 2];
  const [cos, sin] = [Math.cos(camera.angle) / camera.scale, Math.sin(camera.angle) / camera.scale];
  const placeOf = (row: number, column: number): [number, number] => {
    const [dy, dx] = [row - middle, column - centre];
    return [cos * dy + sin * dx + middle + camera.down, cos * dx - sin * dy + centre + camera.right];
  };
  const bytes = new Uint8ClampedArray(height * width * 3);
  for (let row = 0, i = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [y, x] = placeOf(row, column);
      for (let k = 0; k < 3; k++, i++) bytes[i] = texture(y, x, k);
    }
  }
  return { height, width, bytes, grey: greyOf(height, width, bytes), placeOf };
}

/** Numbers from 0 to 1, the same for a seed (a linear congruential generator). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1664525 + 1013904223) % 2 ** 32) / 2 ** 32;
}
