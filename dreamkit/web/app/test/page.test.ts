/** What the page writes and reads: PNG files and links. */

import { inflateSync } from "node:zlib";
import { afterEach, expect, test, vi } from "vitest";
import type { Options } from "../src/engine/recipe";
import { encode } from "../src/page/png";
import { linkOf, sharedIn } from "../src/page/sharing";
import type { Site } from "../src/page/site";
import { parity } from "./parity";

const site = {
  dreamkit: "1",
  models: [{ name: "pocket", path: "", bytes: 0, description: "", licence: "" }],
  options: parity.options,
  limits: { seed: { least: 0 }, steps: { least: 1, most: 100_000 }, step_size: { above: 0, most: 255 }, objective: { choices: ["mean"] } },
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
    expect(lines[start]).toBe(1); // each byte is its difference to the one before
    for (let i = 0; i < 7 * channels; i++) {
      const before = i < channels ? 0 : read[read.length - channels];
      read.push((lines[start + 1 + i] + before) % 256);
    }
  }
  expect(read).toEqual([...bytes]);
});

test("a link gives back what was changed, and nothing else", () => {
  vi.stubGlobal("location", { href: "https://example.org/dreams/" });
  const options = { ...parity.options, steps: 7, layers: ["mixed2:5=0.5"], seed: 3 } as Options;
  const link = new URL(linkOf(site, "pocket", options));
  expect(link.origin + link.pathname).toBe("https://example.org/dreams/");
  expect(sharedIn(link.hash, site)).toEqual({
    model: "pocket",
    options: { steps: 7, layers: ["mixed2:5=0.5"], seed: 3 },
    refused: [],
  });
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
])("of a stranger's %o what is possible is taken", (given, taken) => {
  const text = Buffer.from(JSON.stringify({ model: "evil", options: given })).toString("base64url");
  expect(sharedIn(`#r=${text}`, site)).toMatchObject({ model: undefined, options: taken });
  const asked = Object.keys(given).filter((name) => !(name in taken));
  expect(sharedIn(`#r=${text}`, site)!.refused).toEqual(["evil", ...asked]);
});

test.each(["", "#", "#r=", "#r=%%", "#r=e30x", `#r=${"A".repeat(30_000)}`])("%s is no recipe", (hash) => {
  expect(sharedIn(hash, site)?.options ?? {}).toEqual({});
});
