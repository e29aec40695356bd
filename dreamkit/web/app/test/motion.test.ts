/** Motion between synthetic frames, whose motion is known, and what is carried along it. */

import { describe, expect, test } from "vitest";
import { carried } from "../src/engine/carry";
import { halved } from "../src/engine/grey";
import { motionBetween, resizedMotion } from "../src/engine/motion";
import { type Camera, type Frame, frameOf, STILL, textureOf } from "./moving_texture";

const [HEIGHT, WIDTH] = [144, 192];
const MOTIONS: [name: string, camera: Partial<Camera>][] = [
  ["moves by less than a pixel", { right: 0.4, down: -0.7 }],
  ["moves", { right: 3.3, down: -2.1 }],
  ["moves far", { right: -31.5, down: 14.2 }],
  ["turns", { angle: 0.06 }],
  ["comes nearer", { scale: 1.06 }],
  ["moves, turns and goes away", { right: 6.4, down: 4.8, angle: -0.05, scale: 0.96 }],
];

function framesOf(seed: number, camera: Partial<Camera>): Frame[] {
  return [STILL, { ...STILL, ...camera }].map((each) => frameOf(textureOf(seed), HEIGHT, WIDTH, each));
}

/** The mean of `value` over the pixels of `frame` that are visible in the frame before, `(row, column, place there)`. */
function meanOver(frame: Frame, value: (row: number, column: number, y: number, x: number) => number): number {
  let [sum, count] = [0, 0];
  for (let row = 0; row < HEIGHT; row++) {
    for (let column = 0; column < WIDTH; column++) {
      const [y, x] = frame.placeOf(row, column);
      if (y < 0 || x < 0 || y > HEIGHT - 1 || x > WIDTH - 1) continue;
      sum += value(row, column, y, x);
      count++;
    }
  }
  return sum / count;
}

describe.each([1, 2, 3])("the motion of texture %i", (seed) => {
  test("is none where it stands still", () => {
    const [before, now] = framesOf(seed, {});
    expect(motionBetween(before.grey, now.grey).offsets.every((offset) => offset === 0)).toBe(true);
  });

  // The mean distance between the end of the motion that is found and of the true one, in pixels.
  test.each(MOTIONS)("is found to a tenth of a pixel where the camera %s", (_, camera) => {
    const [before, now] = framesOf(seed, camera);
    const { offsets } = motionBetween(before.grey, now.grey);
    const error = meanOver(now, (row, column, y, x) => {
      const i = 2 * (row * WIDTH + column);
      return Math.hypot(column + offsets[i] - x, row + offsets[i + 1] - y);
    });
    expect(error).toBeLessThan(0.1);
  });

  test.each(MOTIONS)("is found to a fifth of a pixel at half the size where the camera %s", (_, camera) => {
    const [before, now] = framesOf(seed, camera);
    const { offsets } = resizedMotion(motionBetween(halved(before.grey), halved(now.grey)), HEIGHT, WIDTH);
    const error = meanOver(now, (row, column, y, x) => {
      const i = 2 * (row * WIDTH + column);
      return Math.hypot(column + offsets[i] - x, row + offsets[i + 1] - y);
    });
    expect(error).toBeLessThan(0.2);
  });
});

/** A change of a frame: a pattern in the texture, so that it moves as the texture does. */
function patternOf(frame: Frame): Float32Array {
  return Float32Array.from({ length: HEIGHT * WIDTH * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    const [y, x] = frame.placeOf(Math.floor(pixel / WIDTH), pixel % WIDTH);
    return 30 * Math.sin(y / 3 + (i % 3)) * Math.cos(x / 4);
  });
}

test("a change follows the motion", () => {
  const [before, now] = framesOf(1, { right: 6.4, down: 4.8, angle: -0.05, scale: 0.96 });
  const pattern = patternOf(now);
  const { values } = carried({ ...before, values: patternOf(before) }, before, now);
  const difference = (carried: ArrayLike<number>) =>
    meanOver(now, (row, column) => {
      const i = 3 * (row * WIDTH + column);
      return (Math.abs(carried[i] - pattern[i]) + Math.abs(carried[i + 1] - pattern[i + 1])) / 2;
    });
  expect(difference(new Float32Array(values.length))).toBeGreaterThan(10);
  expect(difference(values)).toBeLessThan(1.5);
});

test("a change stays behind where something else comes into sight", () => {
  const [before, now] = framesOf(1, { right: 4 });
  const other = frameOf(textureOf(9), HEIGHT, WIDTH, STILL);
  const hidden = (row: number, column: number) => row > 40 && row < 100 && column > 60 && column < 130;
  for (let i = 0; i < now.bytes.length; i++) {
    const pixel = Math.floor(i / 3);
    if (hidden(Math.floor(pixel / WIDTH), pixel % WIDTH)) now.bytes[i] = other.bytes[i];
  }
  const { values } = carried({ ...before, values: new Float32Array(HEIGHT * WIDTH * 3).fill(20) }, before, now);
  const shareOf = (isCounted: (row: number, column: number) => boolean) => {
    let [sum, count] = [0, 0];
    for (let row = 0; row < HEIGHT; row++) {
      for (let column = 0; column < WIDTH; column++) {
        if (!isCounted(row, column)) continue;
        sum += values[3 * (row * WIDTH + column)] / 20;
        count++;
      }
    }
    return sum / count;
  };
  expect(shareOf(hidden)).toBeLessThan(0.15);
  expect(shareOf((row, column) => (row < 30 || row > 110) && column < WIDTH - 8)).toBeGreaterThan(0.95);
  expect(shareOf((_, column) => column >= WIDTH - 4)).toBeLessThan(0.35); // was outside, but for soft edges
});

test("a change of the light alone leaves the change where it is", () => {
  const [before, now] = framesOf(1, {});
  for (let i = 0; i < now.bytes.length; i++) now.bytes[i] += 30;
  const change = patternOf(before);
  const { values } = carried({ ...before, values: change }, before, now);
  const off = values.reduce((sum, value, i) => sum + Math.abs(value - change[i]), 0) / values.length;
  expect(off).toBeLessThan(0.5);
});
