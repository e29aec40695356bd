/** The thread that computes. It runs one task at a time, in the order of the requests; each can be stopped. */

import { UserError } from "../engine/errors";
import type { Network } from "../engine/network";
import { loadNetwork } from "../engine/network_files";
import { startBackend } from "./backend";
import { dreamWhole, thumbnail } from "./dream_jobs";
import { grow, regrow, zoom } from "./endless_jobs";
import type { Job } from "./job";
import { dreamLive } from "./live_job";
import { look, measure } from "./measuring_jobs";
import type { Backend, FinishedDream, LiveFrame, Painted, Reply, Request, Task } from "./protocol";

const scope = self as unknown as DedicatedWorkerGlobalScope;

let network: Network | null = null;
interface QueuedTask {
  id: number;
  task: Task;
}

const queue: QueuedTask[] = [];
let isRunning = false;
let current = 0; // the id of the task that is running, or ran last
const stopped = new Set<number>();
let painted: Painted | null = null;
let liveFrame: LiveFrame | null = null;
let onMessage: () => void = () => {};

scope.onmessage = ({ data }: MessageEvent<Request>) => {
  if ("task" in data) {
    queue.push(data);
    if (data.task.kind === "grow") painted = data.task.painted; // a newer one may come before it runs
    if (!isRunning) void runQueue();
  } else if ("painted" in data) {
    painted = data.painted;
  } else if ("frame" in data) {
    liveFrame = data.frame;
  } else {
    stopped.add(data.id);
  }
  onMessage();
};

async function runQueue(): Promise<void> {
  isRunning = true;
  for (let next = queue.shift(); next; next = queue.shift()) await run(next);
  isRunning = false;
}

async function run({ id, task }: QueuedTask): Promise<void> {
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

/** Draws the thumbnail that waits longest, between two steps of another task. */
async function drawThumbnail(): Promise<void> {
  const place = queue.findIndex(({ task }) => task.kind === "thumbnail");
  if (place < 0) return;
  const interrupted = current;
  await run(queue.splice(place, 1)[0]);
  current = interrupted;
}

type ReplyContent = Reply extends infer Each ? (Each extends unknown ? Omit<Each, "id"> : never) : never;

function reply(id: number, content: ReplyContent, transfer: Transferable[] = []): void {
  scope.postMessage({ id, ...content }, transfer);
}

function finish(id: number, dream: FinishedDream | null): void {
  reply(id, { kind: "finished", dream }, dream ? [dream.picture.bytes.buffer] : []);
}

async function perform(id: number, task: Task): Promise<void> {
  if (task.kind === "open") return open(id, task.model, task.backend);
  const job = openJob(id, task.kind === "live" || (task.kind === "dream" && task.yields === true));
  switch (task.kind) {
    case "dream":
      return finish(id, await dreamWhole(job, task));
    case "grow":
      return finish(id, await grow(job, task.photo, task.config));
    case "regrow":
      return finish(id, await regrow(job, task));
    case "zoom":
      await zoom(job, task.photo, task.config, task.factor);
      return finish(id, null);
    case "live":
      liveFrame = task.first;
      await dreamLive(job);
      return finish(id, null);
    case "thumbnail":
      return finish(id, await thumbnail(job, task));
    case "measure":
      return reply(id, { kind: "measured", milliseconds: await measure(job.network, task.side) });
    case "look":
      return reply(id, { kind: "seen", features: await look(job, task.pictures, task.layers, task.side) });
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

function openJob(id: number, yields: boolean): Job {
  if (!network) throw new UserError("no network is loaded yet; wait until it is");
  return {
    network,
    isStopped: () => stopped.has(id),
    send: (update) => reply(id, { kind: "step", update }, [update.picture.bytes.buffer]),
    receiveMessages: async () => {
      await receiveMessages();
      if (yields && !stopped.has(id)) await drawThumbnail();
    },
    nextMessage: () => new Promise<void>((resolve) => (onMessage = resolve)),
    painted: () => painted!,
    frame: () => liveFrame,
  };
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
