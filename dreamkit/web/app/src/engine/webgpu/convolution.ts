/**
 * A convolution as one program: a product of matrices whose rows are the pixels of the result, and which are
 * read from the map where they are needed. Bias and activation are applied to the sums, before they are
 * written. A gradient comes through the gate of its ReLU while it is read, and its phases (see
 * `../convolution.ts`) are written to their places, so a gradient is one program as well.
 */

import * as tf from "@tensorflow/tfjs-core";
import type { Gate } from "../convolution";
import { lanes, run } from "./program";

type Activation = Gate["activation"];

/** The weights of a convolution: a row for each tap and input channel, and a column for each output channel. */
export class PackedKernel {
  private readonly weights: tf.Tensor2D;
  private readonly offsets?: tf.Tensor1D;

  /** Rows and columns are filled up with zeros to multiples of four. */
  constructor(
    values: Float32Array,
    private readonly shape: [number, number, number, number],
    bias?: Float32Array,
  ) {
    const [height, width, channels, outputs] = shape;
    const [rows, columns] = [channels, outputs].map((each) => 4 * Math.ceil(each / 4));
    let packed = values;
    if (rows !== channels || columns !== outputs) {
      packed = new Float32Array(height * width * rows * columns);
      for (let row = 0; row < height * width * channels; row++) {
        const to = Math.floor(row / channels) * rows + (row % channels);
        packed.set(values.subarray(row * outputs, (row + 1) * outputs), to * columns);
      }
    }
    this.weights = tf.keep(tf.tensor2d(packed, [height * width * rows, columns]));
    if (bias) {
      const offsets = new Float32Array(columns);
      offsets.set(bias);
      this.offsets = tf.keep(tf.tensor1d(offsets));
    }
  }

  dispose(): void {
    this.weights.dispose();
    this.offsets?.dispose();
  }

  /** The convolution of `x`. */
  convolve(x: tf.Tensor4D, how: Convolution): tf.Tensor4D {
    const { size, strides, dilations, before, phases = [1, 1], places = size, activation, gate } = how;
    const [height, width, channels, outputs] = this.shape;
    const resultChannels = outputs / phases[0] / phases[1];
    const [parts, columns] = [channels, outputs].map((each) => Math.ceil(each / 4));
    const pixels = x.shape[0] * places[0] * places[1];
    const { across, down, rows, dispatch } = tiles(pixels, columns, gate ? 2 : 1);
    const shader: Shader = {
      across,
      down,
      rows,
      from: lanes(channels),
      to: lanes(resultChannels),
      hasOffsets: this.offsets !== undefined,
      activation,
      gate: gate?.activation,
    };
    return run({
      name: `dreamkit convolution ${Object.values(shader).join(" ")}`,
      source: source(shader),
      inputs: {
        x,
        weights: this.weights,
        ...(this.offsets && { offsets: this.offsets }),
        ...(gate && { gate: gate.result }),
      },
      lanes: {
        inputs: [shader.from, 4, ...(this.offsets ? [4] : []), ...(gate ? [shader.from] : [])],
        result: shader.to,
      },
      uniforms: {
        places,
        taps: [height, width],
        strides,
        dilations,
        before,
        phases,
        parts: [parts],
        columns: [columns],
        pixels: [pixels],
        blocks: [Math.ceil((height * width * parts) / BLOCK)],
      },
      shape: [x.shape[0], size[0], size[1], resultChannels],
      threads: [THREADS, 1, 1],
      dispatch,
    });
  }
}

/** Where the windows of a convolution lie. Pairs are height and width. */
export interface Convolution {
  /** Of the result. */
  size: [number, number];
  strides: [number, number];
  dilations: [number, number];
  /** Zeros before the first pixel; below zero, pixels that no window reads. */
  before: [number, number];
  /** Pixels of the result that a window computes, as channels. */
  phases?: [number, number];
  /** Windows, where they are not one for each pixel of the result. */
  places?: [number, number];
  activation?: Activation;
  /** Only those elements of `x` count whose element of `result` the activation let through. */
  gate?: Gate;
}

const THREADS = 64;
/** Groups of four rows of the weights that are in a workgroup's memory at a time. */
const BLOCK = 4;
/** Workgroups along an axis that every graphics card takes. */
const MOST = 65535;
/** Workgroups that keep a graphics card busy. */
const BUSY = 32;
/** Each thread computes four channels of `rows` pixels, and `across` threads lie beside each other. */
const SHAPES = [[16, 8], [8, 8], [8, 4], [8, 2], [4, 4]];
/** Products of four numbers that take as long as to read four, about. */
const PRODUCTS = 16;

/**
 * The shape of workgroups that costs least of those that keep the card busy, or that comes closest to it. `maps`
 * counts the buffers that are read for each pixel.
 */
function tiles(pixels: number, columns: number, maps: number) {
  const all = SHAPES.map(([across, rows]) => {
    const down = THREADS / across;
    const groups = [Math.ceil(columns / across), Math.ceil(pixels / (down * rows))];
    const count = groups[0] * groups[1];
    // For each part of each tap: the map's parts, and four rows of the weights.
    const reads = down * rows * maps + 4 * across;
    const products = 4 * down * rows * across;
    return { across, down, rows, groups, count, cost: count * (reads + products / PRODUCTS) };
  });
  const most = Math.min(BUSY, Math.max(...all.map(({ count }) => count)));
  const candidates = all.filter(({ count }) => count >= most).sort((a, b) => a.cost - b.cost);
  const { across, down, rows, groups } = candidates[0];
  const layers = Math.ceil(groups[1] / MOST);
  const dispatch: [number, number, number] = [groups[0], Math.ceil(groups[1] / layers), layers];
  return { across, down, rows, dispatch };
}

interface Shader {
  across: number;
  down: number;
  rows: number;
  /** How many channels of the map, and of the result, an element of its buffer has. */
  from: 1 | 4;
  to: 1 | 4;
  hasOffsets: boolean;
  activation?: Activation;
  gate?: Activation;
}

function source({ across, down, rows, from, to, hasOffsets, activation, gate }: Shader): string {
  const tile = down * rows;
  const each = (count: number, line: (i: number) => string) =>
    Array.from({ length: count }, (_, i) => line(i)).join("\n");
  const product = (i: number) => [..."xyzw"].map((part, k) => `kernel${k} * map${i}.${part}`).join(" + ");
  const loads = tile / (THREADS / BLOCK);
  const zero = from === 4 ? "vec4<f32>(0.0)" : "0.0";
  // Written so that what is not a number stays so, and is not taken for a closed gate.
  const isClosed = gate === "relu6" ? "(g <= zero) | (g >= zero + 6.0)" : "g <= zero";
  const element = gate
    ? `let zero = ${zero}; let g = gate[at]; return select(x[at], zero, ${isClosed});`
    : "return x[at];";
  const load =
    from === 4
      ? "return element(pixel * uniforms.parts + part);"
      : `let at = pixel * uniforms.xShape.w + 4 * part;
      let left = uniforms.xShape.w - 4 * part;
      var value = vec4<f32>(element(at), 0.0, 0.0, 0.0);
      if (left > 1) { value.y = element(at + 1); }
      if (left > 2) { value.z = element(at + 2); }
      if (left > 3) { value.w = element(at + 3); }
      return value;`;
  const stores =
    to === 4
      ? "store(image, place, column * 4, value);"
      : "for (var i = 0; i < 4; i++) { store(image, place, column * 4 + i, value[i]); }";
  const value = to === 4 ? "vec4<f32>" : "f32";
  return `
    var<workgroup> map: array<vec4<f32>, ${BLOCK * tile}>; // [part][pixel]
    var<workgroup> kernel: array<vec4<f32>, ${4 * BLOCK * across}>; // [row][column]

    fn element(at: i32) -> ${from === 4 ? "vec4<f32>" : "f32"} { ${element} }

    /** The image, row and column of a window. */
    fn window(pixel: i32) -> vec3<i32> {
      let line = pixel / uniforms.places.y;
      return vec3<i32>(line / uniforms.places.x, line % uniforms.places.x, pixel % uniforms.places.y);
    }

    /** The first pixel that a window reads; for no window, a row that is outside every map. */
    fn corner(pixel: i32) -> vec3<i32> {
      if (pixel >= uniforms.pixels) { return vec3<i32>(0, -0x40000000, 0); }
      let found = window(pixel);
      return vec3<i32>(found.x, found.yz * uniforms.strides - uniforms.before);
    }

    fn loadPixel(first: vec3<i32>, tap: vec2<i32>, part: i32) -> vec4<f32> {
      let place = first.yz + tap * uniforms.dilations;
      if (tap.x >= uniforms.taps.x || any(place < vec2<i32>(0)) || any(place >= uniforms.xShape.yz)) {
        return vec4<f32>(0.0);
      }
      let pixel = (first.x * uniforms.xShape.y + place.x) * uniforms.xShape.z + place.y;
      ${load}
    }

    fn store(image: i32, place: vec2<i32>, column: i32, value: ${value}) {
      let phase = column / uniforms.outShape.w;
      let at = place * uniforms.phases + vec2<i32>(phase / uniforms.phases.y, phase % uniforms.phases.y);
      if (phase >= uniforms.phases.x * uniforms.phases.y || any(at >= uniforms.outShape.yz)) { return; }
      let pixel = (image * uniforms.outShape.y + at.x) * uniforms.outShape.z + at.y;
      result[(pixel * uniforms.outShape.w + column % uniforms.outShape.w) / ${to}] = value;
    }

    fn finish(pixel: i32, column: i32, sum: vec4<f32>) {
      if (pixel >= uniforms.pixels || column >= uniforms.columns) { return; }
      let found = window(pixel);
      let image = found.x;
      let place = found.yz;
      var value = sum${hasOffsets ? " + offsets[column]" : ""};
      ${activation ? "value = select(value, vec4<f32>(0.0), value < vec4<f32>(0.0));" : ""}
      ${activation === "relu6" ? "value = select(value, vec4<f32>(6.0), value > vec4<f32>(6.0));" : ""}
      ${stores}
    }

    fn main() {
      let lane = i32(localIndex);
      let first = i32(workgroupId.z * numWorkgroups.y + workgroupId.y) * ${tile};
      let firstColumn = i32(workgroupId.x) * ${across};
      let across = lane % ${across};
      let down = lane / ${across};
      ${each(rows, (i) => `var sum${i} = vec4<f32>(0.0);`)}
      let loaded = lane / ${BLOCK};
      ${each(loads, (i) => `let corner${i} = corner(first + loaded + ${(i * THREADS) / BLOCK});`)}
      var part = lane % ${BLOCK};
      var tap = vec2<i32>(0);
      for (var block = 0; block < uniforms.blocks; block++) {
        while (part >= uniforms.parts) {
          part -= uniforms.parts;
          tap.y++;
          if (tap.y == uniforms.taps.y) { tap = vec2<i32>(tap.x + 1, 0); }
        }
        let to = (lane % ${BLOCK}) * ${tile} + loaded;
        ${each(loads, (i) => `map[to + ${(i * THREADS) / BLOCK}] = loadPixel(corner${i}, tap, part);`)}
        // Beyond the last row and column, any weights will do: the map is zero there, or no sum is kept.
        for (var at = lane; at < ${4 * BLOCK * across}; at += ${THREADS}) {
          let row = block * ${4 * BLOCK} + at / ${across};
          kernel[at] = weights[row * uniforms.columns + firstColumn + at % ${across}];
        }
        part += ${BLOCK};
        workgroupBarrier();
        for (var k = 0; k < ${BLOCK}; k++) {
          ${each(4, (i) => `let kernel${i} = kernel[(4 * k + ${i}) * ${across} + across];`)}
          ${each(rows, (i) => `let map${i} = map[k * ${tile} + down + ${i * down}];`)}
          ${each(rows, (i) => `sum${i} += ${product(i)};`)}
        }
        workgroupBarrier();
      }
      ${each(rows, (i) => `finish(first + down + ${i * down}, firstColumn + across, sum${i});`)}
    }
  `;
}
