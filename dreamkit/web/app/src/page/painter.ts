/**
 * Painting dreams with the brush. While the pointer is down, a dream grows under it from what is shown. Then the
 * stroke is kept with its layers and its strength, and the recipe of all strokes is dreamed, so that the
 * picture is the one that `dreamkit redo` repeats. What grew is shown until then.
 */

import type { DreamConfig } from "../engine/config";
import { toTables } from "../engine/terms";
import { Brush } from "./brush";
import type { HistoryEntry } from "./dream_history";
import { tuned } from "./live_preview";
import { erased, paintedRecipe, type Painting, type Stroke, withStroke } from "./painting";
import { cloudsPhoto } from "./photograph";
import type { DreamTask, MaskLevels } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import { showError, showStatus } from "./status_bar";
import type { TaskRunner } from "./task_runner";
import { WorkerCrashed } from "./worker_client";
import type { Workspace } from "./workspace";

const LEAST_SHARE = 0.25; // of the movement, for which a stroke is made stronger

export class Painter {
  private readonly brush: Brush;
  /** Counts what makes a recipe that is being dreamed out of date. */
  private turn = 0;
  /** Strokes that are to be kept, and the end of the last of them. */
  private waiting = 0;
  private lastStroke: Promise<void> = Promise.resolve();

  constructor(
    private readonly work: Workspace,
    private readonly runner: TaskRunner,
    private readonly form: RecipeForm,
    private readonly onChange: () => void,
  ) {
    this.brush = new Brush({
      begin: () => void this.begin(),
      move: () => this.move(),
      end: () => void this.end(),
    });
  }

  /** Whether the pointer is down, or strokes wait for their recipe's dream. */
  get isBusy(): boolean {
    return this.brush.isDown || this.waiting > 0 || (this.work.history.current?.isPending ?? false);
  }

  /** Stops what runs, because something else is about to happen; strokes that are painted are kept, as they grew. */
  async interrupt(): Promise<void> {
    await this.lastStroke;
    this.turn++;
    await this.runner.stop();
    const { history } = this.work;
    if (history.current?.isPending) history.change({ isPending: false });
  }

  /** Removes all strokes. */
  async clear(): Promise<void> {
    await this.interrupt();
    this.brush.clear();
    this.work.history.goToUnpainted();
    this.work.showCurrent();
    showStatus("Removed the strokes; Redo brings them back");
    this.onChange();
  }

  /** Whether there are strokes that can be dreamed again. */
  get hasStrokes(): boolean {
    return this.painting.length > 0;
  }

  /** The task that dreams the strokes with other options; null where there are no strokes. */
  task(config: DreamConfig): DreamTask | null {
    const { current } = this.work.history;
    return current && this.hasStrokes ? this.taskOf({ ...current, config }) : null;
  }

  /**
   * Dreams the strokes again with the options of the panel. Returns whether the history has the dream; one that was
   * stopped is forgotten.
   */
  async dreamAgain(): Promise<boolean> {
    await this.interrupt();
    const { history, photo } = this.work;
    const { current } = history;
    if (!current || !this.hasStrokes) return false;
    const entry = { ...current, config: this.form.config(photo), choice: this.form.choice(this.runner.session.name) };
    const dreamed = await this.dreamStrokes(entry);
    if (dreamed) {
      history.push({ ...entry, ...dreamed, isPending: false });
      this.show(entry);
    } else if (dreamed === null) {
      this.work.showCurrent();
      showStatus("Stopped; the picture is as before");
      this.onChange();
    }
    return Boolean(dreamed);
  }

  /** Dreams the recipe of strokes that wait for it. */
  async settle(): Promise<void> {
    const { history } = this.work;
    const entry = history.current;
    const { network } = this.runner.session;
    if (!entry?.isPending || !network || this.brush.isDown || this.waiting || this.runner.isBusy) return;
    const dreamed = await this.dreamStrokes(entry);
    if (dreamed) {
      history.change({ ...dreamed, isPending: false });
      this.show(entry);
    } else if (dreamed === null) {
      history.change({ isPending: false });
      showStatus("Stopped: the strokes are as they grew, and no recipe repeats them");
      this.onChange();
    }
  }

  private show({ painting }: HistoryEntry): void {
    this.work.showCurrent();
    showStatus(`Painted ${painting.map(({ label }) => label).join(" and ")}`);
    this.onChange();
  }

  /** The dream of strokes; null where it was stopped, undefined where something else is shown meanwhile. */
  private async dreamStrokes(entry: HistoryEntry) {
    const turn = ++this.turn;
    const network = this.runner.session.network!;
    const task = this.taskOf(entry);
    const { photo, config, masks } = task;
    showStatus(entry.painting.length > 1 ? `Dreaming under ${entry.painting.length} kinds of strokes` : "Dreaming under the strokes");
    const finished = await this.runner.run("painting", { ...task, config: { ...config, blend: 0 } });
    if (turn !== this.turn || this.work.history.current?.id !== entry.id) return undefined;
    if (!finished?.isWhole) return null;
    const { picture: unblended, ...dream } = finished;
    const picture = tuned(photo, unblended, { gain: 1, chroma: 1, blend: config.blend });
    const provenance = { dream, config, network, photo: this.work.photo!, masks };
    return { picture, unblended, provenance: this.isRepeatable(entry) ? provenance : null };
  }

  private taskOf(entry: HistoryEntry): DreamTask {
    const painted = paintedRecipe(entry.config, this.termsUnder(entry), entry.painting);
    return { kind: "dream", photo: this.photoUnder(entry), ...painted };
  }

  /** The strokes that others are added to. Those of another network are part of the picture. */
  private get painting(): Painting {
    const { current } = this.work.history;
    return current && this.isOfThisNetwork(current) ? current.painting : [];
  }

  private isOfThisNetwork({ network }: HistoryEntry): boolean {
    return network === this.runner.session.network?.sha256;
  }

  private async begin(): Promise<void> {
    const { photo } = this.work;
    if (!photo || !this.runner.session.network) return;
    this.turn++;
    this.onChange();
    await this.runner.stop();
    if (!this.brush.isDown) return;
    if (this.brush.isErasing) return this.erase();
    const config = this.form.config(photo);
    const task = {
      kind: "grow" as const,
      photo: this.work.shown,
      config: { ...config, strength: config.strength * this.brush.strength },
      mask: this.brush.coverage,
    };
    showStatus(`Growing ${this.form.picker.label} under the brush`);
    await this.runner.run("growing", task, ({ picture }) => this.work.show(picture));
  }

  private move(): void {
    if (this.brush.isErasing) this.erase();
    else if (this.runner.activity === "growing") this.runner.session.worker.setMask(this.brush.coverage);
  }

  /** Shows what lies under the strokes where the brush erases. */
  private erase(): void {
    const { photo } = this.work;
    if (photo) this.work.show(this.brush.reveal(this.work.shown, this.unpainted?.picture ?? photo));
  }

  /** Keeps the stroke, after those before it. */
  private async end(): Promise<void> {
    const { coverage, isErasing, strength } = this.brush;
    const { label, tables: terms } = this.form.picker;
    const stroke = isErasing ? null : { label, terms, coverage, strength };
    this.brush.clear();
    this.waiting++;
    this.lastStroke = this.lastStroke.then(() => this.keep(stroke, coverage)).finally(() => this.waiting--);
    await this.lastStroke;
    this.onChange();
    await this.settle();
  }

  /** Adds a stroke to the painting; null erases what it covers. */
  private async keep(stroke: Stroke | null, coverage: MaskLevels): Promise<void> {
    const { history } = this.work;
    if (!this.brush.isDown) await this.runner.stop();
    if (!this.work.photo || !coverage.some(Boolean)) return;
    let painting: Painting;
    if (stroke) {
      const share = await this.share({ ...this.currentConfig(), layers: stroke.terms }, coverage);
      painting = withStroke(this.painting, { ...stroke, strength: stroke.strength / share });
    } else {
      painting = erased(this.painting, coverage);
    }
    if (!painting.length) {
      history.goToUnpainted();
      return this.work.showCurrent();
    }
    const config = this.currentConfig();
    const { name, network } = this.runner.session;
    const under = this.unpainted;
    const choice = { ...this.form.choice(name), ...(this.configured && { recipe: this.configured.choice.recipe }) };
    history.push({
      picture: this.work.shown, provenance: null, origin: "brush", painting, under, config, choice,
      network: network!.sha256, isPending: true,
    }); // prettier-ignore
  }

  /**
   * How far the recipe moves the pixels under a stroke, as a share of how far it moves the whole picture. While
   * the stroke grows, only what is near counts, so without this the recipe's dream would be the weaker one.
   */
  private async share(config: DreamConfig, coverage: MaskLevels): Promise<number> {
    const picture = this.unpainted?.picture ?? this.work.photo!;
    const share = await this.runner.session.worker.weigh(picture, config, coverage).catch((error) => {
      if (!(error instanceof WorkerCrashed)) showError(error);
      return 1;
    });
    return Math.min(1, Math.max(LEAST_SHARE, share));
  }

  /** The options of the strokes: those of the dream that they are part of. */
  private currentConfig() {
    const { photo } = this.work;
    if (this.configured) return this.configured.config;
    const config = this.form.config(photo);
    return photo?.seed === undefined ? config : { ...config, seed: photo.seed };
  }

  /** The dream whose options the strokes have; null where they have those of the panel. */
  private get configured(): HistoryEntry | null {
    const { current } = this.work.history;
    return this.painting.length || (current?.provenance && this.isOfThisNetwork(current)) ? current : null;
  }

  /** The dream that the strokes are on; null where that is the photograph. */
  private get unpainted(): HistoryEntry | null {
    const { current } = this.work.history;
    return this.painting.length ? current!.under : current;
  }

  private isRepeatable({ under }: HistoryEntry): boolean {
    if (!under) return true;
    if (!under.provenance || under.painting.length || !this.isOfThisNetwork(under)) return false;
    const { dream, guide, masks } = under.provenance;
    return dream.isWhole && !dream.networks && !guide && !Object.keys(masks).length; // strokes are dreamed without them
  }

  /** The terms of the dream that was painted on; null where that is a picture. */
  private termsUnder(entry: HistoryEntry) {
    if (!entry.under || !this.isRepeatable(entry)) return null;
    return toTables(entry.under.provenance!.config.layers, this.runner.session.network!.layers);
  }

  private photoUnder(entry: HistoryEntry) {
    const photo = this.work.photo!;
    if (!this.isRepeatable(entry)) return entry.under!.picture;
    return photo.isNoise ? cloudsPhoto(entry.config, photo.height, photo.width) : photo;
  }
}
