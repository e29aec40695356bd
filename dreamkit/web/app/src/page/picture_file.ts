/** The files of a dream, PNG and JPEG, with the recipe from which `dreamkit redo` dreams it again. */

import { version } from "@tensorflow/tfjs-core/package.json";
import type { DreamConfig } from "../engine/config";
import type { HistoryEntry } from "./dream_history";
import { base64, sha256 } from "./hash";
import { withRecipe } from "./jpeg";
import type { Painting, Stroke } from "./painting";
import { type Photo, toImageData } from "./photograph";
import { encode } from "./png";
import type { FinishedDream, MaskLevels, OpenedNetwork, Pixels } from "./protocol";

const QUALITY = 0.95; // of a JPEG

/** The inputs of a dream. */
export interface Provenance {
  dream: Omit<FinishedDream, "picture">;
  config: DreamConfig;
  network: Pick<OpenedNetwork, "name" | "sha256">;
  photo: Pick<Photo, "name" | "sha256" | "isNoise">;
  /** By name. */
  masks: Record<string, MaskLevels>;
  guide?: Pixels | null;
  /** What was painted on the dream, or with `isPhotoPainted` on the photograph. */
  strokes?: Painting;
  isPhotoPainted?: boolean;
}

/** A picture to save, and what is known of where it came from. */
export type Savable = Pick<HistoryEntry, "picture" | "provenance"> & { origin: keyof typeof UNREPEATABLE };

/** Why no recipe repeats a dream, by where it came from; Python's `redo` says it after the file's name. */
const UNREPEATABLE = {
  dream: "was dreamed on a picture that no recipe repeats",
  brush: "has strokes on a picture that no recipe repeats",
  large: "was finished with more pixels from a small dream",
  zoom: "is a frame of an endless zoom",
  live: "is a frame of the live camera",
};

/** The PNG file of a dream; `dreamkit` is the version that exported the page, `alpha` the photograph's. */
export async function encodePng(entry: Savable, alpha: MaskLevels | null, dreamkit: string): Promise<Blob> {
  const { picture } = entry;
  const { height, width } = picture;
  const bytes = alpha ? withAlpha(picture, alpha) : picture.bytes;
  const recipe = JSON.stringify(await recipeOf(entry, dreamkit));
  return new Blob([await encode(bytes, height, width, alpha ? 4 : 3, { dreamkit: recipe })], { type: "image/png" });
}

/** The JPEG file of a dream, which has no transparency. */
export async function encodeJpeg(entry: Savable, dreamkit: string): Promise<Blob> {
  const { picture } = entry;
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext("2d")!.putImageData(toImageData(picture), 0, 0);
  const plain = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  const recipe = JSON.stringify(await recipeOf(entry, dreamkit));
  return withRecipe(new Uint8Array(await plain.arrayBuffer()), recipe);
}

async function recipeOf({ picture, provenance, origin }: Savable, dreamkit: string): Promise<object> {
  return provenance ? describe(provenance, picture, dreamkit) : { dreamkit, unrepeatable: UNREPEATABLE[origin] };
}

async function describe(provenance: Provenance, { height, width }: Pixels, dreamkit: string) {
  const { dream, config, network, photo, masks, guide, strokes, isPhotoPainted } = provenance;
  const embedded: Record<string, Awaited<ReturnType<typeof embedMask>>> = {};
  for (const [name, mask] of Object.entries(masks)) embedded[name] = await embedMask(mask, height, width);
  return {
    dreamkit,
    options: config,
    effective: { size: [height, width], octaves: dream.sizes, tile_size: dream.tileSize },
    models: dream.networks ?? [
      { name: network.name, sha256: network.sha256, weight: 1, layers: null, dreamed: dream.terms },
    ],
    photograph: photo.isNoise ? null : { name: photo.name, sha256: photo.sha256 },
    versions: { "tensorflow.js": version },
    ...(guide && { guide: await embed(guide.bytes, guide.bytes, guide.height, guide.width, 3) }),
    ...(Object.keys(masks).length && { masks: embedded }),
    ...(strokes && { strokes: await Promise.all(strokes.map((stroke) => describeStroke(stroke, height, width))) }),
    ...(strokes && { painted_on: isPhotoPainted ? "photograph" : "dream" }),
    ...(!dream.isWhole && { stopped: dream.last ?? { octave: 1, octaves: dream.sizes.length, step: 0, steps: 0 } }),
  };
}

/** A stroke: the options of its turns and when each pixel was painted, or what it erases. */
async function describeStroke({ growth, erased }: Stroke, height: number, width: number) {
  if (!growth) return { erased: await embedMask(erased!, height, width) };
  const { config: options, times, turns, lasts, least } = growth;
  const digits = new Uint8ClampedArray(3 * times.length);
  times.forEach((time, i) => digits.set([time >> 8, time & 255, 0], 3 * i));
  return { options, turns, lasts, least, times: await embed(digits, digits, height, width, 3) };
}

/** A mask that has no file of its own, as part of the recipe. */
function embedMask(mask: MaskLevels, height: number, width: number) {
  const rgb = new Uint8ClampedArray(mask.length * 3);
  mask.forEach((level, i) => rgb.fill(level, 3 * i, 3 * i + 3));
  return embed(mask, rgb, height, width, 1);
}

/** A picture as part of the recipe; its hash is that of its colours. */
async function embed(pixels: MaskLevels, rgb: MaskLevels, height: number, width: number, channels: 1 | 3) {
  const png = await encode(pixels, height, width, channels);
  return { name: "", sha256: await sha256(new Uint8Array(rgb)), data: base64(png) };
}

function withAlpha({ bytes }: Pixels, alpha: MaskLevels): Uint8ClampedArray {
  const out = new Uint8ClampedArray(alpha.length * 4);
  alpha.forEach((opacity, i) => out.set([bytes[3 * i], bytes[3 * i + 1], bytes[3 * i + 2], opacity], 4 * i));
  return out;
}
