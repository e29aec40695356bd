/** Layers and channels to choose from, each shown by what it likes. */

import type { Options } from "../engine/recipe";
import { element, select } from "./elements";
import type { Engine, Running } from "./engine";
import { imageOf } from "./photograph";
import type { Finished, Opened } from "./protocol";

const SIDE = 72; // pixels of a thumbnail
const PAGE = 24; // channels that are shown at a time

export class Palette {
  /** Weights by term, such as `mixed4c` or `mixed4c:128`. */
  private chosen = new Map<string, number>();
  private network: Opened | null = null;
  private engine: Engine | null = null;
  private waiting: HTMLButtonElement[] = [];
  private drawing: Running<Finished | null> | null = null;
  private paused = true;

  constructor(private readonly options: () => Options) {
    element("more").addEventListener("click", () => this.addChannels());
    select("layer").addEventListener("change", () => this.showChannels());
    element("deeper").addEventListener("toggle", () => {
      if (!element("channels").childElementCount) this.showChannels();
    });
  }

  /** Offers what a network has, and chooses `terms` of it. */
  open(engine: Engine, network: Opened, terms: string[]): void {
    this.engine = engine;
    this.network = network;
    this.waiting = [];
    this.drawing = null;
    this.choose(terms.length ? terms : Object.keys(network.defaultLayers));
    const layers = network.layers.map((layer) => this.tile(layer.name, layer.name));
    element("layers").replaceChildren(...layers);
    select("layer").replaceChildren(...network.layers.map((layer) => new Option(layer.name)));
    select("layer").value = network.layers[network.layers.length - 1].name;
    element("channels").replaceChildren();
    if (element<HTMLDetailsElement>("deeper").open) this.showChannels();
    void this.draw();
  }

  /** The terms that are chosen, as a recipe has them. */
  get terms(): string[] {
    return [...this.chosen].map(([term, weight]) => (weight === 1 ? term : `${term}=${weight}`));
  }

  /** Draws thumbnails, or not while the network is wanted for something else. */
  set idle(is: boolean) {
    this.paused = !is;
    if (is) void this.draw();
    else this.drawing?.stop();
  }

  private choose(terms: string[]): void {
    this.chosen = new Map();
    for (const term of terms) {
      const [, name, weight] = /^(.*?)(?:=([-+.\de]+))?$/.exec(term)!;
      this.chosen.set(name, weight === undefined ? 1 : Number(weight));
    }
    this.tell();
  }

  private tell(): void {
    for (const each of document.querySelectorAll<HTMLElement>(".tiles button")) {
      each.setAttribute("aria-pressed", String(this.chosen.has(each.dataset.term!)));
    }
    element("terms").textContent = `Dreams ${this.terms.join(" and ")}`;
  }

  private tile(term: string, label: string): HTMLButtonElement {
    const tile = document.createElement("button");
    tile.type = "button";
    tile.dataset.term = term;
    tile.title = term;
    tile.setAttribute("aria-pressed", String(this.chosen.has(term)));
    const picture = document.createElement("canvas");
    picture.width = picture.height = SIDE;
    tile.append(picture, label);
    tile.addEventListener("click", (event) => this.toggle(term, event.shiftKey || event.ctrlKey || event.metaKey));
    this.waiting.push(tile);
    return tile;
  }

  /** One term in place of all, or with a key held, beside them. */
  private toggle(term: string, beside: boolean): void {
    if (!beside) this.chosen = new Map([[term, 1]]);
    else if (!this.chosen.has(term)) this.chosen.set(term, 1);
    else if (this.chosen.size > 1) this.chosen.delete(term);
    this.tell();
  }

  private showChannels(): void {
    element("channels").replaceChildren();
    this.waiting = this.waiting.filter((tile) => tile.isConnected);
    this.addChannels();
  }

  private addChannels(): void {
    const layer = this.network?.layers.find((each) => each.name === select("layer").value);
    if (!layer) return;
    const shown = element("channels").childElementCount;
    const more = Math.min(PAGE, layer.channels - shown);
    for (let channel = shown; channel < shown + more; channel++) {
      element("channels").append(this.tile(`${layer.name}:${channel}`, String(channel)));
    }
    element("more").hidden = shown + more >= layer.channels;
    void this.draw();
  }

  /** Draws what is waiting, one after the other, as long as nothing else is to be done. */
  private async draw(): Promise<void> {
    if (this.drawing || this.paused || !this.engine) return;
    this.waiting = this.waiting.filter((tile) => tile.isConnected);
    const tile = this.waiting.shift();
    if (!tile) return;
    const engine = this.engine;
    const options = {
      ...this.options(),
      layers: [tile.dataset.term!],
      objective: tile.dataset.term!.includes(":") ? "mean" : "mean-square",
      octaves: 2,
      first_octave: null,
      schedule: [],
      steps: 6,
      step_size: 0.04,
      jitter: 4,
      max_objective: null,
    } as Options;
    this.drawing = engine.run({ kind: "thumbnail", options, side: SIDE });
    try {
      const found = await this.drawing.result;
      if (found) tile.querySelector("canvas")!.getContext("2d")!.putImageData(imageOf(found.picture), 0, 0);
      else if (engine === this.engine) this.waiting.unshift(tile);
    } catch {
      // A layer that cannot be dreamed at this size goes without a picture.
    } finally {
      if (engine === this.engine) this.drawing = null;
    }
    if (engine === this.engine) void this.draw();
  }
}
