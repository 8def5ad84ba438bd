/** Shapes of a two-dimensional convolution: NHWC activations, HWIO filters, symmetric padding, dilation 1, one group. */
import { requireF32, shapeError, shapeText, type TensorSpec } from "./opDefinition.ts";

/** Along height and width. */
export type Pair = readonly [height: number, width: number];

export interface ConvGeometry {
  readonly batch: number;
  /** Height and width of the input. */
  readonly input: Pair;
  /** Height and width of the output. */
  readonly output: Pair;
  readonly kernel: Pair;
  readonly stride: Pair;
  /** Rows and columns of zeros on each side. */
  readonly padding: Pair;
  readonly inChannels: number;
  readonly outChannels: number;
}

/** Rows or columns of the output: ⌊(extent + 2·padding − kernel)/stride⌋ + 1; below 1 when the padded input is smaller than the kernel. */
export function outputExtent(extent: number, kernel: number, stride: number, padding: number): number {
  return Math.floor((extent + 2 * padding - kernel) / stride) + 1;
}

/**
 * Geometry of x [N, H, W, Ci] convolved with filter [KH, KW, Ci, Co].
 *
 * @throws EngineError GRAPH-SHAPE naming both operands' shapes where they do not chain, channels are no multiples of 4, a stride or
 *         padding is no such number, or the padded input is smaller than the kernel
 */
export function convGeometry(
  op: string,
  [x, filter]: readonly [TensorSpec, TensorSpec],
  stride: Pair,
  padding: Pair,
): ConvGeometry {
  const fail = (why: string, fix: string) => shapeError(op, [x, filter], why, fix);
  requireF32(op, [x, filter]);
  const [batch, height, width, inChannels] = x.shape;
  const [kernelHeight, kernelWidth, filterChannels, outChannels] = filter.shape;
  const isRankFour = x.shape.length === 4 && filter.shape.length === 4;
  if (!isRankFour || !batch || !height || !width || !inChannels || !kernelHeight || !kernelWidth || !outChannels) {
    throw fail("takes an image [N, H, W, Ci] and a filter [KH, KW, Ci, Co]", "Reshape the operands to rank 4.");
  }
  if (inChannels !== filterChannels) {
    throw fail(
      `does not chain: ${inChannels} channels of x against ${filterChannels} input channels of the filter`,
      "Give the filter as many input channels as x has.",
    );
  }
  if (inChannels % 4 !== 0 || outChannels % 4 !== 0) {
    throw fail(
      `${inChannels} input and ${outChannels} output channels are not multiples of 4`,
      "Pad channels with zeros to the next multiple of 4 (RGB to 4).",
    );
  }
  if (stride.some((step) => !Number.isInteger(step) || step < 1)) {
    throw fail(`stride ${shapeText(stride)} is not made of positive whole numbers`, "Use a stride of at least 1.");
  }
  if (padding.some((border) => !Number.isInteger(border) || border < 0)) {
    throw fail(
      `padding ${shapeText(padding)} is not made of whole numbers ≥ 0`,
      "Use symmetric padding of at least 0.",
    );
  }
  const output = [
    outputExtent(height, kernelHeight, stride[0], padding[0]),
    outputExtent(width, kernelWidth, stride[1], padding[1]),
  ] as const;
  if (output[0] < 1 || output[1] < 1) {
    throw fail(
      `the padded input ${shapeText([height + 2 * padding[0], width + 2 * padding[1]])} is smaller than the kernel`,
      "Pad more, or use a smaller kernel.",
    );
  }
  const kernel = [kernelHeight, kernelWidth] as const;
  return { batch, input: [height, width], output, kernel, stride, padding, inChannels, outChannels };
}

/** Multiply-adds of each of the three products count two; taps in the padding count as if they were computed. */
export function convFlops({ batch, output, kernel, inChannels, outChannels }: ConvGeometry): number {
  return 2 * batch * output[0] * output[1] * kernel[0] * kernel[1] * inChannels * outChannels;
}
