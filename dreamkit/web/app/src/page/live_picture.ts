/** A sharp picture of a small dream: the camera's frame in its own size, with what the dream changed. */

import type { Pixels } from "./protocol";

const LONGEST = 960; // pixels of a picture that is shown

/** Draws `whole` with the difference between `dreamed` and the small `frame` of it. */
export function showDreamed(canvas: HTMLCanvasElement, whole: ImageBitmap, frame: Pixels, dreamed: Pixels): void {
  const scale = Math.min(1, LONGEST / Math.max(whole.width, whole.height));
  const [width, height] = [Math.round(whole.width * scale), Math.round(whole.height * scale)];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d")!;
  const { brighter, darker } = changeOf(frame, dreamed);
  context.globalCompositeOperation = "source-over";
  context.drawImage(whole, 0, 0, width, height);
  context.globalCompositeOperation = "lighter"; // the sum
  context.drawImage(brighter, 0, 0, width, height);
  context.globalCompositeOperation = "difference"; // which subtracts, where the picture is brighter than that
  context.drawImage(darker, 0, 0, width, height);
}

/** What a dream adds to a frame, and what it takes from it. */
function changeOf({ height, width, bytes }: Pixels, dreamed: Pixels): { brighter: OffscreenCanvas; darker: OffscreenCanvas } {
  const [more, less] = [new ImageData(width, height), new ImageData(width, height)];
  for (let i = 0, j = 0; j < bytes.length; i += 4) {
    for (let k = 0; k < 3; k++, j++) {
      const change = dreamed.bytes[j] - bytes[j];
      more.data[i + k] = change; // a clamped array: what is negative becomes 0
      less.data[i + k] = -change;
    }
    more.data[i + 3] = less.data[i + 3] = 255;
  }
  return { brighter: drawn(more), darker: drawn(less) };
}

function drawn(image: ImageData): OffscreenCanvas {
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d")!.putImageData(image, 0, 0);
  return canvas;
}
