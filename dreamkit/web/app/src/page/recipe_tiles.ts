/** The page's own recipe and built-in ones to choose from, each with a small dream of the photograph. */

import { caption, type Caption } from "./caption";
import { element } from "./elements";
import { ownTerms } from "./link_opener";
import type { NetworkSession } from "./network_session";
import type { Pixels, ThumbnailTask } from "./protocol";
import type { RecipeForm } from "./recipe_form";
import type { BuiltInRecipe, Site } from "./site";
import { showStatus } from "./status_bar";
import { createTile, type Tile } from "./thumbnails";
import type { WorkerClient } from "./worker_client";

const STEPS = 8; // of each of two octaves
const STRENGTH = 1.8; // times that of the recipe, because there are fewer steps

export class RecipeTiles {
  /** What the tiles are of. */
  private worker: WorkerClient | null = null;
  private network = "";

  constructor(
    private readonly site: Site,
    private readonly session: NetworkSession,
    private readonly form: RecipeForm,
  ) {}

  /** Shows the recipes of the network that is open. */
  refresh(): void {
    const { network, worker } = this.session;
    if (!network) return;
    if (worker !== this.worker) this.open(worker, network.name);
    for (const tile of this.tiles) {
      tile.setAttribute("aria-pressed", String(tile.dataset.recipe === (this.form.recipe?.name ?? "")));
    }
  }

  /** What *Dream* dreams, in words; null where no network is open. */
  get caption(): Caption | null {
    const { network } = this.session;
    if (!network) return null;
    const { recipe, picker } = this.form;
    const used = [...new Set(picker.tables.map(({ layer }) => layer))];
    const chosen = { name: recipe?.name ?? "", terms: this.termsOf(recipe) };
    return caption(picker.terms, used, chosen, network.layers.map((layer) => layer.name));
  }

  /** The tiles as small dreams of a photograph. */
  tilesOn(photo: Pixels): Tile[] {
    const byName = new Map(this.session.recipes.map((recipe) => [recipe.name, recipe]));
    return this.tiles.map((button) => {
      const recipe = byName.get(button.dataset.recipe!) ?? null;
      return { button, task: () => this.task(recipe, photo) };
    });
  }

  /** Shows the recipes of a network; one that it does not have is given up. */
  private open(worker: WorkerClient, network: string): void {
    this.worker = worker;
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
    const tile = createTile(name, recipe?.description ?? "", () => this.choose(recipe));
    tile.dataset.recipe = recipe?.name ?? "";
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
