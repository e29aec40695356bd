/** Photographs, read into the pixels that dreamkit reads of them. */

import { roundHalfEven } from "../engine/numbers";
import { noise } from "../engine/draws";
import { Refused } from "../engine/refused";
import { shrunk } from "../engine/resize";
import { sha256 } from "./hash";
import type { Pixels } from "./protocol";

const MOST_PIXELS = 60_000_000;

export interface Photo extends Pixels {
  /** The file's plain name; empty for what came from no file. */
  name: string;
  /** Of the file, or of the pixels where there is none. */
  sha256: string;
  /** Whether it is the noise of the recipe's own seed, which no file is needed for. */
  drawn: boolean;
}

/** A file's picture, upright, its longest side at most `longest` pixels. */
export async function read(file: File, longest: number): Promise<Photo> {
  let bitmap: ImageBitmap;
  try {
    // Colour profiles are left alone, as dreamkit leaves them.
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw new Refused(`${file.name} is no picture that this browser can read; take a JPEG, PNG or WebP`);
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  return of(bitmap, longest, file.name, await sha256(bytes));
}

/** What a camera sees now. */
export async function seen(video: HTMLVideoElement, longest: number): Promise<Photo> {
  return of(await createImageBitmap(video), longest, "", "");
}

/** Clouds of the recipe's own seed. */
export function clouds(seed: number, height: number, width: number, kind: string): Photo {
  const bytes = noise(BigInt(seed), height, width, kind) as Uint8ClampedArray<ArrayBuffer>;
  return { height, width, bytes, name: "", sha256: "", drawn: true };
}

async function of(bitmap: ImageBitmap, longest: number, name: string, hash: string): Promise<Photo> {
  const { height, width } = bitmap;
  if (height * width > MOST_PIXELS) {
    bitmap.close();
    throw new Refused(`${name} has ${width} x ${height} pixels, more than a page can hold; shrink it first`);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  let bytes = colours(context.getImageData(0, 0, width, height).data);
  let size: [number, number] = [height, width];
  const most = Math.max(height, width);
  if (most > longest) {
    const side = (length: number) => Math.max(1, roundHalfEven((length * longest) / most));
    const to: [number, number] = [side(height), side(width)];
    bytes = shrunk(bytes, size, to, 3);
    size = to;
  }
  const photo = { height: size[0], width: size[1], bytes: bytes as Uint8ClampedArray<ArrayBuffer>, name, drawn: false };
  return { ...photo, sha256: hash || (await sha256(new Uint8Array(bytes))) };
}

function colours(rgba: Uint8ClampedArray): Uint8ClampedArray {
  const out = new Uint8ClampedArray((rgba.length / 4) * 3);
  for (let i = 0, j = 0; i < rgba.length; i += 4) {
    out[j++] = rgba[i];
    out[j++] = rgba[i + 1];
    out[j++] = rgba[i + 2];
  }
  return out;
}

/** Pixels as a canvas takes them. */
export function imageOf({ height, width, bytes }: Pixels): ImageData {
  const image = new ImageData(width, height);
  for (let i = 0, j = 0; j < bytes.length; i += 4) {
    image.data[i] = bytes[j++];
    image.data[i + 1] = bytes[j++];
    image.data[i + 2] = bytes[j++];
    image.data[i + 3] = 255;
  }
  return image;
}
