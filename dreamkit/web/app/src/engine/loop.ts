/**
 * The loop over octaves: dreamkit's `engine/loop.py`. Sizes, rolls, tiles, normalisation and detail are the
 * same, so that a recipe dreams the same picture in Python and in the page.
 */

import { Ascent } from "./ascent";
import { checkConfig, type DreamConfig } from "./config";
import { UserError } from "./errors";
import type { Mask } from "./masks";
import type { Network } from "./network";
import { type LoadedModel, ObjectiveSet } from "./objective_set";
import { addLostDetail, compose, finish, growFunction, type Photograph, type Size, toBytes } from "./octave_schemes";
import { octavesOf } from "./octaves";
import type { DreamResult, StepEvent } from "./progress";
import type { Picture } from "./resize";
import type { Term } from "./terms";

/**
 * Dreams a photograph and yields an event after each step. `regions` are masks by name, for the terms that name
 * them; the one with an empty name is for terms that name none. Once `isStopped` returns true, the dream so far is
 * brought to the photograph's size. `guide` is a picture whose features the dream follows.
 *
 * Throws a `UserError` where the config asks for something that the page or the network cannot do.
 */
export async function* dream(
  photo: Photograph,
  models: Network | LoadedModel[],
  config: DreamConfig,
  regions: Record<string, Mask> = {},
  isStopped: () => boolean = () => false,
  guide: Picture | null = null,
): AsyncGenerator<StepEvent, DreamResult> {
  checkConfig(config);
  const objectives = new ObjectiveSet(models, config, regions, photo, guide);
  const { minSize } = objectives;
  if (config.tile_size < minSize) {
    throw new UserError(`tile_size is ${config.tile_size}, too small for this network; set it to ${minSize} or more`);
  }
  const original: Picture = { ...photo, values: new Float32Array(photo.bytes) };
  const run = octavesOf(photo.height, photo.width, minSize, config);
  const ascent = new Ascent(objectives, config, original, run);
  const grow = growFunction(config);
  const atSize = (pixels: Picture, size: Size) =>
    pixels.height === size.height && pixels.width === size.width ? pixels : grow(original, pixels, size);
  let pixels = compose(original, run[0], config);
  let smaller: Size = run[0];
  for (const octave of run) {
    pixels = atSize(pixels, octave);
    yield* ascent.climb(pixels, octave, isStopped);
    if (isStopped()) break;
    if (config.octave_scheme === "lost-detail") addLostDetail(original, pixels, smaller, config);
    smaller = octave;
  }
  pixels = atSize(pixels, photo);
  finish(photo, pixels, objectives.masks, config);
  return {
    pixels: toBytes(pixels),
    terms: ascent.terms.map(weightsByName),
    sizes: run.map((octave) => [octave.height, octave.width]),
    tileSize: ascent.tileSize,
  };
}

function weightsByName(terms: Term[]): Record<string, number> {
  return terms.reduce<Record<string, number>>((sums, { text, mask, weight }) => {
    const name = mask ? `${text} under ${mask}` : text;
    return { ...sums, [name]: (sums[name] ?? 0) + weight }; // directions of a layer share a name
  }, {});
}
