/**
 * An exact cover of a picture by windows of one shape: dreamkit's `engine/tiles.py`. Along an axis that wraps, a window
 * also has some context before and after its core, so that no core lies where networks pad.
 */

import { OPEN } from "./wrap";

const CONTEXT = 64; // pixels of a window on either side of its core, along an axis that wraps

export interface Span {
  start: number;
  core: number;
}

export interface Axis {
  window: number;
  spans: Span[];
  /** Pixels of a window before its core. */
  context: number;
}

export interface Cover {
  rows: Axis;
  columns: Axis;
}

/** Tiles along an axis of `length` pixels, none longer than `tileSize`, no window below `minSize`. */
export function split(length: number, tileSize: number, minSize: number, wraps = false): Axis {
  const context = wraps ? Math.min(CONTEXT, Math.floor(tileSize / 4)) : 0;
  const count = Math.ceil(length / (tileSize - 2 * context));
  const bound = (index: number) => Math.floor((index * length) / count);
  const spans = Array.from({ length: count }, (_, index) => ({
    start: bound(index),
    core: bound(index + 1) - bound(index),
  }));
  return { window: Math.max(minSize, 1, ...spans.map((span) => span.core + 2 * context)), spans, context };
}

/** The cover of a picture of `height` and `width` pixels. */
export function coverOf(height: number, width: number, tileSize: number, minSize: number, wraps = OPEN): Cover {
  return {
    rows: split(height, tileSize, minSize, wraps[0]),
    columns: split(width, tileSize, minSize, wraps[1]),
  };
}

/** How far a roll must reach for the seams to pass over every pixel, down and right; 0 where there is no seam. */
export function reach({ rows, columns }: Cover): [number, number] {
  const along = (axis: Axis) => (axis.spans.length > 1 ? Math.floor(axis.window / 2) : 0);
  return [along(rows), along(columns)];
}
