/** The guide and the masks of the page's own recipe. */

import { fitted } from "../engine/mask_fit";
import type { MaskLevels, Pixels } from "./protocol";
import type { Site } from "./site";
import { straightPixels } from "./transparency";

export interface RecipePictures {
  guide: Pixels | null;
  /** By name, at the size of the photograph. */
  masks: Record<string, MaskLevels>;
}

/** Loads the pictures of the recipe; the function that is returned fits them to a photograph. */
export async function loadPictures(site: Site): Promise<(photo: Pixels) => RecipePictures> {
  const guide = site.guide ? await read(site.guide) : null;
  const pictures: [name: string, mask: Pixels][] = [];
  for (const [name, address] of Object.entries(site.masks)) pictures.push([name, await read(address)]);
  return ({ height, width }) => {
    const masks = pictures.map(([name, mask]) => {
      const levels = mask.bytes.filter((_, i) => i % 3 === 0);
      return [name, fitted(levels, [mask.height, mask.width], [height, width], name) as MaskLevels];
    });
    return { guide, masks: Object.fromEntries(masks) };
  };
}

async function read(address: string): Promise<Pixels> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} cannot be read (${response.status}); export the page again`);
  const bitmap = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
  const { height, width } = bitmap;
  const { bytes } = straightPixels(bitmap);
  bitmap.close();
  return { height, width, bytes };
}
