/** What an instant preview dreams, and how it is laid over the photograph. */

import { expect, test } from "vitest";
import type { DreamConfig } from "../src/engine/config";
import { octavesOf } from "../src/engine/octaves";
import { averaged, withChange } from "../src/page/preview_pixels";
import { canPreview, fineTask, roughTask } from "../src/page/preview_plan";
import type { DreamTask, Pixels } from "../src/page/protocol";

const plain = {
  strength: 1, blend: 0, layers: ["mixed4c"], border: 0, octaves: null, octave_scale: 1.4, octave_scheme: "residual",
  first_octave: null, steps: null, step_size: 0.015, max_objective: null, schedule: [],
} as unknown as DreamConfig; // prettier-ignore

function picture(height: number, width: number, value = (_: number) => 100): Pixels {
  return { height, width, bytes: Uint8ClampedArray.from({ length: height * width * 3 }, (_, i) => value(i)) };
}

function task(config: Partial<DreamConfig> = {}, photo = picture(256, 384)): DreamTask {
  return { kind: "dream", photo, config: { ...plain, ...config }, masks: {}, guide: null };
}

const sizeOf = ({ photo }: DreamTask) => [photo.width, photo.height];

test("a smaller picture has the averages of the larger one", () => {
  const bytes = Uint8ClampedArray.from([0, 20, 40, 60, 100, 120, 140, 160]);
  expect([...averaged(bytes, [2, 4], [1, 2], 1)]).toEqual([60, 100]);
  expect([...averaged(bytes, [2, 4], [2, 4], 1)]).toEqual([...bytes]);
  expect([...averaged(Uint8ClampedArray.from([10, 20, 30, 40, 50]), [1, 5], [1, 2], 1)]).toEqual([15, 40]);
});

test("a change of the picture's own size is added as it is", () => {
  const photo = picture(5, 7, (i) => 40 + i);
  const after = picture(5, 7, (i) => 200 - i);
  expect(withChange(photo, photo, after, 1).bytes).toEqual(after.bytes);
});

test("a small change is spread evenly, and the photograph keeps its detail", () => {
  const photo = picture(8, 12, (i) => (i % 2 ? 50 : 90));
  const { bytes } = withChange(photo, picture(2, 3), picture(2, 3, () => 104), 5);
  expect([...bytes]).toEqual([...photo.bytes].map((value) => value + 20));
});

test("a change lies between its pixels in proportion", () => {
  const photo = picture(1, 4, () => 0);
  const after = { height: 1, width: 2, bytes: Uint8ClampedArray.from([0, 0, 0, 80, 80, 80]) };
  const { bytes } = withChange(photo, picture(1, 2, () => 0), after, 1);
  expect([0, 1, 2, 3].map((x) => bytes[3 * x])).toEqual([0, 20, 60, 80]);
});

test("a rough preview has few large steps on a very small picture", () => {
  const rough = roughTask(task(), 1);
  expect(sizeOf(rough)).toEqual([96, 64]);
  expect(rough.config).toMatchObject({ octaves: 1, steps: 3, layers: ["mixed4c"], strength: 1 });
  expect(rough.config.step_size).toBeGreaterThan(plain.step_size);
});

test("more steps, more octaves and a larger step size move a rough preview more, up to a bound", () => {
  const moved = (config: Partial<DreamConfig>) => roughTask(task(config), 1).config.step_size;
  expect(moved({ steps: 20 })).toBeGreaterThan(moved({ steps: 10 }));
  expect(moved({ octaves: 3 })).toBeGreaterThan(moved({ octaves: 1 }));
  expect(moved({ step_size: 0.03 })).toBeCloseTo(2 * moved({}));
  expect(moved({ steps: 1000 })).toBe(8 * plain.step_size);
});

test("a fine preview is the dream up to its largest small octave", () => {
  const whole = octavesOf(256, 384, 1, plain);
  const fine = fineTask(task(), 1);
  expect(sizeOf(fine)).toEqual([whole[0].width, whole[0].height]);
  expect(fine.config).toMatchObject({ octaves: 1, steps: null, step_size: plain.step_size });
  expect(fine.config.strength).toBeCloseTo(Math.sqrt(3)); // for the two octaves that it leaves out
  const large = fineTask(task({ octaves: 5 }), 1);
  const octaves = octavesOf(large.photo.height, large.photo.width, 1, large.config);
  const small = octavesOf(256, 384, 1, { ...plain, octaves: 5 }).slice(0, octaves.length);
  expect(octaves.map(({ number }) => number)).toEqual([0, 1, 2]);
  octaves.forEach(({ height, width }, i) => {
    expect(Math.abs(height - small[i].height)).toBeLessThanOrEqual(1); // rounded twice
    expect(Math.abs(width - small[i].width)).toBeLessThanOrEqual(1);
  });
});

test("a fine preview of a small photograph is the dream itself", () => {
  const given = task({}, picture(128, 192));
  expect(fineTask(given, 1).photo).toBe(given.photo);
  expect(fineTask(given, 1).config).toMatchObject({ ...plain, octaves: octavesOf(128, 192, 1, plain).length });
});

test("a fine preview of a dream without small octaves is smaller than all of them", () => {
  expect(sizeOf(fineTask(task({ octaves: 1 }), 1))).toEqual([192, 128]);
});

test("previews are as large as the network needs", () => {
  expect(sizeOf(roughTask(task(), 75))).toEqual([113, 75]);
  expect(sizeOf(fineTask(task(), 200))).toEqual([300, 200]);
  expect(canPreview(task(), 256)).toBe(true);
  expect(canPreview(task(), 257)).toBe(false);
});

test("a single neuron has no preview", () => {
  expect(canPreview(task({ layers: ["mixed4c:3@2x1"] }), 1)).toBe(false);
  expect(canPreview(task({ layers: [{ layer: "mixed4c", channels: [3], place: [2, 1] }] }), 1)).toBe(false);
  expect(canPreview(task({ schedule: [{ layers: { "mixed4c:3@2x1": 1 } }] }), 1)).toBe(false);
});

test("masks, the guide and the border become as small as the photograph", () => {
  const levels = new Uint8ClampedArray(256 * 384).fill(255, 0, 128 * 384);
  const given = { ...task({ border: 8 }), masks: { top: levels }, guide: picture(200, 400) };
  const { masks, guide, config } = roughTask(given, 1);
  expect(masks.top.length).toBe(96 * 64);
  expect([masks.top[0], masks.top[96 * 64 - 1]]).toEqual([255, 0]);
  expect([guide!.width, guide!.height]).toEqual([96, 48]);
  expect(config.border).toBe(2);
});

test("the schedule of the last octave is previewed", () => {
  const schedule = [{ layers: ["mixed3a"] }, { layers: ["mixed5a"], steps: 4 }];
  expect(roughTask(task({ schedule }), 1).config).toMatchObject({ layers: ["mixed5a"], schedule: [], steps: 3 });
  expect(fineTask(task({ schedule }), 1).config.schedule).toBe(schedule);
});
