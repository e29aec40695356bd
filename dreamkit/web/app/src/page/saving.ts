/** What a saved dream carries: the recipe by which `dreamkit redo` dreams it again. */

import { version } from "@tensorflow/tfjs-core/package.json";
import type { Options } from "../engine/recipe";
import { base64, sha256 } from "./hash";
import type { Photo } from "./photograph";
import { encode } from "./png";
import type { Finished, Opened, Pixels } from "./protocol";

/** A finished dream with everything that it was made of. */
export interface Result {
  picture: Pixels;
  /** Null for what grew under the pointer or in the zoom, which no recipe dreams again. */
  made: {
    finished: Omit<Finished, "picture">;
    options: Options;
    network: Opened;
    photo: Omit<Photo, "bytes">;
    mask: Uint8ClampedArray<ArrayBuffer> | null;
  } | null;
}

/** A PNG file of a dream, with its recipe where it has one. */
export async function file({ picture, made }: Result, dreamkit: string): Promise<Uint8Array<ArrayBuffer>> {
  const { height, width, bytes } = picture;
  if (!made) return encode(bytes, height, width, 3);
  const { finished, options, network, photo, mask } = made;
  const recipe = {
    dreamkit,
    options,
    effective: { size: [height, width], octaves: finished.octaves, tile_size: finished.tileSize },
    models: [
      { name: network.name, sha256: network.sha256, weight: 1, layers: null, dreamed: finished.terms },
    ],
    photograph: photo.drawn ? null : { name: photo.name, sha256: photo.sha256 },
    versions: { "tensorflow.js": version },
    ...(mask && { masks: { "": await maskFile(mask, height, width) } }),
  };
  return encode(bytes, height, width, 3, { dreamkit: JSON.stringify(recipe) });
}

/** A mask that came from no file, in the recipe itself. */
async function maskFile(mask: Uint8ClampedArray<ArrayBuffer>, height: number, width: number) {
  const png = await encode(mask, height, width, 1);
  const colours = new Uint8Array(mask.length * 3);
  mask.forEach((level, i) => colours.fill(level, 3 * i, 3 * i + 3));
  return { name: "", sha256: await sha256(colours), data: base64(png) };
}
