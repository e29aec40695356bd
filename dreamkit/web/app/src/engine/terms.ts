/** Terms: the layers and channels that a dream maximises, each with a weight: dreamkit's `terms.py`. */

import { type DreamConfig, type Layers, OBJECTIVES, type TermTable } from "./config";
import { UserError } from "./errors";
import type { ObjectiveSpec } from "./layer_objective";
import type { Layer } from "./network";

export interface Term {
  spec: ObjectiveSpec;
  weight: number;
  /** The name of its mask; empty for that of the dream. */
  mask: string;
  /** Column and row of a single neuron. */
  place: [number, number] | null;
  /** Whether the dream's guide applies to it. */
  isGuided: boolean;
  /** The term in the command line's grammar. */
  text: string;
}

const CHANNELS = /^(.*):(\d{1,6}(?:\+\d{1,6})*)$/;
const PLACE = /^(.*)@(\d{1,6})x(\d{1,6})$/;
const SUPPORTED = new Set(["layer", "channels", "place", "direction", "weight", "objective", "mask", "guide"]);

/**
 * The terms of `layers` in a network whose layers are `available`. Equal terms add up; those of weight zero
 * are left out.
 */
export function parseTerms(layers: Layers, available: Layer[], config: DreamConfig): Term[] {
  const terms = new Map<string, Term>();
  for (const table of toTables(layers, available)) {
    const term = fromTable(table, available, config);
    const key = JSON.stringify([term.text, table.direction, term.spec.kind, term.mask, term.isGuided]);
    const known = terms.get(key);
    terms.set(key, known ? { ...known, weight: known.weight + term.weight } : term);
  }
  const kept = [...terms.values()].filter((term) => term.weight);
  if (!kept.length) throw new UserError("every layer has weight zero; choose at least one layer or channel");
  return kept;
}

/** `layers`, each term as a table. */
export function toTables(layers: Layers, available: Layer[]): TermTable[] {
  return Array.isArray(layers)
    ? layers.flatMap((each) => (typeof each === "string" ? parseList(each, available) : [each]))
    : Object.entries(layers ?? {}).map(([text, weight]) => ({ ...parseText(text, available), weight }));
}

/** `mixed4c:12+40=0.5`: a layer, channels and a weight; commas separate several. */
function parseList(text: string, available: Layer[]): TermTable[] {
  const names = new Set(available.map((layer) => layer.name));
  return (names.has(text) ? [text] : text.split(",")).map((each) => {
    const name = each.trim();
    const equals = names.has(name) ? -1 : name.lastIndexOf("=");
    if (equals < 0) return parseText(name, available);
    const [layer, number] = [name.slice(0, equals), name.slice(equals + 1)];
    const weight = Number(number);
    if (!Number.isFinite(weight)) {
      throw new UserError(`${number} in ${name} is not a weight; write a number, such as ${layer}=0.5`);
    }
    return { ...parseText(layer, available), weight };
  });
}

/** A term without its weight. */
function parseText(text: string, available: Layer[]): TermTable {
  const isLayer = (name: string) => available.some((layer) => layer.name === name);
  const name = text.trim();
  const neuron = isLayer(name) ? null : PLACE.exec(name);
  const rest = neuron ? neuron[1] : name;
  const match = isLayer(rest) ? null : CHANNELS.exec(rest);
  const table: TermTable = { layer: match ? match[1] : rest };
  if (match) table.channels = [...new Set(match[2].split("+").map(Number))].sort((a, b) => a - b);
  if (neuron) table.place = [Number(neuron[2]), Number(neuron[3])];
  return table;
}

function fromTable(table: TermTable, available: Layer[], config: DreamConfig): Term {
  const unsupported = Object.keys(table).find((key) => !SUPPORTED.has(key));
  if (unsupported) {
    throw new UserError(`layers has a term with a ${unsupported}, which a page cannot do; name layers and channels`);
  }
  const layer = available.find((each) => each.name === table.layer);
  if (!layer) {
    const names = available.map((each) => each.name).join(", ");
    throw new UserError(`there is no layer ${table.layer}; choose from ${names}`);
  }
  const missing = table.channels?.find((channel) => channel >= layer.channels);
  if (missing !== undefined) {
    throw new UserError(`${layer.name} has no channel ${missing}; its channels are 0 to ${layer.channels - 1}`);
  }
  const { direction } = table;
  if (direction && direction.length !== layer.channels) {
    const counts = `has ${direction.length} numbers and the layer has ${layer.channels} channels`;
    throw new UserError(`the direction for ${layer.name} ${counts}; give one number for each channel`);
  }
  if (direction && !direction.some(Boolean)) {
    throw new UserError(`the direction for ${layer.name} is zero; give at least one channel a non-zero number`);
  }
  if (table.objective && !OBJECTIVES.includes(table.objective)) {
    const { objective } = table;
    throw new UserError(`objective is ${objective}, which a page cannot do; set it to ${OBJECTIVES.join(" or ")}`);
  }
  const channels = table.channels ? `:${table.channels.join("+")}` : "";
  const place = table.place ?? null;
  const kind = table.objective ?? (direction ? "mean" : config.objective);
  const weights = channelWeights(table, layer.channels);
  const text = `${layer.name}${channels}${place ? `@${place.join("x")}` : ""}`;
  return {
    spec: { layer: layer.name, kind, channelWeights: weights, isNeuron: place !== null },
    weight: table.weight ?? 1,
    mask: table.mask ?? "",
    place,
    isGuided: table.guide ?? !(table.channels || place || direction),
    text,
  };
}

/** One weight for each of the layer's channels; null where all weigh the same. */
function channelWeights({ channels, direction }: TermTable, count: number): Float32Array | null {
  if (direction) return Float32Array.from(direction);
  if (!channels) return null;
  const weights = new Float32Array(count);
  for (const channel of channels) weights[channel] = 1 / channels.length;
  return weights;
}
