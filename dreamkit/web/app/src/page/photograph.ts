/** Photographs, read into the same pixels as in Python. */

import type { DreamConfig } from "../engine/config";
import { UserError } from "../engine/errors";
import { type PhotographOptions, prepared } from "../engine/photograph_pixels";
import { noise } from "../engine/rng";
import { wrappedAxes } from "../engine/wrap";
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
 * The picture in a file, upright, as `options` say.
 *
 * Throws a `UserError` where the browser cannot read it, or it is too large.
 */
export async function readPhoto(file: File, options: PhotographOptions): Promise<Photo> {
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
  return photoFrom(bitmap, options, file.name, await sha256(bytes));
}

/** Whether a file begins as those of iPhones do. */
async function isHeic(file: File): Promise<boolean> {
  const start = await file.slice(4, 12).text().catch(() => "");
  return /^ftyp(hei[cxms]|hev[cxms]|mif1|msf1)$/.test(start);
}

/** The current picture of the camera, or a frame of it. */
export async function cameraPhoto(source: HTMLVideoElement | ImageBitmap, options: PhotographOptions): Promise<Photo> {
  return photoFrom(await createImageBitmap(source), options, "", "");
}

/** Noise from the seed of the recipe. */
export function cloudsPhoto({ seed, noise: kind, wrap }: DreamConfig, height: number, width: number): Photo {
  const bytes = noise(BigInt(seed), height, width, kind, wrappedAxes(wrap)) as Uint8ClampedArray<ArrayBuffer>;
  return { height, width, bytes, name: "", sha256: "", isNoise: true, alpha: null, seed, original: { height, width } };
}

async function photoFrom(bitmap: ImageBitmap, options: PhotographOptions, name: string, hash: string): Promise<Photo> {
  const { height, width } = bitmap;
  if (height * width > MAX_PIXELS) {
    bitmap.close();
    const megapixels = MAX_PIXELS / 1e6;
    throw new UserError(`${name} has ${width} x ${height} pixels; the most is ${megapixels} million; shrink it first`);
  }
  const decoded = { height, width, ...straightPixels(bitmap) };
  bitmap.close();
  const { alpha, ...pixels } = prepared(decoded, options, MAX_PIXELS) as Pixels & { alpha: MaskLevels | null };
  const sha = hash || (await sha256(new Uint8Array(pixels.bytes)));
  return { ...pixels, alpha, name, original: { height, width }, isNoise: false, sha256: sha };
}

/** The size of a photograph, and that of its dreams where it is another; `by` stands between the sides. */
export function sizeInWords({ height, width, original }: Photo, by = "x"): string {
  const whole = `${original.width} ${by} ${original.height} pixels`;
  const isResized = height !== original.height || width !== original.width;
  return isResized ? `${whole}, dreamed at ${width} ${by} ${height}` : whole;
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
