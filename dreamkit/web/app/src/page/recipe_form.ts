/** The recipe as the panel shows it. */

import type { DreamConfig } from "../engine/config";
import { Controls } from "./controls";
import type { Choice } from "./dream_history";
import { select } from "./elements";
import { LayerPicker, OWN_LAYERS } from "./layer_picker";
import type { Photo } from "./photograph";
import type { Pixels } from "./protocol";
import type { RecipePictures } from "./recipe_pictures";
import type { BuiltInRecipe, Site } from "./site";

export class RecipeForm {
  readonly picker: LayerPicker;
  private readonly controls: Controls;
  /** The built-in recipe that the panel began with; null for the page's own. */
  recipe: BuiltInRecipe | null = null;
  /** Options of a link that have no control. */
  private hidden: Partial<DreamConfig> = {};

  /** `pictures` fits the guide and the masks of the page's recipe to a photograph. */
  constructor(
    private readonly site: Site,
    private readonly pictures: (photo: Pixels) => RecipePictures,
  ) {
    this.controls = new Controls(site);
    this.picker = new LayerPicker(() => this.config(null), site.options.layers);
    if (site.options.max_size) this.longestSide = site.options.max_size;
  }

  /** The recipe for a photograph. */
  config(photo: Photo | null): DreamConfig {
    const { upscale, wrap } = this.site.options; // as the photograph was read
    return {
      ...(this.recipe ?? this.site).options,
      upscale,
      wrap,
      ...this.hidden,
      ...this.controls.options,
      layers: this.picker.layers,
      max_size: this.longestSide,
      ...(photo?.isNoise && { size: [photo.height, photo.width] as [number, number] }),
    };
  }

  /** The task that dreams `config` on a photograph, with the guide, the masks and the networks of the page's recipe. */
  task(photo: Pixels, config: DreamConfig) {
    const isOwn = this.picker.terms.some((term) => term.split("=")[0] === OWN_LAYERS);
    const together = isOwn ? this.together : [];
    const pictures = this.recipe ? { guide: null, masks: {} } : this.pictures(photo);
    return { kind: "dream" as const, photo, config, ...pictures, together };
  }

  /** The networks of the page's recipe that dream together. */
  get together() {
    return this.site.together.map((model) => ({ ...model, path: new URL(model.path, location.href).href }));
  }

  /** The options that a link or a kept session may hold: those that differ from the page's own recipe. */
  get options(): DreamConfig {
    return { ...this.config(null), layers: this.picker.terms };
  }

  /** What the panel needs to show the recipe again, which a dream of the network `model` keeps. */
  choice(model: string): Choice {
    return { model, recipe: this.recipe?.name ?? "", terms: this.picker.terms };
  }

  /** Shows other options, over those of a recipe; layers are chosen by the picker. */
  set(options: Partial<DreamConfig>, recipe: BuiltInRecipe | null = null): void {
    this.recipe = recipe;
    this.controls.set({ ...(recipe ?? this.site).options, ...options });
    if (options.max_size) this.longestSide = options.max_size;
    const { objective, normalise } = options;
    this.hidden = { ...(objective && { objective }), ...(normalise && { normalise }) };
  }

  /** Changes a few options, and leaves the others. */
  change(options: Partial<DreamConfig>): void {
    this.controls.set(options);
  }

  get longestSide(): number {
    return Number(select("longest").value);
  }

  /** Selects a longest side, and adds it to the list where it is missing. */
  set longestSide(side: number) {
    const sizes = select("longest");
    const options = [...sizes.options];
    if (!options.some((option) => Number(option.value) === side)) {
      const next = options.findIndex((option) => Number(option.value) > side);
      sizes.add(new Option(String(side)), next < 0 ? null : next);
    }
    sizes.value = String(side);
  }
}
