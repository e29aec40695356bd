/** What a dream does where something goes wrong, or is not to be had. */

import { beforeAll, expect, test } from "vitest";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import { dream } from "../src/engine/dream";
import { assembled } from "../src/engine/model";
import type { Network } from "../src/engine/network";
import type { Options } from "../src/engine/recipe";
import { Refused } from "../src/engine/refused";
import { termsOf } from "../src/engine/terms";
import { bytesOf, parity } from "./parity";

const photo = { height: parity.photo.height, width: parity.photo.width, bytes: bytesOf(parity.photo.bytes) };
const { description, weights } = parity.model;
const { layers } = description;

let network: Network;

beforeAll(async () => {
  await tf.setBackend("cpu");
  network = await assembled(description, async () => bytesOf(weights).buffer);
});

function options(changes: Partial<Options>): Options {
  return { ...parity.options, steps: 2, octaves: 1, ...changes };
}

async function finished(changes: Partial<Options>, of: Network = network) {
  const steps = dream(photo, of, options(changes));
  let next = await steps.next();
  while (!next.done) next = await steps.next();
  return next.value;
}

test("where memory runs out, tiles become smaller and the dream is that of smaller tiles", async () => {
  let refused = 0;
  const short = Object.create(network, {
    ascent: {
      value: async (...given: Parameters<Network["ascent"]>) => {
        if (given[0].values.length > 48 * 48 * 3) {
          refused++;
          throw new RangeError("Array buffer allocation failed");
        }
        return network.ascent(...given);
      },
    },
  }) as Network;
  const made = await finished({ tile_size: 80 }, short);
  expect(refused).toBeGreaterThan(0);
  expect(made.tileSize).toBe(40);
  expect(made.pixels).toEqual((await finished({ tile_size: 40 })).pixels);
});

test("where memory is too little for any tile, one line says so", async () => {
  const none = Object.create(network, {
    ascent: { value: () => Promise.reject(new Error("out of memory")) },
  }) as Network;
  await expect(finished({}, none)).rejects.toThrow(/too little memory, even for tiles of 32 pixels/);
});

test("a fault stays a fault", async () => {
  const broken = Object.create(network, {
    ascent: { value: () => Promise.reject(new TypeError("x is not a function")) },
  }) as Network;
  await expect(finished({}, broken)).rejects.toThrow(TypeError);
});

test.each([
  [{ clouds: 5 }, "clouds is 5"],
  [{ tv: 0.5 }, "tv is 0.5"],
  [{ rotate: 5 }, "rotate is 5"],
  [{ smooth: "laplacian" }, "smooth is laplacian"],
  [{ tile_size: 2 }, "tile_size is 2"],
  [{ layers: ["third"] }, "there is no layer third here; choose from first, second"],
  [{ layers: ["first:9"] }, "first has no channel 9; its channels are 0 to 3"],
  [{ layers: ["first=x"] }, "first=x has no number"],
  [{ layers: ["first=0"] }, "nothing is to be dreamed"],
])("%o is refused in one line", async (changes, message) => {
  const made = finished(changes as Partial<Options>);
  await expect(made).rejects.toThrow(Refused);
  await expect(finished(changes as Partial<Options>)).rejects.toThrow(message);
});

test("a picture that is too small is refused", async () => {
  const small = { height: 3, width: 9, bytes: new Uint8ClampedArray(81) };
  await expect(dream(small, network, options({})).next()).rejects.toThrow("needs at least 4 on each side");
});

test("terms are read from the right, and equal ones add up", () => {
  const read = (given: string[]) => termsOf(given, layers, options({})).map((term) => [term.text, term.weight]);
  expect(read(["first,second:3+1=0.5", "first=2"])).toEqual([
    ["first", 3],
    ["second:1+3", 0.5],
  ]);
});

test("a model that is damaged, or of another format, is refused", async () => {
  const wrong = bytesOf(weights);
  wrong[0] ^= 1;
  await expect(assembled(description, async () => wrong.buffer)).rejects.toThrow("weights-0.bin is damaged");
  const other = { ...description, format: "another" };
  await expect(assembled(other, async () => wrong.buffer)).rejects.toThrow("this page reads");
  const strange = { ...description, operations: [{ ...description.operations[0], kind: "fft" }] };
  await expect(assembled(strange, async () => bytesOf(weights).buffer)).rejects.toThrow("this network does fft");
});
