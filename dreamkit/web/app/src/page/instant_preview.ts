/**
 * How the recipe of the panel will look, shown as soon as a control moves: a rough preview, then a fine one. They lie over
 * the picture and are no part of the workspace, so nothing saves, paints or keeps them.
 *
 * A rough preview ends even where the recipe changed meanwhile, so that there is always something to see while a slider
 * moves; the newest recipe follows it. A fine one stops for the newest recipe.
 */

import type { DreamConfig } from "../engine/config";
import { PreviewLayer } from "./preview_layer";
import { averaged, withChange } from "./preview_pixels";
import { canPreview, fineTask, roughTask, shrunkTo, sizeOf } from "./preview_plan";
import type { DreamTask, FinishedDream, MaskLevels, Pixels, StepUpdate } from "./protocol";
import { showStatus } from "./status_bar";
import type { RunningTask, WorkerClient } from "./worker_client";

const MOST = 1024; // pixels on the longest side of a preview on the stage
const SHOWN_FROM = 0.5; // of the work of a fine preview, from which its steps are shown

/** A dream that can be previewed. */
export interface Previewed {
  config: DreamConfig;
  /** The task of the dream; throws where the recipe does not fit the photograph. */
  task(): DreamTask;
  /** The opacity of the photograph; null where nothing is transparent. */
  alpha: MaskLevels | null;
  /** The shortest side, in pixels, of the pictures in which the network dreams a config. */
  minSize(config: DreamConfig): number;
  worker: WorkerClient;
}

export class InstantPreview {
  /** Whether the worker computes a preview. */
  isBusy = false;
  private readonly layer = new PreviewLayer();
  /** What is previewed, and its recipe as text; null where nothing is. */
  private current: { previewed: Previewed; recipe: string } | null = null;
  /** Counts the ends, so that what is out of date is not shown. */
  private turn = 0;
  private running: RunningTask<FinishedDream | null> | null = null;
  private isRefining = false;

  /** `onChange` is called when a preview begins to be computed, appears, or is computed. */
  constructor(private readonly onChange: () => void) {}

  /** Whether a preview is on the stage. */
  get isShown(): boolean {
    return this.layer.isShown;
  }

  /** Previews a dream, in place of another one. */
  show(previewed: Previewed): void {
    const recipe = JSON.stringify(previewed.config);
    if (recipe === this.current?.recipe) return;
    this.current = { previewed, recipe };
    this.layer.outdate();
    if (this.isRefining) this.running?.stop();
    if (!this.isBusy) void this.drawNewest();
  }

  /** Ends the preview, so that the stage shows the picture. Returns whether one was shown. */
  end(): boolean {
    const { isShown } = this;
    if (!this.current) return false;
    this.turn++;
    this.current = null;
    this.running?.stop();
    this.layer.hide();
    return isShown;
  }

  /** Draws what is to be previewed until nothing newer is. */
  private async drawNewest(): Promise<void> {
    this.isBusy = true;
    this.onChange();
    for (let drawn = null; this.current && this.current !== drawn; ) {
      drawn = this.current;
      const isDrawn = await this.draw(drawn.previewed).catch(() => false);
      if (isDrawn || this.current !== drawn) continue;
      this.end();
      showStatus("Press Dream to see it");
    }
    this.isBusy = false;
    this.onChange();
  }

  /** Returns whether there is a preview. */
  private async draw(previewed: Previewed): Promise<boolean> {
    const { turn } = this;
    const { worker } = previewed;
    const task = previewed.task();
    const minSize = previewed.minSize(task.config);
    if (!canPreview(task, minSize)) return false;
    const show = (small: DreamTask, picture: Pixels, gain: number, state: "rough" | "growing" | "fine") => {
      if (turn !== this.turn) return; // by now, something else is on the stage
      const { isShown } = this;
      const base = shrunkTo(task.photo, MOST);
      const alpha = previewed.alpha && averaged(previewed.alpha, sizeOf(task.photo), sizeOf(base), 1);
      this.layer.show(withChange(base, small.photo, picture, gain), alpha, state);
      if (isShown) return;
      showStatus("A preview: Dream dreams it, Undo goes back");
      this.onChange();
    };
    const rough = roughTask(task, minSize);
    const first = await this.run(worker, rough);
    if (first) show(rough, first.picture, 1, "rough");
    if (this.current?.previewed !== previewed) return true;
    const fine = fineTask(task, minSize);
    this.isRefining = true;
    const last = await this.run(worker, fine, ({ picture, done }) => {
      const isOfSize = picture.width === fine.photo.width && picture.height === fine.photo.height;
      const isClear = done >= SHOWN_FROM && isOfSize && this.current?.previewed === previewed;
      if (isClear) show(fine, picture, (1 - fine.config.blend) / done, "growing");
    }).finally(() => (this.isRefining = false));
    if (last && this.current?.previewed === previewed) show(fine, last.picture, 1, "fine");
    return true;
  }

  /** The dream of a task; null where it was stopped. */
  private async run(
    worker: WorkerClient,
    task: DreamTask,
    onStep?: (update: StepUpdate) => void,
  ): Promise<FinishedDream | null> {
    this.running = worker.run(task, onStep);
    try {
      const finished = await this.running.result;
      return finished?.isWhole ? finished : null;
    } finally {
      this.running = null;
    }
  }
}
