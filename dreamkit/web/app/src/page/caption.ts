/** What a dream is of, in words: the recipe, the concepts or the layers by name, and in `detail` what these are. */

import { element } from "./elements";
import { CONCEPT, OWN_LAYERS } from "./layer_picker";

export interface Caption {
  name: string;
  detail: string;
}

/** A recipe with its terms; without a name, it is the page's own. */
export interface NamedTerms {
  name: string;
  terms: string[];
}

const KINDS = ["concept", "channel", "layer"] as const;

/**
 * The caption of `terms`, which lie in the layers `used`, with the options of `recipe`. `layers` are those of the network,
 * from shallow to deep.
 */
export function caption(terms: string[], used: string[], recipe: NamedTerms, layers: string[]): Caption {
  const isRecipe = terms.join() === recipe.terms.join();
  const kinds = KINDS.map((kind) => ({ kind, own: terms.filter((term) => kindOf(term) === kind) })).filter(({ own }) => own.length);
  const described = kinds.map(({ kind, own }) => {
    const names = own.flatMap((term) => (term.startsWith(OWN_LAYERS) ? used : [nameOf(term)]));
    const what = plural(kind, names.length);
    if (isRecipe && kind !== "concept") return `${what} ${inWords(names)}`;
    if (isRecipe) return `${what} ${inWords(names)} in ${inWords(used)}`;
    if (kind !== "layer") return `${what} in ${inWords(used)}`;
    return `${what} ${inWords(names.map((name) => place(name, layers)))} of ${layers.length}`;
  });
  const options = isRecipe || !recipe.name ? "" : `, with the options of ${recipe.name}`;
  const name = isRecipe ? recipe.name || "the default recipe" : inWords(terms.map(nameOf));
  return { name, detail: described.join("; ") + options };
}

/** Shows what *Dream* dreams; null is not known yet. */
export function showCaption(caption: Caption | null): void {
  element("terms").textContent = caption && `Dreams ${caption.name}`;
  element("terms-detail").textContent = caption && caption.detail;
}

function kindOf(term: string): (typeof KINDS)[number] {
  if (term.startsWith(CONCEPT)) return "concept";
  return term.includes(":") ? "channel" : "layer";
}

function nameOf(term: string): string {
  return term.startsWith(CONCEPT) ? term.slice(CONCEPT.length) : term;
}

/** The number of a layer among those of the network. */
function place(term: string, layers: string[]): string {
  return String(layers.indexOf(term.split("=")[0]) + 1);
}

function plural(word: string, count: number): string {
  return count === 1 ? word : `${word}s`;
}

/** Such as `a, b and c`. */
function inWords(names: string[]): string {
  return [names.slice(0, -1).join(", "), ...names.slice(-1)].filter(Boolean).join(" and ");
}
