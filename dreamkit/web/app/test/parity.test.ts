/** Compares everything that the page computes with what Python computed. */

import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { beforeAll, describe, expect, test } from "vitest";
import { direction, leaveOneOut, middleSquare, readStatistics } from "../src/engine/concept";
import { stepsFor } from "../src/engine/depth";
import { dream } from "../src/engine/loop";
import { growOnce, lastTurn } from "../src/engine/growth";
import { fitted } from "../src/engine/mask_fit";
import { soften } from "../src/engine/masks";
import { octavesOf } from "../src/engine/octaves";
import { words } from "../src/engine/philox";
import { prepared } from "../src/engine/photograph_pixels";
import { resized, shrunk } from "../src/engine/resize";
import { grain, noise } from "../src/engine/rng";
import { blurred } from "../src/engine/smoothing";
import { split } from "../src/engine/tiles";
import { wrappedAxes } from "../src/engine/wrap";
import { decodeBytes, cosine, decodeDream, decodeFloats, largestDifference, openNetwork, parity } from "./parity";

const { height, width } = parity.photo;
const photo = decodeBytes(parity.photo.bytes);
const guide = { ...parity.guide, values: Float32Array.from(decodeBytes(parity.guide.bytes)) };

beforeAll(() => setWasmPaths("node_modules/@tensorflow/tfjs-backend-wasm/dist/"));

test.each(parity.words)("words of seed $seed", ({ seed, words: expected, ...place }) => {
  expect(words(BigInt(seed), place, expected.length).map(String)).toEqual(expected);
});

test.each(parity.noise)("$kind noise that wraps $wrap", (expected) => {
  const drawn = noise(3n, expected.height, expected.width, expected.kind, wrappedAxes(expected.wrap));
  // The order of sums changes their rounding.
  expect(largestDifference(drawn, decodeBytes(expected.bytes))).toBeLessThanOrEqual(1);
  expect(cosine(drawn, decodeBytes(expected.bytes))).toBeGreaterThan(0.999999);
});

test.each(parity.steps)("layers with a stride of %d take steps in %d pixels", (stride, pixels, steps) => {
  expect(stepsFor(stride, pixels)).toBe(steps);
});

test.each(parity.octaves)("octaves of $size with $options", ({ size, options, octaves }) => {
  const planned = octavesOf(size[0], size[1], 43, { ...parity.options, ...options });
  expect(planned.map((each) => [each.number, each.height, each.width])).toEqual(octaves);
});

test.each(parity.tiles)("tiles of $length by $tile_size", ({ length, tile_size, min_size, wraps, axis }) => {
  const result = split(length, tile_size, min_size, wraps);
  expect([result.window, result.context]).toEqual([axis.window, axis.context]);
  expect(result.spans.map((span) => [span.start, span.core])).toEqual(axis.spans);
});

test.each(parity.resized)("resized to $size, wrapping $wrap", ({ size, wrap, values }) => {
  const { values: found } = resized(guide, ...size, 3, wrappedAxes(wrap));
  expect(largestDifference(found, decodeFloats(values))).toBeLessThan(1e-4);
});

test.each(parity.opened)("a photograph with $options", (expected) => {
  const opened = prepared({ height, width, bytes: photo, alpha: null }, expected.options, 1e6);
  expect([opened.height, opened.width]).toEqual([expected.height, expected.width]);
  expect([...opened.bytes]).toEqual([...decodeBytes(expected.bytes)]);
});

test("a photograph is not enlarged without end", () => {
  const options = { max_size: null, upscale: 3, wrap: "none" };
  expect(() => prepared({ height, width, bytes: photo, alpha: null }, options, 1000)).toThrow(
    "the picture enlarged 3 times has 282 x 210 pixels, more than the 1000 allowed; choose a smaller longest side",
  );
});

test.each(parity.grain)("grain of $size", ({ size, values }) => {
  expect([...grain(2n ** 60n + 1n, 3, 2, ...size)]).toEqual([...decodeFloats(values)]);
});

test.each(parity.shrunk)("shrunk to $longest", (expected) => {
  const small = shrunk(photo, [height, width], [expected.height, expected.width], 3);
  expect([...small]).toEqual([...decodeBytes(expected.bytes)]);
});

test("a mask is stretched to a picture of its shape alone", () => {
  const waves = decodeBytes(parity.masks.waves.bytes);
  for (const expected of parity.stretched) {
    const levels = fitted(waves, [height, width], [expected.height, expected.width], "waves");
    expect([...levels]).toEqual([...decodeBytes(expected.bytes)]);
  }
  expect(() => fitted(waves, [height, width], [width, height], "waves")).toThrow(
    "the recipe's mask waves has 94 x 70 pixels and the picture 70 x 94; choose a picture of the same shape",
  );
});

test("softened masks", () => {
  const mask = soften(decodeBytes(parity.masks.waves.bytes), height, width);
  expect(largestDifference(mask.values, decodeFloats(parity.softened))).toBeLessThan(0.02);
});

describe.each(["cpu", "wasm"])("on %s", (backend) => {
  beforeAll(async () => {
    await tf.setBackend(backend);
    await tf.ready();
  });

  test.each(parity.blurred)("blurred by $sigma", async ({ sigma, values }) => {
    const gradient = guide.values.map((value) => value / 100 - 1);
    const found = await blurred(gradient, guide.height, guide.width, sigma);
    expect(largestDifference(found, decodeFloats(values))).toBeLessThan(1e-5);
  });

  test("a concept", async () => {
    const { description, pictures, ...expected } = parity.concept;
    const network = await openNetwork();
    const features: Float32Array[] = [];
    for (const { height, width, bytes } of pictures) {
      const square = middleSquare({ height, width, values: Float32Array.from(decodeBytes(bytes)) }, description.side);
      features.push(...(await network.means(square, description.layers)));
    }
    network.dispose();
    features.forEach((each, i) => {
      expect(largestDifference(each, decodeFloats(expected.features[i]))).toBeLessThan(1e-5);
    });
    const reference = readStatistics(description, "second");
    const found = direction(features, reference, description.shrinkage);
    expect(largestDifference(found, decodeFloats(expected.direction))).toBeLessThan(1e-3);
    expect(leaveOneOut(features, reference, description.shrinkage)).toBeCloseTo(expected.separation, 3);
    expect(leaveOneOut(features.slice(0, 1), reference, description.shrinkage)).toBeNull();
  });

  test.each(parity.dreams)("dreams $name", async (expected) => {
    const models = await Promise.all(
      expected.networks.map(async ({ name, ...own }) => ({ ...own, network: await openNetwork(name) })),
    );
    const regions = Object.fromEntries(
      Object.entries(expected.masks).map(([name, mask]) => [
        name,
        soften(decodeBytes(parity.masks[mask].bytes), height, width, wrappedAxes(expected.options.wrap)),
      ]),
    );
    const steps = dream({ height, width, bytes: photo }, models, expected.options, regions, () => false, expected.guided ? guide : null);
    const objectives: number[] = [];
    let next = await steps.next();
    for (; !next.done; next = await steps.next()) objectives.push(next.value.objective);
    models.forEach(({ network }) => network.dispose());
    const { pixels, terms, sizes, tileSize } = next.value;
    const expectedPixels = decodeDream(expected.change);
    const change = (bytes: ArrayLike<number>) => Float64Array.from(photo, (before, i) => bytes[i] - before);
    expect(sizes).toEqual(expected.octaves);
    expect(tileSize).toBe(expected.tile_size);
    expect(terms).toEqual(expected.terms);
    expect(objectives.length).toBe(expected.objectives.length);
    objectives.forEach((each, i) => expect(each / expected.objectives[i]).toBeCloseTo(1, 3));
    expect(cosine(change(pixels), change(expectedPixels))).toBeGreaterThan(0.9995);
    expect(largestDifference(pixels, expectedPixels)).toBeLessThanOrEqual(3);
  });
});

test.each(parity.grown)("a stroke that grows in boxes of $least pixels and more", async ({ options, turns, lasts, least, change, ...stroke }) => {
  const times = Uint16Array.from(decodeBytes(stroke.times));
  await tf.setBackend("cpu");
  const network = await openNetwork();
  const growth = { config: options, times, turns: 0, lasts, least };
  expect(lastTurn(growth)).toBe(turns - 1); // in the last one, nothing grows
  const picture = { height, width, bytes: photo.slice() };
  const grew: boolean[] = [];
  while (growth.turns < turns) grew.push(await growOnce(network, picture, growth));
  network.dispose();
  expect(grew).toEqual([true, true, true, true, false]);
  const expected = decodeDream(change);
  const changed = (bytes: ArrayLike<number>) => Float64Array.from(photo, (before, i) => bytes[i] - before);
  expect(cosine(changed(picture.bytes), changed(expected))).toBeGreaterThan(0.9995);
  expect(largestDifference(picture.bytes, expected)).toBeLessThanOrEqual(3);
  expect(picture.bytes.every((value, i) => times[Math.floor(i / 3)] > 0 || value === photo[i])).toBe(true);
});
