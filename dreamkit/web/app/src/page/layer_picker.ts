/** Layers, channels and concepts to choose from, each with a thumbnail of what it dreams. */

import type { Concept } from "../engine/concept";
import type { DreamConfig, Layers, TermTable } from "../engine/config";
import { toTables } from "../engine/terms";
import { element, isPressed, select, setPressed } from "./elements";
import type { OpenedNetwork, Pixels, ThumbnailTask } from "./protocol";
import { showStatus } from "./status_bar";
import { createTile, Thumbnails, type Tile } from "./thumbnails";
import type { WorkerClient } from "./worker_client";

const SIDE = 72; // pixels of a thumbnail, where the network takes so few
/** What differs for a concept, which grows on a photograph: more and larger steps, so that concepts differ at a glance. */
const CONCEPT_DREAM = { steps: 10, step_size: 0.05 };
const PAGE = 24; // channels that are added at a time
export const CONCEPT = "concept "; // before the name of a concept, in a term

/** The term of the page's own layers, where no text says all of them. */
export const OWN_LAYERS = "the recipe of this page";

/** The term of a concept, in links and in the picker. */
export function conceptTerm(name: string): string {
  return CONCEPT + name;
}

/** Weights by term, such as `mixed4c`, `mixed4c:128` or `concept butterflies`. */
type Weights = Map<string, number>;

export class LayerPicker {
  /** What is dreamed on the whole photograph. */
  private look: Weights = new Map();
  /** What the brush paints; null for the look, until something is chosen for the brush. */
  private paint: Weights | null = null;
  private isBrushOn = false;
  /** The concepts that can be chosen, by term. */
  private concepts = new Map<string, Concept>();
  private network: OpenedNetwork | null = null;
  /** What the tiles of concepts are dreamed on; null until it is known. */
  private photo: Pixels | null = null;
  readonly thumbnails = new Thumbnails();

  /** `config` returns the config as the controls show it; `own` are the page's own layers. */
  constructor(
    private readonly config: () => DreamConfig,
    private readonly own: Layers,
  ) {
    element("more").addEventListener("click", () => this.addChannels());
    element("several").addEventListener("click", () => this.toggleSeveral());
    select("layer").addEventListener("change", () => this.showChannels());
    element("channel-section").addEventListener("toggle", () => {
      if (!element("channels").childElementCount) this.showChannels();
    });
  }

  /** Shows the layers of a network, and chooses `terms`, or its default layers where there are none. */
  open(worker: WorkerClient, network: OpenedNetwork, concepts: Concept[], terms: string[]): void {
    this.concepts = new Map(concepts.map((concept) => [conceptTerm(concept.name), concept]));
    this.network = network;
    this.paint = null;
    this.thumbnails.restart(worker);
    this.choose(terms.length ? terms : Object.keys(network.defaultLayers));
    this.fill("layers", network.layers.map(({ name }) => [name, name]));
    for (const each of tilesIn("layers")) this.draw(each);
    select("layer").replaceChildren(...network.layers.map((layer) => new Option(layer.name)));
    select("layer").value = network.layers[network.layers.length - 1].name;
    element("concept-section").hidden = !concepts.length;
    this.fill("concepts", concepts.map(({ name }) => [conceptTerm(name), name]));
    element("channels").replaceChildren();
    if (element<HTMLDetailsElement>("channel-section").open) this.showChannels();
  }

  /** The terms of the look, as a recipe writes them. */
  get terms(): string[] {
    return termsOf(this.look);
  }

  /** The terms of the look, as the engine takes them. */
  get layers(): (string | TermTable)[] {
    return this.layersOfAll(this.look);
  }

  /** Terms, as a recipe writes them, as the engine takes them. */
  layersOfTerms(terms: string[]): (string | TermTable)[] {
    return this.layersOfAll(weightsOf(terms));
  }

  /** The terms of the look in words. */
  get label(): string {
    return inWords(this.look);
  }

  /** The terms of the look, each as a table. */
  get tables(): TermTable[] {
    return this.tablesOf(this.look);
  }

  /** What the brush paints: in words, and its terms as tables. */
  get painted(): { label: string; terms: TermTable[] } {
    const paint = this.paint ?? this.look;
    return { label: inWords(paint), terms: this.tablesOf(paint) };
  }

  /**
   * While the brush is on, the tiles show and choose what it paints. What was chosen when it comes on is painted, where the
   * picture has another look, whose terms are `shown`.
   */
  setBrush(isOn: boolean, shown: string[] | null): void {
    if (isOn === this.isBrushOn) return;
    this.isBrushOn = isOn;
    if (isOn && shown && shown.join() !== this.terms.join()) {
      this.paint = this.look;
      this.look = weightsOf(shown);
    }
    this.refresh();
  }

  /** What the tiles show. */
  private get chosen(): Weights {
    return (this.isBrushOn && this.paint) || this.look;
  }

  private tablesOf(weights: Weights): TermTable[] {
    return toTables(this.layersOfAll(weights), this.network?.layers ?? []);
  }

  /** Adds a concept, and chooses it. */
  add(concept: Concept): void {
    const term = conceptTerm(concept.name);
    this.concepts.set(term, concept);
    const tile = this.createTile(term, concept.name);
    element("concepts").prepend(tile);
    this.toggle(term, false);
    if (!this.photo) return; // it is drawn with the others
    this.thumbnails.add(this.conceptTile(tile, this.photo), true);
  }

  /** The tiles of concepts as small dreams of a photograph. */
  conceptTilesOn(photo: Pixels): Tile[] {
    this.photo = photo;
    return tilesIn("concepts").map((button) => this.conceptTile(button, photo));
  }

  private conceptTile(button: HTMLButtonElement, photo: Pixels): Tile {
    const config = () => ({ ...this.thumbnailConfig(button.dataset.term!), ...CONCEPT_DREAM });
    return { button, task: () => ({ kind: "thumbnail", side: photo.width, photo, config: config() }) };
  }

  /** Whether there is a concept of this name. */
  hasConcept(name: string): boolean {
    return this.concepts.has(conceptTerm(name));
  }

  /** Whether a term is that of a concept. */
  hasTerm(term: string): boolean {
    return this.concepts.has(term.split("=")[0]);
  }

  /** Thumbnails are drawn only while the worker is idle, or has time between two frames. */
  set isIdle(isIdle: boolean) {
    this.thumbnails.isIdle = isIdle;
  }

  private layersOfAll(weights: Weights): (string | TermTable)[] {
    return [...weights].flatMap(([term, weight]) => this.layersOf(term, weight));
  }

  private layersOf(term: string, weight: number): (string | TermTable)[] {
    if (term === OWN_LAYERS) {
      const tables = toTables(this.own, this.network?.layers ?? []);
      return tables.map((table) => ({ ...table, weight: weight * (table.weight ?? 1) }));
    }
    const concept = this.concepts.get(term);
    if (!concept) return [weight === 1 ? term : `${term}=${weight}`];
    return Object.entries(concept.directions).map(([layer, direction]) => ({ layer, direction, weight }));
  }

  /** Chooses the terms of the look, as a recipe writes them. */
  choose(terms: string[]): void {
    this.look = weightsOf(terms);
    this.refresh();
  }

  private refresh(): void {
    for (const each of document.querySelectorAll<HTMLElement>(".tiles button[data-term]")) {
      each.setAttribute("aria-pressed", String(this.chosen.has(each.dataset.term!)));
    }
  }

  private fill(id: string, tiles: [term: string, label: string][]): void {
    element(id).replaceChildren(...tiles.map(([term, label]) => this.createTile(term, label)));
  }

  private createTile(term: string, label: string): HTMLButtonElement {
    const tile = createTile(label, term, (event) => {
      this.toggle(term, isPressed("several") || event.shiftKey || event.ctrlKey || event.metaKey);
    });
    tile.dataset.term = term;
    tile.setAttribute("aria-pressed", String(this.chosen.has(term)));
    return tile;
  }

  private draw(button: HTMLButtonElement, isFirst = false): void {
    const task = (): ThumbnailTask => ({ kind: "thumbnail", side: SIDE, config: this.thumbnailConfig(button.dataset.term!) });
    this.thumbnails.add({ button, task }, isFirst);
  }

  private thumbnailConfig(term: string): DreamConfig {
    return {
      ...this.config(),
      layers: this.layersOf(term, 1),
      objective: term.includes(":") ? "mean" : "mean-square",
      strength: 1,
      blend: 0,
      octaves: 2,
      first_octave: null,
      schedule: [],
      steps: 6,
      step_size: 0.04,
      jitter: 4,
      max_objective: null,
    };
  }

  /** Chooses one term alone, for the look or the brush; with `adds`, adds it to the others, or removes it. */
  private toggle(term: string, adds: boolean): void {
    const chosen: Weights = new Map(adds ? this.chosen : []);
    if (!chosen.has(term)) chosen.set(term, 1);
    else if (chosen.size > 1) chosen.delete(term);
    if (this.isBrushOn) this.paint = chosen;
    else this.look = chosen;
    this.refresh();
  }

  private toggleSeveral(): void {
    setPressed("several", !isPressed("several"));
    showStatus(
      isPressed("several")
        ? "Choose more than one layer, channel or concept; the dream joins them"
        : "What you choose next replaces what is chosen",
    );
  }

  private showChannels(): void {
    element("channels").replaceChildren();
    this.addChannels();
  }

  private addChannels(): void {
    const layer = this.network?.layers.find((each) => each.name === select("layer").value);
    if (!layer) return;
    const start = element("channels").childElementCount;
    const end = start + Math.min(PAGE, layer.channels - start);
    const tiles = Array.from({ length: end - start }, (_, i) =>
      this.createTile(`${layer.name}:${start + i}`, String(start + i)),
    );
    element("channels").append(...tiles);
    // What was asked for last is drawn first.
    for (const tile of tiles.reverse()) this.draw(tile, true);
    element("more").hidden = end >= layer.channels;
  }
}

function tilesIn(id: string): HTMLButtonElement[] {
  return [...element(id).querySelectorAll("button")];
}

function termsOf(weights: Weights): string[] {
  return [...weights].map(([term, weight]) => (weight === 1 ? term : `${term}=${weight}`));
}

function inWords(weights: Weights): string {
  return termsOf(weights).join(" and ").replaceAll(CONCEPT, "");
}

/** The weight of each term; terms are as a recipe writes them. */
function weightsOf(terms: string[]): Weights {
  return new Map(
    terms.map((term) => {
      const [, name, weight] = /^(.*?)(?:=([-+.\de]+))?$/.exec(term)!;
      return [name, weight === undefined ? 1 : Number(weight)];
    }),
  );
}
