/**
 * Painting dreams with the brush. While the pointer is down, a dream grows under it from what is shown. Then the
 * stroke is kept with its layers and its strength, and the recipe of all strokes is dreamed, so that the
 * picture is the one that `dreamkit redo` repeats. What grew is shown until then.
 */

import { toTables } from "../engine/terms";
import { Brush } from "./brush";
import type { HistoryEntry } from "./dream_history";
import { erased, paintedRecipe, type Painting, withStroke } from "./painting";
import { cloudsPhoto } from "./photograph";
import type { RecipeForm } from "./recipe_form";
import { showStatus } from "./status_bar";
import type { TaskRunner } from "./task_runner";
import type { Workspace } from "./workspace";

export class Painter {
  private readonly brush: Brush;
  /** Counts what makes a recipe that is being dreamed out of date. */
  private turn = 0;

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
    return this.brush.isDown || (this.work.history.current?.isPending ?? false);
  }

  /** Tells that the shown dream is another one, or about to be. */
  interrupt(): void {
    this.turn++;
  }

  /** Removes all strokes. */
  async clear(): Promise<void> {
    this.interrupt();
    await this.runner.stop();
    this.brush.clear();
    if (!this.painting.length) return;
    this.work.history.goToUnpainted();
    this.work.showCurrent();
    showStatus("Removed the strokes; Redo brings them back");
    this.onChange();
  }

  /** Dreams the strokes again with the options of the panel. */
  async dreamAgain(): Promise<void> {
    this.interrupt();
    await this.runner.stop();
    const { current } = this.work.history;
    if (!current) return;
    this.work.history.push({ ...current, config: this.form.config(this.work.photo), isPending: true });
    await this.settle();
  }

  /** Dreams the recipe of strokes that wait for it. */
  async settle(): Promise<void> {
    const { history } = this.work;
    const entry = history.current;
    const { network } = this.runner.session;
    if (!entry?.isPending || !network || this.brush.isDown || this.runner.isBusy) return;
    const turn = ++this.turn;
    const { config, masks } = paintedRecipe(entry.config, this.termsUnder(entry), entry.painting);
    const photo = this.photoUnder(entry);
    showStatus(entry.painting.length > 1 ? `Dreaming under ${entry.painting.length} kinds of strokes` : "Dreaming under the strokes");
    const finished = await this.runner.run("painting", { kind: "dream", photo, config, masks });
    if (turn !== this.turn || history.current?.id !== entry.id) return;
    if (finished?.isWhole) {
      const { picture, ...dream } = finished;
      const provenance = { dream, config, network, photo: this.work.photo!, masks };
      history.change({ picture, provenance: this.isRepeatable(entry) ? provenance : null, isPending: false });
      this.work.showCurrent();
      showStatus(`Painted ${entry.painting.map(({ label }) => label).join(" and ")}`);
    } else {
      history.change({ isPending: false });
      showStatus("Stopped: the strokes are as they grew, and no recipe repeats them");
    }
    this.onChange();
  }

  private get painting(): Painting {
    return this.work.history.current?.painting ?? [];
  }

  private async begin(): Promise<void> {
    const { photo } = this.work;
    if (!photo || !this.runner.session.network) return;
    this.interrupt();
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

  /** Keeps the stroke. */
  private async end(): Promise<void> {
    const { photo, history } = this.work;
    const { coverage, isErasing, strength } = this.brush;
    const { label, tables: terms } = this.form.picker;
    await this.runner.stop();
    if (!photo || !coverage.some(Boolean)) return this.onChange();
    const before = this.painting;
    const painting = isErasing ? erased(before, coverage) : withStroke(before, { label, terms, coverage, strength });
    this.brush.clear();
    if (!painting.length) {
      history.goToUnpainted();
      this.work.showCurrent();
    } else {
      const config = this.currentConfig();
      const under = this.unpainted;
      history.push({
        picture: this.work.shown, provenance: null, origin: "brush", painting, under, config, isPending: true,
      }); // prettier-ignore
    }
    this.onChange();
    await this.settle();
  }

  /** The options of the strokes: those of the dream that they are part of. */
  private currentConfig() {
    const { current } = this.work.history;
    const { photo } = this.work;
    if (current?.painting.length) return current.config;
    if (current?.provenance) return current.provenance.config;
    const config = this.form.config(photo);
    return photo?.seed === undefined ? config : { ...config, seed: photo.seed };
  }

  /** The dream that the strokes are on; null where that is the photograph. */
  private get unpainted(): HistoryEntry | null {
    const { current } = this.work.history;
    return current?.painting.length ? current.under : current;
  }

  private isRepeatable({ under }: HistoryEntry): boolean {
    return !under || (under.provenance?.dream.isWhole ?? false);
  }

  /** The terms of the dream that was painted on; null where that is a picture. */
  private termsUnder(entry: HistoryEntry) {
    if (!entry.under || !this.isRepeatable(entry)) return null;
    return toTables(entry.under.provenance!.config.layers, this.runner.session.network!.layers);
  }

  private photoUnder(entry: HistoryEntry) {
    const photo = this.work.photo!;
    if (!this.isRepeatable(entry)) return entry.under!.picture;
    const { seed, noise } = entry.config;
    return photo.isNoise ? cloudsPhoto(seed, photo.height, photo.width, noise) : photo;
  }
}
