/** Layers, channels and concepts to choose from, each with a thumbnail of what it dreams. */

import type { Concept } from "../engine/concept";
import type { DreamConfig, TermTable } from "../engine/config";
import { element, select } from "./elements";
import { toImageData } from "./photograph";
import type { FinishedDream, OpenedNetwork } from "./protocol";
import type { RunningTask, WorkerClient } from "./worker_client";

const SIDE = 72; // pixels of a thumbnail
const PAGE = 24; // channels that are added at a time
const CONCEPT = "concept "; // before the name of a concept, in a term

/** The term of a concept, in links and in the picker. */
export function conceptTerm(name: string): string {
  return CONCEPT + name;
}

export class LayerPicker {
  /** Weights by term, such as `mixed4c`, `mixed4c:128` or `concept butterflies`. */
  private chosen = new Map<string, number>();
  /** The concepts that can be chosen, by term. */
  private concepts = new Map<string, Concept>();
  private network: OpenedNetwork | null = null;
  private worker: WorkerClient | null = null;
  private undrawn: HTMLButtonElement[] = [];
  private drawing: RunningTask<FinishedDream | null> | null = null;
  private isPaused = true;

  /** `config` returns the config as the controls show it. */
  constructor(private readonly config: () => DreamConfig) {
    element("more").addEventListener("click", () => this.addChannels());
    select("layer").addEventListener("change", () => this.showChannels());
    element("channel-section").addEventListener("toggle", () => {
      if (!element("channels").childElementCount) this.showChannels();
    });
  }

  /** Shows the layers of a network, and chooses `terms`, or its default layers where there are none. */
  open(worker: WorkerClient, network: OpenedNetwork, concepts: Concept[], terms: string[]): void {
    this.concepts = new Map(concepts.map((concept) => [conceptTerm(concept.name), concept]));
    this.worker = worker;
    this.network = network;
    this.undrawn = [];
    this.drawing = null;
    this.choose(terms.length ? terms : Object.keys(network.defaultLayers));
    const layers = network.layers.map((layer) => this.createTile(layer.name, layer.name));
    element("layers").replaceChildren(...layers);
    select("layer").replaceChildren(...network.layers.map((layer) => new Option(layer.name)));
    select("layer").value = network.layers[network.layers.length - 1].name;
    element("concept-section").hidden = !concepts.length;
    element("concepts").replaceChildren(
      ...concepts.map(({ name }) => this.createTile(conceptTerm(name), name)),
    );
    element("channels").replaceChildren();
    if (element<HTMLDetailsElement>("channel-section").open) this.showChannels();
    void this.draw();
  }

  /** The chosen terms, as a recipe writes them. */
  get terms(): string[] {
    return [...this.chosen].map(([term, weight]) => (weight === 1 ? term : `${term}=${weight}`));
  }

  /** The chosen terms, as the engine takes them. */
  get layers(): (string | TermTable)[] {
    return [...this.chosen].flatMap(([term, weight]) => this.layersOf(term, weight));
  }

  /** Adds a concept, and chooses it. */
  add(concept: Concept): void {
    const term = conceptTerm(concept.name);
    this.concepts.set(term, concept);
    element("concepts").prepend(this.createTile(term, concept.name));
    this.undrawn.unshift(this.undrawn.pop()!);
    this.toggle(term, false);
    void this.draw();
  }

  /** Whether there is a concept of this name. */
  hasConcept(name: string): boolean {
    return this.concepts.has(conceptTerm(name));
  }

  private layersOf(term: string, weight: number): (string | TermTable)[] {
    const concept = this.concepts.get(term);
    if (!concept) return [weight === 1 ? term : `${term}=${weight}`];
    return Object.entries(concept.directions).map(([layer, direction]) => ({ layer, direction, weight }));
  }

  /** Thumbnails are drawn only while the worker is idle. */
  set isIdle(isIdle: boolean) {
    this.isPaused = !isIdle;
    if (isIdle) void this.draw();
    else this.drawing?.stop();
  }

  private choose(terms: string[]): void {
    this.chosen = new Map();
    for (const term of terms) {
      const [, name, weight] = /^(.*?)(?:=([-+.\de]+))?$/.exec(term)!;
      this.chosen.set(name, weight === undefined ? 1 : Number(weight));
    }
    this.refresh();
  }

  private refresh(): void {
    for (const each of document.querySelectorAll<HTMLElement>(".tiles button")) {
      each.setAttribute("aria-pressed", String(this.chosen.has(each.dataset.term!)));
    }
    element("terms").textContent = `Dreams ${this.terms.join(" and ").replaceAll(CONCEPT, "")}`;
  }

  private createTile(term: string, label: string): HTMLButtonElement {
    const tile = document.createElement("button");
    tile.type = "button";
    tile.dataset.term = term;
    tile.title = term;
    tile.setAttribute("aria-pressed", String(this.chosen.has(term)));
    const picture = document.createElement("canvas");
    picture.width = picture.height = SIDE;
    tile.append(picture, label);
    tile.addEventListener("click", (event) => this.toggle(term, event.shiftKey || event.ctrlKey || event.metaKey));
    this.undrawn.push(tile);
    return tile;
  }

  /** Chooses one term alone; with `adds`, adds it to the others, or removes it. */
  private toggle(term: string, adds: boolean): void {
    if (!adds) this.chosen = new Map([[term, 1]]);
    else if (!this.chosen.has(term)) this.chosen.set(term, 1);
    else if (this.chosen.size > 1) this.chosen.delete(term);
    this.refresh();
  }

  private showChannels(): void {
    element("channels").replaceChildren();
    this.undrawn = this.undrawn.filter((tile) => tile.isConnected);
    this.addChannels();
  }

  private addChannels(): void {
    const layer = this.network?.layers.find((each) => each.name === select("layer").value);
    if (!layer) return;
    const start = element("channels").childElementCount;
    const end = start + Math.min(PAGE, layer.channels - start);
    for (let channel = start; channel < end; channel++) {
      element("channels").append(this.createTile(`${layer.name}:${channel}`, String(channel)));
    }
    element("more").hidden = end >= layer.channels;
    void this.draw();
  }

  /** Draws one thumbnail after the other while the worker is idle. */
  private async draw(): Promise<void> {
    if (this.drawing || this.isPaused || !this.worker) return;
    this.undrawn = this.undrawn.filter((tile) => tile.isConnected);
    const tile = this.undrawn.shift();
    if (!tile) return;
    const { worker } = this;
    const config: DreamConfig = {
      ...this.config(),
      layers: this.layersOf(tile.dataset.term!, 1),
      objective: tile.dataset.term!.includes(":") ? "mean" : "mean-square",
      octaves: 2,
      first_octave: null,
      schedule: [],
      steps: 6,
      step_size: 0.04,
      jitter: 4,
      max_objective: null,
    };
    this.drawing = worker.run({ kind: "thumbnail", config, side: SIDE });
    try {
      const dream = await this.drawing.result;
      if (dream) tile.querySelector("canvas")!.getContext("2d")!.putImageData(toImageData(dream.picture), 0, 0);
      else if (worker === this.worker) this.undrawn.unshift(tile);
    } catch {
      // A layer that cannot be dreamed at this size has no thumbnail.
    } finally {
      if (worker === this.worker) this.drawing = null;
    }
    if (worker === this.worker) void this.draw();
  }
}
