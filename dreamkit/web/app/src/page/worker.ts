/** The thread that computes. It runs one task at a time, in the order of the requests; each can be stopped. */

import * as colorMatch from "../engine/color_match";
import { middleSquare } from "../engine/concept";
import type { DreamConfig, Layers } from "../engine/config";
import { UserError } from "../engine/errors";
import { dream } from "../engine/loop";
import { type Mask, soften } from "../engine/masks";
import type { Network } from "../engine/network";
import { loadNetwork } from "../engine/network_files";
import { type LoadedModel, ObjectiveSet } from "../engine/objective_set";
import { type Photograph, type Size, toBytes } from "../engine/octave_schemes";
import { octavesOf } from "../engine/octaves";
import type { Picture } from "../engine/resize";
import { noise } from "../engine/rng";
import { toTables } from "../engine/terms";
import { wrappedAxes } from "../engine/wrap";
import { movedInto } from "../engine/zoom";
import { startBackend } from "./backend";
import { boxAround, cut, paste } from "./crop";
import type { Backend, FinishedDream, MaskLevels, Pixels, Reply, Request, StepUpdate, Task } from "./protocol";
import type { ModelInRecipe } from "./site";

const ZOOM = { octaves: 2, steps: 2 }; // of each frame
const ZOOM_STEPS = ZOOM.octaves * ZOOM.steps;
const CLOUDS = 4; // that a thumbnail is tried from
const GROWTH = 2; // step sizes that a picture grows by in a turn under the brush
const GROWN = 0.6; // of the recipe's steps that it grows at most, because one octave alone changes it more

const scope = self as unknown as DedicatedWorkerGlobalScope;

let network: Network | null = null;
/** The networks that dreamed together, by address. */
const others = new Map<string, Promise<Network>>();
const queue: { id: number; task: Task }[] = [];
let isRunning = false;
let current = 0; // the id of the task that is running, or ran last
const stopped = new Set<number>();
let growMask: MaskLevels | null = null;
let onMessage: () => void = () => {};

scope.onmessage = ({ data }: MessageEvent<Request>) => {
  if ("task" in data) {
    queue.push(data);
    if (!isRunning) void runQueue();
  } else if ("mask" in data) {
    growMask = data.mask;
  } else {
    stopped.add(data.id);
  }
  onMessage();
};

async function runQueue(): Promise<void> {
  isRunning = true;
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { id, task } = next;
    current = id;
    try {
      if (stopped.has(id)) finish(id, null);
      else await perform(id, task);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      reply(id, { kind: "failed", message, isUserError: error instanceof UserError });
    }
    stopped.delete(id);
  }
  isRunning = false;
}

type ReplyContent = Reply extends infer Each ? (Each extends unknown ? Omit<Each, "id"> : never) : never;

function reply(id: number, content: ReplyContent, transfer: Transferable[] = []): void {
  scope.postMessage({ id, ...content }, transfer);
}

function finish(id: number, dream: FinishedDream | null): void {
  reply(id, { kind: "finished", dream }, dream ? [dream.picture.bytes.buffer] : []);
}

function sendStep(id: number, update: StepUpdate): void {
  reply(id, { kind: "step", update }, [update.picture.bytes.buffer]);
}

async function perform(id: number, task: Task): Promise<void> {
  switch (task.kind) {
    case "open":
      return open(id, task.model, task.backend);
    case "dream":
      return finish(id, await dreamWhole(id, task));
    case "grow":
      growMask = task.mask;
      return grow(id, task.photo, task.config);
    case "zoom":
      return zoom(id, task.photo, task.config, task.factor);
    case "thumbnail":
      return finish(id, await thumbnail(id, task.config, task.side));
    case "weigh":
      return weigh(id, task.photo, task.config, task.mask);
    case "measure":
      return measure(id, task.side);
    case "look":
      return look(id, task.pictures, task.layers, task.side);
  }
}

async function open(id: number, model: string, backend: Backend): Promise<void> {
  const message = "the graphics card's context was lost";
  const started = await startBackend(backend, () => reply(current, { kind: "failed", message, isUserError: false }));
  network?.dispose();
  network = await loadNetwork(model, (done, total) => reply(id, { kind: "loading", done, total }));
  const { name, licence, sha256, layers, default_layers: defaultLayers } = network.description;
  const { min_size: minSize, min_sizes: minSizes } = network.description;
  const opened = { name, licence, sha256, backend: started, layers, defaultLayers, minSize, minSizes };
  reply(id, { kind: "opened", network: opened });
}

/** Dreams a photograph, and sends every step. */
async function dreamWhole(
  id: number,
  { photo, config, masks, guide, together }: Extract<Task, { kind: "dream" }>,
): Promise<FinishedDream> {
  const models = together?.length ? await openTogether(together) : null;
  const regions: Record<string, Mask> = {};
  for (const [name, levels] of Object.entries(masks)) {
    regions[name] = soften(levels, photo.height, photo.width, wrappedAxes(config.wrap));
  }
  let isWhole = true;
  let last: FinishedDream["last"] = null;
  const followed = guide ? asPicture(guide) : null;
  const steps = dream(photo, models ?? openNetwork(), config, regions, () => !isWhole, followed);
  for (;;) {
    const start = performance.now();
    const next = await steps.next();
    if (next.done) {
      const { pixels, terms, sizes, tileSize } = next.value;
      const networks = models?.map(({ network, weight, layers }, i) => {
        const { name, sha256 } = network.description;
        return { name, sha256, weight, layers, dreamed: terms[i] };
      });
      return { picture: toPixels(photo, pixels), terms: terms[0], networks, sizes, tileSize, isWhole, last };
    }
    const milliseconds = performance.now() - start;
    const { pixels, ...event } = next.value;
    last = { octave: event.octave, octaves: event.octaves, step: event.step, steps: event.steps };
    sendStep(id, { picture: toPixels(pixels, toBytes(pixels)), milliseconds, stepsTaken: 1, ...event });
    await receiveMessages();
    isWhole &&= !stopped.has(id);
  }
}

/**
 * Dreams step after step under a mask that may change meanwhile, until it is stopped. No pixel changes more than
 * by the whole recipe, which is dreamed at the end of the stroke.
 */
async function grow(id: number, photo: Pixels, config: DreamConfig): Promise<void> {
  const picture: Photograph = { ...photo, bytes: photo.bytes.slice() };
  const objectives = new ObjectiveSet(openNetwork(), everywhere(config), {});
  const octaves = octavesOf(photo.height, photo.width, objectives.minSize, config);
  const steps = octaves.reduce((sum, { number }) => sum + objectives.steps(number), 0);
  const left = new Float32Array(photo.height * photo.width).fill(Math.ceil((GROWN * steps) / GROWTH));
  for (let turn = 0; !stopped.has(id); turn++) {
    const start = performance.now();
    const growing = growMask?.map((level, i) => (left[i] > 0 ? level : 0));
    const box = growing && boxAround(growing, picture);
    if (!growing || !box) {
      await new Promise<void>((resolve) => (onMessage = resolve));
      continue;
    }
    const part = cut(picture, box, 3);
    const mask = soften(cut({ ...picture, bytes: growing }, box, 1).bytes, part.height, part.width);
    const short = { ...config, octaves: 1, steps: 1, step_size: GROWTH * config.step_size, seed: turn };
    paste(picture, (await dreamShort(part, short, { "": mask })).bytes, box);
    growing.forEach((level, i) => level && left[i]--);
    sendStep(id, endlessStep(picture, performance.now() - start, turn, 1));
    await receiveMessages();
  }
  finish(id, null);
}

/**
 * Dreams and moves into the centre a little at each turn, until it is stopped. Each frame has the colours of the
 * first picture, so that nothing drifts.
 */
async function zoom(id: number, photo: Pixels, config: DreamConfig, factor: number): Promise<void> {
  const moments = colorMatch.measure(photo.bytes);
  const matched = ({ values, ...size }: Picture): Photograph => {
    colorMatch.match(values, moments);
    return { ...size, bytes: toBytes({ ...size, values }) };
  };
  let picture: Photograph = { height: photo.height, width: photo.width, bytes: photo.bytes };
  for (let turn = 0; !stopped.has(id); turn++) {
    const start = performance.now();
    const moved = matched(movedInto(asPicture(picture), factor));
    picture = matched(asPicture(await dreamShort(moved, { ...config, ...ZOOM, seed: turn })));
    sendStep(id, endlessStep(picture, performance.now() - start, turn, ZOOM_STEPS));
    await receiveMessages();
  }
  finish(id, null);
}

/** `config` with terms that no masks of their own bound. */
function everywhere(config: DreamConfig): DreamConfig {
  const unmasked = <Part extends { layers?: Layers }>(part: Part): Part => {
    if (!part.layers) return part;
    return { ...part, layers: toTables(part.layers, openNetwork().layers).map(({ mask: _, ...term }) => term) };
  };
  return { ...unmasked(config), schedule: config.schedule.map(unmasked) };
}

/** A dream of few steps; no updates are sent. */
async function dreamShort(
  photo: Photograph,
  config: DreamConfig,
  regions: Record<string, Mask> = {},
): Promise<Photograph> {
  const plain = { ...everywhere(config), schedule: [], first_octave: null, max_objective: null, clouds: 0 };
  const steps = dream(photo, openNetwork(), plain, regions);
  let next = await steps.next();
  while (!next.done) next = await steps.next();
  return { ...photo, bytes: next.value.pixels };
}

/**
 * A small dream that starts from clouds; null where it was stopped. Where nothing in the clouds excites the
 * objective, its gradient is zero, and the dream begins again: from other clouds, then from what the whole layer
 * dreams into them.
 */
async function thumbnail(id: number, config: DreamConfig, least: number): Promise<FinishedDream | null> {
  const side = Math.max(least, new ObjectiveSet(openNetwork(), config, {}).minSize);
  const layers = toTables(config.layers, openNetwork().layers).map(({ layer }) => layer);
  for (let seed = 0; seed < 2 * CLOUDS; seed++) {
    let photo: Photograph = { height: side, width: side, bytes: noise(BigInt(seed), side, side, "clouds") };
    if (seed >= CLOUDS) photo = await dreamShort(photo, { ...config, layers, objective: "mean-square", steps: 3 });
    const steps = dream(photo, openNetwork(), { ...config, clouds: 0 });
    for (;;) {
      const next = await steps.next();
      if (next.done) {
        const { pixels, terms, sizes, tileSize } = next.value;
        return { picture: toPixels(photo, pixels), terms: terms[0], sizes, tileSize, isWhole: true, last: null };
      }
      await receiveMessages();
      if (stopped.has(id)) return null;
      const { octave, octaves, step, objective } = next.value;
      if (octave === octaves && step > 1 && !objective) break;
    }
  }
  throw new UserError("nothing in the clouds that it was drawn from excites it");
}

/** How far a step moves the pixels under a mask, as a share of how far it moves all of them. */
async function weigh(id: number, photo: Pixels, config: DreamConfig, mask: MaskLevels): Promise<void> {
  const once = { octaves: 1, steps: 1, schedule: [], first_octave: null, max_objective: null, clouds: 0 };
  const short = { ...everywhere(config), ...once };
  const { value } = await dream(photo, openNetwork(), short).next();
  const moved = "objective" in value ? value.pixels.values : value.pixels;
  let [under, covered, all] = [0, 0, 0];
  for (let i = 0; i < moved.length; i++) {
    const square = (moved[i] - photo.bytes[i]) ** 2;
    const coverage = mask[Math.floor(i / 3)];
    all += square;
    under += coverage * square;
    covered += coverage;
  }
  const share = Math.sqrt(under / Math.max(1, covered) / (all / moved.length || 1));
  reply(id, { kind: "weighed", share });
}

/** Measures how long a step takes. The first one does not count, because the backend compiles in it. */
async function measure(id: number, side: number): Promise<void> {
  const measured = openNetwork();
  const values = Float32Array.from(noise(0n, side, side, "clouds"));
  const window: Picture = { height: side, width: side, values };
  const layer = measured.layers[measured.layers.length - 1].name;
  const specs = [{ layer, kind: "mean-square" as const, channelWeights: null }];
  let milliseconds = Infinity;
  for (let turn = 0; turn < 3; turn++) {
    const start = performance.now();
    await measured.step(window, { specs, weights: [1], border: 0 });
    if (turn) milliseconds = Math.min(milliseconds, performance.now() - start);
  }
  reply(id, { kind: "measured", milliseconds });
}

/** Looks at pictures: for each, the activations of the layers, averaged over the places of its middle square. */
async function look(id: number, pictures: Pixels[], layers: string[], side: number): Promise<void> {
  const features: Float32Array[][] = [];
  for (const { height, width, bytes } of pictures) {
    const square = middleSquare({ height, width, values: Float32Array.from(bytes) }, side);
    features.push(await openNetwork().means(square, layers));
    await receiveMessages();
  }
  reply(id, { kind: "seen", features });
}

/** The networks of a recipe, each loaded once. */
async function openTogether(models: ModelInRecipe[]): Promise<LoadedModel[]> {
  return Promise.all(
    models.map(async ({ path, weight, layers }) => {
      if (!others.has(path)) others.set(path, loadNetwork(path));
      return { network: await others.get(path)!, weight, layers };
    }),
  );
}

function openNetwork(): Network {
  if (!network) throw new UserError("no network is loaded yet; wait until it is");
  return network;
}

/** The update of a task that has no end. */
function endlessStep(photo: Photograph, milliseconds: number, turn: number, stepsTaken: number): StepUpdate {
  const picture = toPixels(photo, photo.bytes.slice());
  return { picture, milliseconds, stepsTaken, done: 0, octave: 1, octaves: 1, step: turn + 1, steps: 0, objective: 1 };
}

function asPicture({ height, width, bytes }: Photograph): Picture {
  return { height, width, values: Float32Array.from(bytes) };
}

function toPixels(size: Size, bytes: Uint8ClampedArray): Pixels {
  return { height: size.height, width: size.width, bytes: bytes as Uint8ClampedArray<ArrayBuffer> };
}

/** Lets the worker receive messages between steps. */
function receiveMessages(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
