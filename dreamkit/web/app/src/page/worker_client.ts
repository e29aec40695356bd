/** The page's side of the worker: tasks are promises, and can be stopped. */

import { UserError } from "../engine/errors";
import type {
  Backend, FinishedDream, LiveFrame, OpenedNetwork, Painted, Pixels, Reply, Request, StepUpdate, Task,
} from "./protocol"; // prettier-ignore

export interface RunningTask<Result> {
  result: Promise<Result>;
  stop(): void;
}

/** The error of tasks whose worker crashed. */
export class WorkerCrashed extends Error {}

interface PendingTask {
  resolve(result: unknown): void;
  reject(error: Error): void;
  onStep?(update: StepUpdate): void;
  onLoading?(done: number, total: number): void;
}

export class WorkerClient {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private readonly pending = new Map<number, PendingTask>();
  private lastId = 0;

  /** `onCrash` is called when the worker runs out of memory, or loses its graphics card. */
  constructor(private readonly onCrash: (message: string) => void) {
    this.worker.onmessage = ({ data }: MessageEvent<Reply>) => this.receive(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.crash(event.message || "the worker cannot be started");
    };
  }

  open(model: string, backend: Backend, onLoading: (done: number, total: number) => void): Promise<OpenedNetwork> {
    return this.start<OpenedNetwork>({ kind: "open", model, backend }, { onLoading }).result;
  }

  /** Its result is null where the task has no picture of its own, or was stopped. */
  run(task: Task, onStep?: (update: StepUpdate) => void): RunningTask<FinishedDream | null> {
    return this.start<FinishedDream | null>(task, { onStep });
  }

  /** Milliseconds of a step on a picture of `side` pixels. */
  async measure(side: number): Promise<number> {
    return this.start<number>({ kind: "measure", side }, {}).result;
  }

  /** The features of each picture in each layer: see `Task`. */
  async look(pictures: Pixels[], layers: string[], side: number): Promise<Float32Array[][]> {
    return this.start<Float32Array[][]>({ kind: "look", pictures, layers, side }, {}).result;
  }

  /** Replaces what is painted under the task that grows. */
  setPainted(painted: Painted): void {
    this.post({ id: 0, painted });
  }

  /** Replaces the frame of the live task. */
  setFrame(frame: LiveFrame): void {
    this.post({ id: 0, frame });
  }

  terminate(): void {
    this.worker.terminate();
    for (const { reject } of this.pending.values()) reject(new UserError("the computation was ended; start it again"));
    this.pending.clear();
  }

  private start<Result>(task: Task, callbacks: Pick<PendingTask, "onStep" | "onLoading">): RunningTask<Result> {
    const id = ++this.lastId;
    const result = new Promise<Result>((resolve, reject) => {
      this.pending.set(id, { resolve: resolve as (result: unknown) => void, reject, ...callbacks });
    });
    this.post({ id, task });
    return { result, stop: () => this.post({ id, stop: true }) };
  }

  private post(request: Request): void {
    this.worker.postMessage(request);
  }

  private receive(reply: Reply): void {
    const task = this.pending.get(reply.id);
    if (!task) {
      if (reply.kind === "failed" && isFatal(reply.message)) this.onCrash(reply.message);
      return;
    }
    switch (reply.kind) {
      case "loading":
        return task.onLoading?.(reply.done, reply.total);
      case "step":
        return task.onStep?.(reply.update);
    }
    this.pending.delete(reply.id);
    switch (reply.kind) {
      case "opened":
        return task.resolve(reply.network);
      case "finished":
        return task.resolve(reply.dream);
      case "measured":
        return task.resolve(reply.milliseconds);
      case "seen":
        return task.resolve(reply.features);
      case "failed":
        if (reply.isUserError) return task.reject(new UserError(reply.message));
        if (!isFatal(reply.message)) return task.reject(new Error(reply.message));
        task.reject(new WorkerCrashed(reply.message));
        this.onCrash(reply.message);
    }
  }

  private crash(message: string): void {
    for (const { reject } of this.pending.values()) reject(new WorkerCrashed(message));
    this.pending.clear();
    this.onCrash(message);
  }
}

/** Whether a backend cannot recover from an error with this message. */
function isFatal(message: string): boolean {
  return /context (was )?lost|device (is|was) lost|Aborted|unreachable|memory access/i.test(message);
}
