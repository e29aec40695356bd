/** What a finished dream looks like with other options. */

import { expect, test } from "vitest";
import type { DreamConfig } from "../src/engine/config";
import { finish } from "../src/engine/octave_schemes";
import { tuned, tuningTo } from "../src/page/live_preview";
import type { Pixels } from "../src/page/protocol";

const pixels = (values: number[]): Pixels => ({ height: 1, width: values.length / 3, bytes: Uint8ClampedArray.from(values) });

const photo = pixels([100, 120, 140, 10, 250, 30]);
const dream = pixels([130, 110, 150, 60, 240, 0]);
const look = { strength: 1, color: 0.4, blend: 0 };

test("nothing changes a dream with its own options", () => {
  expect(tuned(photo, dream, tuningTo(look, look))).toBe(dream);
});

test("the blend is that of the engine, but for rounding", () => {
  const values = Float32Array.from(dream.bytes);
  finish({ height: 1, width: 2, bytes: photo.bytes }, { height: 1, width: 2, values }, [], { blend: 0.3 } as DreamConfig);
  const { bytes } = tuned(photo, dream, tuningTo(look, { ...look, blend: 0.3 }));
  bytes.forEach((value, i) => expect(Math.abs(value - values[i])).toBeLessThanOrEqual(0.5));
});

test("sixteen times the strength gives eight times the change, within black and white", () => {
  const { bytes } = tuned(photo, dream, tuningTo({ ...look, strength: 0.25 }, { ...look, strength: 0.25 * 2 ** (4 / 3) }));
  expect(tuningTo({ ...look, strength: 0.25 }, { ...look, strength: 4 }).gain).toBeCloseTo(8);
  expect([...bytes]).toEqual([160, 100, 160, 110, 230, 0]);
});

test("all colours kept leave a change of lightness", () => {
  const { bytes } = tuned(photo, dream, tuningTo(look, { ...look, color: 1 }));
  expect([...bytes]).toEqual([110, 130, 150, 13, 253, 33]);
});
