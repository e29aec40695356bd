/** The worker as the page sees it: tasks that are promises, and can be stopped. */

import type { Answer, Asked, Backend, Finished, Moment, Opened, Task } from "./protocol";
import { Refused } from "../engine/refused";

export interface Running<Result> {
  result: Promise<Result>;
  stop(): void;
}

/** What a task ends in whose worker is no more; `onBroken` hears of it as well. */
export class Broken extends Error {}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
  onMoment?(moment: Moment): void;
  onLoading?(done: number, total: number): void;
}

export class Engine {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;

  /** `onBroken` hears of a worker that is no more: it ran out of memory, or lost its graphics card. */
  constructor(private readonly onBroken: (message: string) => void) {
    this.worker.onmessage = ({ data }: MessageEvent<Answer>) => this.hear(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.broken(event.message || "the worker could not be started");
    };
  }

  open(model: string, backend: Backend, onLoading: (done: number, total: number) => void): Promise<Opened> {
    return this.ask<Opened>({ kind: "open", model, backend }, { onLoading }).result;
  }

  /** Null where it was stopped. */
  run(task: Task, onMoment?: (moment: Moment) => void): Running<Finished | null> {
    return this.ask<Finished | null>(task, { onMoment });
  }

  async trial(side: number): Promise<number> {
    return this.ask<number>({ kind: "trial", side }, {}).result;
  }

  /** Gives a mask to the task that grows under it. */
  paint(mask: Uint8ClampedArray<ArrayBuffer>): void {
    this.post({ number: 0, mask });
  }

  end(): void {
    this.worker.terminate();
    for (const { reject } of this.waiting.values()) reject(new Refused("the computation was ended"));
    this.waiting.clear();
  }

  private ask<Result>(task: Task, hears: Pick<Waiting, "onMoment" | "onLoading">): Running<Result> {
    const number = ++this.last;
    const result = new Promise<Result>((resolve, reject) => {
      this.waiting.set(number, { resolve: resolve as (result: unknown) => void, reject, ...hears });
    });
    this.post({ number, task });
    return { result, stop: () => this.post({ number, stop: true }) };
  }

  private post(asked: Asked): void {
    this.worker.postMessage(asked);
  }

  private hear(answer: Answer): void {
    const waiting = this.waiting.get(answer.number);
    if (!waiting) {
      if (answer.kind === "failed" && isLost(answer.message)) this.onBroken(answer.message);
      return;
    }
    switch (answer.kind) {
      case "loading":
        return waiting.onLoading?.(answer.done, answer.total);
      case "moment":
        return waiting.onMoment?.(answer.moment);
    }
    this.waiting.delete(answer.number);
    switch (answer.kind) {
      case "opened":
        return waiting.resolve(answer.opened);
      case "finished":
        return waiting.resolve(answer.finished);
      case "timed":
        return waiting.resolve(answer.milliseconds);
      case "failed":
        if (answer.mendable) return waiting.reject(new Refused(answer.message));
        if (!isLost(answer.message)) return waiting.reject(new Error(answer.message));
        waiting.reject(new Broken(answer.message));
        this.onBroken(answer.message);
    }
  }

  private broken(message: string): void {
    for (const { reject } of this.waiting.values()) reject(new Broken(message));
    this.waiting.clear();
    this.onBroken(message);
  }
}

/** Whether a backend will not come back from what it says. */
function isLost(message: string): boolean {
  return /context (was )?lost|device (is|was) lost|Aborted|unreachable|memory access/i.test(message);
}
