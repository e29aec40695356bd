/** The page: what is pressed, what is shown, and who computes. */

import { Refused } from "../engine/refused";
import type { Options } from "../engine/recipe";
import { Controls } from "./controls";
import { button, canvas, element, input, pressed, select } from "./elements";
import { Broken, Engine, type Running } from "./engine";
import { Palette } from "./palette";
import { clouds, type Photo, read, seen } from "./photograph";
import type { Backend, Finished, Moment, Opened, Task } from "./protocol";
import { file, type Result } from "./saving";
import { linkOf, sharedIn } from "./sharing";
import { type Site, site as siteOf } from "./site";
import { Stage } from "./stage";

const KEPT = 20; // pictures that can be gone back to
const TRIAL = 128; // pixels a side of what backends are compared by
const ZOOM = 1.03; // by which an endless zoom moves at a turn
const PAUSE = 700; // milliseconds without a stroke after which a dream under the brush is dreamed in full

type Doing = "nothing" | "dreaming" | "growing" | "zooming";

class Page {
  private engine!: Engine;
  private network: Opened | null = null;
  private photo: Photo | null = null;
  private source: File | null = null;
  private readonly stage: Stage;
  private readonly palette: Palette;
  private readonly controls: Controls;
  private readonly results: Result[] = [];
  private running: Running<Finished | null> | null = null;
  private doing: Doing = "nothing";
  private times: number[] = [];
  private pace = "";
  private saves = 0;
  private saved: Result | null = null;
  private strokes = 0;
  private extras: Partial<Options> = {};

  constructor(private readonly site: Site) {
    this.controls = new Controls(site);
    this.stage = new Stage((ended) => void this.stroked(ended));
    this.palette = new Palette(() => this.options);
    this.listen();
    select("model").replaceChildren(...site.models.map((model) => new Option(model.name)));
    element("whose").hidden = site.models.length < 2;
    if (site.options.max_size) this.offerSize(site.options.max_size);
  }

  /** Opens the page's first network, or the one that a link asks for. */
  async start(): Promise<void> {
    const shared = sharedIn(location.hash, this.site);
    const wanted = (shared?.options.layers ?? this.site.options.layers) as string[] | null;
    if (shared) {
      if (shared.model) select("model").value = shared.model;
      this.controls.set(shared.options);
      if (shared.options.max_size) this.offerSize(shared.options.max_size);
      const { objective, normalise } = shared.options;
      this.extras = { ...(objective && { objective }), ...(normalise && { normalise }) };
    }
    const refused = shared?.refused ?? (location.hash.startsWith("#r=") ? ["everything"] : []);
    await this.open("wasm", Array.isArray(wanted) ? wanted.filter((term) => typeof term === "string") : []);
    const layers = (shared?.options.layers ?? []) as string[];
    refused.push(...layers.filter((term) => !this.has(term)));
    if (refused.length) {
      this.complain(new Refused(`this link asks for ${refused.join(", ")}, which this page does not have`));
    }
    void this.lookForFaster();
  }

  /** The recipe as it is set. */
  private get options(): Options {
    return {
      ...this.site.options,
      ...this.extras,
      ...this.controls.options,
      layers: this.palette.terms,
      max_size: Number(select("longest").value),
      ...(this.photo?.drawn && { size: [this.photo.height, this.photo.width] as [number, number] }),
    };
  }

  /** The network that is chosen. */
  private get model() {
    return this.site.models.find((each) => each.name === select("model").value) ?? this.site.models[0];
  }

  private get address(): string {
    return new URL(this.model.path, location.href).href;
  }

  /** Whether a term is of a layer that the network has. */
  private has(term: string): boolean {
    return this.network?.layers.some((layer) => layer.name === term.split(/[:=]/)[0]) ?? false;
  }

  private async open(backend: Backend, terms: string[] = this.palette.terms): Promise<void> {
    await this.stop();
    this.engine?.end();
    this.engine = new Engine((message) => void this.broken(message));
    this.network = null;
    this.refresh();
    const model = this.model;
    if (backend === "webgl") this.say("Starting WebGL; the first step compiles for up to half a minute");
    try {
      this.network = await this.engine.open(this.address, backend, (done, total) => {
        this.progress(done / Math.max(1, total));
        this.say(`Loading ${model.name}: ${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`);
      });
    } catch (error) {
      this.complain(error);
      if (backend !== "wasm") {
        select("backend").value = "wasm";
        await this.open("wasm", terms);
      }
      return;
    }
    this.progress(0);
    this.palette.open(this.engine, this.network, terms.filter((term) => this.has(term)));
    this.say(`${this.network.name}, computed by ${this.network.backend}`);
    const licence = this.network.licence ? `, ${this.network.licence}` : "";
    element("about").textContent = `dreamkit ${this.site.dreamkit}; ${model.name}: ${model.description}${licence}`;
    this.refresh();
  }

  /** Tries graphics cards that are real ones, in a worker of their own, and takes one that is faster. */
  private async lookForFaster(): Promise<void> {
    if (select("backend").value !== "auto" || !this.network) return;
    const { address } = this;
    const candidates = await cards();
    if (!candidates.length) return;
    const before = await this.engine.trial(TRIAL);
    let best: { backend: Backend; took: number } = { backend: "wasm", took: before };
    for (const backend of candidates) {
      const other = new Engine(() => {});
      try {
        await other.open(address, backend, () => {});
        const took = await other.trial(TRIAL);
        if (took < best.took) best = { backend, took };
      } catch {
        // A card that cannot do it is no faster.
      } finally {
        other.end();
      }
    }
    if (best.backend === "wasm" || select("backend").value !== "auto") return;
    await this.running?.result.catch(() => null);
    await this.open(best.backend);
  }

  private async take(given: File): Promise<void> {
    if (this.mayLose()) await this.readFile(given);
  }

  private async readFile(given: File): Promise<void> {
    await this.begin(async () => {
      this.source = given;
      return read(given, Number(select("longest").value));
    });
  }

  /** Begins with another photograph. What was there is lost only once the new one can be read. */
  private async begin(from: () => Promise<Photo> | Photo): Promise<void> {
    this.calm();
    try {
      const photo = await from();
      await this.stop();
      this.photo = photo;
    } catch (error) {
      return this.complain(error);
    }
    this.results.length = 0;
    this.stage.open(this.photo);
    this.stage.clearMask();
    this.refresh();
  }

  private async clouds(): Promise<void> {
    await this.begin(() => {
      const { seed, noise } = this.options;
      const longest = Number(select("longest").value);
      this.source = null;
      return clouds(seed as number, longest, longest, noise);
    });
  }

  /** The whole dream of the photograph, by the recipe that is set. */
  private async dream(): Promise<void> {
    if (!this.photo || !this.network) return;
    await this.stop();
    if (this.photo.drawn) {
      const { height, width } = this.photo; // the seed may be another by now
      this.photo = clouds(this.options.seed as number, height, width, this.options.noise);
    }
    const { photo, network, options } = { photo: this.photo, network: this.network, options: this.options };
    const mask = this.stage.painted();
    this.stage.compareWith(0);
    const task: Task = { kind: "dream", photo, options, mask };
    const began = performance.now();
    const done = await this.run("dreaming", task);
    if (!done) return;
    const { picture, ...finished } = done;
    const { bytes: _, ...source } = photo;
    const made = { finished, options, network, photo: source, mask };
    this.keep({ picture, made: finished.isWhole ? made : null });
    this.stage.show(picture);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    this.say(`${finished.isWhole ? "Dreamed in" : "Stopped after"} ${seconds} s, ${this.pace}`);
  }

  /** Lets the dream grow where the mask is painted, until the pointer rests. */
  private async stroked(ended: boolean): Promise<void> {
    const stroke = ++this.strokes;
    const mask = this.stage.painted();
    if (!this.photo || !this.network) return;
    if (this.doing === "growing") this.engine.paint(mask ?? new Uint8ClampedArray(1));
    else if (!ended && mask && !pressed("erase")) {
      if (this.doing !== "nothing") await this.stop();
      if (this.doing === "nothing") void this.grow(mask);
    }
    if (!ended) return;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    if (stroke !== this.strokes) return;
    if (this.stage.painted()) await this.dream();
    else await this.stop();
  }

  private async grow(mask: Uint8ClampedArray<ArrayBuffer>): Promise<void> {
    const photo = this.current;
    await this.run("growing", { kind: "grow", photo, options: this.options, mask });
  }

  private async zoom(): Promise<void> {
    if (this.doing === "zooming") return this.stop();
    if (!this.photo || !this.network) return;
    await this.stop();
    this.stage.compareWith(0);
    let last: Moment | null = null;
    const task: Task = { kind: "zoom", photo: this.current, options: this.options, factor: ZOOM };
    await this.run("zooming", task, (moment) => (last = moment));
    if (last) this.keep({ picture: (last as Moment).picture, made: null });
  }

  /** What is on the stage. */
  private get current() {
    return this.results[this.results.length - 1]?.picture ?? this.photo!;
  }

  /** Runs a task and shows it as it goes; null where it was stopped or went wrong. */
  private async run(doing: Doing, task: Task, hear?: (moment: Moment) => void): Promise<Finished | null> {
    this.calm();
    this.doing = doing;
    this.times = [];
    this.palette.idle = false;
    this.refresh();
    const running = this.engine.run(task, (moment) => {
      this.stage.show(moment.picture);
      this.follow(moment);
      hear?.(moment);
    });
    this.running = running;
    try {
      return await running.result;
    } catch (error) {
      if (!(error instanceof Broken)) this.complain(error);
      return null;
    } finally {
      if (this.running === running) {
        this.running = null;
        this.doing = "nothing";
        this.progress(0);
        this.refresh();
      }
    }
  }

  private async stop(): Promise<void> {
    const running = this.running;
    running?.stop();
    await running?.result.catch(() => null);
    this.running = null;
    this.doing = "nothing";
    this.refresh();
  }

  private follow(moment: Moment): void {
    this.times = [...this.times.slice(-9), moment.took];
    const took = this.times.reduce((sum, time) => sum + time, 0) / this.times.length;
    this.progress(moment.done);
    const where = moment.steps
      ? `octave ${moment.octave} of ${moment.octaves}, step ${moment.step} of ${moment.steps}, `
      : "";
    const rate = (1000 / took).toFixed(took > 100 ? 1 : 0);
    this.pace = `${took.toFixed(0)} ms a step, ${rate} frames a second (${this.network?.backend})`;
    this.say(`${where}${this.pace}`);
  }

  private keep(result: Result): void {
    this.results.push(result);
    if (this.results.length > KEPT) this.results.shift();
    this.refresh();
  }

  private async undo(): Promise<void> {
    await this.stop();
    if (!this.results.length) return;
    this.results.pop();
    const last = this.results[this.results.length - 1];
    this.stage.show(this.current);
    this.stage.setMask(last?.made?.mask ?? null);
    this.say(last ? "Back at the dream before" : "Back at the photograph");
    this.refresh();
  }

  private async save(): Promise<void> {
    const result = this.results[this.results.length - 1];
    if (!result) return;
    const png = await file(result, this.site.dreamkit);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([png], { type: "image/png" }));
    const stem = (this.photo?.name || (this.photo?.drawn ? "clouds" : "camera")).replace(/\.[^.]*$/, "");
    this.saves++;
    link.download = `${stem}.dream${this.saves > 1 ? `-${this.saves}` : ""}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    this.say(
      result.made
        ? `Saved ${link.download}; dreamkit redo dreams it again, or nearly`
        : `Saved ${link.download}; it has no recipe to dream it again by`,
    );
    this.saved = result;
  }

  private async share(): Promise<void> {
    const link = linkOf(this.site, this.network?.name ?? this.site.models[0].name, this.options);
    history.replaceState(null, "", link);
    try {
      await navigator.clipboard.writeText(link);
      this.say("The recipe's link is in the clipboard, and in the address");
    } catch {
      this.say("The recipe's link is in the address above");
    }
  }

  private async camera(): Promise<void> {
    this.calm();
    const video = element<HTMLVideoElement>("video");
    try {
      if (!navigator.mediaDevices) throw new Error("pages have cameras over https and on this machine only");
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      await video.play();
    } catch (error) {
      return this.complain(new Refused(`there is no camera for this page (${(error as Error).message})`));
    }
    element("viewfinder").hidden = false;
  }

  private darken(): void {
    const video = element<HTMLVideoElement>("video");
    for (const track of (video.srcObject as MediaStream | null)?.getTracks() ?? []) track.stop();
    video.srcObject = null;
    element("viewfinder").hidden = true;
  }

  private async shoot(): Promise<void> {
    await this.begin(() => {
      this.source = null;
      return seen(element<HTMLVideoElement>("video"), Number(select("longest").value));
    });
    this.darken();
  }

  /** Asks, where a dream is there that was not saved. */
  private mayLose(): boolean {
    const last = this.results[this.results.length - 1];
    return !last || last === this.saved || confirm("The dream that is there is not saved. Go on without it?");
  }

  private async another(): Promise<void> {
    if (!this.mayLose()) return;
    await this.stop();
    this.photo = null;
    this.results.length = 0;
    this.stage.clearMask();
    this.stage.close();
    this.refresh();
  }

  /** The picture at another size, from its own file. */
  private async resize(): Promise<void> {
    if (!this.mayLose()) {
      this.offerSize(Math.max(this.photo!.height, this.photo!.width));
      return;
    }
    if (this.source) await this.readFile(this.source);
    else if (this.photo?.drawn) await this.clouds();
  }

  private offerSize(side: number): void {
    const sizes = select("longest");
    const known = [...sizes.options].find((option) => Number(option.value) === side);
    if (!known) sizes.add(new Option(String(side)));
    sizes.value = String(side);
  }

  /** A worker that ran out of memory or lost its card is replaced by a new one on WebAssembly. */
  private async broken(message: string): Promise<void> {
    const again = this.network !== null; // one that never began would not begin now
    const other = this.network?.backend.startsWith("wasm") ? "take a smaller picture" : "WebAssembly goes on";
    this.running = null;
    this.doing = "nothing";
    if (again) {
      select("backend").value = "wasm";
      await this.open("wasm");
    }
    this.complain(new Refused(`the computation broke off (${message}); ${again ? other : "load the page again"}`));
  }

  private refresh(): void {
    const ready = this.network !== null && this.photo !== null;
    const busy = this.doing !== "nothing";
    button("dream").disabled = !ready;
    button("dream").textContent = busy ? "Stop" : "Dream";
    for (const id of ["brush", "zoom"]) button(id).disabled = !ready;
    pressed("zoom", this.doing === "zooming");
    button("undo").disabled = !this.results.length;
    button("save").disabled = !this.results.length || busy;
    element("comparing").classList.toggle("absent", !this.results.length);
    element("brushes").hidden = !pressed("brush");
    element("frame").classList.toggle("brushing", pressed("brush"));
    document.body.dataset.doing = this.network ? this.doing : "loading";
    document.body.dataset.results = String(this.results.length);
    this.palette.idle = this.network !== null && !busy;
  }

  private say(text: string): void {
    element("status").textContent = text;
  }

  private complain(error: unknown): void {
    const notice = element("notice");
    const message = error instanceof Error ? error.message : String(error);
    notice.textContent = message.charAt(0).toUpperCase() + message.slice(1);
    notice.hidden = false;
    if (!(error instanceof Refused)) console.error(error);
  }

  private calm(): void {
    element("notice").hidden = true;
  }

  private progress(share: number): void {
    element("progress").classList.toggle("absent", share === 0);
    element("bar").style.setProperty("width", `${100 * share}%`);
    element("progress").setAttribute("aria-valuenow", String(Math.round(100 * share)));
  }

  private listen(): void {
    const on = (id: string, act: () => unknown) => element(id).addEventListener("click", () => void act());
    const choose = () => input("file").click();
    on("take", choose);
    on("again", () => this.another());
    on("camera", () => this.camera());
    on("shoot", () => this.shoot());
    on("leave", () => this.darken());
    on("clouds", () => this.clouds());
    on("dream", () => (this.doing === "nothing" ? this.dream() : this.stop()));
    on("zoom", () => this.zoom());
    on("undo", () => this.undo());
    on("save", () => this.save());
    on("share", () => this.share());
    on("brush", () => this.brush());
    on("erase", () => pressed("erase", !pressed("erase")));
    on("clear", () => {
      this.strokes++;
      this.stage.clearMask();
    });
    input("file").addEventListener("change", () => {
      const [chosen] = input("file").files ?? [];
      if (chosen) void this.take(chosen);
      input("file").value = "";
    });
    select("longest").addEventListener("change", () => void this.resize());
    select("model").addEventListener("change", () => void this.open(this.backend, []));
    select("backend").addEventListener("change", async () => {
      this.calm();
      await this.open(this.backend);
      void this.lookForFaster();
    });
    document.addEventListener("dragover", (event) => {
      event.preventDefault();
      element("frame").classList.add("over");
    });
    document.addEventListener("dragleave", () => element("frame").classList.remove("over"));
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      element("frame").classList.remove("over");
      const [dropped] = event.dataTransfer?.files ?? [];
      if (dropped) void this.take(dropped);
    });
    document.addEventListener("paste", (event) => {
      const [pasted] = event.clipboardData?.files ?? [];
      if (pasted) void this.take(pasted);
    });
    document.addEventListener("keydown", (event) => this.key(event));
    window.addEventListener("unhandledrejection", (event) => this.complain(event.reason));
  }

  private get backend(): Backend {
    const chosen = select("backend").value;
    return chosen === "auto" ? "wasm" : (chosen as Backend);
  }

  private brush(): void {
    pressed("brush", !pressed("brush"));
    this.refresh();
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const typing = target.matches("select, textarea, input:not([type=range])");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    const radius = input("radius");
    const acts: Record<string, () => void> = {
      d: () => button("dream").click(),
      b: () => button("brush").click(),
      z: () => button("zoom").click(),
      u: () => button("undo").click(),
      s: () => button("save").click(),
      o: () => input("file").click(),
      c: () => this.results.length && this.stage.compareWith(Number(input("compare").value) ? 0 : 50),
      "[": () => (radius.value = String(Number(radius.value) - 8)),
      "]": () => (radius.value = String(Number(radius.value) + 8)),
    };
    const act = acts[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

/** Backends with a graphics card behind them; one that is only computed would be slower than none. */
async function cards(): Promise<Backend[]> {
  const found: Backend[] = [];
  const gpu = (navigator as { gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
  const adapter = (await gpu?.requestAdapter().catch(() => null)) as {
    isFallbackAdapter?: boolean;
    info?: { architecture?: string; vendor?: string; isFallbackAdapter?: boolean };
  } | null;
  const software = /swiftshader|llvmpipe|software|basic render/i;
  const info = adapter?.info;
  if (adapter && !(adapter.isFallbackAdapter || info?.isFallbackAdapter || software.test(`${info?.architecture} ${info?.vendor}`))) {
    found.push("webgpu");
  }
  const context = canvas("picture").ownerDocument.createElement("canvas").getContext("webgl2");
  const named = context?.getExtension("WEBGL_debug_renderer_info");
  const renderer = context && String(context.getParameter(named?.UNMASKED_RENDERER_WEBGL ?? context.RENDERER));
  if (renderer && !software.test(renderer)) found.push("webgl");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return found;
}

siteOf()
  .then((site) => new Page(site).start())
  .catch((error: Error) => {
    element("status").textContent = `This page cannot start: ${error.message}`;
  });
