/** The PNG file of a dream, with the recipe from which `dreamkit redo` dreams it again. */

import { version } from "@tensorflow/tfjs-core/package.json";
import type { DreamConfig } from "../engine/config";
import { base64, sha256 } from "./hash";
import type { Photo } from "./photograph";
import { encode } from "./png";
import type { FinishedDream, MaskLevels, OpenedNetwork, Pixels } from "./protocol";

/** The inputs of a dream. */
export interface Provenance {
  dream: Omit<FinishedDream, "picture">;
  config: DreamConfig;
  network: OpenedNetwork;
  photo: Omit<Photo, "bytes">;
  mask: MaskLevels | null;
}

export interface SavableDream {
  picture: Pixels;
  /** Null where no recipe can repeat the dream: it grew under the brush or in the zoom, or was stopped. */
  provenance: Provenance | null;
}

/** The bytes of the PNG file; `dreamkit` is the version that exported the page. */
export async function encodeDream(
  { picture, provenance }: SavableDream,
  dreamkit: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const { height, width, bytes } = picture;
  if (!provenance) return encode(bytes, height, width, 3);
  const { dream, config, network, photo, mask } = provenance;
  const recipe = {
    dreamkit,
    options: config,
    effective: { size: [height, width], octaves: dream.sizes, tile_size: dream.tileSize },
    models: [{ name: network.name, sha256: network.sha256, weight: 1, layers: null, dreamed: dream.terms }],
    photograph: photo.isNoise ? null : { name: photo.name, sha256: photo.sha256 },
    versions: { "tensorflow.js": version },
    ...(mask && { masks: { "": await embedMask(mask, height, width) } }),
  };
  return encode(bytes, height, width, 3, { dreamkit: JSON.stringify(recipe) });
}

/** A mask that has no file of its own, as part of the recipe. */
async function embedMask(mask: MaskLevels, height: number, width: number) {
  const png = await encode(mask, height, width, 1);
  const rgb = new Uint8Array(mask.length * 3);
  mask.forEach((level, i) => rgb.fill(level, 3 * i, 3 * i + 3));
  return { name: "", sha256: await sha256(rgb), data: base64(png) };
}
