/**
 * The first sight: dreams that grow on sample photographs until the user brings a photograph. They are shown
 * beside the workspace, so that nothing of them is kept. The first start shows all samples, and each later one,
 * such as after a click on a layer, the sample that is shown.
 */

import { canvas, element, isPressed } from "./elements";
import type { NetworkSession } from "./network_session";
import { drawScaled } from "./photograph";
import type { FinishedDream, Pixels } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import { smallSamples } from "./samples";
import type { RunningTask, WorkerClient } from "./worker_client";

const SAMPLES = ["chelsea", "rocket", "coffee"];
const LONGEST = 288; // pixels
const LOOK = 4000; // milliseconds for which a finished dream is shown before the next sample

export class FirstSight {
  private readonly sample = smallSamples("longer", LONGEST);
  private shown = 0;
  private isFirst = true;
  /** Counts the starts and stops, so that what is out of date ends. */
  private turn = 0;
  private running: RunningTask<FinishedDream | null> | null = null;
  /** What is dreamed, and the worker that dreams it; empty where nothing is. */
  private recipe = "";
  private worker: WorkerClient | null = null;

  constructor(
    private readonly session: NetworkSession,
    private readonly form: RecipeForm,
  ) {}

  /** Starts where a dream is wanted and the recipe or the worker is another, and stops where none is wanted. */
  refresh(isWanted: boolean): void {
    const { worker } = this.session;
    const recipe = isWanted && !isPressed("pause") ? JSON.stringify(this.form.config(null)) : "";
    if (recipe === this.recipe && worker === this.worker) return;
    if (recipe && this.recipe && worker === this.worker) this.isFirst = false; // the user tries other options
    this.stop();
    this.recipe = recipe;
    this.worker = worker;
    if (recipe) void this.play(this.turn, this.isFirst ? SAMPLES.length : 1);
  }

  private stop(): void {
    this.turn++;
    this.running?.stop();
    this.running = null;
    this.mark("stopped");
  }

  /** Dreams on `count` samples. */
  private async play(turn: number, count: number): Promise<void> {
    // Without motion, one finished dream is shown.
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    for (let number = 1; ; number++) {
      await this.dream(turn, isStill).catch(() => null); // a network may not take the sample; it is then as it was
      if (turn !== this.turn) return;
      const isLast = isStill || number >= count;
      this.mark("dreamed", !isLast);
      if (isLast) this.isFirst = false;
      if (isLast) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      if (turn !== this.turn) return;
      this.shown = (this.shown + 1) % SAMPLES.length;
    }
  }

  private async dream(turn: number, isStill: boolean): Promise<void> {
    const photo = await this.sample(SAMPLES[this.shown]);
    if (turn !== this.turn) return;
    const show = (picture: Pixels) => turn === this.turn && drawScaled(canvas("sight"), picture);
    canvas("sight").width = photo.width;
    canvas("sight").height = photo.height;
    show(photo);
    this.mark("growing", !isStill);
    const task = { ...this.form.task(photo, this.form.config(null)), yields: true };
    this.running = this.session.worker.run(task, ({ picture }) => !isStill && show(picture));
    const finished = await this.running.result;
    if (finished) show(finished.picture);
  }

  private mark(state: "growing" | "dreamed" | "stopped", isMoving = false): void {
    canvas("sight").dataset.state = state;
    element("pause").hidden = !isMoving && !isPressed("pause");
  }
}
