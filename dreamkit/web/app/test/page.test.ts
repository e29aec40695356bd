/** PNG files and links. */

import { inflateSync } from "node:zlib";
import { afterEach, expect, test, vi } from "vitest";
import type { DreamConfig } from "../src/engine/config";
import { encode } from "../src/page/png";
import { parseLink, recipeLink } from "../src/page/recipe_link";
import type { BuiltInRecipe, Site } from "../src/page/site";
import { parity } from "./parity";

const neon: BuiltInRecipe = {
  name: "neon",
  description: "",
  options: { ...parity.options, steps: 9, color: 0, layers: ["mixed4a"] },
};
const site = {
  dreamkit: "1",
  models: [{ name: "pocket", path: "", bytes: 0, description: "", licence: "", recipes: [neon] }],
  options: parity.options,
  limits: {
    seed: { least: 0 },
    steps: { least: 1, most: 100_000 },
    step_size: { above: 0, most: 255 },
    objective: { choices: ["mean"] },
  },
} as unknown as Site;

afterEach(() => {
  vi.unstubAllGlobals();
});

test.each([1, 3] as const)("a PNG of %i channels holds its pixels and its texts", async (channels) => {
  const bytes = Uint8ClampedArray.from({ length: 5 * 7 * channels }, (_, i) => (i * 37) % 256);
  const file = Buffer.from(await encode(bytes, 5, 7, channels, { dreamkit: "é{}" }));
  const chunks: Record<string, Buffer> = {};
  for (let at = 8; at < file.length; at += file.readUInt32BE(at) + 12) {
    chunks[file.toString("latin1", at + 4, at + 8)] = file.subarray(at + 8, at + 8 + file.readUInt32BE(at));
  }
  expect(chunks.IHDR.readUInt32BE(0)).toBe(7);
  expect(chunks.IHDR.readUInt32BE(4)).toBe(5);
  expect(chunks.iTXt.toString()).toBe("dreamkit\0\0\0\0\0é{}");
  const lines = inflateSync(chunks.IDAT);
  const read: number[] = [];
  for (let y = 0; y < 5; y++) {
    const start = y * (7 * channels + 1);
    expect(lines[start]).toBe(1); // each byte is its difference from the previous one
    for (let i = 0; i < 7 * channels; i++) {
      const before = i < channels ? 0 : read[read.length - channels];
      read.push((lines[start + 1 + i] + before) % 256);
    }
  }
  expect(read).toEqual([...bytes]);
});

test("a link holds the options that were changed, and no others", () => {
  vi.stubGlobal("location", { href: "https://example.org/dreams/" });
  const options = { ...parity.options, steps: 7, layers: ["mixed2:5=0.5"], seed: 3 } as DreamConfig;
  const link = new URL(recipeLink(site, "pocket", options, null));
  expect(link.origin + link.pathname).toBe("https://example.org/dreams/");
  expect(parseLink(link.hash, site)).toEqual({
    model: "pocket",
    recipe: null,
    options: { steps: 7, layers: ["mixed2:5=0.5"], seed: 3 },
    rejected: [],
  });
});

test("a link names its built-in recipe, and holds the options that were changed of it", () => {
  vi.stubGlobal("location", { href: "https://example.org/dreams/" });
  const link = new URL(recipeLink(site, "pocket", { ...neon.options, steps: 7 }, neon));
  expect(parseLink(link.hash, site)).toEqual({ model: "pocket", recipe: neon, options: { steps: 7 }, rejected: [] });
  const [other] = site.models;
  const poorer = { ...site, models: [{ ...other, recipes: [] }] };
  expect(parseLink(link.hash, poorer)).toMatchObject({ recipe: null, rejected: ["the recipe neon"] });
});

test.each([
  [{ steps: 0 }, {}],
  [{ steps: 2.5 }, {}],
  [{ step_size: 0 }, {}],
  [{ step_size: 1e9 }, {}],
  [{ objective: "harm" }, {}],
  [{ layers: "mixed4" }, {}],
  [{ layers: [{}] }, {}],
  [{ seed: -1, steps: 9 }, { steps: 9 }],
  [{ __proto__: 1, other: 2 }, {}],
])("valid options of a link with %o are used, and the others rejected", (given, used) => {
  const text = Buffer.from(JSON.stringify({ model: "evil", options: given })).toString("base64url");
  expect(parseLink(`#r=${text}`, site)).toMatchObject({ model: undefined, options: used });
  const rejected = Object.keys(given).filter((name) => !(name in used));
  expect(parseLink(`#r=${text}`, site)!.rejected).toEqual(["evil", ...rejected]);
});

test.each(["", "#", "#r=", "#r=%%", "#r=e30x", `#r=${"A".repeat(30_000)}`])("%s holds no recipe", (hash) => {
  expect(parseLink(hash, site)?.options ?? {}).toEqual({});
});
