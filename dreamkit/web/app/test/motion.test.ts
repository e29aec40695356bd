/** Motion between synthetic frames, whose motion is known. */

import { describe, expect, test } from "vitest";
import { motionBetween } from "../src/engine/motion";
import { type Camera, frameOf, textureOf } from "./moving_texture";

const [HEIGHT, WIDTH] = [144, 192];

/** The mean distance, in pixels, between the motion that is found and the true one, where the scene was in the frame before. */
function meanError(camera: Partial<Camera>, seed: number): number {
  const texture = textureOf(seed);
  const still: Camera = { right: 0, down: 0, angle: 0, scale: 1 };
  const before = frameOf(texture, HEIGHT, WIDTH, still);
  const moved = { ...still, ...camera };
  const now = frameOf(texture, HEIGHT, WIDTH, moved);
  const t0 = performance.now();
  const { offsets } = motionBetween(before.grey, now.grey);
  console.log("ms", performance.now() - t0);
  let [sum, count] = [0, 0];
  for (let row = 0; row < HEIGHT; row++) {
    for (let column = 0; column < WIDTH; column++) {
      const [y, x] = now.placeOf(row, column); // the frame before is the texture itself
      if (y < 0 || x < 0 || y > HEIGHT - 1 || x > WIDTH - 1) continue;
      const i = 2 * (row * WIDTH + column);
      sum += Math.hypot(column + offsets[i] - x, row + offsets[i + 1] - y);
      count++;
    }
  }
  return sum / count;
}

describe.each([1, 2, 3])("texture %i", (seed) => {
  test.each([
    ["stands still", {}, 0.05],
    ["moves by less than a pixel", { right: 0.4, down: -0.7 }, 0.1],
    ["moves", { right: 3.3, down: -2.1 }, 0.1],
    ["moves far", { right: -31.5, down: 14.2 }, 0.1],
    ["turns", { angle: 0.06 }, 0.1],
    ["comes nearer", { scale: 1.06 }, 0.1],
    ["moves, turns and goes away", { right: 6.4, down: 4.8, angle: -0.05, scale: 0.96 }, 0.1],
  ])("%s", (_, camera, most) => {
    const e = meanError(camera, seed);
    console.log(_, e);
    expect(e).toBeLessThan(most);
  });
});
