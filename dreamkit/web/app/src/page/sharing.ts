/** A recipe as a link: what differs from the page's own, behind the address's `#`. */

import type { Options } from "../engine/recipe";
import type { Site } from "./site";

const MOST = 20_000; // letters
const SHARED = [
  "layers", "objective", "normalise", "octaves", "octave_scale", "steps", "step_size", "jitter", "seed", "max_size",
] as const; // prettier-ignore

export interface Shared {
  model?: string;
  options: Partial<Options>;
  /** Names of what it asks for and cannot have. */
  refused: string[];
}

export function linkOf(site: Site, model: string, options: Options): string {
  const changed = SHARED.filter((name) => JSON.stringify(options[name]) !== JSON.stringify(site.options[name]));
  const recipe = { model, options: Object.fromEntries(changed.map((name) => [name, options[name]])) };
  const text = btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(recipe))));
  const address = new URL(location.href);
  address.hash = `r=${text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
  return address.href;
}

/** What a link asks for; null where it asks for nothing, or for what no recipe is. */
export function sharedIn(hash: string, site: Site): Shared | null {
  const text = /^#r=([\w-]+)$/.exec(hash)?.[1];
  if (!text || text.length > MOST) return null;
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const found = JSON.parse(new TextDecoder().decode(Uint8Array.from(binary, (c) => c.charCodeAt(0)))) as Shared;
    const options = Object.fromEntries(
      SHARED.filter((name) => isPossible(site, name, found.options?.[name])).map((name) => [name, found.options[name]]),
    );
    const model = site.models.some((each) => each.name === found.model) ? found.model : undefined;
    const refused = Object.keys(found.options ?? {}).filter((name) => !(name in options));
    if (found.model && !model) refused.unshift(String(found.model).slice(0, 60));
    return { model, options, refused: refused.map((name) => name.slice(0, 60)).slice(0, 20) };
  } catch {
    return null;
  }
}

/** Whether a value is one that this option can have; links come from strangers. */
function isPossible(site: Site, name: string, value: unknown): boolean {
  if (value === undefined) return false;
  if (name === "layers") {
    return Array.isArray(value) && value.length < 100 && value.every((term) => typeof term === "string");
  }
  const limits = site.limits[name] ?? {};
  if (limits.choices) return limits.choices.includes(value as string);
  if (value === null) return site.options[name] === null || name === "max_size";
  if (typeof value !== "number" || !Number.isFinite(value)) return false;
  const whole = ["octaves", "steps", "jitter", "seed", "max_size"].includes(name);
  return (
    (!whole || Number.isSafeInteger(value)) &&
    value >= (limits.least ?? -Infinity) &&
    value > (limits.above ?? -Infinity) &&
    value <= (limits.most ?? Number.MAX_SAFE_INTEGER)
  );
}
