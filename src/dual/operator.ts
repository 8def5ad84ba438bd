/**
 * The covariance operator OP_l = Σ_ij A_ij K_l(x_i) K_l(x_j)ᵀ of a layer, applied in factored form: as many operations as a backward pass,
 * nothing of the size (n_l·n_{l−1})². The dense matrix where it is asked for and fits.
 */
import { add, concat, constant, matmul, multiply, reshape, sumOverRows } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { EngineError } from "../errors.ts";
import { operand } from "../ops/opDefinition.ts";
import { type Connection, identity, pull, spread } from "./connection.ts";
import type { DualPass } from "./network.ts";

/** Directions of unit outputs: what stands between the towers when embeddings are f/‖f‖. */
export interface UnitOutputs {
  /** f/‖f‖, [n_L, N]. */
  readonly directions: Tensor;
  /** 1/‖f‖, [N]. */
  readonly inverseNorms: Tensor;
}

/** @returns undefined when the pass's embeddings are not normalised */
export function unitOutputs({ isNormalized, embeddings }: DualPass): UnitOutputs | undefined {
  const node = embeddings.node;
  if (!isNormalized || !node) return undefined;
  const { graph } = embeddings;
  const [samples = 1, outputs = 1] = embeddings.shape;
  // The normalisation's own (factor, slope) of each row; its first column.
  const first = concat([constant(graph, [1, 1], 1), constant(graph, [1, 1], 0)]);
  const inverseNorms = reshape(matmul(operand(node.outputs, 1), first), [samples]);
  return { directions: matmul(identity(graph, outputs), embeddings, { transposeB: true }), inverseNorms };
}

export interface ApplyOptions {
  /** For normalised embeddings: K_j/‖f_j‖ on the right, P_i·K_iᵀ/‖f_i‖ with P = I − f̂ f̂ᵀ on the left. Then the operator is not symmetric. */
  readonly unit?: UnitOutputs | undefined;
}

/**
 * OP_l·vec(V).
 *
 * @param pairs A, [N, N]
 * @param v     [n_l, n_{l−1}]
 * @returns [n_l, n_{l−1}]
 */
export function applyOperator(connection: Connection, pairs: Tensor, v: Tensor, { unit }: ApplyOptions = {}): Tensor {
  return v.graph.scope(`operator ${connection.layer}`, () => {
    const outputs = pull(connection, v);
    if (!unit) return spread(connection, matmul(outputs, pairs, { transposeB: true }));
    const { directions, inverseNorms } = unit;
    const mixed = matmul(multiply(outputs, inverseNorms), pairs, { transposeB: true });
    const along = sumOverRows(multiply(mixed, directions));
    const projected = add(mixed, multiply(directions, along), 1, -1);
    return spread(connection, multiply(projected, inverseNorms));
  });
}

/** Most entries of a dense operator beside the device's own limit: eigen-solvers end at order 2048. */
const MAX_DENSE_ORDER = 2048;

/**
 * Checks that a dense operator of a layer fits.
 *
 * @param maxBindingBytes largest storage binding of the device
 * @throws EngineError DUAL-DENSE with the numbers
 */
export function requireDense({ layer, weight }: Connection, maxBindingBytes: number): void {
  const [rows = 1, columns = 1] = weight.shape;
  const order = rows * columns;
  const bytes = 4 * order ** 2;
  if (order <= MAX_DENSE_ORDER && bytes <= maxBindingBytes) return;
  throw new EngineError({
    code: "DUAL-DENSE",
    message: `Layer ${layer} has ${rows} × ${columns} = ${order} weights; its dense operator would have ${order}² entries, ${mebibytes(bytes)}. A dense operator may have order ${MAX_DENSE_ORDER} and take ${mebibytes(maxBindingBytes)} on this device`,
    fix: "Use the factored operator, or narrower layers.",
    where: `layer ${layer}`,
    detail: { layer, order, bytes, maxOrder: MAX_DENSE_ORDER, maxBindingBytes },
  });
}

/**
 * OP_l as a matrix, [n_l·n_{l−1}, n_l·n_{l−1}], for small layers.
 *
 * @throws EngineError DUAL-DENSE when it is too large
 */
export function denseOperator(connection: Connection, pairs: Tensor, maxBindingBytes: number): Tensor {
  requireDense(connection, maxBindingBytes);
  const { weight, samples, outputs } = connection;
  const { graph } = weight;
  return graph.scope(`dense operator ${connection.layer}`, () => {
    const factor = columns(connection);
    const mixed = matmul(copies(pairs, outputs), factor);
    const flat = [outputs * samples, weight.elements];
    return matmul(reshape(factor, flat), reshape(mixed, flat), { transposeA: true });
  });
}

/**
 * Factor Φ of OP_l = ΦᵀΦ with A = CᵀC, for small layers: row (o, r) is Σ_i C_ri K_l(x_i)^o. Its singular values keep the digits of small
 * eigenvalues, σ², which a Gram matrix loses below 1e-7 of the largest.
 *
 * @param contrasts C, [R, N]
 * @returns [n_L·R, n_l·n_{l−1}]
 * @throws EngineError DUAL-DENSE when the connections of all samples do not fit
 */
export function operatorFactor(connection: Connection, contrasts: Tensor, maxBindingBytes: number): Tensor {
  const { samples, outputs, weight, layer } = connection;
  const bytes = 4 * outputs * samples * weight.elements;
  if (bytes > maxBindingBytes) {
    throw new EngineError({
      code: "DUAL-DENSE",
      message: `Connections of layer ${layer} as a matrix, ${outputs * samples} × ${weight.elements}, take ${mebibytes(bytes)}; the device binds ${mebibytes(maxBindingBytes)}`,
      fix: "Take eigenvalues from the Gram matrix (operatorGram), or use a smaller batch or layer.",
      where: `layer ${layer}`,
      detail: { layer, bytes, maxBindingBytes },
    });
  }
  return weight.graph.scope(`factor ${layer}`, () => {
    const factor = matmul(copies(contrasts, outputs), columns(connection));
    return reshape(factor, [(contrasts.shape[0] ?? 1) * outputs, weight.elements]);
  });
}

/** Columns of all connections as rows, [n_L, N, n_l·n_{l−1}]. */
function columns(connection: Connection): Tensor {
  const { inputs, samples, outputs, weight } = connection;
  const [rows = 1, width = 1] = weight.shape;
  const left = reshape(connection.jacobian ?? identityJacobian(connection), [outputs * samples, rows, 1]);
  const right = reshape(copies(inputs, outputs), [outputs * samples, 1, width]);
  return reshape(matmul(left, right), [outputs, samples, weight.elements]);
}

/** [count, …x]. */
function copies(x: Tensor, count: number): Tensor {
  const stacked = matmul(constant(x.graph, [count, 1], 1), reshape(x, [1, x.elements]));
  return reshape(stacked, [count, ...x.shape]);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

/** J of the last layer, [n_L, N, n_L]. */
function identityJacobian({ samples, outputs, weight: { graph } }: Connection): Tensor {
  const rows = reshape(identity(graph, outputs), [outputs, 1, outputs]);
  return matmul(constant(graph, [outputs, samples, 1], 1), rows);
}
