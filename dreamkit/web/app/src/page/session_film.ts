/** A film of the session: the photograph and its dreams, each fading into the next. */

import { type Frame, recordFilm } from "./film_recorder";
import { toImageData } from "./photograph";
import type { Pixels } from "./protocol";

const STAY = 8; // frames for which a picture stays
const FADE = 8; // frames in which the next one appears

/** Plays the film while the browser records it. */
export async function recordSession(pictures: Pixels[], onFrame: (share: number) => void): Promise<Blob> {
  const bitmaps = await Promise.all(pictures.map((each) => createImageBitmap(toImageData(each))));
  try {
    return await recordFilm(bitmaps.flatMap(framesOf), pictures[0], onFrame);
  } finally {
    for (const each of bitmaps) each.close();
  }
}

/** The frames of a picture: it appears, but for the first one, and stays. */
function framesOf(picture: ImageBitmap, index: number): Frame[] {
  // Over what the frames before left, these shares bring it in evenly.
  const fade = index ? Array.from({ length: FADE }, (_, i) => ({ picture, opacity: 1 / (FADE - i) })) : [];
  return [...fade, ...Array.from({ length: STAY }, () => ({ picture, opacity: 1 }))];
}
