/** A card: the photograph and its dream on one picture. */

import type { Size } from "../engine/octave_schemes";
import { toImageData } from "./photograph";
import type { Pixels } from "./protocol";

const LONGEST = 1600; // pixels of the longer side of each picture, at most
const EDGE = 0.025; // of that side
const GROUND = "#120f18";
const INK = "#ece7f2";

/** The photograph beside or above its dream, whichever gives the squarer card; the size is that of one of them. */
function layout(photo: Size) {
  const scale = Math.min(1, LONGEST / Math.max(photo.width, photo.height));
  const [width, height] = [photo.width, photo.height].map((side) => Math.round(side * scale));
  const edge = Math.max(6, Math.round(EDGE * Math.max(width, height)));
  const isBeside = (2 * width) / height < (2 * height) / width;
  return { width, height, edge, foot: 2 * edge, isBeside };
}

/** The size of the card of a photograph. */
export function cardSize(photo: Size): Size {
  const { width, height, edge, foot, isBeside } = layout(photo);
  const [across, down] = isBeside ? [2, 1] : [1, 2];
  return { width: across * (width + edge) + edge, height: down * (height + edge) + edge + foot };
}

/** A card with a line of text below. */
export function drawCard(photo: Pixels, dream: Pixels, text: string): OffscreenCanvas {
  const { width, height, edge, foot, isBeside } = layout(photo);
  const size = cardSize(photo);
  const card = new OffscreenCanvas(size.width, size.height);
  const context = card.getContext("2d")!;
  context.fillStyle = GROUND;
  context.fillRect(0, 0, card.width, card.height);
  context.imageSmoothingQuality = "high";
  [photo, dream].forEach((picture, index) => {
    const whole = new OffscreenCanvas(picture.width, picture.height);
    whole.getContext("2d")!.putImageData(toImageData(picture), 0, 0);
    const [column, row] = isBeside ? [index, 0] : [0, index];
    context.drawImage(whole, edge + column * (width + edge), edge + row * (height + edge), width, height);
  });
  context.fillStyle = INK;
  context.font = `${Math.max(9, Math.round(1.1 * edge))}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  context.fillText(text, edge, card.height - (edge + foot) / 2, card.width - 2 * edge);
  return card;
}
