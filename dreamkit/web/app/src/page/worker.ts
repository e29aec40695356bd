/** The thread that computes. One task at a time, in the order asked for; any of them can be stopped. */

import { bytesOf, dream, type Photograph } from "../engine/dream";
import { noise } from "../engine/draws";
import { soften } from "../engine/masks";
import { load } from "../engine/model";
import type { Network } from "../engine/network";
import type { Options } from "../engine/recipe";
import { Refused } from "../engine/refused";
import type { Picture } from "../engine/resize";
import { start } from "./backends";
import type { Answer, Asked, Finished, Moment, Pixels, Task } from "./protocol";

const AROUND = 24; // pixels around a mask that the network sees while a dream grows under the pointer
const LEAST_BOX = 96;

const scope = self as unknown as DedicatedWorkerGlobalScope;

let network: Network | null = null;
let waiting: { number: number; task: Task }[] = [];
let running = false;
let current = 0; // the number of what is running, or ran last
const stopped = new Set<number>();
let painted: Uint8ClampedArray<ArrayBuffer> | null = null;

scope.onmessage = ({ data }: MessageEvent<Asked>) => {
  if ("task" in data) {
    waiting.push(data);
    if (!running) void run();
  } else if ("mask" in data) {
    painted = data.mask;
  } else {
    stopped.add(data.number);
  }
};

async function run(): Promise<void> {
  running = true;
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    const { number, task } = next;
    current = number;
    try {
      if (!stopped.has(number)) await perform(number, task);
      else say(number, { kind: "finished", finished: null });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      say(number, { kind: "failed", message, mendable: error instanceof Refused });
    }
    stopped.delete(number);
  }
  running = false;
}

type Said = Answer extends infer Each ? (Each extends unknown ? Omit<Each, "number"> : never) : never;

function say(number: number, answer: Said, transfer: Transferable[] = []): void {
  scope.postMessage({ number, ...answer }, transfer);
}

async function perform(number: number, task: Task): Promise<void> {
  switch (task.kind) {
    case "open":
      return open(number, task.model, task.backend);
    case "dream":
      return finish(number, await dreamed(number, task.photo, task.options, task.mask));
    case "grow":
      painted = task.mask;
      return grow(number, task.photo, task.options);
    case "zoom":
      return zoom(number, task.photo, task.options, task.factor);
    case "thumbnail":
      return thumbnail(number, task.options, task.side);
    case "trial":
      return trial(number, task.side);
  }
}

async function open(number: number, model: string, backend: "wasm" | "webgl" | "webgpu" | "cpu"): Promise<void> {
  const lost = "the graphics card's context was lost";
  const started = await start(backend, () => say(current, { kind: "failed", message: lost, mendable: false }));
  network?.dispose();
  network = await load(model, (done, total) => say(number, { kind: "loading", done, total }));
  const { name, licence, sha256, default_layers: defaultLayers } = network.description;
  say(number, {
    kind: "opened",
    opened: { name, licence, sha256, backend: started, layers: network.layers, defaultLayers },
  });
}

/** Dreams, showing every step. */
async function dreamed(
  number: number,
  photo: Photograph,
  options: Options,
  mask: Uint8ClampedArray | null,
): Promise<Finished> {
  const region = mask && soften(mask, photo.height, photo.width);
  let isWhole = true;
  const steps = dream(photo, opened(), options, region, () => !isWhole);
  for (;;) {
    const began = performance.now();
    const next = await steps.next();
    if (next.done) {
      const { pixels, terms, octaves, tileSize } = next.value;
      return { picture: pixelsOf(photo, pixels), terms, octaves, tileSize, isWhole };
    }
    const took = performance.now() - began;
    const { pixels, ...known } = next.value;
    show(number, { picture: pixelsOf(pixels, bytesOf(pixels)), took, ...known });
    await breath();
    isWhole &&= !stopped.has(number);
  }
}

/** Goes on with what is there, under a mask that is painted meanwhile, until it is stopped. */
async function grow(number: number, photo: Pixels, options: Options): Promise<void> {
  const now: Photograph = { ...photo, bytes: photo.bytes.slice() };
  for (let turn = 0; !stopped.has(number); turn++) {
    const began = performance.now();
    const box = painted && boxOf(painted, now);
    if (box) {
      const inside = cut(now, box, 3);
      const mask = soften(cut({ ...now, bytes: painted! }, box, 1).bytes, inside.height, inside.width);
      const once = { ...options, octaves: 1, steps: 1, step_size: 2 * options.step_size, seed: turn };
      paste(now, (await further(inside, once, mask)).bytes, box);
    }
    show(number, still(now, performance.now() - began, turn));
    await breath();
  }
  say(number, { kind: "finished", finished: null });
}

interface Box {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** Where a mask is painted, with some of the picture around it; null where it is painted nowhere. */
function boxOf(mask: Uint8ClampedArray, { height, width }: Photograph): Box | null {
  if (mask.length !== height * width) return null;
  let [top, bottom, left, right] = [height, -1, width, -1];
  mask.forEach((level, i) => {
    if (!level) return;
    const [y, x] = [Math.floor(i / width), i % width];
    [top, bottom, left, right] = [Math.min(top, y), y, Math.min(left, x), Math.max(right, x)];
  });
  if (bottom < 0) return null;
  const along = (start: number, end: number, length: number): [number, number] => {
    const around = Math.max(AROUND, Math.ceil((LEAST_BOX - (end - start)) / 2));
    const from = Math.max(0, Math.min(start - around, length - LEAST_BOX));
    return [from, Math.min(length, Math.max(end + around, from + LEAST_BOX)) - from];
  };
  const [down, high] = along(top, bottom + 1, height);
  const [across, wide] = along(left, right + 1, width);
  return { top: down, left: across, height: high, width: wide };
}

function cut(photo: Photograph, box: Box, channels: number): Photograph {
  const bytes = new Uint8ClampedArray(box.height * box.width * channels);
  for (let y = 0; y < box.height; y++) {
    const from = ((box.top + y) * photo.width + box.left) * channels;
    bytes.set(photo.bytes.subarray(from, from + box.width * channels), y * box.width * channels);
  }
  return { height: box.height, width: box.width, bytes };
}

function paste(photo: Photograph, bytes: Uint8ClampedArray, box: Box): void {
  for (let y = 0; y < box.height; y++) {
    const line = bytes.subarray(y * box.width * 3, (y + 1) * box.width * 3);
    photo.bytes.set(line, ((box.top + y) * photo.width + box.left) * 3);
  }
}

/** Dreams ever on, and moves into the middle a little at each turn, until it is stopped. */
async function zoom(number: number, photo: Pixels, options: Options, factor: number): Promise<void> {
  let now: Photograph = photo;
  for (let turn = 0; !stopped.has(number); turn++) {
    const began = performance.now();
    now = await further(enlarged(now, factor), { ...options, octaves: 2, steps: 2, seed: turn }, null);
    show(number, still(now, performance.now() - began, turn));
    await breath();
  }
  say(number, { kind: "finished", finished: null });
}

/** A short dream of a picture at its own size. */
async function further(
  photo: Photograph,
  options: Options,
  region: Parameters<typeof dream>[3],
): Promise<Photograph> {
  const plain = { ...options, schedule: [], first_octave: null, max_objective: null };
  const steps = dream(photo, opened(), plain, region);
  let next = await steps.next();
  while (!next.done) next = await steps.next();
  return { ...photo, bytes: next.value.pixels };
}

/** The middle of a picture, `1 / factor` of each side, at the picture's size. */
function enlarged(photo: Photograph, factor: number): Photograph {
  const [high, wide] = [photo.height / factor, photo.width / factor];
  const [top, left] = [(photo.height - high) / 2, (photo.width - wide) / 2];
  const bytes = new Uint8ClampedArray(photo.bytes.length);
  const at = (y: number, x: number, colour: number) => photo.bytes[(y * photo.width + x) * 3 + colour];
  for (let y = 0; y < photo.height; y++) {
    const row = Math.max(0, top + ((y + 0.5) / photo.height) * high - 0.5);
    const above = Math.min(photo.height - 2, Math.floor(row));
    for (let x = 0; x < photo.width; x++) {
      const column = Math.max(0, left + ((x + 0.5) / photo.width) * wide - 0.5);
      const before = Math.min(photo.width - 2, Math.floor(column));
      const [down, across] = [row - above, column - before];
      for (let colour = 0; colour < 3; colour++) {
        const upper = at(above, before, colour) * (1 - across) + at(above, before + 1, colour) * across;
        const lower = at(above + 1, before, colour) * (1 - across) + at(above + 1, before + 1, colour) * across;
        bytes[(y * photo.width + x) * 3 + colour] = upper * (1 - down) + lower * down;
      }
    }
  }
  return { ...photo, bytes };
}

/** What a layer or a channel likes, out of faint clouds. */
async function thumbnail(number: number, options: Options, side: number): Promise<void> {
  const photo = { height: side, width: side, bytes: noise(0n, side, side, "clouds") };
  const steps = dream(photo, opened(), options);
  for (;;) {
    const next = await steps.next();
    if (next.done) {
      const { pixels, terms, octaves, tileSize } = next.value;
      const picture = pixelsOf(photo, pixels);
      return finish(number, { picture, terms, octaves, tileSize, isWhole: true });
    }
    await breath();
    if (stopped.has(number)) return finish(number, null);
  }
}

/** How long a step takes, in milliseconds; the first one, in which a backend compiles, does not count. */
async function trial(number: number, side: number): Promise<void> {
  const within = opened();
  const values = Float32Array.from(noise(0n, side, side, "clouds"));
  const picture: Picture = { height: side, width: side, values };
  const goals = [{ layer: within.layers[within.layers.length - 1].name, kind: "mean-square" as const, counts: null }];
  let took = Infinity;
  for (let turn = 0; turn < 3; turn++) {
    const began = performance.now();
    await within.ascent(picture, { goals, pulls: [1], border: 0 });
    if (turn) took = Math.min(took, performance.now() - began);
  }
  say(number, { kind: "timed", milliseconds: took });
}

function opened(): Network {
  if (!network) throw new Refused("no network is open yet; wait until it is loaded");
  return network;
}

function still(photo: Photograph, took: number, turn: number): Moment {
  const picture = pixelsOf(photo, photo.bytes.slice());
  return { picture, took, done: 0, octave: 1, octaves: 1, step: turn + 1, steps: 0, objective: 1 };
}

function pixelsOf(size: { height: number; width: number }, bytes: Uint8ClampedArray): Pixels {
  return { height: size.height, width: size.width, bytes: bytes as Uint8ClampedArray<ArrayBuffer> };
}

function show(number: number, moment: Moment): void {
  say(number, { kind: "moment", moment }, [moment.picture.bytes.buffer]);
}

function finish(number: number, finished: Finished | null): void {
  say(number, { kind: "finished", finished }, finished ? [finished.picture.bytes.buffer] : []);
}

/** Lets messages come in, between steps. */
function breath(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
