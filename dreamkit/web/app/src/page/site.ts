/** The content of `site.json`: the networks and the recipe of this page. */

import type { ConceptsDescription } from "../engine/concept";
import type { DreamConfig, Layers } from "../engine/config";

/** Help and range of an option. */
export interface Limits {
  help?: string;
  least?: number;
  most?: number;
  above?: number;
  choices?: string[];
}

/** A network of a recipe. */
export interface ModelInRecipe {
  /** The address of its `model.json`. */
  path: string;
  weight: number;
  layers: Layers;
}

/** A recipe that comes with dreamkit. */
export interface BuiltInRecipe {
  name: string;
  description: string;
  /** All of its options; `layers` are terms, as in links. */
  options: DreamConfig & { layers: string[] };
}

export interface Site {
  dreamkit: string;
  models: {
    name: string;
    path: string;
    bytes: number;
    description: string;
    licence: string;
    concepts: string;
    recipes: BuiltInRecipe[];
  }[];
  options: DreamConfig;
  /** The networks of the recipe that dream together; empty where one dreams alone. */
  together: ModelInRecipe[];
  /** The file of the recipe's guide; empty where it has none. */
  guide: string;
  /** The files of the recipe's masks, by name. */
  masks: Record<string, string>;
  limits: Record<string, Limits>;
  /** Whether the site has a service worker, which keeps a copy of it. */
  offline: boolean;
}

/** A built-in recipe of a network, by its name; null where the network has none of that name. */
export function recipeNamed(site: Site, model: string, name: unknown): BuiltInRecipe | null {
  const recipes = site.models.find((each) => each.name === model)?.recipes ?? [];
  return recipes.find((recipe) => recipe.name === name) ?? null;
}

export async function loadSite(): Promise<Site> {
  const response = await fetch("site.json", { cache: "no-cache" });
  if (!response.ok) throw new Error(`site.json cannot be read (${response.status}); export the page again`);
  return (await response.json()) as Site;
}

/** The concepts at an address of the site. */
export async function loadConcepts(address: string): Promise<ConceptsDescription> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} cannot be read (${response.status}); export the page again`);
  return (await response.json()) as ConceptsDescription;
}
