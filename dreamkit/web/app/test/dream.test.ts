/** Dreams that fail, and configs that are rejected. */

import { beforeAll, expect, test } from "vitest";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import type { DreamConfig } from "../src/engine/config";
import { UserError } from "../src/engine/errors";
import { dream } from "../src/engine/loop";
import type { Network } from "../src/engine/network";
import { buildNetwork } from "../src/engine/network_files";
import { parseTerms } from "../src/engine/terms";
import { decodeBytes, openNetwork, parity } from "./parity";

const photo = { height: parity.photo.height, width: parity.photo.width, bytes: decodeBytes(parity.photo.bytes) };
const { description, weights } = parity.networks.tiny;
const { layers } = description;

let network: Network;

beforeAll(async () => {
  await tf.setBackend("cpu");
  network = await openNetwork();
});

function config(changes: Partial<DreamConfig>): DreamConfig {
  return { ...parity.options, steps: 2, octaves: 1, ...changes };
}

async function dreamWith(changes: Partial<DreamConfig>, using: Network = network) {
  const steps = dream(photo, using, config(changes));
  let next = await steps.next();
  while (!next.done) next = await steps.next();
  return next.value;
}

test("where memory runs out, the dream continues with smaller tiles", async () => {
  let failures = 0;
  const limited = Object.create(network, {
    step: {
      value: async (...given: Parameters<Network["step"]>) => {
        if (given[0].values.length > 48 * 48 * 3) {
          failures++;
          throw new RangeError("Array buffer allocation failed");
        }
        return network.step(...given);
      },
    },
  }) as Network;
  const result = await dreamWith({ tile_size: 80 }, limited);
  expect(failures).toBeGreaterThan(0);
  expect(result.tileSize).toBe(40);
  expect(result.pixels).toEqual((await dreamWith({ tile_size: 40 })).pixels);
});

test("where memory is too small for any tile, the message is one line", async () => {
  const none = Object.create(network, {
    step: { value: () => Promise.reject(new Error("out of memory")) },
  }) as Network;
  await expect(dreamWith({}, none)).rejects.toThrow(/too little memory, even for tiles of 32 pixels/);
});

test("a bug is not reported as a user error", async () => {
  const broken = Object.create(network, {
    step: { value: () => Promise.reject(new TypeError("x is not a function")) },
  }) as Network;
  await expect(dreamWith({}, broken)).rejects.toThrow(TypeError);
});

test.each([
  [{ alpha: "importance" }, "alpha is importance, which a page cannot do; set it to photograph"],
  [{ views: 4 }, "views is 4, which a page cannot do; set it to 1"],
  [{ crop: [0.2, 0.5] }, "crop is [0.2,0.5], which a page cannot do; leave it out"],
  [{ hold: { low: 1 } }, 'hold is {"low":1}, which a page cannot do; leave it out'],
  [{ redirected_relu: 16 }, "redirected_relu is 16, which a page cannot do; set it to 0"],
  [{ pooling: "smooth" }, "pooling is smooth, which a page cannot do; set it to max"],
  [{ start: "noise" }, "start is noise, which a page cannot do; set it to photograph"],
  [{ space: "maco" }, "space is maco, which a page cannot do; set it to pixels or fourier"],
  [{ transforms: { grain: 1, mirror: 1 } }, 'transforms is {"grain":1,"mirror":1}, which a page cannot do; leave mirror out'],
  [{ transforms: { "color-jitter": 5 } }, "transforms has color-jitter=5; it takes 0 to 4"],
  [{ objective: "standouts" as "mean" }, "objective is standouts, which a page cannot do; set it to mean or mean-square or cosine"],
  [{ tile_size: 2 }, "tile_size is 2"],
  [{ layers: ["third"] }, "there is no layer third; choose from first, second"],
  [{ layers: ["first:9"] }, "first has no channel 9; its channels are 0 to 3"],
  [{ layers: ["first=x"] }, "x in first=x is not a weight; write a number, such as first=0.5"],
  [{ layers: [{ class: 3 }] }, "layers has a term with a class, which a page cannot do; name layers and channels"],
  [{ layers: [{ layer: "first", objective: "grey" as "mean" }] }, "objective is grey, which a page cannot do"],
  [{ guide_style: "echo" }, "guide_style is echo, which a page cannot do; set it to match or channels"],
  [{ layers: ["second@46x0"] }, "there is no neuron 46x0; the map of second for this picture has columns 0 to 45"],
  [{ layers: [{ layer: "first", direction: [1] }] }, "has 1 numbers and the layer has 4 channels"],
  [{ layers: [{ layer: "first", direction: [0, 0, 0, 0] }] }, "the direction for first is zero"],
  [{ objective: "cosine" }, "the objective cosine compares with a direction, and second has none"],
  [{ layers: [{ layer: "first", mask: "sky" }] }, "the mask sky is not given"],
  [{ layers: ["first=0"] }, "every layer has weight zero"],
])("%o is rejected", async (changes, message) => {
  await expect(dreamWith(changes as Partial<DreamConfig>)).rejects.toThrow(UserError);
  await expect(dreamWith(changes as Partial<DreamConfig>)).rejects.toThrow(message);
});

test("a guide that is too small is rejected", async () => {
  const guide = { height: 3, width: 9, values: new Float32Array(81) };
  const steps = dream(photo, network, config({}), {}, () => false, guide);
  await expect(steps.next()).rejects.toThrow("the guide has 9 x 3 pixels, too few for first; give a larger one");
});

test("a picture that is too small is rejected", async () => {
  const small = { height: 3, width: 9, bytes: new Uint8ClampedArray(81) };
  await expect(dream(small, network, config({})).next()).rejects.toThrow("needs at least 4 on each side");
});

test("terms are read from the right, and equal ones add up", () => {
  const read = (given: string[]) => parseTerms(given, layers, config({})).map((term) => [term.text, term.weight]);
  expect(read(["first,second:3+1=0.5", "first=2", "first:2@4x5=-1"])).toEqual([
    ["first", 3],
    ["second:1+3", 0.5],
    ["first:2@4x5", -1],
  ]);
});

test("a model that is damaged or has another format is rejected", async () => {
  const damaged = decodeBytes(weights);
  damaged[0] ^= 1;
  await expect(buildNetwork(description, async () => damaged.buffer)).rejects.toThrow("weights-0.bin is damaged");
  const other = { ...description, format: "another" };
  await expect(buildNetwork(other, async () => damaged.buffer)).rejects.toThrow("this page reads");
  const unknown = { ...description, operations: [{ ...description.operations[0], kind: "fft" }] };
  const intact = async () => decodeBytes(weights).buffer;
  await expect(buildNetwork(unknown, intact)).rejects.toThrow("this network has the operation fft");
});
