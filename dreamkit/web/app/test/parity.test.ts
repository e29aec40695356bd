/** Everything that is computed here and in dreamkit, compared with what dreamkit computed. */

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { beforeAll, describe, expect, test } from "vitest";
import { dream } from "../src/engine/dream";
import { noise } from "../src/engine/draws";
import { soften } from "../src/engine/masks";
import { assembled } from "../src/engine/model";
import { octavesOf } from "../src/engine/octaves";
import { words } from "../src/engine/philox";
import { resized, shrunk } from "../src/engine/resize";
import { blurred } from "../src/engine/smoothing";
import { split } from "../src/engine/tiles";
import { bytesOf, cosine, floatsOf, furthest, parity } from "./parity";

const { height, width } = parity.photo;
const photo = bytesOf(parity.photo.bytes);
const picture = { height, width, values: Float32Array.from(photo) };

beforeAll(() => setWasmPaths("node_modules/@tensorflow/tfjs-backend-wasm/dist/"));

test.each(parity.words)("words of seed $seed", ({ seed, words: expected, ...place }) => {
  expect(words(BigInt(seed), place, expected.length).map(String)).toEqual(expected);
});

test.each(parity.noise)("$kind noise", (expected) => {
  const made = noise(3n, expected.height, expected.width, expected.kind);
  // Sums in another order may round another way.
  expect(furthest(made, bytesOf(expected.bytes))).toBeLessThanOrEqual(1);
  expect(cosine(made, bytesOf(expected.bytes))).toBeGreaterThan(0.999999);
});

test.each(parity.octaves)("octaves of $size with $options", ({ size, options, octaves }) => {
  const found = octavesOf(size[0], size[1], 43, { ...parity.options, ...options });
  expect(found.map((each) => [each.number, each.height, each.width])).toEqual(octaves);
});

test.each(parity.tiles)("tiles of $length by $tile_size", ({ length, tile_size, min_size, axis }) => {
  const found = split(length, tile_size, min_size);
  expect(found.window).toBe(axis.window);
  expect(found.spans.map((span) => [span.start, span.core])).toEqual(axis.spans);
});

test.each(parity.resized)("resized to $size", ({ size, values }) => {
  expect(furthest(resized(picture, ...size).values, floatsOf(values))).toBeLessThan(1e-4);
});

test.each(parity.shrunk)("shrunk to $longest", (expected) => {
  const made = shrunk(photo, [height, width], [expected.height, expected.width], 3);
  expect([...made]).toEqual([...bytesOf(expected.bytes)]);
});

test("softened masks", () => {
  const made = soften(bytesOf(parity.mask.bytes), height, width);
  expect(furthest(made.values, floatsOf(parity.softened))).toBeLessThan(0.02);
});

describe.each(["cpu", "wasm"])("on %s", (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
  });

  test.each(parity.blurred)("blurred by $sigma", async ({ sigma, values }) => {
    const gradient = picture.values.map((value) => value / 100 - 1);
    expect(furthest(await blurred(gradient, height, width, sigma), floatsOf(values))).toBeLessThan(1e-5);
  });

  test.each(parity.dreams)("dreams $name", async (expected) => {
    const weights = bytesOf(parity.model.weights).buffer;
    const network = await assembled(parity.model.description, async () => weights);
    const mask = expected.masked ? soften(bytesOf(parity.mask.bytes), height, width) : null;
    const steps = dream({ height, width, bytes: photo }, network, expected.options, mask);
    const objectives: number[] = [];
    let next = await steps.next();
    for (; !next.done; next = await steps.next()) objectives.push(next.value.objective);
    network.dispose();
    const { pixels, terms, octaves, tileSize } = next.value;
    const wanted = bytesOf(expected.pixels);
    const change = (bytes: ArrayLike<number>) => Float64Array.from(photo, (before, i) => bytes[i] - before);
    expect(octaves).toEqual(expected.octaves);
    expect(tileSize).toBe(expected.tile_size);
    expect(terms).toEqual(expected.terms);
    expect(objectives.length).toBe(expected.objectives.length);
    objectives.forEach((each, i) => expect(each / expected.objectives[i]).toBeCloseTo(1, 3));
    expect(cosine(change(pixels), change(wanted))).toBeGreaterThan(0.9995);
    expect(furthest(pixels, wanted)).toBeLessThanOrEqual(3);
  });
});
