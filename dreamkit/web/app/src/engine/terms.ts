/** What a dream raises: layers, channels and neurons with weights, as dreamkit's `objectives` reads them. */

import type { Goal, Layer } from "./network";
import type { Layers, Options, TermTable } from "./recipe";
import { Refused } from "./refused";

export interface Term {
  goal: Goal;
  weight: number;
  /** As the command line writes it. */
  text: string;
}

const CHANNELS = /^(.*):(\d{1,6}(?:\+\d{1,6})*)$/;
const KNOWN = new Set(["layer", "channels", "direction", "weight", "objective"]);

/** The terms of `layers`, without those of weight zero; equal ones add up. */
export function termsOf(layers: Layers, among: Layer[], options: Options): Term[] {
  const tables = Array.isArray(layers)
    ? layers.flatMap((each) => (typeof each === "string" ? ofText(each, among) : [each]))
    : Object.entries(layers ?? {}).map(([text, weight]) => ({ ...named(text, among), weight }));
  const terms = new Map<string, Term>();
  for (const table of tables) {
    const term = ofTable(table, among, options);
    const key = JSON.stringify([term.text, table.direction, term.goal.kind]);
    const known = terms.get(key);
    terms.set(key, known ? { ...known, weight: known.weight + term.weight } : term);
  }
  const kept = [...terms.values()].filter((term) => term.weight);
  if (!kept.length) throw new Refused("nothing is to be dreamed; choose at least one layer or channel");
  return kept;
}

/** `mixed4c:12+40=0.5`: a layer, channels and a weight; several between commas. */
function ofText(text: string, among: Layer[]): TermTable[] {
  const names = new Set(among.map((layer) => layer.name));
  return (names.has(text) ? [text] : text.split(",")).map((each) => {
    const name = each.trim();
    const cut = names.has(name) ? -1 : name.lastIndexOf("=");
    if (cut < 0) return named(name, among);
    const weight = Number(name.slice(cut + 1));
    if (!Number.isFinite(weight)) throw new Refused(`${name} has no number after its equals sign`);
    return { ...named(name.slice(0, cut), among), weight };
  });
}

function named(text: string, among: Layer[]): TermTable {
  const name = text.trim();
  const channels = among.some((layer) => layer.name === name) ? null : CHANNELS.exec(name);
  if (!channels) return { layer: name };
  const wanted = [...new Set(channels[2].split("+").map(Number))].sort((a, b) => a - b);
  return { layer: channels[1], channels: wanted };
}

function ofTable(table: TermTable, among: Layer[], options: Options): Term {
  const beyondUs = Object.keys(table).find((key) => !KNOWN.has(key));
  if (beyondUs) throw new Refused(`${beyondUs} in layers is what dreamkit does and a browser does not yet`);
  const layer = among.find((each) => each.name === table.layer);
  if (!layer) {
    const names = among.map((each) => each.name).join(", ");
    throw new Refused(`there is no layer ${table.layer} here; choose from ${names}`);
  }
  const beyond = table.channels?.find((channel) => channel >= layer.channels);
  if (beyond !== undefined) {
    throw new Refused(`${layer.name} has no channel ${beyond}; its channels are 0 to ${layer.channels - 1}`);
  }
  let counts: Float32Array | null = null;
  if (table.direction) counts = Float32Array.from(table.direction);
  else if (table.channels) {
    counts = new Float32Array(layer.channels);
    for (const channel of table.channels) counts[channel] = 1 / table.channels.length;
  }
  const kind = table.objective ?? (table.direction ? "mean" : options.objective);
  const channels = table.channels ? `:${table.channels.join("+")}` : "";
  return {
    goal: { layer: layer.name, kind, counts },
    weight: table.weight ?? 1,
    text: `${layer.name}${channels}`,
  };
}

/** Weights over the sizes of the terms' activations, so that each pulls the same whatever its unit. */
export function balanced(terms: Term[], meanSquares: number[]): number[] {
  return terms.map(({ goal, weight }, i) => {
    const size = goal.kind === "mean-square" ? meanSquares[i] : Math.sqrt(meanSquares[i]);
    return Math.fround(weight / (size > 0 ? size : 1));
  });
}
