/** Photographs, read into the same pixels as in Python. */

import { UserError } from "../engine/errors";
import { roundHalfEven } from "../engine/numbers";
import { shrunk } from "../engine/resize";
import { noise } from "../engine/rng";
import { sha256 } from "./hash";
import type { MaskLevels, Pixels } from "./protocol";
import { straightPixels } from "./transparency";

const MAX_PIXELS = 60_000_000;

export interface Photo extends Pixels {
  /** The name of the file; empty where there is no file. */
  name: string;
  /** Of the file, or of the pixels where there is no file. */
  sha256: string;
  /** Whether it is noise from the seed of the recipe, which needs no file. */
  isNoise: boolean;
  /** The seed of noise. */
  seed?: number | string;
  /** The size of the file's picture. */
  original: { height: number; width: number };
  /** Opacity, `(height, width)`; null where nothing is transparent. */
  alpha: MaskLevels | null;
}

/**
 * The picture in a file, upright, its longest side at most `longest` pixels.
 *
 * Throws a `UserError` where the browser cannot read it, or it is too large.
 */
export async function readPhoto(file: File, longest: number): Promise<Photo> {
  let bitmap: ImageBitmap;
  try {
    // Colour profiles are ignored, as in Python.
    bitmap = await createImageBitmap(file, {
      imageOrientation: "from-image",
      colorSpaceConversion: "none",
      premultiplyAlpha: "none",
    });
  } catch {
    throw new UserError(
      (await isHeic(file))
        ? `${file.name} is a HEIC photograph, which this browser cannot read; export it as a JPEG, or use Safari`
        : `${file.name} cannot be read as a picture; choose a JPEG, PNG or WebP file`,
    );
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  return photoFrom(bitmap, longest, file.name, await sha256(bytes));
}

/** Whether a file begins as those of iPhones do. */
async function isHeic(file: File): Promise<boolean> {
  const start = await file.slice(4, 12).text().catch(() => "");
  return /^ftyp(hei[cxms]|hev[cxms]|mif1|msf1)$/.test(start);
}

/** The current picture of the camera. */
export async function cameraPhoto(video: HTMLVideoElement, longest: number): Promise<Photo> {
  return photoFrom(await createImageBitmap(video), longest, "", "");
}

/** Noise from the seed of the recipe. */
export function cloudsPhoto(seed: number | string, height: number, width: number, kind: string): Photo {
  const bytes = noise(BigInt(seed), height, width, kind) as Uint8ClampedArray<ArrayBuffer>;
  return { height, width, bytes, name: "", sha256: "", isNoise: true, alpha: null, seed, original: { height, width } };
}

async function photoFrom(bitmap: ImageBitmap, longest: number, name: string, hash: string): Promise<Photo> {
  const { height, width } = bitmap;
  if (height * width > MAX_PIXELS) {
    bitmap.close();
    const megapixels = MAX_PIXELS / 1e6;
    throw new UserError(`${name} has ${width} x ${height} pixels; the most is ${megapixels} million; shrink it first`);
  }
  let { bytes, alpha } = straightPixels(bitmap);
  bitmap.close();
  let size: [number, number] = [height, width];
  const side = Math.max(height, width);
  if (side > longest) {
    const scaled = (length: number) => Math.max(1, roundHalfEven((length * longest) / side));
    const to: [number, number] = [scaled(height), scaled(width)];
    bytes = shrunk(bytes, size, to, 3) as MaskLevels;
    alpha &&= shrunk(alpha, size, to, 1) as MaskLevels;
    size = to;
  }
  const pixels = { height: size[0], width: size[1], bytes };
  return { ...pixels, alpha, name, original: { height, width }, isNoise: false, sha256: hash || (await sha256(new Uint8Array(bytes))) };
}

/** Pixels as a canvas takes them, with their opacity where it is given. */
export function toImageData({ height, width, bytes }: Pixels, alpha: MaskLevels | null = null): ImageData {
  const image = new ImageData(width, height);
  for (let i = 0, j = 0; j < bytes.length; i += 4) {
    image.data[i] = bytes[j++];
    image.data[i + 1] = bytes[j++];
    image.data[i + 2] = bytes[j++];
    image.data[i + 3] = alpha ? alpha[i / 4] : 255;
  }
  return image;
}

/** Draws pixels over a whole canvas; those of another size are scaled. */
export function drawScaled(canvas: HTMLCanvasElement, picture: Pixels): void {
  const context = canvas.getContext("2d")!;
  if (picture.width === canvas.width && picture.height === canvas.height) {
    context.putImageData(toImageData(picture), 0, 0);
    return;
  }
  const small = new OffscreenCanvas(picture.width, picture.height);
  small.getContext("2d")!.putImageData(toImageData(picture), 0, 0);
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}
