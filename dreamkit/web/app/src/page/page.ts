/** The page: it connects the panel, the picture and the worker. */

import { ConceptForm } from "./concept_form";
import { button, element, isPressed, select, setPressed } from "./elements";
import { FirstSight } from "./first_sight";
import { HistoryStrip } from "./history_strip";
import { asTerms, LinkOpener } from "./link_opener";
import { listen } from "./listeners";
import { NetworkSession } from "./network_session";
import { Painter } from "./painter";
import { PhotoChooser } from "./photo_chooser";
import { cloudsPhoto } from "./photograph";
import { saveDream } from "./picture_file";
import type { Pixels, StepUpdate } from "./protocol";
import { RecipeForm } from "./recipe_form";
import { SessionKeeper } from "./session_keeper";
import type { Site } from "./site";
import { Stage } from "./stage";
import { showStatus } from "./status_bar";
import { TaskRunner } from "./task_runner";
import { Workspace } from "./workspace";

const ZOOM = 1.03; // factor of each turn of the endless zoom

export class Page {
  readonly work = new Workspace(new Stage());
  readonly form: RecipeForm;
  readonly session: NetworkSession;
  readonly chooser: PhotoChooser;
  readonly painter: Painter;
  readonly concepts: ConceptForm;
  readonly links: LinkOpener;
  private readonly keeper: SessionKeeper;
  private readonly sight: FirstSight;
  private readonly strip = new HistoryStrip((position) => void this.goTo(position));
  private readonly runner = new TaskRunner(() => this.refresh());
  private saves = 0;

  constructor(private readonly site: Site) {
    this.form = new RecipeForm(site);
    const { form, work, runner } = this;
    this.session = new NetworkSession(site, form.picker, runner, () => this.refresh());
    runner.session = this.session;
    this.painter = new Painter(work, runner, form, () => this.refresh());
    this.concepts = new ConceptForm(this.session, runner, form.picker);
    const stop = () => this.interrupt();
    this.chooser = new PhotoChooser(work, form, () => this.session.minSize(form.picker.layers), stop, () => this.refresh());
    this.keeper = new SessionKeeper(work, this.session, form);
    this.sight = new FirstSight(this.session, form);
    this.links = new LinkOpener(site, this.session, form, runner);
    listen(this);
  }

  /** Opens the network, and continues the kept session; a link's recipe goes before its own. */
  async start(): Promise<void> {
    const { links, site } = this;
    const kept = await this.keeper.open();
    if (kept && !links.isLinked) {
      if (this.session.hasModel(kept.model)) select("model").value = kept.model;
      this.form.set(kept.options);
    }
    await (links.isLinked ? links.open() : this.session.open("wasm", asTerms(kept?.options.layers ?? site.options.layers)));
    if (kept) {
      this.keeper.restore(kept);
      if (kept.entries.length) showStatus(`Your dreams of ${this.work.photoName} are back`);
      this.refresh();
      await this.painter.settle();
    }
    void this.session.switchToFastest();
  }

  /** Dreams the whole recipe on the photograph; strokes are dreamed again. */
  async dream(): Promise<void> {
    const { work, runner } = this;
    const { network } = this.session;
    if (!work.photo || !network) return;
    work.stage.comparison.show(0);
    if (this.painter.hasStrokes) return this.painter.dreamAgain();
    await this.interrupt();
    const config = this.form.config(work.photo);
    if (work.photo.isNoise) {
      const { height, width } = work.photo; // the seed may have changed
      work.photo = cloudsPhoto(config.seed, height, width, config.noise);
    }
    const { photo } = work;
    const start = performance.now();
    showStatus("Dreaming");
    const task = { kind: "dream" as const, photo, config, masks: {} };
    const finished = await runner.run("dreaming", task, (update) => work.show(update.picture));
    if (!finished) return work.showCurrent();
    const { picture, ...dream } = finished;
    const provenance = { dream, config, network, photo, masks: {} };
    work.history.push({
      picture, provenance, origin: "dream", painting: [], under: null, config, network: network.sha256, isPending: false,
    }); // prettier-ignore
    work.showCurrent();
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    showStatus(`${dream.isWhole ? "Dreamed in" : "Stopped after"} ${seconds} s, ${runner.speed.text}`);
    this.refresh();
  }

  async toggleZoom(): Promise<void> {
    const { work, runner } = this;
    if (runner.activity === "zooming") return runner.stop();
    const { network } = this.session;
    if (!work.photo || !network) return;
    await this.interrupt();
    work.stage.comparison.show(0);
    showStatus("Zooming into the dream");
    const config = this.form.config(work.photo);
    const last: { picture?: Pixels } = {};
    const onStep = ({ picture }: StepUpdate) => work.show((last.picture = picture));
    await runner.run("zooming", { kind: "zoom", photo: work.shown, config, factor: ZOOM }, onStep);
    const { picture } = last;
    if (!picture) return;
    work.history.push({
      picture, provenance: null, origin: "zoom", painting: [], under: null, config, network: network.sha256, isPending: false,
    }); // prettier-ignore
    showStatus("Stopped; Zoom goes on from here");
    this.refresh();
  }

  /** Starts a dream, or stops what runs. */
  async toggleDream(): Promise<void> {
    if (this.isIdle) await this.dream();
    else await this.runner.stop();
  }

  async undo(): Promise<void> {
    await this.interrupt();
    if (!this.work.history.canUndo) return;
    this.work.history.undo();
    showStatus(this.work.history.current ? "Back to the previous dream" : "Back to the photograph");
    await this.showCurrent();
  }

  async redo(): Promise<void> {
    await this.interrupt();
    if (!this.work.history.canRedo) return;
    this.work.history.redo();
    showStatus("Forward to the next dream");
    await this.showCurrent();
  }

  /** Shows one of the dreams, or with 0 the photograph. */
  async goTo(position: number): Promise<void> {
    await this.interrupt();
    this.work.history.goTo(position);
    showStatus(position ? `Dream ${position}` : "The photograph");
    await this.showCurrent();
  }

  async save(): Promise<void> {
    const { history, photo, photoName } = this.work;
    if (!history.current || !photo || !this.isIdle) return;
    const stem = (photo.name || (photo.isNoise ? "clouds" : "camera")).replace(/\.[^.]*$/, "");
    this.saves++;
    const name = `${stem}.dream${this.saves > 1 ? `-${this.saves}` : ""}.png`;
    await saveDream(history.current, photo.alpha, this.site.dreamkit, name);
    showStatus(
      history.current.provenance
        ? `Saved ${name}; dreamkit redo dreams it again, with small differences`
        : `Saved ${name} without a recipe, because no recipe can repeat this dream of ${photoName}`,
    );
    history.markSaved();
    this.refresh();
  }

  /** Shows the ways to open a photograph; the current one stays until another is opened. */
  chooseAnother(isChoosing: boolean): void {
    if (!this.work.photo) return;
    element("welcome").hidden = !isChoosing;
    element("frame").classList.toggle("choosing", isChoosing);
    if (isChoosing) button("choose").focus();
    this.refresh();
  }

  /** Forgets the photograph and its dreams, also what the browser keeps of them. */
  async forget(): Promise<void> {
    await this.interrupt();
    this.work.close();
    await this.keeper.forget();
    showStatus("Nothing is kept of your pictures");
    this.refresh();
  }

  private interrupt(): Promise<void> {
    return this.painter.interrupt();
  }

  refresh(): void {
    const { history, photo } = this.work;
    const isOpen = this.session.network !== null;
    const isReady = isOpen && photo !== null && element("welcome").hidden === true;
    const { isIdle } = this;
    button("dream").disabled = !isReady;
    button("dream").textContent = isIdle ? "Dream" : "Stop";
    for (const id of ["brush", "zoom"]) button(id).disabled = !isReady;
    button("learn").disabled = !isOpen || !isIdle;
    setPressed("zoom", this.runner.activity === "zooming");
    button("undo").disabled = !isReady || !history.canUndo;
    button("redo").disabled = !isReady || !history.canRedo;
    button("save").disabled = !isReady || !history.current || !isIdle;
    button("clear").disabled = !history.current?.painting.length;
    element("comparison").classList.toggle("absent", !history.position);
    element("divider").hidden = !history.position || !isReady;
    this.strip.show(photo, history.entries, history.position);
    element("back").hidden = photo === null;
    element("brushes").hidden = !isPressed("brush");
    element("frame").classList.toggle("brushing", isPressed("brush") && isReady);
    document.body.dataset.activity = isOpen ? this.activity : "loading";
    document.body.dataset.dreams = String(history.position);
    this.form.picker.isIdle = isOpen && isIdle;
    this.sight.refresh(isOpen && isIdle && !photo && !this.chooser.isOpening && element("viewfinder").hidden === true);
    if (isOpen && !this.runner.isBusy) void this.keeper.keep();
  }

  /** Whether nothing runs, and nothing waits to run. */
  get isIdle(): boolean {
    return this.activity === "idle";
  }

  private get activity() {
    if (this.runner.isBusy || !this.painter.isBusy) return this.runner.activity;
    return "painting";
  }

  private async showCurrent(): Promise<void> {
    this.work.showCurrent();
    this.refresh();
    await this.painter.settle();
  }

  /** Whether closing the page now would lose something. */
  get wouldLose(): boolean {
    return this.keeper.wouldLose || ["dreaming", "growing", "zooming"].includes(this.runner.activity);
  }
}
