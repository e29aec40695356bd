/** Dreams that are finished with more pixels. */

import { expect, test } from "vitest";
import { octavesOf } from "../src/engine/octaves";
import { allowance, atSide, checkMemory, largeConfig, largeSides, withChange } from "../src/page/large_plan";
import { parity } from "./parity";

const small = { height: 256, width: 384 };

test("sizes are those beyond the dream's, and that of the file", () => {
  expect(largeSides(small, { height: 2000, width: 3000 })).toEqual([1024, 2048, 3000, 4096]);
  expect(largeSides({ height: 1536, width: 1024 }, null)).toEqual([2048, 4096]);
  expect(largeSides(small, small)).toEqual([1024, 2048, 4096]);
  expect(atSide({ height: 2000, width: 3000 }, 1024)).toEqual({ height: 683, width: 1024 });
});

test("the octaves lie between the sizes, and end with the large one", () => {
  const config = { ...parity.options, octaves: 3, octave_scale: 1.4, octave_scheme: "whole", seed: 3, clouds: 12, blend: 0.5 };
  const large = { height: 683, width: 1024 };
  const finer = largeConfig(config, 3, 15, small, large);
  expect(finer).toMatchObject({ steps: 5, clouds: 0, blend: 0, seed: 3 });
  const sizes = octavesOf(large.height, large.width, 1, finer).map(({ width }) => width);
  expect(sizes).toEqual([533, 738, 1024]);
});

test("the last octave of a schedule is the one that goes on", () => {
  const config = { ...parity.options, schedule: [{ jitter: 3 }, { jitter: 5, step_size: 0.02 }] };
  const finer = largeConfig(config, 2, 1, small, { height: 256, width: 400 });
  expect(finer).toMatchObject({ jitter: 5, step_size: 0.02, schedule: [], octaves: 1, steps: 1 });
});

test("a size that needs too much memory is refused, with the largest that fits", () => {
  const most = allowance(4);
  checkMemory(small, 2048, null, most);
  let message = "";
  try {
    checkMemory(small, 8192, null, most);
  } catch (error) {
    message = (error as Error).message;
  }
  const fits = Number(/^8192 x 5461 pixels need \d+ MB of memory, .* the largest side that fits is (\d+)$/.exec(message)![1]);
  checkMemory(small, fits, null, most);
  expect(() => checkMemory(small, fits + 4, null, most)).toThrow("memory");
  expect(() => checkMemory(small, 1024, { height: 20_000, width: 20_000 }, most)).toThrow("save it as it is");
});

test("the change of the small dream is added to the large photograph", () => {
  const photo = { height: 2, width: 2, bytes: new Uint8ClampedArray(12).fill(100) };
  const dream = { ...photo, bytes: photo.bytes.map((value) => value + 10) };
  const large = { height: 4, width: 4, bytes: new Uint8ClampedArray(48).fill(250) };
  expect([...withChange(large, photo, dream).bytes]).toEqual(new Array(48).fill(255));
  expect([...withChange({ ...large, bytes: large.bytes.map(() => 7) }, photo, dream).bytes]).toEqual(new Array(48).fill(17));
});
