/** The page's own sample photographs. */

import type { Pixels } from "./protocol";
import { straightPixels } from "./transparency";

/** The file of a sample. */
export async function sampleFile(name: string): Promise<File> {
  const response = await fetch(`samples/${name}.webp`);
  if (!response.ok) throw new Error(`the sample ${name} cannot be read (${response.status})`);
  return new File([await response.blob()], `${name}.webp`, { type: "image/webp" });
}

/** Samples to look at, whose `edge`, the longer or the shorter side, has at most so many pixels. Each is read once,
 * and shrunk by the browser beside the page's own thread. */
export function smallSamples(edge: "longer" | "shorter", most: number): (name: string) => Promise<Pixels> {
  const known = new Map<string, Promise<Pixels>>();
  return (name) => {
    const found = known.get(name) ?? readSmall(name, edge, most);
    known.set(name, found);
    found.catch(() => known.delete(name)); // there was no network; there may be one later
    return found;
  };
}

async function readSmall(name: string, edge: "longer" | "shorter", most: number): Promise<Pixels> {
  const whole = await createImageBitmap(await sampleFile(name), { colorSpaceConversion: "none" });
  const side = edge === "longer" ? Math.max(whole.width, whole.height) : Math.min(whole.width, whole.height);
  const scale = Math.min(1, most / side);
  const [width, height] = [Math.round(whole.width * scale), Math.round(whole.height * scale)];
  const small = await createImageBitmap(whole, { resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
  whole.close();
  const { bytes } = straightPixels(small);
  small.close();
  return { height, width, bytes };
}
