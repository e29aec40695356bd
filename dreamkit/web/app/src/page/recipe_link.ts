/** A recipe as a link: the address's hash holds the options that differ from the page's recipe. */

import type { DreamConfig } from "../engine/config";
import { type BuiltInRecipe, recipeNamed, type Site } from "./site";

const MAX_LENGTH = 20_000; // characters
const SHARED = [
  "layers", "objective", "normalise", "strength", "blend", "color", "octaves", "octave_scale", "steps", "step_size",
  "jitter", "seed", "max_size",
] as const; // prettier-ignore

export interface LinkedRecipe {
  model?: string;
  /** The built-in recipe that `options` change; null for the page's own. */
  recipe: BuiltInRecipe | null;
  options: Partial<DreamConfig>;
  /** Names of what the link asks for and the page does not have. */
  rejected: string[];
}

/** The address of this page with a link to the recipe: `options` over those of a built-in one, or the page's own. */
export function recipeLink(site: Site, model: string, options: DreamConfig, recipe: BuiltInRecipe | null): string {
  const base = (recipe ?? site).options;
  const changed = SHARED.filter((name) => JSON.stringify(options[name]) !== JSON.stringify(base[name]));
  const content = {
    model,
    ...(recipe && { recipe: recipe.name }),
    options: Object.fromEntries(changed.map((name) => [name, options[name]])),
  };
  const text = btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(content))));
  const address = new URL(location.href);
  address.hash = `r=${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
  return address.href;
}

/** Whether an address's hash is meant as a recipe. */
export function hasLink(hash: string): boolean {
  return hash.startsWith("#r=");
}

/** The recipe in a link; null where there is none, or it cannot be read. */
export function parseLink(hash: string, site: Site): LinkedRecipe | null {
  const text = /^#r=([\w-]+)$/.exec(hash)?.[1];
  if (!text || text.length > MAX_LENGTH) return null;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const content = JSON.parse(new TextDecoder().decode(bytes)) as Omit<LinkedRecipe, "recipe"> & { recipe?: string };
    const model = site.models.some((each) => each.name === content.model) ? content.model : undefined;
    const recipe = recipeNamed(site, model ?? site.models[0].name, content.recipe);
    const base = (recipe ?? site).options;
    const options = Object.fromEntries(
      SHARED.filter((name) => isValid(site, base, name, content.options?.[name])).map((name) => [name, content.options[name]]),
    );
    const rejected = Object.keys(content.options ?? {}).filter((name) => !(name in options));
    if (content.recipe && !recipe) rejected.unshift(`the recipe ${content.recipe}`);
    if (content.model && !model) rejected.unshift(String(content.model).slice(0, 60));
    return { model, recipe, options, rejected: rejected.map((name) => name.slice(0, 60)).slice(0, 20) };
  } catch {
    return null;
  }
}

/** Whether an option can have this value. Links come from strangers, so every value is checked. */
function isValid(site: Site, base: DreamConfig, name: string, value: unknown): boolean {
  if (value === undefined) return false;
  if (name === "layers") {
    return Array.isArray(value) && value.length < 100 && value.every((term) => typeof term === "string");
  }
  const limits = site.limits[name] ?? {};
  if (limits.choices) return limits.choices.includes(value as string);
  if (value === null) return base[name] === null || name === "max_size";
  if (typeof value !== "number" || !Number.isFinite(value)) return false;
  const whole = ["octaves", "steps", "jitter", "seed", "max_size"].includes(name);
  return (
    (!whole || Number.isSafeInteger(value)) &&
    value >= (limits.least ?? -Infinity) &&
    value > (limits.above ?? -Infinity) &&
    value <= (limits.most ?? Number.MAX_SAFE_INTEGER)
  );
}
