/** The network that is selected, and the worker that computes it. */

import { type ConceptsDescription, readConcepts } from "../engine/concept";
import type { TermTable } from "../engine/config";
import { UserError } from "../engine/errors";
import { element, select } from "./elements";
import { fastestBackend } from "./graphics_card";
import { conceptTerm, type LayerPicker, OWN_LAYERS } from "./layer_picker";
import type { Backend, OpenedNetwork } from "./protocol";
import { type BuiltInRecipe, loadConcepts, type Site } from "./site";
import { showError, showProgress, showStatus } from "./status_bar";
import type { TaskRunner } from "./task_runner";
import { WorkerClient } from "./worker_client";

export class NetworkSession {
  worker!: WorkerClient;
  network: OpenedNetwork | null = null;
  /** The concepts of the network, and what is needed to learn more; null where it has none. */
  concepts: ConceptsDescription | null = null;

  /** `onChange` is called when `network` changes. */
  constructor(
    private readonly site: Site,
    private readonly picker: LayerPicker,
    private readonly tasks: TaskRunner,
    private readonly onChange: () => void,
  ) {
    select("model").replaceChildren(...site.models.map((model) => new Option(model.name)));
    element("model-row").hidden = site.models.length < 2;
  }

  get name(): string {
    return this.network?.name ?? this.site.models[0].name;
  }

  hasModel(name: string): boolean {
    return this.site.models.some((model) => model.name === name);
  }

  /** The built-in recipes that the page dreams with the network. */
  get recipes(): BuiltInRecipe[] {
    return this.site.models.find((model) => model.name === this.name)?.recipes ?? [];
  }

  /** The shortest side, in pixels, of the pictures in which the network can dream `layers`. */
  minSize(layers: (string | TermTable)[]): number {
    if (!this.network) return 1;
    const names = layers.map((term) => (typeof term === "string" ? term.split(/[:=]/)[0] : term.layer));
    return Math.max(this.network.minSize, ...names.map((name) => this.network!.minSizes[name] ?? 1));
  }

  /** Whether the network has the layer or the concept of a term. */
  hasTerm(term: string): boolean {
    if (term.split("=")[0] === OWN_LAYERS) return this.name === this.site.models[0].name;
    const isConcept = this.concepts?.concepts.some(({ name }) => conceptTerm(name) === term.split("=")[0]);
    if (isConcept) return true;
    return this.network?.layers.some((layer) => layer.name === term.split(/[:=]/)[0]) ?? false;
  }

  /** Opens the selected network in a new worker, and chooses `terms` of it; falls back to WebAssembly. */
  async open(backend: Backend = this.selectedBackend, terms: string[] = this.picker.terms): Promise<void> {
    await this.tasks.stop();
    this.worker?.terminate();
    this.worker = new WorkerClient((message) => void this.onCrash(message));
    this.network = null;
    this.onChange();
    const { model } = this;
    if (backend === "webgl") showStatus("Starting WebGL; the first step takes up to half a minute to compile");
    try {
      this.network = await this.worker.open(this.address, backend, (done, total) => {
        showProgress(done / Math.max(1, total));
        showStatus(`Loading ${model.name}: ${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`);
      });
    } catch (error) {
      showError(error);
      element("panel").classList.add("filled"); // another network or computation may be chosen
      if (backend !== "wasm") {
        select("backend").value = "wasm";
        await this.open("wasm", terms);
      }
      return;
    }
    showProgress(0);
    this.concepts = model.concepts ? await loadConcepts(model.concepts) : null;
    const concepts = this.concepts ? readConcepts(this.concepts) : [];
    this.picker.open(this.worker, this.network, concepts, terms.filter((term) => this.hasTerm(term)));
    element("panel").classList.add("filled");
    showStatus("Ready", `${this.network.name}, computed by ${this.network.backend}`);
    const licence = this.network.licence ? `, ${this.network.licence}` : "";
    element("about").textContent = `dreamkit ${this.site.dreamkit}; ${model.name}: ${model.description}${licence}`;
    this.onChange();
  }

  /** Switches to a graphics card where one is faster than WebAssembly. */
  async switchToFastest(): Promise<void> {
    if (select("backend").value !== "auto" || !this.network) return;
    const backend = await fastestBackend(this.worker, this.address);
    if (backend === "wasm" || select("backend").value !== "auto") return;
    await this.tasks.wait();
    await this.open(backend);
  }

  /** The selected network of the site. */
  private get model() {
    return this.site.models.find((each) => each.name === select("model").value) ?? this.site.models[0];
  }

  private get address(): string {
    return new URL(this.model.path, location.href).href;
  }

  private get selectedBackend(): Backend {
    const { value } = select("backend");
    return value === "auto" ? "wasm" : (value as Backend);
  }

  /** Replaces a worker that ran out of memory or lost its graphics card by one on WebAssembly. */
  private async onCrash(message: string): Promise<void> {
    const canRestart = this.network !== null; // a worker that never started would not start now
    const advice = this.network?.backend.startsWith("wasm")
      ? "choose a smaller longest side"
      : "the page now uses WebAssembly";
    this.tasks.forget();
    if (canRestart) {
      select("backend").value = "wasm";
      await this.open("wasm");
    }
    showError(new UserError(`the computation failed (${message}); ${canRestart ? advice : "load the page again"}`));
  }
}
