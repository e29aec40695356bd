/** The page: it connects the panel, the picture and the worker. */

import { UserError } from "../engine/errors";
import { ConceptForm } from "./concept_form";
import { button, element, isPressed, select, setPressed } from "./elements";
import { HistoryStrip } from "./history_strip";
import { OWN_LAYERS } from "./layer_picker";
import { listen } from "./listeners";
import { NetworkSession } from "./network_session";
import { Painter } from "./painter";
import { PhotoChooser } from "./photo_chooser";
import { cloudsPhoto } from "./photograph";
import { saveDream } from "./picture_file";
import type { Pixels, StepUpdate } from "./protocol";
import { RecipeForm } from "./recipe_form";
import { hasLink, type LinkedRecipe, parseLink, recipeLink } from "./recipe_link";
import type { RecipePictures } from "./recipe_pictures";
import { SavedSessions } from "./saved_sessions";
import type { Site } from "./site";
import { Stage } from "./stage";
import { clearError, showError, showStatus } from "./status_bar";
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
  private readonly strip = new HistoryStrip((position) => void this.goTo(position));
  private readonly runner = new TaskRunner(() => this.refresh());
  private sessions: SavedSessions | null = null;
  private isKept = true;
  private saves = 0;

  /** `pictures` fits the guide and the masks of the page's recipe to a photograph. */
  constructor(
    private readonly site: Site,
    private readonly pictures: (photo: Pixels) => RecipePictures,
  ) {
    this.form = new RecipeForm(site);
    const { form, work, runner } = this;
    this.session = new NetworkSession(site, form.picker, runner, () => this.refresh());
    runner.session = this.session;
    this.painter = new Painter(work, runner, form, () => this.refresh());
    this.concepts = new ConceptForm(this.session, runner, form.picker);
    const stop = () => this.interrupt();
    this.chooser = new PhotoChooser(work, form, () => this.session.minSize(form.picker.layers), stop, () => this.refresh());
    listen(this);
  }

  /** Opens the network, and continues the kept session; a link's recipe goes before its own. */
  async start(): Promise<void> {
    this.sessions = await SavedSessions.open((isKept) => this.markKept(isKept));
    const kept = (await this.sessions?.claim().catch(() => null)) ?? null;
    const link = parseLink(location.hash, this.site);
    const isLinked = hasLink(location.hash);
    if (kept && !isLinked) {
      if (this.session.hasModel(kept.model)) select("model").value = kept.model;
      this.form.set(kept.options);
    }
    const layers = isLinked ? null : kept?.options.layers;
    await (isLinked ? this.openLink(link) : this.session.open("wasm", layers ? asTerms(layers) : ownTerms(this.site)));
    if (kept) {
      this.work.open(kept.photo, kept.file);
      this.work.history.restore(kept.entries, kept.position, kept.savedId);
      this.form.longestSide = kept.options.max_size ?? this.form.longestSide;
      this.work.showCurrent();
      if (kept.entries.length) showStatus(`Your dreams of ${this.work.photoName} are back`);
      this.refresh();
      await this.painter.settle();
    }
    void this.session.switchToFastest();
  }

  /** Uses the recipe of a link; null is one that cannot be read. */
  private async openLink(link: LinkedRecipe | null): Promise<void> {
    if (link?.model) select("model").value = link.model;
    if (link) this.form.set(link.options);
    const layers = link?.options.layers ? asTerms(link.options.layers) : ownTerms(this.site);
    await this.session.open(this.session.network ? undefined : "wasm", layers);
    if (!link) {
      showError(new UserError("the link is damaged or cut off, so the page's own recipe is used; copy the whole link"));
      return;
    }
    const missing = asTerms(link.options.layers ?? null).filter((term) => !this.session.hasTerm(term));
    const rejected = [...link.rejected, ...missing];
    if (!rejected.length) return;
    const message = `this link asks for ${rejected.join(", ")}, which this page does not have`;
    showError(new UserError(`${message}; the page's own recipe is used instead`));
  }

  /** The address has another link. */
  async followLink(): Promise<void> {
    if (!hasLink(location.hash)) return;
    clearError();
    await this.runner.stop(); // strokes that are being dreamed stay as they grew
    await this.openLink(parseLink(location.hash, this.site));
    if (element("notice").hidden) showStatus("The link's recipe is chosen; press Dream");
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
      work.photo = cloudsPhoto(config, height, width);
    }
    const { photo } = work;
    const start = performance.now();
    showStatus("Dreaming");
    let pictures: RecipePictures;
    try {
      pictures = this.pictures(photo);
    } catch (error) {
      return showError(error);
    }
    const task = { kind: "dream" as const, photo, config, ...pictures, together: this.together() };
    const finished = await runner.run("dreaming", task, (update) => work.show(update.picture));
    if (!finished) return work.showCurrent();
    const { picture, ...dream } = finished;
    const provenance = { dream, config, network, photo, ...pictures };
    work.history.push({
      picture, provenance, origin: "dream", painting: [], under: null, config, network: network.sha256, isPending: false,
    }); // prettier-ignore
    work.showCurrent();
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    showStatus(`${dream.isWhole ? "Dreamed in" : "Stopped after"} ${seconds} s, ${runner.speed.text}`);
    this.refresh();
  }

  /** The networks of the page's recipe, where its own layers are chosen. */
  private together() {
    if (!this.form.picker.terms.some((term) => term.split("=")[0] === OWN_LAYERS)) return [];
    return this.site.together.map((model) => ({ ...model, path: new URL(model.path, location.href).href }));
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

  async share(): Promise<void> {
    const link = recipeLink(this.site, this.session.name, this.form.options);
    history.replaceState(null, "", link);
    try {
      await navigator.clipboard.writeText(link);
      showStatus("The recipe's link is in the clipboard and in the address bar");
    } catch {
      showStatus("The recipe's link is in the address bar");
    }
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
    await this.sessions?.forgetAll();
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
    if (isOpen && !this.runner.isBusy) void this.keep();
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

  /** Keeps the session in the browser. */
  async keep(): Promise<void> {
    const { photo, file, history } = this.work;
    if (!photo || !this.session.network) return;
    const { entries, position, savedId } = history;
    const { form, session } = this;
    await this.sessions?.keep({ model: session.name, options: form.options, photo, file, entries, position, savedId });
  }

  private markKept(isKept: boolean): void {
    this.isKept = isKept;
    document.body.dataset.kept = String(isKept);
  }

  /** Whether closing the page now would lose something. */
  get wouldLose(): boolean {
    const isUnkept = this.work.history.isUnsaved && (!this.sessions || !this.isKept);
    return isUnkept || ["dreaming", "growing", "zooming"].includes(this.runner.activity);
  }
}

function asTerms(layers: unknown): string[] {
  return Array.isArray(layers) ? layers.filter((term) => typeof term === "string") : [];
}

/** The terms of the page's own recipe. */
function ownTerms({ options: { layers }, together }: Site): string[] {
  const isText = layers === null || (Array.isArray(layers) && layers.every((term) => typeof term === "string"));
  return isText && !together.length ? asTerms(layers) : [OWN_LAYERS];
}
