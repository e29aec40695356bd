/**
 * Painting dreams with the brush. A dream grows under the pointer from what is shown, and goes on after the stroke until
 * all of it has grown. What grew is kept with the turn at which each pixel was painted, so that `dreamkit redo` lets the
 * same grow again; nothing outside the strokes changes.
 */

import type { DreamConfig } from "../engine/config";
import { Brush } from "./brush";
import type { HistoryEntry } from "./dream_history";
import { isSame } from "./live_options";
import type { GrowthFilm } from "./growth_film";
import { PaintedDream } from "./painted_dream";
import { changeOf, erase, type Painting, type Stroke, strokeConfig, visible } from "./painting";
import type { MaskLevels, Painted, Pixels } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import { showStatus } from "./status_bar";
import type { TaskRunner } from "./task_runner";
import type { WholeDream } from "./whole_dream";
import type { Workspace } from "./workspace";

const VISIBLE = 3; // levels of 255 by which a stroke changes the picture on average, from which it is seen

/** What the brush paints, and with which options. */
interface Paint extends Pick<Stroke, "label" | "terms" | "strength"> {
  config: DreamConfig;
}

/** Strokes of one paint that grow together. */
interface Growing {
  paint: string;
  /** What has grown by now and is kept. */
  kept: MaskLevels;
  /** Whether another paint came after it. */
  isClosed: boolean;
  end: Promise<void>;
}

export class Painter {
  readonly painted: PaintedDream;
  private readonly brush: Brush;
  private growing: Growing | null = null;
  /** The paint of strokes that wait until something else has stopped. */
  private waiting: string | null = null;
  /** What is erased from; null where the brush does not erase. */
  private erasing: { picture: Pixels; ground: Pixels } | null = null;
  /** Counts what makes strokes that are dreamed again out of date. */
  private turn = 0;

  constructor(
    private readonly work: Workspace,
    private readonly runner: TaskRunner,
    private readonly form: RecipeForm,
    private readonly whole: WholeDream,
    private readonly film: GrowthFilm,
    private readonly onChange: () => void,
  ) {
    this.painted = new PaintedDream(work, runner, form);
    this.brush = new Brush({
      begin: () => this.begin(),
      move: () => this.move(),
      end: () => this.end(),
    });
  }

  /** Whether the pointer is down, or strokes grow. */
  get isBusy(): boolean {
    return this.brush.isDown || this.growing !== null || this.waiting !== null;
  }

  /** Stops what runs, because something else is about to happen; what grew is kept. */
  async interrupt(): Promise<void> {
    this.turn++;
    this.waiting = null;
    await this.runner.stop();
    await this.growing?.end;
  }

  /** Removes all strokes. */
  async clear(): Promise<void> {
    await this.interrupt();
    this.work.history.goToUnpainted();
    this.work.showCurrent();
    showStatus("Removed the strokes; Redo brings them back");
    this.onChange();
  }

  /**
   * Dreams what was painted on and lets the strokes grow again, with the options of the panel. Returns whether the history
   * has the dream; one that was stopped is forgotten. `onStep` is given what grows.
   */
  async dreamAgain(onStep: (picture: Pixels) => void = () => {}): Promise<boolean> {
    await this.interrupt();
    const { history, photo } = this.work;
    const { current } = history;
    if (!current || !this.painted.hasStrokes) return false;
    const turn = ++this.turn;
    const config = this.form.config(photo);
    const choice = this.form.choice(this.runner.session.name);
    this.film.begin(this.painted.blendedWith({ under: current.under, config }));
    const add = (picture: Pixels) => {
      this.film.add(picture);
      onStep(picture);
    };
    const under = await this.dreamUnder({ ...current, config, choice }, add);
    const ground = under === undefined || turn !== this.turn ? null : this.painted.groundOf({ config, under });
    const grown = ground && (await this.growAgain(ground, current.painting, config, add, turn));
    if (turn !== this.turn || history.current?.id !== current.id) return false;
    if (grown) {
      this.film.end(grown.picture);
      history.push(this.painted.entryOf(grown.picture, grown.painting, under!, config, choice));
      showStatus("Dreamed again, and let the strokes grow on it");
    } else {
      showStatus("The picture is as before");
    }
    this.work.showCurrent();
    this.onChange();
    return grown !== null;
  }

  /** The dream under the strokes with the look and the options of the panel: undefined where it was stopped. */
  private async dreamUnder(
    { under, config, choice }: HistoryEntry,
    onStep: (picture: Pixels) => void,
  ): Promise<HistoryEntry | null | undefined> {
    if (!this.painted.hasLookUnder || (under && isSame(config, under.config, ["blend"]))) return under;
    showStatus("Dreaming under the strokes");
    const photo = this.painted.photoOf(config);
    const dream = await this.whole.run("painting", photo, { config, choice }, ({ picture }) => onStep(picture));
    return dream?.provenance.dream.isWhole ? this.work.history.make(dream) : undefined;
  }

  /** Strokes on another ground, with other options; null where they were stopped. */
  private async growAgain(
    ground: Pixels,
    painting: Painting,
    config: DreamConfig,
    onStep: (picture: Pixels) => void,
    turn: number,
  ) {
    let picture = ground;
    const grown: Stroke[] = [];
    for (const stroke of painting) {
      if (stroke.erased) {
        picture = erase(picture, ground, stroke.erased);
        grown.push(stroke);
        continue;
      }
      showStatus(`Growing ${stroke.label} under the strokes`);
      const { times } = stroke.growth!;
      const task = { kind: "regrow" as const, photo: picture, config: strokeConfig(config, stroke), times };
      const finished = await this.runner.run("painting", task, ({ picture }) => onStep(picture));
      if (!finished || turn !== this.turn) return null;
      picture = finished.picture;
      grown.push({ ...stroke, growth: finished.growth! });
    }
    return { picture, painting: grown };
  }

  /** A stroke begins. While strokes of the same paint grow, it is one of them. */
  private begin(): void {
    if (!this.work.photo || !this.runner.session.network) return;
    this.work.stage.comparison.show(0); // else the photograph hides what grows
    this.onChange();
    const { isErasing } = this.brush;
    const paint = this.paint;
    const name = isErasing ? "" : JSON.stringify(paint);
    const { growing } = this;
    if (this.waiting === name || (growing?.paint === name && !growing.isClosed)) return;
    this.brush.clear();
    if (growing) growing.isClosed = true;
    const stopped = this.interrupt();
    const { turn } = this;
    this.waiting = name;
    void stopped.then(() => {
      if (turn !== this.turn) return;
      this.waiting = null;
      if (isErasing) this.beginErasing();
      else this.beginGrowth(paint, name);
    });
  }

  private beginGrowth(paint: Paint, name: string): void {
    const { photo } = this.work;
    if (!photo) return;
    const kept = new Uint8ClampedArray(photo.height * photo.width);
    const growing: Growing = { paint: name, kept, isClosed: false, end: Promise.resolve() };
    this.growing = growing;
    growing.end = this.grow(paint, growing).finally(() => {
      this.growing = null;
      if (!this.brush.isDown && this.waiting === null) this.brush.clear();
      this.onChange();
    });
  }

  private async grow(paint: Paint, growing: Growing): Promise<void> {
    const { turn } = this;
    const { work, runner } = this;
    const config = strokeConfig(paint.config, paint);
    // A stroke that began just when the others had grown is left.
    for (let painted = this.left(growing); painted.mask.some(Boolean) && turn === this.turn; painted = this.left(growing)) {
      showStatus(`Growing ${paint.label} under the brush`);
      const { ground } = this.painted;
      const task = { kind: "grow" as const, photo: ground, config, painted };
      const grown = await runner.run("growing", task, ({ picture, segments }) => {
        work.show(this.painted.shownAs(picture));
        if (!growing.isClosed) this.brush.endTrace(segments!);
      });
      if (!grown?.growth?.turns) {
        showStatus("Nothing was painted; the picture is as before");
        return work.showCurrent();
      }
      grown.growth.times.forEach((time, i) => time && (growing.kept[i] = 255));
      const { label, terms, strength } = paint;
      const stroke = { label, terms, strength, growth: grown.growth, erased: null };
      this.painted.push(grown.picture, [...this.painted.painting, stroke]);
      if (!grown.isWhole) showStatus(`Stopped; what has grown of ${label} stays`);
      else if ((1 - config.blend) * changeOf(ground, grown.picture, grown.growth.times) >= VISIBLE) showStatus(`Painted ${label}`);
      else showStatus(`Painted ${label}, which hardly shows; raise the brush's strength, or choose another layer`);
    }
  }

  /** What the strokes cover and is not kept yet. */
  private left({ kept }: Growing): Painted {
    const { coverage, segments, isDown } = this.brush;
    return { mask: coverage.map((level, i) => (level > 127 && !kept[i] ? 255 : 0)), segments, isOpen: isDown };
  }

  private move(): void {
    const { erasing, growing } = this;
    if (erasing) this.work.show(this.painted.shownAs(erase(erasing.picture, erasing.ground, this.brush.coverage)));
    else if (growing && !growing.isClosed) this.runner.session.worker.setPainted(this.left(growing));
  }

  private end(): void {
    const { erasing, growing } = this;
    if (erasing) this.endErasing(erasing);
    else if (growing && !growing.isClosed) this.runner.session.worker.setPainted(this.left(growing));
    else if (this.waiting === null) this.brush.clear();
    this.onChange();
  }

  private beginErasing(): void {
    const { current } = this.work.history;
    if (!current || !this.painted.hasStrokes) return this.brush.clear();
    this.erasing = { picture: this.painted.ground, ground: this.painted.groundOf(current) };
    if (this.brush.isDown) this.move();
    else this.endErasing(this.erasing);
  }

  private endErasing({ picture, ground }: { picture: Pixels; ground: Pixels }): void {
    const { coverage, segments } = this.brush;
    this.erasing = null;
    this.brush.clear();
    if (segments) this.pushErased(picture, ground, coverage);
    this.work.showCurrent();
    this.onChange();
  }

  private pushErased(picture: Pixels, ground: Pixels, coverage: MaskLevels): void {
    const painting = [...this.painted.painting, { label: "", terms: [], strength: 0, growth: null, erased: coverage }];
    if (visible(painting).length) this.painted.push(erase(picture, ground, coverage), painting);
    else this.work.history.goToUnpainted();
  }

  private get paint(): Paint {
    return { ...this.form.picker.painted, strength: this.brush.strength, config: this.form.config(this.work.photo) };
  }
}
