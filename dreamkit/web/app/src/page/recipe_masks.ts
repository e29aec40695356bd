/** The masks of the page's own recipe. */

import { fitted } from "../engine/mask_fit";
import type { MaskLevels, Pixels } from "./protocol";
import type { Site } from "./site";
import { straightPixels } from "./transparency";

/** The masks by name, at the size of a photograph. */
export async function loadMasks(site: Site, { height, width }: Pixels): Promise<Record<string, MaskLevels>> {
  const masks: Record<string, MaskLevels> = {};
  for (const [name, address] of Object.entries(site.masks ?? {})) {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`${address} cannot be read (${response.status}); export the page again`);
    const bitmap = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
    const levels = straightPixels(bitmap).bytes.filter((_, i) => i % 3 === 0);
    masks[name] = fitted(levels, [bitmap.height, bitmap.width], [height, width], name) as MaskLevels;
    bitmap.close();
  }
  return masks;
}
