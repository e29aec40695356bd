/** The page: it passes the user's input to the worker, and shows the results. */

import type { DreamConfig } from "../engine/config";
import { UserError } from "../engine/errors";
import { cameraVideo, startCamera, stopCamera } from "./camera";
import { learnConcept } from "./concept_learner";
import { Controls } from "./controls";
import { DreamHistory } from "./dream_history";
import { button, element, input, isPressed, select, setPressed } from "./elements";
import { listenForFiles } from "./file_input";
import { LayerPicker } from "./layer_picker";
import { NetworkSession } from "./network_session";
import { cameraPhoto, cloudsPhoto, type Photo, readPhoto } from "./photograph";
import { encodeDream, type Provenance } from "./picture_file";
import type { FinishedDream, MaskLevels, Pixels, StepUpdate, Task } from "./protocol";
import { parseLink, recipeLink } from "./recipe_link";
import { listenForShortcuts } from "./shortcuts";
import type { Site } from "./site";
import { SpeedMeter } from "./speed_meter";
import { Stage } from "./stage";
import { clearError, showError, showProgress, showStatus } from "./status_bar";
import { type RunningTask, WorkerCrashed } from "./worker_client";

const ZOOM = 1.03; // factor of each turn of the endless zoom
const PAUSE = 700; // milliseconds without a stroke after which the recipe is dreamed under the mask

type Activity = "idle" | "dreaming" | "growing" | "zooming" | "learning";

export class Page {
  private photo: Photo | null = null;
  private file: File | null = null;
  private readonly stage: Stage;
  private readonly picker: LayerPicker;
  private readonly controls: Controls;
  private readonly session: NetworkSession;
  private readonly history = new DreamHistory();
  private running: RunningTask<FinishedDream | null> | null = null;
  private activity: Activity = "idle";
  private readonly speed = new SpeedMeter();
  private saves = 0;
  private strokes = 0;
  private linkOptions: Partial<DreamConfig> = {}; // those of a link that have no control

  constructor(private readonly site: Site) {
    this.controls = new Controls(site);
    this.stage = new Stage((isEnd) => void this.onStroke(isEnd));
    this.picker = new LayerPicker(() => this.config);
    const tasks = { stop: () => this.stop(), wait: () => this.wait(), forget: () => this.forget() };
    this.session = new NetworkSession(site, this.picker, tasks, () => this.refresh());
    this.listen();
    if (site.options.max_size) this.offerSize(site.options.max_size);
  }

  /** Opens the first network of the page, or the one that a link names. */
  async start(): Promise<void> {
    const link = parseLink(location.hash, this.site);
    const terms = (link?.options.layers ?? this.site.options.layers) as string[] | null;
    if (link) {
      if (link.model) select("model").value = link.model;
      this.controls.set(link.options);
      if (link.options.max_size) this.offerSize(link.options.max_size);
      const { objective, normalise } = link.options;
      this.linkOptions = { ...(objective && { objective }), ...(normalise && { normalise }) };
    }
    const rejected = link?.rejected ?? (location.hash.startsWith("#r=") ? ["everything"] : []);
    await this.session.open("wasm", Array.isArray(terms) ? terms.filter((term) => typeof term === "string") : []);
    const layers = (link?.options.layers ?? []) as string[];
    rejected.push(...layers.filter((term) => !this.session.hasTerm(term)));
    if (rejected.length) {
      const names = rejected.join(", ");
      const message = `this link asks for ${names}, which this page does not have`;
      showError(new UserError(`${message}; the page's own recipe is used instead`));
    }
    void this.session.switchToFastest();
  }

  /** The config as the controls show it. */
  private get config(): DreamConfig {
    return {
      ...this.site.options,
      ...this.linkOptions,
      ...this.controls.options,
      layers: this.picker.layers,
      max_size: this.longestSide,
      ...(this.photo?.isNoise && { size: [this.photo.height, this.photo.width] as [number, number] }),
    };
  }

  private get longestSide(): number {
    return Number(select("longest").value);
  }

  /** The picture that the stage shows. */
  private get picture(): Pixels {
    return this.history.last?.picture ?? this.photo!;
  }

  private async openFile(file: File): Promise<void> {
    if (this.confirmLoss()) await this.readFile(file);
  }

  private async readFile(file: File): Promise<void> {
    await this.openPhoto(async () => {
      this.file = file;
      return readPhoto(file, this.longestSide);
    });
  }

  /** Opens another photograph; the current one stays where the new one cannot be read. */
  private async openPhoto(read: () => Promise<Photo> | Photo): Promise<void> {
    clearError();
    try {
      const photo = await read();
      await this.stop();
      this.photo = photo;
    } catch (error) {
      return showError(error);
    }
    this.history.clear();
    this.stage.open(this.photo);
    this.stage.clearMask();
    this.refresh();
  }

  private async openClouds(): Promise<void> {
    await this.openPhoto(() => {
      const { seed, noise } = this.config;
      this.file = null;
      return cloudsPhoto(seed as number, this.longestSide, this.longestSide, noise);
    });
  }

  /** Dreams the whole recipe on the photograph. */
  private async dream(): Promise<void> {
    if (!this.photo || !this.session.network) return;
    await this.stop();
    if (this.photo.isNoise) {
      const { height, width } = this.photo; // the seed may have changed
      this.photo = cloudsPhoto(this.config.seed as number, height, width, this.config.noise);
    }
    const { photo, config } = this;
    const { network } = this.session;
    const mask = this.stage.readMask();
    this.stage.compareWith(0);
    const start = performance.now();
    const finished = await this.run("dreaming", { kind: "dream", photo, config, mask });
    if (!finished) return;
    const { picture, ...dream } = finished;
    const { bytes: _, ...photoInfo } = photo;
    const provenance: Provenance = { dream, config, network, photo: photoInfo, mask };
    this.remember(picture, dream.isWhole ? provenance : null);
    this.stage.show(picture);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    showStatus(`${dream.isWhole ? "Dreamed in" : "Stopped after"} ${seconds} s, ${this.speed.text}`);
  }

  /** Lets the dream grow under the brush; once the pointer rests, dreams the recipe under the mask. */
  private async onStroke(isEnd: boolean): Promise<void> {
    const stroke = ++this.strokes;
    const mask = this.stage.readMask();
    if (!this.photo || !this.session.network) return;
    if (this.activity === "growing") this.session.worker.setMask(mask ?? new Uint8ClampedArray(1));
    else if (!isEnd && mask && !isPressed("erase")) {
      if (this.activity !== "idle") await this.stop();
      if (this.activity === "idle") void this.grow(mask);
    }
    if (!isEnd) return;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    if (stroke !== this.strokes) return;
    if (this.stage.readMask()) await this.dream();
    else await this.stop();
  }

  private async grow(mask: MaskLevels): Promise<void> {
    await this.run("growing", { kind: "grow", photo: this.picture, config: this.config, mask });
  }

  private async toggleZoom(): Promise<void> {
    if (this.activity === "zooming") return this.stop();
    if (!this.photo || !this.session.network) return;
    await this.stop();
    this.stage.compareWith(0);
    const last: { picture?: Pixels } = {};
    const task: Task = { kind: "zoom", photo: this.picture, config: this.config, factor: ZOOM };
    await this.run("zooming", task, (update) => (last.picture = update.picture));
    if (last.picture) this.remember(last.picture, null);
  }

  /** Runs a task and shows its steps; the result is null where it was stopped or failed. */
  private async run(
    activity: Activity,
    task: Task,
    onStep?: (update: StepUpdate) => void,
  ): Promise<FinishedDream | null> {
    clearError();
    this.activity = activity;
    this.speed.reset();
    this.picker.isIdle = false;
    this.refresh();
    const running = this.session.worker.run(task, (update) => {
      this.stage.show(update.picture);
      this.showStep(update);
      onStep?.(update);
    });
    this.running = running;
    try {
      return await running.result;
    } catch (error) {
      if (!(error instanceof WorkerCrashed)) showError(error);
      return null;
    } finally {
      if (this.running === running) {
        this.running = null;
        this.activity = "idle";
        showProgress(0);
        this.refresh();
      }
    }
  }

  private async stop(): Promise<void> {
    this.running?.stop();
    await this.wait();
    this.forget();
    this.refresh();
  }

  private async wait(): Promise<void> {
    await this.running?.result.catch(() => null);
  }

  private forget(): void {
    this.running = null;
    this.activity = "idle";
  }

  private showStep(update: StepUpdate): void {
    this.speed.add(update, this.session.network?.backend);
    showProgress(update.done);
    const position = update.steps
      ? `octave ${update.octave} of ${update.octaves}, step ${update.step} of ${update.steps}, `
      : "";
    showStatus(`${position}${this.speed.text}`);
  }

  private remember(picture: Pixels, provenance: Provenance | null): void {
    this.history.push({ picture, provenance });
    this.refresh();
  }

  private async undo(): Promise<void> {
    await this.stop();
    if (!this.history.length) return;
    this.history.undo();
    const { last } = this.history;
    this.stage.show(this.picture);
    this.stage.setMask(last?.provenance?.mask ?? null);
    showStatus(last ? "Back to the previous dream" : "Back to the photograph");
    this.refresh();
  }

  private async save(): Promise<void> {
    const { last } = this.history;
    if (!last) return;
    const png = await encodeDream(last, this.site.dreamkit);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([png], { type: "image/png" }));
    const stem = (this.photo?.name || (this.photo?.isNoise ? "clouds" : "camera")).replace(/\.[^.]*$/, "");
    this.saves++;
    link.download = `${stem}.dream${this.saves > 1 ? `-${this.saves}` : ""}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    showStatus(
      last.provenance
        ? `Saved ${link.download}; dreamkit redo dreams it again, with small differences`
        : `Saved ${link.download} without a recipe, because no recipe can repeat this dream`,
    );
    this.history.markSaved(last);
  }

  private async share(): Promise<void> {
    const link = recipeLink(this.site, this.session.name, { ...this.config, layers: this.picker.terms });
    history.replaceState(null, "", link);
    try {
      await navigator.clipboard.writeText(link);
      showStatus("The recipe's link is in the clipboard and in the address bar");
    } catch {
      showStatus("The recipe's link is in the address bar");
    }
  }

  /** Learns a concept from pictures of the user, and chooses it. */
  private async learn(files: File[]): Promise<void> {
    const { concepts, worker } = this.session;
    if (!concepts || !files.length) return;
    clearError();
    await this.stop();
    this.activity = "learning";
    this.refresh();
    showStatus(`Looking at ${files.length} picture${files.length > 1 ? "s" : ""}; they stay on this machine`);
    try {
      const name = this.conceptName();
      const { concept, separation, isDoubtful } = await learnConcept(name, files, concepts, worker);
      const share = separation === null ? "" : `; each stands out from ${(100 * separation).toFixed(0)}% of photographs`;
      this.picker.add(concept);
      showStatus(
        isDoubtful
          ? `Learned ${name}, but the pictures have little in common${share}, and chance is 50%`
          : `Learned ${name}${share}. Press Dream, or brush it on`,
      );
    } catch (error) {
      if (!(error instanceof WorkerCrashed)) showError(error);
    } finally {
      this.activity = "idle";
      this.refresh();
    }
  }

  /** The name that the user wrote for a concept, or a new one. */
  private conceptName(): string {
    const given = input("concept-name").value.trim().replace(/[=,\s]+/g, "-") || "mine";
    let name = given;
    for (let number = 2; this.picker.hasConcept(name); number++) name = `${given}-${number}`;
    return name;
  }

  private async openCamera(): Promise<void> {
    clearError();
    await startCamera().catch(showError);
  }

  private async takePicture(): Promise<void> {
    await this.openPhoto(() => {
      this.file = null;
      return cameraPhoto(cameraVideo(), this.longestSide);
    });
    stopCamera();
  }

  /** Asks the user whether an unsaved dream may be lost. */
  private confirmLoss(): boolean {
    return !this.history.isUnsaved || confirm("The current dream is not saved. Discard it?");
  }

  private async closePhoto(): Promise<void> {
    if (!this.confirmLoss()) return;
    await this.stop();
    this.photo = null;
    this.history.clear();
    this.stage.clearMask();
    this.stage.close();
    this.refresh();
  }

  /** Reads the photograph again at the selected size. */
  private async resize(): Promise<void> {
    if (!this.confirmLoss()) {
      this.offerSize(Math.max(this.photo!.height, this.photo!.width));
      return;
    }
    if (this.file) await this.readFile(this.file);
    else if (this.photo?.isNoise) await this.openClouds();
  }

  /** Selects a longest side, and adds it to the list where it is missing. */
  private offerSize(side: number): void {
    const sizes = select("longest");
    const isListed = [...sizes.options].some((option) => Number(option.value) === side);
    if (!isListed) sizes.add(new Option(String(side)));
    sizes.value = String(side);
  }

  private refresh(): void {
    const isOpen = this.session.network !== null;
    const isReady = isOpen && this.photo !== null;
    const isBusy = this.activity !== "idle";
    button("dream").disabled = !isReady;
    button("dream").textContent = isBusy ? "Stop" : "Dream";
    for (const id of ["brush", "zoom"]) button(id).disabled = !isReady;
    button("learn").disabled = !isOpen || isBusy;
    setPressed("zoom", this.activity === "zooming");
    button("undo").disabled = !this.history.length;
    button("save").disabled = !this.history.length || isBusy;
    element("comparison").classList.toggle("absent", !this.history.length);
    element("brushes").hidden = !isPressed("brush");
    element("frame").classList.toggle("brushing", isPressed("brush"));
    document.body.dataset.activity = isOpen ? this.activity : "loading";
    document.body.dataset.dreams = String(this.history.length);
    this.picker.isIdle = isOpen && !isBusy;
  }

  private listen(): void {
    const onClick = (id: string, action: () => unknown) =>
      element(id).addEventListener("click", () => void action());
    onClick("choose", () => input("file").click());
    onClick("replace", () => this.closePhoto());
    onClick("camera", () => this.openCamera());
    onClick("shoot", () => this.takePicture());
    onClick("cancel", () => stopCamera());
    onClick("clouds", () => this.openClouds());
    onClick("dream", () => (this.activity === "idle" ? this.dream() : this.stop()));
    onClick("zoom", () => this.toggleZoom());
    onClick("undo", () => this.undo());
    onClick("save", () => this.save());
    onClick("share", () => this.share());
    onClick("brush", () => {
      setPressed("brush", !isPressed("brush"));
      this.refresh();
    });
    onClick("learn", () => input("concept-files").click());
    input("concept-files").addEventListener("change", () => {
      const files = [...(input("concept-files").files ?? [])];
      input("concept-files").value = "";
      void this.learn(files);
    });
    onClick("erase", () => setPressed("erase", !isPressed("erase")));
    onClick("clear", () => {
      this.strokes++;
      this.stage.clearMask();
    });
    select("longest").addEventListener("change", () => void this.resize());
    select("model").addEventListener("change", () => void this.session.open(undefined, []));
    select("backend").addEventListener("change", async () => {
      clearError();
      await this.session.open();
      void this.session.switchToFastest();
    });
    listenForFiles((file) => void this.openFile(file));
    listenForShortcuts(() => {
      if (this.history.length) this.stage.compareWith(Number(input("compare").value) ? 0 : 50);
    });
    window.addEventListener("unhandledrejection", (event) => showError(event.reason));
  }
}
