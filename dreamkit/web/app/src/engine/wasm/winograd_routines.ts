/** The routines of `winograd.ts`. */

import {
  add,
  type Code,
  divide,
  F32,
  fraction,
  I32,
  isLess,
  multiply,
  remainder,
  Routine,
  subtract,
  V128,
  type Variable,
  vectors as v,
  whole,
} from "./assembler";

export const BYTES = 4;
export const INPUT_SIDE = 6; // of a tile

const VECTOR = 4 * BYTES;

function parametersOf(f: Routine, count: number): Variable[] {
  return Array.from({ length: count }, (_, index) => f.parameter(index));
}

function vectorsOf(f: Routine, count: number): Variable[] {
  return Array.from({ length: count }, () => f.variable(V128));
}

/**
 * The matrices of a kernel, one for each number of a tile: `factors` multiply its rows and its columns. They are
 * written as `matrices.ts` takes them, a panel of `panel` outputs after another.
 */
export function transformKernel(factors: number[][], panel: number): Routine {
  const taps = factors[0].length;
  const f = new Routine(Array.from({ length: 6 }, () => I32));
  const [values, out, square, inputs, outputs, matrix] = parametersOf(f, 6);
  const [input, output, at, to, plane] = Array.from({ length: 5 }, () => f.variable());
  const x = vectorsOf(f, taps);
  const weighed = (row: number[]): Code =>
    row
      .map((factor, tap) => (factor ? v.multiply(v.each(fraction(factor)), x[tap].get) : null))
      .filter((term) => term !== null)
      .reduce((sum, term) => v.add(sum, term));
  f.do(plane.set(multiply(whole(BYTES), inputs.get, outputs.get)));
  f.repeat(input, whole(0), inputs.get, 1, () => {
    f.repeat(output, whole(0), outputs.get, 4, () => {
      f.do(at.set(add(values.get, multiply(whole(BYTES), add(multiply(input.get, outputs.get), output.get)))));
      for (let column = 0; column < taps; column++) {
        for (let row = 0; row < taps; row++) {
          f.do(x[row].set(v.load(add(at.get, multiply(whole(row * taps + column), plane.get)))));
        }
        factors.forEach((each, row) => f.do(v.store(square.get, weighed(each), (row * taps + column) * VECTOR)));
      }
      const within = remainder(output.get, whole(panel));
      const before = add(multiply(subtract(output.get, within), inputs.get), multiply(input.get, whole(panel)));
      f.do(to.set(add(out.get, multiply(whole(BYTES), add(before, within)))));
      for (let row = 0; row < INPUT_SIDE; row++) {
        x.forEach((each, column) => f.do(each.set(v.load(square.get, (row * taps + column) * VECTOR))));
        for (const each of factors) f.do(v.store(to.get, weighed(each)), to.set(add(to.get, matrix.get)));
      }
    });
  });
  return f;
}

/** Six numbers along a side of a tile, transformed. */
function transformSix(f: Routine, x: Variable[], [p, q]: Variable[], use: (index: number, value: Code) => void): void {
  const times = (factor: number, value: Code) => v.multiply(v.each(fraction(factor)), value);
  const ends = (i: number) => v.add(v.subtract(times(4, x[i].get), times(5, x[i + 2].get)), x[i + 4].get);
  use(0, ends(0));
  f.do(p.set(v.subtract(x[4].get, times(4, x[2].get))), q.set(v.subtract(x[3].get, times(4, x[1].get))));
  use(1, v.add(p.get, q.get));
  use(2, v.subtract(p.get, q.get));
  f.do(p.set(v.subtract(x[4].get, x[2].get)), q.set(times(2, v.subtract(x[3].get, x[1].get))));
  use(3, v.add(p.get, q.get));
  use(4, v.subtract(p.get, q.get));
  use(5, ends(1));
}

/** Six numbers along a side of a tile, transformed back to `side` of them, up to four. */
function transformBack(
  f: Routine,
  side: number,
  x: Variable[],
  [a, b, c, d]: Variable[],
  use: (index: number, value: Code) => void,
): void {
  const times = (factor: number, value: Code) => v.multiply(v.each(fraction(factor)), value);
  f.do(a.set(v.add(x[1].get, x[2].get)), b.set(v.subtract(x[1].get, x[2].get)));
  f.do(c.set(v.add(x[3].get, x[4].get)), d.set(v.subtract(x[3].get, x[4].get)));
  const sums = [
    v.add(v.add(x[0].get, a.get), c.get),
    v.add(b.get, times(2, d.get)),
    v.add(a.get, times(4, c.get)),
    v.add(b.get, times(8, d.get)),
  ];
  for (let i = 0; i < side; i++) use(i, i === side - 1 ? v.add(sums[i], x[5].get) : sums[i]);
}

/** Tiles lie `step` pixels apart, which is the side of what they give. */
export function transformInput(step: number): Routine {
  const f = new Routine(Array.from({ length: 9 }, () => I32));
  const [padded, tiles, square, first, count, across, line, depth, plane] = parametersOf(f, 9);
  const [tile, index, channel, base, at, to] = Array.from({ length: 6 }, () => f.variable());
  const [x, helpers] = [vectorsOf(f, 6), vectorsOf(f, 2)];
  const sides = Array.from({ length: INPUT_SIDE }, (_, i) => i);
  f.repeat(tile, whole(0), count.get, 1, () => {
    f.do(index.set(add(first.get, tile.get)));
    const top = multiply(divide(index.get, across.get), line.get);
    const left = multiply(remainder(index.get, across.get), depth.get);
    f.do(base.set(add(padded.get, multiply(whole(step), add(top, left)))));
    f.repeat(channel, whole(0), depth.get, VECTOR, () => {
      for (const column of sides) {
        f.do(at.set(add(base.get, channel.get, multiply(whole(column), depth.get))));
        for (const row of sides) f.do(x[row].set(v.load(at.get)), at.set(add(at.get, line.get)));
        transformSix(f, x, helpers, (row, value) => {
          f.do(v.store(square.get, value, (row * INPUT_SIDE + column) * VECTOR));
        });
      }
      f.do(to.set(add(tiles.get, multiply(tile.get, depth.get), channel.get)));
      for (const row of sides) {
        for (const column of sides) f.do(x[column].set(v.load(square.get, (row * INPUT_SIDE + column) * VECTOR)));
        transformSix(f, x, helpers, (_, value) => f.do(v.store(to.get, value), to.set(add(to.get, plane.get))));
      }
    });
  });
  return f;
}

/** Tiles of `side` pixels each, with a bias and a lower bound. */
export function transformOutput(side: number): Routine {
  const f = new Routine([...Array.from({ length: 12 }, () => I32), F32]);
  const [products, out, square, bias, first, count, across, height, width, depth, plane, start, floor] =
    parametersOf(f, 13);
  const [tile, index, channel, from, to, top, left] = Array.from({ length: 7 }, () => f.variable());
  const [x, helpers, offset] = [vectorsOf(f, 6), vectorsOf(f, 4), f.variable(V128)];
  const sides = Array.from({ length: INPUT_SIDE }, (_, i) => i);
  f.repeat(tile, whole(0), count.get, 1, () => {
    f.do(index.set(add(first.get, tile.get)));
    f.do(top.set(multiply(whole(side), divide(index.get, across.get))));
    f.do(left.set(multiply(whole(side), remainder(index.get, across.get))));
    f.repeat(channel, whole(0), depth.get, VECTOR, () => {
      for (const column of sides) {
        f.do(from.set(add(products.get, multiply(tile.get, depth.get), channel.get)));
        f.do(from.set(add(from.get, multiply(whole(column), plane.get))));
        for (const row of sides) {
          f.do(x[row].set(v.load(from.get)), from.set(add(from.get, multiply(whole(INPUT_SIDE), plane.get))));
        }
        transformBack(f, side, x, helpers, (row, value) => {
          f.do(v.store(square.get, value, (row * INPUT_SIDE + column) * VECTOR));
        });
      }
      f.do(offset.set(v.load(add(bias.get, channel.get))));
      for (let row = 0; row < side; row++) {
        f.when(isLess(add(top.get, whole(row)), height.get), () => {
          for (const column of sides) f.do(x[column].set(v.load(square.get, (row * INPUT_SIDE + column) * VECTOR)));
          const pixel = add(multiply(add(top.get, whole(row)), width.get), left.get);
          f.do(to.set(add(out.get, start.get, channel.get, multiply(pixel, depth.get))));
          transformBack(f, side, x, helpers, (column, value) => {
            f.when(isLess(add(left.get, whole(column)), width.get), () => {
              f.do(v.store(to.get, v.max(v.add(value, offset.get), v.each(floor.get))));
            });
            f.do(to.set(add(to.get, depth.get)));
          });
        });
      }
    });
  });
  return f;
}
