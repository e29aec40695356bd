/** The page's own recipe and built-in ones to choose from, each with a small dream of the photograph. */

import { middleSquare } from "../engine/concept";
import { toBytes } from "../engine/octave_schemes";
import { element } from "./elements";
import { sampleFile } from "./first_sight";
import { asPicture, toPixels } from "./job";
import { ownTerms } from "./link_opener";
import type { NetworkSession } from "./network_session";
import { readPhoto } from "./photograph";
import type { Pixels, ThumbnailTask } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import type { BuiltInRecipe, Site } from "./site";
import { showStatus } from "./status_bar";
import type { WorkerClient } from "./worker_client";

const SIDE = 128; // pixels of a thumbnail, where the network takes so few
const SAMPLE = "chelsea"; // that is dreamed on until there is a photograph
const STEPS = 8; // of each of two octaves
const STRENGTH = 1.8; // times that of the recipe, because there are fewer steps

export class RecipeTiles {
  /** What the tiles show. */
  private worker: WorkerClient | null = null;
  private photo: Pixels | null | undefined = undefined;
  private network = "";
  /** Counts the photographs, so that what is out of date ends. */
  private turn = 0;

  constructor(
    private readonly site: Site,
    private readonly session: NetworkSession,
    private readonly form: RecipeForm,
  ) {}

  /** Shows the recipes of the network that is open, on the photograph that is. */
  refresh(photo: Pixels | null): void {
    const { network, worker } = this.session;
    if (!network) return;
    if (worker !== this.worker) this.open(worker, network.name);
    for (const tile of this.tiles) {
      tile.setAttribute("aria-pressed", String(tile.dataset.recipe === (this.form.recipe?.name ?? "")));
    }
    if (photo === this.photo || !this.tiles.length) return;
    this.photo = photo;
    void this.draw(photo);
  }

  /** Shows the recipes of a network; one that it does not have is given up. */
  private open(worker: WorkerClient, network: string): void {
    this.worker = worker;
    this.photo = undefined;
    const { recipe } = this.form;
    if (recipe && !this.session.recipes.includes(recipe)) this.form.set({});
    if (network === this.network) return;
    this.network = network;
    const own = this.tile(null, "default");
    own.title = "The recipe of this page";
    const others = this.session.recipes.map((each) => this.tile(each, each.name));
    element("recipe-section").hidden = !others.length;
    element("recipes").replaceChildren(...(others.length ? [own, ...others] : []));
  }

  private get tiles(): HTMLButtonElement[] {
    return [...element("recipes").querySelectorAll("button")];
  }

  private tile(recipe: BuiltInRecipe | null, name: string): HTMLButtonElement {
    const tile = document.createElement("button");
    tile.type = "button";
    tile.dataset.recipe = recipe?.name ?? "";
    tile.title = recipe?.description ?? "";
    const picture = document.createElement("span");
    picture.className = "picture";
    picture.ariaHidden = "true";
    picture.append(document.createElement("canvas"));
    tile.append(picture, name);
    tile.addEventListener("click", () => {
      this.choose(recipe);
      tile.dispatchEvent(new Event("change", { bubbles: true })); // as a field of the panel would
    });
    return tile;
  }

  /** Sets all options of a recipe; null is the page's own. */
  private choose(recipe: BuiltInRecipe | null): void {
    this.form.set({}, recipe);
    this.form.picker.choose(this.termsOf(recipe));
    showStatus(recipe ? `${recipe.name}: ${recipe.description}` : "The recipe of this page");
  }

  /** The layers of a recipe, for the picker. */
  private termsOf(recipe: BuiltInRecipe | null): string[] {
    const own = recipe ? recipe.options.layers : ownTerms(this.site).filter((term) => this.session.hasTerm(term));
    return own.length ? own : Object.keys(this.session.network!.defaultLayers);
  }

  /** Draws the tiles before all other thumbnails, in their order. */
  private async draw(photo: Pixels | null): Promise<void> {
    const turn = ++this.turn;
    const seen = photo ?? (await readPhoto(await sampleFile(SAMPLE), { max_size: 2 * SIDE, upscale: 1, wrap: "none" }));
    const { network } = this.session;
    if (turn !== this.turn || !network) return;
    const side = Math.max(SIDE, this.session.minSize(network.layers.map(({ name }) => name)));
    const square = middleSquare(asPicture(seen), side);
    const small = toPixels(square, toBytes(square));
    const byName = new Map(this.session.recipes.map((recipe) => [recipe.name, recipe]));
    for (const button of this.tiles.reverse()) {
      const recipe = byName.get(button.dataset.recipe!) ?? null;
      this.form.picker.thumbnails.add({ button, task: () => this.task(recipe, small) }, true);
    }
  }

  private task(recipe: BuiltInRecipe | null, photo: Pixels): ThumbnailTask {
    const { options } = recipe ?? this.site;
    const config = {
      ...options,
      layers: this.form.picker.layersOfTerms(this.termsOf(recipe)),
      octaves: 2,
      first_octave: null,
      schedule: [],
      steps: STEPS,
      strength: STRENGTH * options.strength,
      jitter: Math.min(8, options.jitter),
      max_objective: null,
    };
    return { kind: "thumbnail", config, side: photo.width, photo };
  }
}
