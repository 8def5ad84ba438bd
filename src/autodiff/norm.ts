/** Differentiable normalisations: batch and layer. */
import { type BatchNormAttributes, batchNormOp, type StatisticMode } from "../ops/batchNorm.ts";
import { layerNormOp } from "../ops/layerNorm.ts";
import { operand } from "../ops/opDefinition.ts";
import type { Tensor } from "./graph.ts";

export type { StatisticMode } from "../ops/batchNorm.ts";

/** Scale and shift, [C] each. */
export interface Affine {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

export interface BatchNormOptions {
  readonly affine?: Affine | undefined;
  /** Added after scale and shift, before the ReLU; of x's shape. */
  readonly addend?: Tensor | undefined;
  readonly relu?: boolean;
  /** 1e-5 unless given (PyTorch's default). */
  readonly epsilon?: number;
  /** `detached`: subtracted, not differentiated. `omitted`: not subtracted; the variance is still about the mean. */
  readonly mean?: StatisticMode;
  /** `detached`: divided by, not differentiated. `omitted`: not divided by. */
  readonly variance?: StatisticMode;
  /** Divide by the variance with n − 1; n unless given. */
  readonly unbiased?: boolean;
  /** Inference: (mean, variance) in its first 2C elements instead of the batch's own; constants to the derivative. */
  readonly running?: Tensor | undefined;
}

export interface BatchNormResult {
  readonly y: Tensor;
  /** (mean, unbiased variance) of the batch in the first 2C elements; what running averages are made of. Not differentiable. */
  readonly moments: Tensor;
}

/**
 * y = relu((x − mean)/√(var + ε)·weight + bias + addend) per channel of x [.., C], C a multiple of 4, with mean and biased variance over all
 * other dimensions (Ioffe & Szegedy 2015). Two dispatches, and two for its cotangent.
 *
 * @throws EngineError GRAPH-SHAPE, also where a channel has a single value
 */
export function batchNorm(x: Tensor, options: BatchNormOptions = {}): BatchNormResult {
  const { affine, addend, running } = options;
  const attributes: BatchNormAttributes = {
    epsilon: options.epsilon ?? 1e-5,
    mean: options.mean ?? "normal",
    variance: options.variance ?? "normal",
    isUnbiased: options.unbiased ?? false,
    isRunning: running !== undefined,
    hasAffine: affine !== undefined,
    hasAddend: addend !== undefined,
    relu: options.relu ?? false,
  };
  const inputs = [
    x,
    ...(affine ? [affine.weight, affine.bias] : []),
    ...(addend ? [addend] : []),
    ...(running ? [running] : []),
  ];
  const outputs = x.graph.add(batchNormOp, inputs, attributes);
  return { y: operand(outputs, 0), moments: operand(outputs, 1) };
}

export interface LayerNormOptions {
  readonly affine?: Affine | undefined;
  /** 1e-5 unless given (PyTorch's default). */
  readonly epsilon?: number;
}

/** (x − mean)/√(var + ε)·weight + bias along the last dimension of x [.., C], C a multiple of 4, biased variance (Ba et al. 2016). */
export function layerNorm(x: Tensor, { affine, epsilon = 1e-5 }: LayerNormOptions = {}): Tensor {
  const inputs = affine ? [x, affine.weight, affine.bias] : [x];
  return operand(x.graph.add(layerNormOp, inputs, { epsilon, hasAffine: affine !== undefined }), 0);
}
