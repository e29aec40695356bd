/** An exact cover of a picture by windows of one shape: dreamkit's `tiles`. */

export interface Span {
  start: number;
  core: number;
}

export interface Axis {
  window: number;
  spans: Span[];
}

/** Tiles along an axis of `length` pixels, none longer than `tileSize`, no window below `minSize`. */
export function split(length: number, tileSize: number, minSize: number): Axis {
  const count = Math.ceil(length / tileSize);
  const bound = (index: number) => Math.floor((index * length) / count);
  const spans = Array.from({ length: count }, (_, index) => ({
    start: bound(index),
    core: bound(index + 1) - bound(index),
  }));
  return { window: Math.max(minSize, 1, ...spans.map((span) => span.core)), spans };
}

/** How far a roll must reach for the seams to pass over every pixel; 0 where there is no seam. */
export function reach(axis: Axis): number {
  return axis.spans.length > 1 ? Math.floor(axis.window / 2) : 0;
}
