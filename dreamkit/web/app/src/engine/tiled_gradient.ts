/**
 * The gradient over a whole picture, tile by tile: dreamkit's `engine/tiled_gradient.py`. The roll is never
 * carried out: windows are read from rolled places. Here the gradient stays in the frame of the rolled picture.
 */

import type { NeuronPlace } from "./layer_objective";
import type { Network, WeightedObjective } from "./network";
import { wrapped } from "./numbers";
import type { Picture } from "./resize";
import type { Axis, Cover, Span } from "./tiles";

export interface TiledGradient {
  /** `(height, width, 3)`, in the frame of the rolled picture. */
  gradient: Float32Array;
  /** Means over the tiles; one number for each objective. */
  objectives: number[];
  meanSquares: number[];
  /** Share of the picture that was computed, 0 to 1. */
  coverage: number;
}

/**
 * The gradient of `objective` with respect to `pixels`, rolled down and right by `roll`. `region` holds the
 * strengths of a mask, `(height, width)`: a tile with none within `margin` pixels is not computed, and its
 * gradient is zero. `neurons` are the places of single neurons in the picture, for the specs that are one.
 */
export async function tiledGradient(
  network: Network,
  pixels: Picture,
  cover: Cover,
  roll: [number, number],
  objective: WeightedObjective,
  region: Float32Array | null,
  margin: number,
  neurons: NeuronPlace[] = [],
): Promise<TiledGradient> {
  const { height, width } = pixels;
  const gradient = new Float32Array(height * width * 3);
  const objectives = objective.specs.map(() => 0);
  const meanSquares = objective.specs.map(() => 0);
  const [above, beside] = [cover.rows.context, cover.columns.context];
  let [tiles, computed] = [0, 0];
  for (const row of cover.rows.spans) {
    for (const column of cover.columns.spans) {
      const [top, left] = [row.start - roll[0], column.start - roll[1]];
      const core = { top, left, height: row.core, width: column.core };
      if (region && !matters(region, height, width, core, margin)) continue;
      const window = readWindow(pixels, top - above, left - beside, cover.rows.window, cover.columns.window);
      const places = neurons.map((neuron) => neuron && placeInTile(neuron, [height, width], roll, cover, [row, column]));
      const result = await network.step(window, places.length ? { ...objective, places } : objective);
      for (let y = 0; y < row.core; y++) {
        const from = ((above + y) * cover.columns.window + beside) * 3;
        gradient.set(
          result.gradient.subarray(from, from + column.core * 3),
          ((row.start + y) * width + column.start) * 3,
        );
      }
      objective.specs.forEach((_, i) => {
        objectives[i] += result.objectives[i];
        meanSquares[i] += result.meanSquares[i];
      });
      tiles++;
      computed += row.core * column.core;
    }
  }
  const mean = (sums: number[]) => sums.map((sum) => sum / Math.max(1, tiles));
  return {
    gradient,
    objectives: mean(objectives),
    meanSquares: mean(meanSquares),
    coverage: computed / (height * width),
  };
}

/** A rectangle of a picture; beyond an edge, the picture continues at its other side. */
function readWindow(pixels: Picture, top: number, left: number, height: number, width: number): Picture {
  const window = new Float32Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    const line = wrapped(top + y, pixels.height) * pixels.width;
    for (let x = 0; x < width; ) {
      const start = wrapped(left + x, pixels.width);
      const count = Math.min(width - x, pixels.width - start);
      const from = (line + start) * 3;
      window.set(pixels.values.subarray(from, from + count * 3), (y * width + x) * 3);
      x += count;
    }
  }
  return { height, width, values: window };
}

/** Where a neuron lies in a window, as shares of its sides; null outside its core. */
function placeInTile(
  neuron: [number, number],
  sides: [number, number],
  roll: [number, number],
  { rows, columns }: Cover,
  spans: [Span, Span],
): NeuronPlace {
  const along = (index: 0 | 1, axis: Axis): number | null => {
    const pixel = Math.trunc(neuron[index] * sides[index]) + roll[index];
    const inside = wrapped(pixel - spans[index].start, sides[index]);
    return inside < spans[index].core ? (axis.context + inside + 0.5) / axis.window : null;
  };
  const [row, column] = [along(0, rows), along(1, columns)];
  return row === null || column === null ? null : [row, column];
}

interface Core {
  top: number;
  left: number;
  height: number;
  width: number;
}

/** Whether a mask has any strength within `margin` pixels of a tile's core. */
function matters(region: Float32Array, height: number, width: number, core: Core, margin: number): boolean {
  for (let y = -margin; y < core.height + margin; y++) {
    const line = wrapped(core.top + y, height) * width;
    for (let x = -margin; x < core.width + margin; x++) {
      if (region[line + wrapped(core.left + x, width)]) return true;
    }
  }
  return false;
}
