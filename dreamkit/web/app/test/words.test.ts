/** What the page says of a dream. */

import { expect, test } from "vitest";
import { caption } from "../src/page/caption";
import { cardSize } from "../src/page/card";
import { filmSize } from "../src/page/film_recorder";
import { progressText } from "../src/page/progress_text";
import type { StepUpdate } from "../src/page/protocol";

const LAYERS = ["mixed3a", "mixed3b", "mixed4c", "mixed5a"];
const OWN = { name: "", terms: ["mixed4c"] };
const GARDEN = { name: "garden", terms: ["concept flowers", "concept butterflies", "concept mushrooms"] };

test("a recipe is named, and then what it dreams", () => {
  expect(caption(GARDEN.terms, ["mixed4c", "mixed5a"], GARDEN, LAYERS)).toEqual({
    name: "garden",
    detail: "concepts flowers, butterflies and mushrooms in mixed4c and mixed5a",
  });
  expect(caption(["mixed4c"], ["mixed4c"], OWN, LAYERS)).toEqual({ name: "the default recipe", detail: "layer mixed4c" });
  const neon = { name: "neon", terms: ["mixed3b=0.5", "mixed4c:18+139"] };
  expect(caption(neon.terms, ["mixed3b", "mixed4c"], neon, LAYERS).detail).toBe("channel mixed4c:18+139; layer mixed3b=0.5");
});

test("the page's own layers are named where no text says them", () => {
  const own = { name: "", terms: ["the recipe of this page"] };
  expect(caption(own.terms, ["mixed3a", "mixed5a"], own, LAYERS).detail).toBe("layers mixed3a and mixed5a");
});

test("what is chosen is named, and then what it is", () => {
  const of = (...terms: string[]) => caption(terms, ["mixed3b", "mixed4c"], OWN, LAYERS);
  expect(of("concept butterflies")).toEqual({ name: "butterflies", detail: "concept in mixed3b and mixed4c" });
  expect(of("mixed3b", "mixed4c=2")).toEqual({ name: "mixed3b and mixed4c=2", detail: "layers 2 and 3 of 4" });
  expect(caption(["mixed3b:5"], ["mixed3b"], OWN, LAYERS)).toEqual({ name: "mixed3b:5", detail: "channel in mixed3b" });
  expect(caption(["mixed3a"], ["mixed3a"], GARDEN, LAYERS).detail).toBe("layer 1 of 4, with the options of garden");
});

test("progress is a share and the time that is left; the octave and the step follow", () => {
  const update = { done: 0.256, octave: 2, octaves: 3, step: 1, steps: 15 } as StepUpdate;
  const detail = "octave 2 of 3, step 1 of 15, 74 ms a step";
  expect(progressText(update, "74 ms a step", 2000)).toEqual({ text: "25%, about 6 s left", detail });
  expect(progressText(update, "", 100_000).text).toBe("25%, about 5 min left");
  expect(progressText({ ...update, done: 0 }, "", 0).text).toBe("0%");
  expect(progressText({ ...update, steps: 0 }, "3 frames a second", 9)).toEqual({ text: "", detail: "3 frames a second" });
});

test("a card and a film tell their sizes before they are made", () => {
  expect(cardSize({ width: 384, height: 256 })).toEqual({ width: 404, height: 562 });
  expect(cardSize({ width: 2000, height: 4000 }).height).toBe(1600 + 4 * 40);
  expect(filmSize({ width: 1281, height: 854 })).toEqual({ width: 640, height: 426 });
});
