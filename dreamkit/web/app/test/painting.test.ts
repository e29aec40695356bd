/** Strokes of the brush: what grew, what was erased, and a recipe of all of them. */

import { expect, test } from "vitest";
import type { DreamConfig } from "../src/engine/config";
import type { Growth } from "../src/engine/growth";
import { changeOf, erase, jointRecipe, strokeConfig, visible } from "../src/page/painting";
import { parity } from "./parity";

const config = { ...parity.options, strength: 1.5, schedule: [{ steps: 3, layers: ["first"] }] } as DreamConfig;

function stroke(label: string, times: number[], strength = 1, terms = [{ layer: label, weight: 1 }]) {
  const growth: Growth = { config, times: Uint16Array.from(times), turns: 5, lasts: 3, least: 128 };
  return { label, terms, strength, growth, erased: null };
}

function erasing(levels: number[]) {
  return { label: "", terms: [], strength: 0, growth: null, erased: Uint8ClampedArray.from(levels) };
}

test("a stroke has its layers, and its part of the strength", () => {
  const masked = { terms: [{ layer: "first", mask: "left" }], strength: 0.5 };
  expect(strokeConfig(config, masked)).toEqual({ ...config, layers: [{ layer: "first" }], strength: 0.75 });
});

test("the recipe of all strokes has a mask for each", () => {
  const both = [{ layer: "first", weight: 1 }, { layer: "second", weight: -3 }];
  const recipe = jointRecipe(config, null, [stroke("first", [1, 7, 0, 0]), stroke("both", [0, 0, 1, 0], 2, both)]);
  expect(recipe.config.layers).toEqual([
    { layer: "first", weight: 1, mask: "stroke-1" },
    { layer: "first", weight: 0.5, mask: "stroke-2" },
    { layer: "second", weight: -1.5, mask: "stroke-2" },
  ]);
  expect(recipe.config.strength).toBe(3); // of the strongest; the others have their share of it
  expect(recipe.config.schedule).toEqual([{ steps: 3 }]);
  expect([...recipe.masks["stroke-1"]]).toEqual([255, 255, 0, 0]);
  expect([...recipe.masks["stroke-2"]]).toEqual([0, 0, 255, 0]);
});

test("a dream under the strokes has no mask, and no recipe is stronger than dreamkit takes", () => {
  const painting = [stroke("first", [1, 0, 0, 0], 0.5)];
  const recipe = jointRecipe(config, [{ layer: "second" }], painting);
  expect(recipe.config.layers).toEqual([
    { layer: "second", weight: 1 },
    { layer: "first", weight: 0.5, mask: "stroke-1" },
  ]);
  expect(recipe.config.strength).toBe(1.5);
  expect(jointRecipe(config, null, [stroke("first", [1, 0, 0, 0], 10)]).config.strength).toBe(10);
});

test("what is erased is what lies under the strokes, and does not show", () => {
  const picture = { height: 1, width: 2, bytes: Uint8ClampedArray.from([10, 20, 30, 10, 20, 30]) };
  const ground = { height: 1, width: 2, bytes: Uint8ClampedArray.from([50, 60, 70, 50, 60, 70]) };
  expect([...erase(picture, ground, Uint8ClampedArray.from([0, 255])).bytes]).toEqual([10, 20, 30, 50, 60, 70]);
  const painting = [stroke("first", [1, 1, 0, 0]), erasing([255, 100, 0, 0]), stroke("second", [0, 1, 0, 0])];
  expect(visible(painting).map(({ label }) => label)).toEqual(["first", "second"]);
  expect(visible([...painting, erasing([0, 255, 0, 0])])).toEqual([]);
  expect([...jointRecipe(config, null, painting).masks["stroke-1"]]).toEqual([0, 155, 0, 0]);
});

test("the change of a stroke is that of its own pixels", () => {
  const before = { height: 1, width: 2, bytes: Uint8ClampedArray.from([10, 20, 30, 10, 20, 30]) };
  const after = { height: 1, width: 2, bytes: Uint8ClampedArray.from([13, 20, 24, 200, 20, 30]) };
  expect(changeOf(before, after, Uint16Array.from([1, 0]))).toBe(3);
  expect(changeOf(before, after, Uint16Array.from([0, 0]))).toBe(0);
});
