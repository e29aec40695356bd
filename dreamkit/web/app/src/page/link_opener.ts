/** Recipes in the address: of the page that opens, of a link that is followed, and of the link to share. */

import { UserError } from "../engine/errors";
import type { HistoryEntry } from "./dream_history";
import { element, select } from "./elements";
import { OWN_LAYERS } from "./layer_picker";
import type { NetworkSession } from "./network_session";
import type { RecipeForm } from "./recipe_form";
import { hasLink, type LinkedRecipe, parseLink, recipeLink } from "./recipe_link";
import { recipeOf, type ShownRecipe } from "./shown_recipe";
import { recipeNamed, type Site } from "./site";
import { clearError, showError, showStatus } from "./status_bar";
import type { TaskRunner } from "./task_runner";

export class LinkOpener {
  constructor(
    private readonly site: Site,
    private readonly session: NetworkSession,
    private readonly form: RecipeForm,
    private readonly runner: TaskRunner,
    private readonly recipe: ShownRecipe,
  ) {}

  /** Whether the address has a recipe. */
  get isLinked(): boolean {
    return hasLink(location.hash);
  }

  /** Whether the page has the recipe of the address already: it opened it before a reload, or made the link. */
  get isTaken(): boolean {
    return (history.state as { isTaken?: boolean } | null)?.isTaken === true;
  }

  /** Opens the network with the recipe of the address, and says what to do next. */
  async open(hasPhoto: boolean): Promise<void> {
    await this.use(parseLink(location.hash, this.site));
    take(location.href);
    if (!element("notice").hidden) return;
    showStatus(`The link's recipe is chosen; ${hasPhoto ? "" : "choose a photograph and "}press Dream`);
  }

  /** The address has another link. */
  async follow(hasPhoto: boolean): Promise<void> {
    if (!this.isLinked) return;
    clearError();
    await this.runner.stop(); // strokes that are being dreamed stay as they grew
    await this.open(hasPhoto);
  }

  /** Puts a link to the recipe of a dream, or else of the panel, into the address and the clipboard. */
  async share(dream: HistoryEntry | null): Promise<void> {
    const { model, recipe: name, options } = dream ? recipeOf(dream) : this.recipe.ofPanel;
    const link = recipeLink(this.site, model, options, recipeNamed(this.site, model, name));
    take(link);
    const strokes = dream?.painting.length ? ", without the strokes," : "";
    const what = dream ? `The link to this dream's recipe${strokes}` : "The link to the recipe of the panel";
    try {
      await navigator.clipboard.writeText(link);
      showStatus(`${what} is in the clipboard and in the address bar`);
    } catch {
      showStatus(`${what} is in the address bar`);
    }
  }

  /** Uses the recipe of a link; null is one that cannot be read. */
  private async use(link: LinkedRecipe | null): Promise<void> {
    if (link?.model) select("model").value = link.model;
    if (link) this.form.set(link.options, link.recipe);
    const terms = link?.options.layers ?? link?.recipe?.options.layers;
    const layers = terms ? asTerms(terms) : ownTerms(this.site);
    await this.session.open(this.session.network ? undefined : "wasm", layers);
    if (!link) {
      showError(new UserError("the link is damaged or cut off, so the page's own recipe is used; copy the whole link"));
      return;
    }
    const missing = asTerms(link.options.layers ?? null).filter((term) => !this.session.hasTerm(term));
    const rejected = [...link.rejected, ...missing];
    if (!rejected.length) return;
    const message = `this link asks for ${rejected.join(", ")}, which this page does not have`;
    showError(new UserError(`${message}; the page's own recipe is used instead`));
  }
}

/** Puts a link into the address, and remembers through reloads that the page has its recipe. */
function take(link: string): void {
  history.replaceState({ isTaken: true }, "", link);
}

/** The terms of `layers` that are texts. */
export function asTerms(layers: unknown): string[] {
  return Array.isArray(layers) ? layers.filter((term) => typeof term === "string") : [];
}

/** The terms of the page's own recipe. */
export function ownTerms({ options: { layers }, together }: Site): string[] {
  const isText = layers === null || (Array.isArray(layers) && layers.every((term) => typeof term === "string"));
  return isText && !together.length ? asTerms(layers) : [OWN_LAYERS];
}
