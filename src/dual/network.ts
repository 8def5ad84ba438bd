/**
 * Dual deep ReLU networks: one network with shared weights, applied to all views of a batch at once, that keeps what the covariance
 * operators of its layers are made of.
 */
import { add, matmul, relu } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { l2Normalize } from "../autodiff/ssl.ts";
import { EngineError } from "../errors.ts";
import { heNormal, type ParameterScope, uniformFanIn } from "../nn/index.ts";
import { operand } from "../ops/opDefinition.ts";
import { standardizeOp } from "../ops/standardize.ts";

export interface DualNetworkOptions {
  /** n_0 … n_L: input features, hidden widths, outputs. At least two; any depth. */
  readonly widths: readonly number[];
  /** f̃_l = W_l f_{l−1} + b_l. The theory has none (false unless given). */
  readonly bias?: boolean;
  /** Hidden pre-activations standardised by the batch of all views together, without scale and shift. False unless given. */
  readonly batchNorm?: boolean;
  /** Embeddings f/‖f‖ in place of f. False unless given. */
  readonly normalized?: boolean;
}

/** One layer of one application. */
export interface DualLayer {
  /** W_l, [n_l, n_{l−1}]. */
  readonly weight: Tensor;
  /** f_{l−1}, [N, n_{l−1}]. */
  readonly input: Tensor;
  /** f_l after the ReLU, [N, n_l]: its gate is open where it is positive. None at the last layer, which is linear. */
  readonly activation: Tensor | undefined;
  /** What batch normalisation multiplies W_l f_{l−1} by, [n_l]; none without it. */
  readonly inverseStd: Tensor | undefined;
}

export interface DualPass {
  /** l = 1 … L at index l − 1. */
  readonly layers: readonly DualLayer[];
  /** f_L, [N, n_L]. */
  readonly outputs: Tensor;
  /** What the loss sees, [N, n_L]: f_L, or f_L/‖f_L‖. */
  readonly embeddings: Tensor;
  readonly isNormalized: boolean;
}

/** Added to the variance under the root: BatchNorm1d's default. */
const BATCH_NORM_EPSILON = 1e-5;
/** Least norm of a normalised output: F.normalize's default. */
const NORM_EPSILON = 1e-12;

/**
 * f̃_l = W_l f_{l−1} (+ b_l), f_l = max(f̃_l, 0), the last layer linear. Weights `layers.l.weight` normal with variance 2/n_{l−1} (He et
 * al. 2015), biases `layers.l.bias` as PyTorch draws them; counted from 0 in names.
 *
 * @param x [N, n_0], all views of all images
 * @throws EngineError CONFIG-WIDTHS for fewer than two widths or one that is no positive integer, GRAPH-SHAPE
 */
export function dualNetwork(scope: ParameterScope, x: Tensor, options: DualNetworkOptions): DualPass {
  const { widths, bias = false, batchNorm = false, normalized = false } = options;
  requireWidths(widths);
  const layers: DualLayer[] = [];
  let input = x;
  widths.slice(1).forEach((rows, index) => {
    const columns = operand(widths, index);
    scope.within(`layers.${index}`, (own) => {
      const plain = { kind: "plain" } as const;
      const weight = own.parameter("weight", { shape: [rows, columns], layout: plain, init: heNormal(columns) });
      let value = matmul(input, weight, { transposeB: true });
      if (bias)
        value = add(value, own.parameter("bias", { shape: [rows], layout: plain, init: uniformFanIn(columns) }));
      const isLast = index === widths.length - 2;
      const normed = batchNorm && !isLast ? standardizedColumns(value) : undefined;
      const activation = isLast ? undefined : relu(normed?.values ?? value);
      layers.push({ weight, input, activation, inverseStd: normed?.inverseStd });
      input = activation ?? value;
    });
  });
  const pass = { layers, outputs: input, embeddings: input, isNormalized: false };
  return normalized ? withUnitOutputs(pass) : pass;
}

/** The same pass with embeddings f_L/‖f_L‖. */
export function withUnitOutputs(pass: DualPass): DualPass {
  return { ...pass, embeddings: l2Normalize(pass.outputs, { epsilon: NORM_EPSILON }), isNormalized: true };
}

function standardizedColumns(x: Tensor): { readonly values: Tensor; readonly inverseStd: Tensor } {
  const outputs = x.graph.add(standardizeOp, [x], { standardize: true, epsilon: BATCH_NORM_EPSILON }, "batchNorm");
  return { values: operand(outputs, 0), inverseStd: operand(outputs, 1) };
}

/** @throws EngineError CONFIG-WIDTHS */
export function requireWidths(widths: readonly number[]): void {
  if (widths.length >= 2 && widths.every((width) => Number.isInteger(width) && width >= 1)) return;
  throw new EngineError({
    code: "CONFIG-WIDTHS",
    message: `A dual network of widths [${widths.join(", ")}] has no layers, or a layer without neurons`,
    fix: "Give input features, hidden widths and outputs: at least two positive integers.",
    where: "widths",
    detail: { widths: [...widths] },
  });
}
