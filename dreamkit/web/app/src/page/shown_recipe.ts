/**
 * The recipe of the picture that is shown. The panel follows the history to it, and the link has it. Options that were
 * changed and not dreamed come back with the picture at which they were changed.
 */

import type { DreamConfig } from "../engine/config";
import { type Choice, type HistoryEntry, labelOf } from "./dream_history";
import { isSame } from "./live_options";
import type { NetworkSession } from "./network_session";
import type { RecipeForm } from "./recipe_form";
import { recipeNamed, type Site } from "./site";
import type { Workspace } from "./workspace";

/** A recipe as the panel, a link or a kept session has it. */
export interface PanelRecipe extends Pick<Choice, "model" | "recipe"> {
  /** `layers` are terms. */
  options: DreamConfig;
}

export class ShownRecipe {
  /** By the dream, or the photograph, that was shown. */
  private readonly changed = new WeakMap<object, PanelRecipe>();

  constructor(
    private readonly site: Site,
    private readonly work: Workspace,
    private readonly session: NetworkSession,
    private readonly form: RecipeForm,
  ) {}

  get ofPanel(): PanelRecipe {
    const { model, recipe } = this.form.choice(this.session.name);
    return { model, recipe, options: this.form.options };
  }

  /** Remembers the options of the panel, unless a dream has them; another picture is shown next. */
  leave(): void {
    const { history, photo } = this.work;
    const panel = { ...this.ofPanel, options: { ...this.form.config(photo), layers: this.form.options.layers } };
    const shown = history.current ?? photo;
    if (shown && !history.entries.some((entry) => isRecipeOf(panel, entry))) this.changed.set(shown, panel);
  }

  /** Shows the recipe of the picture that is shown now in the panel. Returns what to say of it. */
  follow(): string {
    const { history, photo } = this.work;
    const { current } = history;
    const shown = current ?? photo;
    const changed = shown && this.changed.get(shown);
    const recipe = changed ?? (current && recipeOf(current));
    const label = current ? `: ${labelOf(current)}` : "";
    if (!recipe) return label;
    if (recipe.model !== this.session.name) return `${label}; select the network ${recipe.model} for its options`;
    this.show(recipe);
    if (shown) this.changed.delete(shown);
    return changed ? `${label}; the options are as you changed them` : label;
  }

  private show({ model, recipe, options }: PanelRecipe): void {
    const { picker } = this.form;
    this.form.set(options, recipeNamed(this.site, model, recipe));
    const terms = (options.layers as string[]).filter((term) => this.session.hasTerm(term) || picker.hasTerm(term));
    if (terms.length) picker.choose(terms);
  }
}

/** The recipe of a dream. */
export function recipeOf({ choice: { model, recipe, terms }, config }: HistoryEntry): PanelRecipe {
  return { model, recipe, options: { ...config, layers: terms } };
}

function isRecipeOf(panel: PanelRecipe, entry: HistoryEntry): boolean {
  const { model, recipe, options } = recipeOf(entry);
  return panel.model === model && panel.recipe === recipe && isSame(panel.options, options, []);
}
