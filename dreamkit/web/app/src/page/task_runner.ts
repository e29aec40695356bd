/** Runs one task of the worker at a time, and shows its steps. */

import type { NetworkSession } from "./network_session";
import { OncePerFrame } from "./once_per_frame";
import type { FinishedDream, StepUpdate, Task } from "./protocol";
import { progressText } from "./progress_text";
import { SpeedMeter } from "./speed_meter";
import { clearError, showError, showProgress, showSteps } from "./status_bar";
import { type RunningTask, WorkerCrashed } from "./worker_client";

/** What the page is doing. `painting` is the dream of a recipe with strokes, `trying` dreams variants. */
export type Activity =
  | "idle"
  | "dreaming"
  | "trying"
  | "growing"
  | "painting"
  | "zooming"
  | "live"
  | "learning"
  | "recording"
  | "finishing";

/** The place of a task in a row of tasks, whose progress is shown as one. */
export interface Place {
  /** How many came before it. */
  index: number;
  count: number;
  /** When the row began. */
  start: number;
}

export class TaskRunner {
  activity: Activity = "idle";
  /** Whether the task that runs has taken a step. */
  hasStepped = false;
  /** Whether it was stopped before that. */
  isCancelled = false;
  readonly speed = new SpeedMeter();
  /** The network's session, which needs the runner for itself. */
  session!: NetworkSession;
  private running: RunningTask<FinishedDream | null> | null = null;

  /** `onChange` is called when the activity changes. */
  constructor(private readonly onChange: () => void) {}

  get isBusy(): boolean {
    return this.activity !== "idle";
  }

  /** `onStep` gets the latest step, once a frame. The result is null where the task was stopped or failed. */
  async run(
    activity: Activity,
    task: Task,
    onStep?: (update: StepUpdate) => void,
    { index, count, start }: Place = { index: 0, count: 1, start: performance.now() },
  ): Promise<FinishedDream | null> {
    clearError();
    this.activity = activity;
    this.hasStepped = this.isCancelled = false;
    this.speed.reset();
    this.onChange();
    showProgress(index / count);
    // A fast network takes more steps than the page can show; those in between must not keep it from anything else.
    const steps = new OncePerFrame<StepUpdate>((update) => {
      if (this.running !== running) return;
      const done = (index + update.done) / count;
      showProgress(done);
      const { text, detail } = progressText({ ...update, done }, this.speed.text, performance.now() - start);
      showSteps(text, detail);
      onStep?.(update);
    });
    const running = this.session.worker.run(task, (update) => {
      if (this.running !== running) return;
      this.hasStepped = true;
      this.speed.add(update, this.session.network?.backend);
      steps.add(update);
    });
    this.running = running;
    try {
      return await running.result;
    } catch (error) {
      if (!(error instanceof WorkerCrashed)) showError(error);
      return null;
    } finally {
      steps.flush();
      if (this.running === running) this.end();
    }
  }

  /** Stops the task that runs, and waits for its end. */
  async stop(): Promise<void> {
    this.isCancelled ||= !this.hasStepped;
    this.running?.stop();
    await this.wait();
  }

  /** Waits for the end of the task that runs. */
  async wait(): Promise<void> {
    await this.running?.result.catch(() => null);
  }

  /** Forgets the task that runs, because its worker crashed. */
  forget(): void {
    this.end();
  }

  /** Marks work that is not a task of its own. */
  async during(activity: Activity, work: () => Promise<void>): Promise<void> {
    this.activity = activity;
    this.onChange();
    try {
      await work();
    } catch (error) {
      if (!(error instanceof WorkerCrashed)) showError(error);
    } finally {
      this.end();
    }
  }

  private end(): void {
    this.running = null;
    this.activity = "idle";
    showProgress(0);
    showSteps("");
    this.onChange();
  }
}
