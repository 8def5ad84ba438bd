/** Differentiable convolution. */
import { conv2dOp } from "../ops/conv.ts";
import { convGeometry, type Pair } from "../ops/convGeometry.ts";
import { elementCount, operand, shapeError } from "../ops/opDefinition.ts";
import { add, matmul, reshape } from "./functions.ts";
import type { Tensor } from "./graph.ts";

export interface ConvOptions {
  /** Along height and width, or one number for both; 1 unless given. */
  readonly stride?: number | Pair;
  /** Rows and columns of zeros on each side, or one number for both; 0 unless given. */
  readonly padding?: number | Pair;
  /** One number per output channel, [Co]. */
  readonly bias?: Tensor;
}

function pairOf(value: number | Pair | undefined, otherwise: number): Pair {
  return typeof value === "object" ? value : [value ?? otherwise, value ?? otherwise];
}

/**
 * Convolution (cross-correlation, as in deep learning) of x [N, H, W, Ci] with filter [KH, KW, Ci, Co]:
 * y[n, i, j, o] = Σ x[n, i·s + a − p, j·s + b − p, c]·filter[a, b, c, o] + bias[o], zeros outside x; [N, OH, OW, Co] with
 * OH = ⌊(H + 2p − KH)/s⌋ + 1. Ci and Co are multiples of 4. A 1 × 1 kernel with stride 1 and no padding is a matrix product.
 *
 * @throws EngineError GRAPH-SHAPE naming both operands' shapes where they do not chain, see `convGeometry`
 */
export function conv2d(x: Tensor, filter: Tensor, options: ConvOptions = {}): Tensor {
  const [stride, padding] = [pairOf(options.stride, 1), pairOf(options.padding, 0)];
  const { bias } = options;
  const { batch, output, kernel, inChannels, outChannels } = convGeometry("conv2d", [x, filter], stride, padding);
  if (bias && (bias.shape.at(-1) !== outChannels || elementCount(bias.shape) !== outChannels)) {
    throw shapeError(
      "conv2d",
      [x, filter, bias],
      `the bias has not ${outChannels} entries`,
      "Give it one entry per output channel, [Co].",
    );
  }
  const isPointwise = [...kernel, ...stride].every((extent) => extent === 1) && padding.every((border) => border === 0);
  if (isPointwise) {
    const [pixels, weights] = [
      reshape(x, [x.elements / inChannels, inChannels]),
      reshape(filter, [inChannels, outChannels]),
    ];
    const y = matmul(pixels, weights);
    return reshape(bias ? add(y, bias) : y, [batch, ...output, outChannels]);
  }
  const epilogue = { hasScale: false, hasBias: false, hasAddend: false, relu: false };
  const y = operand(x.graph.add(conv2dOp, [x, filter], { stride, padding, ...epilogue }), 0);
  return bias ? add(y, bias) : y;
}
