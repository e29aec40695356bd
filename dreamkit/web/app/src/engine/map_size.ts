/** The size of a layer's map for a picture, from an exported graph alone. */

import { geometry, type Padding } from "./convolution";
import type { OperationDescription } from "./operations";

type Size = [height: number, width: number];

/**
 * The height and width of an activation for a picture of `size`. Activation 0 is the picture, and operation `i`
 * computes activation `i + 1`; `shapes` are those of the weights.
 */
export function mapSize(operations: OperationDescription[], shapes: number[][], activation: number, size: Size): Size {
  const sizes: Size[] = [size];
  for (const { kind, inputs, attributes, constants } of operations.slice(0, activation)) {
    const read = inputs.map((input) => sizes[input]);
    const moved = (taps: number[]): Size => {
      const { strides, padding, dilations } = attributes as Record<string, number[]>;
      const { rows, columns } = geometry(read[0], taps, strides, padding as Padding, dilations);
      return [rows.output, columns.output];
    };
    switch (kind) {
      case "conv2d":
      case "depthwise_conv2d":
        sizes.push(moved(shapes[constants.kernel].slice(0, 2)));
        break;
      case "max_pool":
      case "avg_pool":
        sizes.push(moved(attributes.window as number[]));
        break;
      case "pad": {
        const [top, bottom, left, right] = attributes.padding as number[];
        sizes.push([read[0][0] + top + bottom, read[0][1] + left + right]);
        break;
      }
      case "mean":
        sizes.push([1, 1]);
        break;
      default: // the inputs have one size, or are single places
        sizes.push([Math.max(...read.map(([height]) => height)), Math.max(...read.map(([, width]) => width))]);
    }
  }
  return sizes[activation];
}
