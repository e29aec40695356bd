/**
 * Compares a frame of the zoom with Python's. dreamkit's Python tests write it to a folder and name it in ZOOM_CASE;
 * without ZOOM_CASE, these tests are skipped.
 */

import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { match, measure } from "../src/engine/color_match";
import { movedInto } from "../src/engine/zoom";
import { readBuffer, readJson } from "./files";
import { largestDifference } from "./parity";

const folder = process.env.ZOOM_CASE ?? "";

interface Case {
  height: number;
  width: number;
  factor: number;
  moments: { mean: number[]; contrast: number; saturation: number };
}

describe.skipIf(!existsSync(`${folder}/case.json`))("a zoom", () => {
  const read = (name: string) => new Float32Array(readBuffer(`${folder}/${name}.f32`));

  test("moves into a picture as Python does", () => {
    const { height, width, factor } = readJson<Case>(`${folder}/case.json`);
    const { values } = movedInto({ height, width, values: read("picture") }, factor);
    expect(largestDifference(values, read("moved"))).toBeLessThan(0.01);
  });

  test("gives a picture the colours of another as Python does", () => {
    const { moments } = readJson<Case>(`${folder}/case.json`);
    const values = read("moved");
    match(values, moments);
    expect(largestDifference(values, read("matched"))).toBeLessThan(0.01);
    expect(measure(values).contrast).toBeCloseTo(moments.contrast, 0);
  });
});
