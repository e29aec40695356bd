/** The page: it connects the panel, the picture and the worker. */

import { BrushPalette } from "./brush_palette";
import { showCaption } from "./caption";
import { ConceptForm } from "./concept_form";
import { DreamAtHand } from "./dream_at_hand";
import { Dreamer } from "./dreamer";
import { button, element, isPressed, select, setPressed } from "./elements";
import { FirstSight } from "./first_sight";
import { GrowthFilm } from "./growth_film";
import { HistoryStrip } from "./history_strip";
import { asTerms, LinkOpener, ownTerms } from "./link_opener";
import { LargeFinish } from "./large_finish";
import { listen } from "./listeners";
import { LiveCamera } from "./live_camera";
import { LiveOptions } from "./live_options";
import { NetworkSession } from "./network_session";
import { Painter } from "./painter";
import { PhotoChooser } from "./photo_chooser";
import { PhotoQueue } from "./photo_queue";
import { PhotoTiles } from "./photo_tiles";
import { PictureSaver } from "./picture_saver";
import type { Pixels } from "./protocol";
import { RecipeForm } from "./recipe_form";
import { RecipePreview } from "./recipe_preview";
import { RecipeTiles } from "./recipe_tiles";
import type { RecipePictures } from "./recipe_pictures";
import { SaveMenu } from "./save_menu";
import { SessionKeeper } from "./session_keeper";
import { ShownRecipe } from "./shown_recipe";
import { recipeNamed, type Site } from "./site";
import { Stage } from "./stage";
import { showStatus } from "./status_bar";
import { TaskRunner } from "./task_runner";
import { VariantSheet } from "./variant_sheet";
import { WholeDream } from "./whole_dream";
import { Workspace } from "./workspace";

const SEEDS = 1000; // that the dice has

export class Page {
  readonly work = new Workspace(new Stage());
  readonly form: RecipeForm;
  readonly session: NetworkSession;
  readonly chooser: PhotoChooser;
  readonly painter: Painter;
  readonly concepts: ConceptForm;
  readonly links: LinkOpener;
  readonly dreamer: Dreamer;
  readonly live: LiveOptions;
  readonly preview: RecipePreview;
  readonly liveCamera: LiveCamera;
  readonly palette = new BrushPalette();
  private readonly dreamAtHand = new DreamAtHand();
  readonly variants: VariantSheet;
  readonly saver: PictureSaver;
  readonly large: LargeFinish;
  readonly queue: PhotoQueue;
  private readonly recipe: ShownRecipe;
  private readonly keeper: SessionKeeper;
  private readonly sight: FirstSight;
  private readonly recipes: RecipeTiles;
  private readonly tiles: PhotoTiles;
  private readonly menu = new SaveMenu();
  private readonly film = new GrowthFilm();
  private readonly strip = new HistoryStrip(
    (position) => void this.goTo(position),
    (id) => void this.goBack(id),
  );
  private readonly runner = new TaskRunner(() => this.refresh());

  /** `pictures` fits the guide and the masks of the page's recipe to a photograph. */
  constructor(
    private readonly site: Site,
    pictures: (photo: Pixels) => RecipePictures,
  ) {
    this.form = new RecipeForm(site, pictures);
    const { form, work, runner } = this;
    const refresh = () => this.refresh();
    this.session = new NetworkSession(site, form.picker, runner, refresh);
    runner.session = this.session;
    const whole = new WholeDream(runner, form);
    this.painter = new Painter(work, runner, form, whole, this.film, refresh);
    this.dreamer = new Dreamer(work, runner, form, this.session, whole, this.painter, this.film, refresh);
    this.live = new LiveOptions(work, form, runner, this.dreamer, () => this.session.network?.sha256, refresh);
    this.preview = new RecipePreview(work, form, this.session, this.painter, this.live, () => this.canPreview, refresh);
    this.variants = new VariantSheet(work, form, runner, this.session, () => this.dreamer.dream());
    this.saver = new PictureSaver(work, runner, this.film, site.dreamkit, refresh);
    this.large = new LargeFinish(work, runner, this.session, form, this.painter.painted, this.saver);
    this.concepts = new ConceptForm(this.session, runner, form.picker);
    const stop = () => this.interrupt();
    this.chooser = new PhotoChooser(work, form, () => this.session.minSize(form.picker.layers), stop, refresh);
    this.liveCamera = new LiveCamera(work, form, this.session, runner, this.chooser, stop, refresh);
    this.queue = new PhotoQueue(this.chooser, work, this.dreamer, this.saver);
    this.recipe = new ShownRecipe(site, work, this.session, form);
    this.keeper = new SessionKeeper(work, this.session, form, this.recipe);
    this.sight = new FirstSight(this.session, form);
    this.recipes = new RecipeTiles(site, this.session, form);
    this.tiles = new PhotoTiles(this.session, form, this.recipes);
    this.links = new LinkOpener(site, this.session, form, runner, this.recipe);
    listen(this);
  }

  /** Opens the network, and continues the kept session; a link's recipe goes before its own. */
  async start(): Promise<void> {
    const { links, site } = this;
    const kept = await this.keeper.open();
    const opensLink = links.isLinked && !(kept && links.isTaken);
    if (kept && !opensLink) {
      if (this.session.hasModel(kept.model)) select("model").value = kept.model;
      this.form.set(kept.options, recipeNamed(site, kept.model, kept.recipe));
    }
    const layers = kept?.options.layers ? asTerms(kept.options.layers) : ownTerms(site);
    await (opensLink ? links.open(kept !== null) : this.session.open("wasm", layers));
    if (kept) {
      this.keeper.restore(kept);
      if (this.work.history.entries.length) showStatus(`Your dreams of ${this.work.photoName} are back`);
      this.refresh();
    }
    void this.session.switchToFastest();
  }

  /** Starts a dream, or stops what runs; a dream not before its first step, because the button became *Stop* just now. */
  async toggleDream(): Promise<void> {
    const { activity, hasStepped } = this.runner;
    if (this.isIdle) await this.dreamer.dream();
    else if (hasStepped || !["dreaming", "painting"].includes(activity)) await this.stop();
  }

  async stop(): Promise<void> {
    await this.runner.stop();
  }

  /** Dreams with another seed, which gives another composition. */
  async dice(): Promise<void> {
    const { seed } = this.form.config(null);
    const other = Math.floor(Math.random() * (SEEDS - 1));
    this.form.change({ seed: other < Number(seed) ? other : other + 1 });
    await this.dreamer.dream();
  }

  async undo(): Promise<void> {
    if (this.preview.isShown) return this.preview.leave();
    await this.interrupt();
    const { history } = this.work;
    if (!history.canUndo) return;
    this.show(() => history.undo(), () => (history.current ? "Back to the previous dream" : "Back to the photograph"));
  }

  async redo(): Promise<void> {
    await this.interrupt();
    const { history } = this.work;
    if (!history.canRedo) return;
    this.show(() => history.redo(), () => "Forward to the next dream");
  }

  /** Shows one of the dreams, or with 0 the photograph. */
  async goTo(position: number): Promise<void> {
    await this.interrupt();
    this.show(() => this.work.history.goTo(position), () => (position ? `Dream ${position}` : "The photograph"));
  }

  /** Goes back to a photograph that was open before, and to its dreams. */
  async goBack(id: number): Promise<void> {
    await this.interrupt();
    const open = () => {
      this.work.goBack(id);
      this.form.longestSide = this.work.longestSide;
    };
    this.show(open, () => `Back to ${this.work.photoName}`);
  }

  /** Makes a link to the recipe of the dream or the preview that is shown, or else of the panel. */
  async share(): Promise<void> {
    await this.links.share(this.preview.isShown ? null : this.work.history.current);
  }

  /** Another network is open. */
  async useNetwork(): Promise<void> {
    if (this.work.history.current?.network === this.session.network?.sha256) this.recipe.follow();
    await this.preview.follow(true);
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
    this.queue.clear();
    await this.keeper.forget();
    showStatus("Nothing is kept of your pictures");
    this.refresh();
  }

  private interrupt(): Promise<void> {
    this.preview.end();
    return this.painter.interrupt();
  }

  refresh(): void {
    const { history, photo } = this.work;
    const isOpen = this.session.network !== null;
    const { isIdle, isReady, preview } = this;
    preview.refresh();
    const isFree = isReady && this.runner.activity !== "finishing"; // which takes minutes, and ends with Stop alone
    const isDream = !preview.isShown && history.current !== null;
    const isChanged = preview.isShown || history.position > 0;
    button("dream").disabled = !isReady && this.runner.activity !== "live";
    button("dream").textContent = isIdle ? "Dream" : "Stop";
    this.dreamAtHand.follow();
    for (const id of ["brush", "zoom", "dice", "try"]) button(id).disabled = !isFree;
    button("learn").disabled = !isOpen || !isIdle;
    button("live").disabled = !isOpen;
    setPressed("zoom", this.runner.activity === "zooming");
    button("undo").disabled = !isFree || !(preview.isShown || history.canUndo);
    button("redo").disabled = !isFree || !history.canRedo;
    const canSave = isReady && isIdle;
    this.menu.describe(photo);
    this.menu.enable(canSave && isDream, this.film.isOf(history.current), canSave && history.entries.length > 1);
    this.large.refresh(canSave && isDream);
    button("clear").disabled = !isFree || !(this.painter.isBusy || history.current?.painting.length);
    element("look").classList.toggle("absent", !isReady);
    element("comparison").classList.toggle("absent", !isChanged || !isReady);
    element("divider").hidden = !isChanged || !isReady;
    this.strip.show(this.work);
    element("history").inert = !isFree;
    element("back").hidden = photo === null;
    element("brushes").hidden = !isPressed("brush");
    this.palette.show(isPressed("brush"));
    const isShown = history.current?.network === this.session.network?.sha256;
    this.form.picker.setBrush(isPressed("brush"), (isShown && history.current?.choice.terms) || null);
    // In full screen nothing shows that the brush is on.
    element("frame").classList.toggle("brushing", isPressed("brush") && isFree && !document.fullscreenElement);
    document.body.dataset.activity = isOpen ? this.activity : "loading";
    document.body.dataset.dreams = String(history.position);
    this.recipes.refresh();
    this.tiles.refresh(photo);
    showCaption(this.recipes.caption);
    const drawsThumbnails = isIdle || this.runner.activity === "live";
    this.form.picker.isIdle = isOpen && drawsThumbnails && !preview.isBusy; // which goes before them
    this.queue.refresh(isReady && isIdle);
    this.sight.refresh(isOpen && isIdle && !photo && !this.chooser.isOpening && element("viewfinder").hidden === true);
    if (isOpen && !this.runner.isBusy && !preview.isBusy) void this.keeper.keep();
  }

  /** Whether nothing runs, and nothing waits to run. */
  get isIdle(): boolean {
    return this.activity === "idle";
  }

  /** Whether a network and a photograph are open, and the stage shows it or its dreams. */
  private get isReady(): boolean {
    return this.session.network !== null && this.work.photo !== null && element("welcome").hidden === true;
  }

  /** Whether a preview may lie over the picture: nothing runs, and the brush does not paint on it. */
  private get canPreview(): boolean {
    return this.isReady && this.isIdle && !isPressed("brush");
  }

  private get activity() {
    if (this.runner.isBusy || !this.painter.isBusy) return this.runner.activity;
    return "painting";
  }

  /** Shows what `go` goes to, and its recipe in the panel; nothing of it is dreamed. */
  private show(go: () => void, name: () => string): void {
    this.recipe.leave();
    go();
    this.work.showCurrent();
    showStatus(`${name()}${this.recipe.follow()}`);
    this.refresh();
  }

  /** Whether closing the page now would lose something. */
  get wouldLose(): boolean {
    return this.keeper.wouldLose || ["dreaming", "growing", "zooming", "finishing"].includes(this.runner.activity);
  }
}
