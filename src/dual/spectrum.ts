/**
 * Spectrum of a covariance operator OP_l = Σ_r (Σ_i C_ri K_l(x_i)) (Σ_j C_rj K_l(x_j))ᵀ from its factors: with A = CᵀC its eigenvalues other
 * than zero are those of the Gram matrix of the factors, order n_L·R whatever the size of the layer. K = f ⊗ Jᵀ makes that matrix from the
 * products of inputs and of Jacobians alone.
 */
import { concat, constant, matmul, reshape, slice } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { eigh } from "../autodiff/linalg.ts";
import { l2Normalize } from "../autodiff/ssl.ts";
import { EngineError } from "../errors.ts";
import { MAX_EIGH_ORDER } from "../linalg/eighCalls.ts";
import { connectionGramOp } from "../ops/connectionGram.ts";
import { operand } from "../ops/opDefinition.ts";
import { type Connection, identity, spread } from "./connection.ts";

/** Gram matrix of a layer's factors. */
export interface OperatorGram {
  /** Symmetric, [order, order]. */
  readonly matrix: Tensor;
  /** Times that every eigenvalue of it occurs in the operator: n_L at the last layer, whose operator is Cov(f_{L−1}) ⊗ I; else 1. */
  readonly multiplicity: number;
}

/** Order of the Gram matrix of R contrasts. @throws EngineError DUAL-ORDER when the eigen-solver does not take it */
export function requireGramOrder(contrasts: number, outputs: number): number {
  const order = contrasts * outputs;
  if (order <= MAX_EIGH_ORDER) return order;
  throw new EngineError({
    code: "DUAL-ORDER",
    message: `The spectrum of an operator of ${contrasts} contrasts and ${outputs} outputs needs eigenvalues of order ${order}; the eigen-solver takes ${MAX_EIGH_ORDER}`,
    fix: `Use at most ${Math.floor(MAX_EIGH_ORDER / outputs) + 1} images a batch, or fewer outputs.`,
    where: "operator",
    detail: { contrasts, outputs, order, maxOrder: MAX_EIGH_ORDER },
  });
}

/**
 * @param contrasts C, [R, N]
 * @returns rows and columns (o, r), output by output; at the last layer rows and columns r of one output
 */
export function operatorGram(connection: Connection, contrasts: Tensor): OperatorGram {
  const { inputs, jacobian, samples, outputs, layer } = connection;
  const [count = 1] = contrasts.shape;
  return inputs.graph.scope(`gram ${layer}`, () => {
    const ff = matmul(inputs, inputs, { transposeB: true });
    if (!jacobian) {
      const right = matmul(ff, contrasts, { transposeB: true });
      return { matrix: matmul(contrasts, right), multiplicity: outputs };
    }
    const rows = reshape(jacobian, [outputs * samples, jacobian.shape[2] ?? 1]);
    const jj = matmul(rows, rows, { transposeB: true });
    const all = operand(inputs.graph.add(connectionGramOp, [jj, ff], {}), 0);
    const right = matmul(reshape(all, [outputs * samples * outputs, samples]), contrasts, { transposeB: true });
    const left = matmul(constant(inputs.graph, [outputs, 1], 1), reshape(contrasts, [1, contrasts.elements]));
    const both = matmul(reshape(left, [outputs, count, samples]), reshape(right, [outputs, samples, outputs * count]));
    return { matrix: reshape(both, [outputs * count, outputs * count]), multiplicity: 1 };
  });
}

export interface OperatorSpectrum {
  /** Of the Gram matrix, descending, [order]; each `multiplicity` times in the operator. */
  readonly values: Tensor;
  /** Leading eigenvectors of the operator as unit rows, [K, n_l·n_{l−1}]. */
  readonly vectors: Tensor;
}

/**
 * Eigenvalues of OP_l and its K leading eigenvectors, v_k ∝ Σ_r u_k[(o, r)]·Σ_i C_ri K_l(x_i)^o with u_k those of the Gram matrix.
 * An eigenvalue of the last layer has n_L eigenvectors, one for each output.
 *
 * @param leading K, at least 1, at most the Gram matrix's order times its multiplicity
 */
export function operatorSpectrum(
  connection: Connection,
  { matrix, multiplicity }: OperatorGram,
  contrasts: Tensor,
  leading: number,
): OperatorSpectrum {
  const { samples, outputs, inputs, layer } = connection;
  const { graph } = matrix;
  return graph.scope(`spectrum ${layer}`, () => {
    const { values, vectors } = eigh(matrix);
    const distinct = Math.ceil(leading / multiplicity);
    const first = firstColumns(vectors, distinct);
    const [count = 1] = contrasts.shape;
    const rows: Tensor[] = [];
    if (multiplicity === 1) {
      const combined = matmul(reshape(first, [distinct * outputs, count]), contrasts);
      for (let k = 0; k < leading; k++) {
        const c = reshape(slice(combined, k * outputs, (k + 1) * outputs), [outputs, samples]);
        rows.push(reshape(spread(connection, c), [1, connection.weight.elements]));
      }
    } else {
      const directions = matmul(matmul(first, contrasts), inputs);
      for (let k = 0; k < leading; k++) {
        const direction = slice(directions, Math.floor(k / outputs), Math.floor(k / outputs) + 1);
        rows.push(atOutput(direction, k % outputs, outputs));
      }
    }
    return { values, vectors: l2Normalize(concat(rows)) };
  });
}

/** The first columns of a square matrix as rows, [count, n]. */
function firstColumns(matrix: Tensor, count: number): Tensor {
  const [n = 1] = matrix.shape;
  const { graph } = matrix;
  const unit = identity(graph, count);
  const rows = count < n ? concat([unit, constant(graph, [n - count, count], 0)]) : unit;
  return matmul(rows, matrix, { transposeA: true, transposeB: true });
}

/** A row of W's columns at one output, zeros at the others, [1, outputs·columns]. */
function atOutput(row: Tensor, output: number, outputs: number): Tensor {
  const columns = row.elements;
  const zeros = (rows: number) => (rows === 0 ? [] : [constant(row.graph, [rows * columns], 0)]);
  const parts = [...zeros(output), reshape(row, [columns]), ...zeros(outputs - 1 - output)];
  return reshape(concat(parts), [1, outputs * columns]);
}
