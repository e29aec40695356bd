/** The tiles that show dreams of the photograph, recipes and concepts; until there is one, of a sample. */

import { middleSquare } from "../engine/concept";
import { toBytes } from "../engine/octave_schemes";
import { asPicture, toPixels } from "./job";
import type { NetworkSession } from "./network_session";
import type { Pixels } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import type { RecipeTiles } from "./recipe_tiles";
import { smallSamples } from "./samples";
import { showStart, startOf, type Tile } from "./thumbnails";
import type { WorkerClient } from "./worker_client";

const SIDE = 128; // pixels of a thumbnail, where the network takes so few
const SAMPLE = "chelsea"; // that is dreamed on until there is a photograph

export class PhotoTiles {
  /** What the tiles show. */
  private worker: WorkerClient | null = null;
  private photo: Pixels | null = null;
  /** What they show until they are drawn. */
  private start: ImageData | null = null;
  private readonly sample = smallSamples("shorter", SIDE);
  /** Counts the photographs, so that what is out of date ends. */
  private turn = 0;
  /** The tiles that are drawn as soon as they are nearly in sight, by button; a network has many concepts. */
  private readonly unseen = new Map<Element, Tile>();
  private readonly sight = new IntersectionObserver((entries) => this.drawSeen(entries), { rootMargin: "100%" });

  constructor(
    private readonly session: NetworkSession,
    private readonly form: RecipeForm,
    private readonly recipes: RecipeTiles,
  ) {}

  /** Draws the tiles anew where the network or the photograph is another. */
  refresh(photo: Pixels | null): void {
    const { network, worker } = this.session;
    if (!network || (worker === this.worker && photo === this.photo)) return;
    this.worker = worker;
    this.photo = photo;
    void this.draw(photo);
  }

  /** Draws the recipes before all other thumbnails, and the concepts after them, when they are seen. */
  private async draw(photo: Pixels | null): Promise<void> {
    const turn = ++this.turn;
    const seen = photo ?? (await this.sample(SAMPLE).catch(() => null)); // without a network there is none
    const { network } = this.session;
    if (turn !== this.turn || !network || !seen) return;
    const side = Math.max(SIDE, this.session.minSize(network.layers.map(({ name }) => name)));
    const picture = middleSquare(asPicture(seen), side);
    const square = toPixels(picture, toBytes(picture));
    const { picker } = this.form;
    const [recipes, concepts] = [this.recipes.tilesOn(square), picker.conceptTilesOn(square)];
    const start = startOf(square);
    for (const tile of recipes.reverse()) {
      showStart(tile, start);
      picker.thumbnails.add(tile, true);
    }
    this.start = start;
    this.sight.disconnect();
    this.unseen.clear();
    for (const tile of concepts) {
      this.unseen.set(tile.button, tile);
      this.sight.observe(tile.button); // which tells at once whether it is in sight
    }
  }

  private drawSeen(entries: IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      const tile = this.unseen.get(target);
      if (!isIntersecting || !tile) continue;
      this.unseen.delete(target);
      this.sight.unobserve(target);
      showStart(tile, this.start!);
      this.form.picker.thumbnails.add(tile);
    }
  }
}
