/** Strokes of the brush, and the recipe that they make. */

import { expect, test } from "vitest";
import type { DreamConfig } from "../src/engine/config";
import { erased, paintedRecipe, withStroke } from "../src/page/painting";
import { parity } from "./parity";

const config = { ...parity.options, strength: 1.5, schedule: [{ steps: 3, layers: ["first"] }] } as DreamConfig;
const left = Uint8ClampedArray.from([255, 255, 0, 0]);
const right = Uint8ClampedArray.from([0, 0, 255, 0]);
const first = { label: "first", terms: [{ layer: "first" }], coverage: left, strength: 1 };
const both = { label: "both", terms: [{ layer: "first" }, { layer: "second", weight: -3 }], coverage: right, strength: 2 };

test("each choice of layers has a mask and a strength of its own", () => {
  const painting = withStroke(withStroke([], first), both);
  const recipe = paintedRecipe(config, null, painting);
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

test("strokes of the same layers are one mask, whose levels are their strengths", () => {
  const painting = withStroke(withStroke([], first), { ...first, coverage: right, strength: 0.5 });
  expect(painting.length).toBe(1);
  expect([...paintedRecipe(config, null, painting).masks["stroke-1"]]).toEqual([255, 255, 128, 0]);
});

test("a dream under the strokes has no mask", () => {
  const recipe = paintedRecipe(config, [{ layer: "second" }], withStroke([], { ...first, strength: 0.5 }));
  expect(recipe.config.layers).toEqual([
    { layer: "second", weight: 1 },
    { layer: "first", weight: 0.5, mask: "stroke-1" },
  ]);
  expect(recipe.config.strength).toBe(1.5);
});

test("no recipe is stronger than dreamkit takes", () => {
  const recipe = paintedRecipe(config, null, withStroke([], { ...first, strength: 10 }));
  expect(recipe.config.strength).toBe(10);
});

test("what is erased is gone, and a paint without pixels is none", () => {
  const painting = withStroke(withStroke([], first), both);
  expect(erased(painting, right).map(({ label }) => label)).toEqual(["first"]);
  expect(erased(erased(painting, right), left)).toEqual([]);
});
