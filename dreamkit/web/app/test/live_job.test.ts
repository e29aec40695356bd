/** The live camera's dream: over many frames it neither dies nor runs away, and only the newest frame is dreamed. */

import { beforeAll, describe, expect, test } from "vitest";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-cpu";
import type { DreamConfig } from "../src/engine/config";
import type { Network } from "../src/engine/network";
import type { Job } from "../src/page/job";
import { sizeOf } from "../src/page/live_camera";
import { dreamLive, LiveDream } from "../src/page/live_job";
import type { LiveFrame, StepUpdate } from "../src/page/protocol";
import { type Camera, type Frame, frameOf, STILL, textureOf } from "./moving_texture";
import { openNetwork, parity } from "./parity";

const [HEIGHT, WIDTH] = [36, 48];
const FRAMES = 200;
const [LEAST, MOST] = [7, 16]; // mean absolute change after the first 30 frames, in pixel values
const MOST_DRIFT = 4; // of the mean of a colour, in pixel values
const config: DreamConfig = { ...parity.options, octaves: 2, steps: 15 };
const texture = textureOf(5);

let network: Network;

beforeAll(async () => {
  await tf.setBackend("cpu");
  network = await openNetwork();
});

/** The mean absolute change of each frame, in pixel values, and the mean change of each colour. */
async function changesOf(cameraAt: (turn: number) => Camera, own: DreamConfig, frames: number) {
  const live = new LiveDream(network);
  const changes: number[] = [];
  const drifts: number[][] = [];
  let frame: Frame | null = null;
  for (let turn = 0; turn < frames; turn++) {
    const camera = cameraAt(turn);
    if (!frame || camera !== STILL) frame = frameOf(texture, HEIGHT, WIDTH, camera);
    const { bytes } = await live.next(frame, own);
    const drift = [0, 0, 0];
    let sum = 0;
    for (let i = 0; i < bytes.length; i++) {
      sum += Math.abs(bytes[i] - frame.bytes[i]);
      drift[i % 3] += (3 * (bytes[i] - frame.bytes[i])) / bytes.length;
    }
    changes.push(sum / bytes.length);
    drifts.push(drift);
  }
  return { changes, drifts };
}

const moving = (turn: number): Camera => ({
  right: 12 * Math.sin(turn / 20),
  down: turn / 10,
  angle: 0.1 * Math.sin(turn / 15),
  scale: 1 + 0.1 * Math.sin(turn / 25),
});

test.each([
  ["stands still", () => STILL],
  ["moves slowly", moving],
])("a dream of 200 frames neither dies nor runs away, and keeps its colours, where the picture %s", async (_, cameraAt) => {
  const { changes, drifts } = await changesOf(cameraAt, config, FRAMES);
  const later = changes.slice(30);
  expect(Math.min(...later)).toBeGreaterThan(LEAST);
  expect(Math.max(...later)).toBeLessThan(MOST);
  expect(Math.max(...drifts.flat().map(Math.abs))).toBeLessThan(MOST_DRIFT);
});

test("the share of the photograph is mixed into what is shown, and no more of it into later frames", async () => {
  const plain = await changesOf(() => STILL, config, 8);
  const half = await changesOf(() => STILL, { ...config, blend: 0.5 }, 8);
  half.changes.forEach((change, i) => expect(change / plain.changes[i]).toBeCloseTo(0.5, 1));
});

test("a frame of another size begins anew", async () => {
  const live = new LiveDream(network);
  const large = frameOf(texture, HEIGHT, WIDTH, STILL);
  for (let turn = 0; turn < 4; turn++) await live.next(large, config);
  const { height, width, bytes } = await live.next(frameOf(texture, WIDTH, HEIGHT, STILL), config);
  expect([height, width, bytes.length]).toEqual([WIDTH, HEIGHT, WIDTH * HEIGHT * 3]);
});

describe("the size of a frame's dream", () => {
  test.each([
    [{ width: 640, height: 480 }, 4, { width: 192, height: 144 }],
    [{ width: 720, height: 1280 }, 4, { width: 108, height: 192 }],
    [{ width: 160, height: 120 }, 4, { width: 160, height: 120 }],
    [{ width: 640, height: 480 }, 224, { width: 299, height: 224 }],
  ])("of %o is small, and no smaller than %i", (whole, least, expected) => {
    expect(sizeOf(whole, least)).toEqual(expected);
  });

  test("is refused in one line where the camera gives less than the network needs", () => {
    expect(() => sizeOf({ width: 320, height: 180 }, 224)).toThrow(
      "the camera gives 320 x 180 pixels, and the network needs at least 224 on each side; choose another layer",
    );
  });
});

describe("the task", () => {
  /** Runs the task on frames that a page sends: those of `sent[n]` while the worker receives messages after dream `n`. */
  async function run(first: LiveFrame, sent: LiveFrame[][]): Promise<StepUpdate[]> {
    const updates: StepUpdate[] = [];
    let newest = first;
    let [rounds, isStopped] = [0, false];
    const receive = async () => {
      const frames = sent[rounds++];
      if (frames) for (const frame of frames) newest = frame;
      else isStopped = true;
    };
    const job: Job = {
      network,
      isStopped: () => isStopped,
      send: (update) => updates.push(update),
      receiveMessages: receive,
      nextMessage: receive,
      painted: () => {
        throw new Error("nothing is painted");
      },
      frame: () => newest,
    };
    await dreamLive(job);
    return updates;
  }

  const frame = (right: number, own = config): LiveFrame => {
    const { height, width, bytes } = frameOf(texture, HEIGHT, WIDTH, { ...STILL, right });
    return { photo: { height, width, bytes }, config: own };
  };

  test("dreams the newest frame, forgets those before it, and waits where there is none", async () => {
    const [first, second, third] = [frame(0), frame(1), frame(2)];
    const updates = await run(first, [[second, third], [], [first]]);
    const live = new LiveDream(network);
    const expected = [];
    for (const { photo } of [first, third, first]) expected.push((await live.next(photo, config)).bytes);
    expect(updates.map(({ picture }) => picture.bytes)).toEqual(expected);
  });

  test("dreams each frame with the options that came with it", async () => {
    const [none, some] = [frame(0, { ...config, blend: 1 }), frame(0)];
    const [first, second] = await run(none, [[some]]);
    expect(first.picture.bytes).toEqual(none.photo.bytes);
    expect(second.picture.bytes).not.toEqual(some.photo.bytes);
  });
});
