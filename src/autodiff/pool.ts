/** Differentiable pooling of NHWC images. */
import { operand, shapeError } from "../ops/opDefinition.ts";
import { averagePoolOp, maxPoolOp, type PoolAttributes } from "../ops/pool.ts";
import { reshape } from "./functions.ts";
import type { Tensor } from "./graph.ts";

/** One number for both axes, or [vertical, horizontal]. */
export type Extent = number | readonly [vertical: number, horizontal: number];

export interface PoolOptions {
  readonly kernel: Extent;
  /** The kernel unless given, so that windows do not overlap. */
  readonly stride?: Extent;
  /** 0 unless given; at most half the kernel. */
  readonly padding?: Extent;
}

function pair(extent: Extent): readonly [number, number] {
  return typeof extent === "number" ? [extent, extent] : extent;
}

function attributesOf({ kernel, stride = kernel, padding = 0 }: PoolOptions): PoolAttributes {
  return { kernel: pair(kernel), stride: pair(stride), padding: pair(padding) };
}

/**
 * Largest entry of each window, [B, H, W, C] → [B, H', W', C], C a multiple of 4; padding does not take part. The cotangent goes to the first
 * of equal entries in row order.
 */
export function maxPool(x: Tensor, options: PoolOptions): Tensor {
  return operand(x.graph.add(maxPoolOp, [x], attributesOf(options)), 0);
}

/** Mean of each window, [B, H, W, C] → [B, H', W', C], C a multiple of 4; padding counts as zeros (PyTorch's default). */
export function averagePool(x: Tensor, options: PoolOptions): Tensor {
  return operand(x.graph.add(averagePoolOp, [x], attributesOf(options)), 0);
}

/** Mean over all pixels, [B, H, W, C] → [B, C], C a multiple of 4. */
export function globalAveragePool(x: Tensor): Tensor {
  const [batch, height, width, channels] = x.shape;
  if (x.shape.length !== 4 || !batch || !height || !width || !channels) {
    throw shapeError("globalAveragePool", [x], "needs [B, H, W, C]", "Reshape to images.");
  }
  const kernel = [height, width] as const;
  const pooled = x.graph.add(averagePoolOp, [x], { kernel, stride: kernel, padding: [0, 0] }, "globalAveragePool");
  return reshape(operand(pooled, 0), [batch, channels]);
}
