/** Penalties on second moments: a square matrix's distance from a diagonal one, and VICReg in one op. */
import { ceilDiv } from "../kernels/grid.ts";
import { barlowColumns, matrixPenalty, vicregColumns, vicregPull } from "../kernels/library.ts";
import { matmulOp } from "./matmul.ts";
import {
  asMatrices,
  elementCount,
  type KernelCall,
  type OpDefinition,
  type Operand,
  operand,
  requireF32,
  requireInputs,
  shapeError,
} from "./opDefinition.ts";
import { columnKnobs } from "./reduce.ts";
import { sumCall } from "./sslNormalize.ts";

export interface MatrixPenaltyAttributes {
  /** Weights of (c_ii − target)² and of c_ij², i ≠ j. */
  readonly diagonal: number;
  readonly target: number;
  readonly offDiagonal: number;
}

/** Elements that one workgroup of the penalty handles; up to this many, one workgroup writes the loss itself. */
const PENALTY_SPAN = 16_384;

interface PenaltyOperands {
  readonly c: Operand;
  readonly residual: Operand;
  /** Further terms of the loss. */
  readonly terms?: { readonly from: Operand; readonly count: number };
  /** target − c_ii, where it is known better than by subtracting. */
  readonly shortfall?: Operand | undefined;
}

/** Calls that write the loss to output 0. */
function penaltyCalls(
  n: number,
  batch: number,
  attributes: MatrixPenaltyAttributes,
  { c, residual, terms, shortfall }: PenaltyOperands,
): KernelCall[] {
  const count = batch * n * n;
  const parts = ceilDiv(count, PENALTY_SPAN);
  const loss: Operand = { kind: "output", index: 0 };
  const partial: Operand = parts === 1 ? loss : { kind: "scratch", name: "partial", elements: parts };
  const penalty: KernelCall = {
    kernel: matrixPenalty,
    knobs: { WG: 64, HAS_TERMS: terms !== undefined, HAS_SHORTFALL: shortfall !== undefined },
    params: {
      n,
      count,
      span: PENALTY_SPAN,
      term_count: terms?.count ?? 0,
      diagonal: attributes.diagonal,
      target_value: attributes.target,
      off_diagonal: attributes.offDiagonal,
    },
    bindings: {
      c,
      terms: terms?.from ?? { kind: "unused" },
      shortfall: shortfall ?? { kind: "unused" },
      residual,
      partial,
    },
  };
  return parts === 1 ? [penalty] : [penalty, sumCall(partial, parts, 1)];
}

/**
 * Inputs: [.., n, n]; for a single matrix target − c_ii [n] too, if it is known better. Outputs: the loss [1], and the residual, half
 * the loss's derivative.
 */
export const matrixPenaltyOp: OpDefinition<MatrixPenaltyAttributes> = {
  name: "matrixPenalty",
  infer(inputs) {
    requireInputs("matrixPenalty", inputs.slice(0, 1), 1);
    requireF32("matrixPenalty", inputs);
    const { shape } = operand(inputs, 0);
    const shortfall = inputs[1];
    if (shortfall && (shape.length !== 2 || elementCount(shortfall.shape) !== shape[0])) {
      throw shapeError("matrixPenalty", inputs, "the diagonal does not belong to the matrix", "Pass [d, d] and [d].");
    }
    if (shape.length < 2 || shape.at(-1) !== shape.at(-2)) {
      throw shapeError("matrixPenalty", inputs, "needs square matrices", "Pass a correlation or covariance [d, d].");
    }
    return [
      { shape: [1], dtype: "f32" },
      { shape, dtype: "f32" },
    ];
  },
  flops: (inputs) => 4 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes }) {
    const { batch, rows } = asMatrices(operand(inputs, 0));
    return penaltyCalls(rows, batch, attributes, {
      c: { kind: "input", index: 0 },
      residual: { kind: "output", index: 1 },
      shortfall: inputs.length > 1 ? { kind: "input", index: 1 } : undefined,
    });
  },
};

export interface BarlowColumnsAttributes {
  /** Added to the variance under the root. */
  readonly epsilon: number;
}

/** Input: both views, [2, rows, d]. Outputs: standardised views, inverse standard deviations [2, d], 1 − correlation per dimension [d]. */
export const barlowColumnsOp: OpDefinition<BarlowColumnsAttributes> = {
  name: "barlowColumns",
  infer(inputs) {
    requireInputs("barlowColumns", inputs, 1);
    requireF32("barlowColumns", inputs);
    const { shape } = operand(inputs, 0);
    if (shape.length !== 3 || shape[0] !== 2) {
      throw shapeError("barlowColumns", inputs, "needs two views", "Stack the views as [2, rows, d].");
    }
    const d = operand(shape, 2);
    return [
      { shape, dtype: "f32" },
      { shape: [2, d], dtype: "f32" },
      { shape: [d], dtype: "f32" },
    ];
  },
  flops: (inputs) => 8 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes }) {
    const { rows, columns } = asMatrices(operand(inputs, 0));
    return [
      {
        kernel: barlowColumns,
        knobs: columnKnobs(columns),
        params: { rows, columns, epsilon: attributes.epsilon },
        bindings: {
          z: { kind: "input", index: 0 },
          y: { kind: "output", index: 0 },
          inverse_std: { kind: "output", index: 1 },
          shortfall: { kind: "output", index: 2 },
        },
      },
    ];
  },
};

export interface VicregAttributes {
  /** Weight of Σ (z − z')² (mean folded in). */
  readonly invariance: number;
  /** Weight of one dimension's hinge in one view. */
  readonly variance: number;
  /** Weight of one squared off-diagonal entry of one view's covariance. */
  readonly covariance: number;
  /** Added to the variance under the root. */
  readonly epsilon: number;
}

/** Input: both views, [2, rows, d]. Outputs: loss [1]; centred views, slopes of the hinge [2, d], residual [2, d, d] for the cotangent. */
export const vicregOp: OpDefinition<VicregAttributes> = {
  name: "vicreg",
  infer(inputs) {
    requireInputs("vicreg", inputs, 1);
    requireF32("vicreg", inputs);
    const { shape } = operand(inputs, 0);
    const [views, rows = 0, d = 1] = shape;
    if (shape.length !== 3 || views !== 2 || rows < 2) {
      throw shapeError("vicreg", inputs, "needs two views of at least two rows", "Stack the views as [2, rows, d].");
    }
    return [
      { shape: [1], dtype: "f32" },
      { shape, dtype: "f32" },
      { shape: [2, d], dtype: "f32" },
      { shape: [2, d, d], dtype: "f32" },
    ];
  },
  flops(inputs) {
    const { rows, columns: d } = asMatrices(operand(inputs, 0));
    return 12 * rows * d + 4 * rows * d * d + 8 * d * d;
  },
  lower({ inputs, attributes, target }) {
    const { rows, columns: d } = asMatrices(operand(inputs, 0));
    const centered: Operand = { kind: "output", index: 1 };
    const terms: Operand = { kind: "scratch", name: "terms", elements: d };
    const covariance: Operand = { kind: "scratch", name: "covariance", elements: 2 * d * d };
    const columns: KernelCall = {
      kernel: vicregColumns,
      knobs: columnKnobs(d),
      params: {
        rows,
        columns: d,
        epsilon: attributes.epsilon,
        invariance: attributes.invariance,
        variance: attributes.variance,
      },
      bindings: { z: { kind: "input", index: 0 }, centered, slope: { kind: "output", index: 2 }, terms },
    };
    const view = { shape: [2, rows, d], dtype: "f32", offset: 0 } as const;
    const products = matmulOp.lower({
      inputs: [view, view],
      outputs: [{ shape: [2, d, d], dtype: "f32", offset: 0 }],
      attributes: {
        transposeA: true,
        transposeB: false,
        scale: 1 / (rows - 1),
        hasBias: false,
        hasAddend: false,
        relu: false,
      },
      target,
    });
    return [
      columns,
      ...products.map((call) => ({ ...call, bindings: { ...call.bindings, a: centered, b: centered, y: covariance } })),
      ...penaltyCalls(
        d,
        2,
        { diagonal: 0, target: 0, offDiagonal: attributes.covariance },
        { c: covariance, residual: { kind: "output", index: 3 }, terms: { from: terms, count: d } },
      ),
    ];
  },
};

/** Inputs: z, centred views, slopes of the hinge. Output: the gradient of invariance and variance terms, [2, rows, d]. */
export const vicregPullOp: OpDefinition<Pick<VicregAttributes, "invariance">> = {
  name: "vicregPull",
  infer(inputs) {
    requireInputs("vicregPull", inputs, 3);
    return [{ shape: operand(inputs, 0).shape, dtype: "f32" }];
  },
  flops: (inputs) => 4 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes }) {
    const { rows, columns } = asMatrices(operand(inputs, 0));
    return [
      {
        kernel: vicregPull,
        knobs: { WG: 64 },
        params: { count: rows * columns, columns, invariance: attributes.invariance },
        bindings: {
          z: { kind: "input", index: 0 },
          centered: { kind: "input", index: 1 },
          slope: { kind: "input", index: 2 },
          e: { kind: "output", index: 0 },
        },
      },
    ];
  },
};
