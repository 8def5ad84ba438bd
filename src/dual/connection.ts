/**
 * Connections K_l(x) = f_{l−1}(x) ⊗ J_l(x)ᵀ of all samples of a batch, kept as their two factors. With vec(W_l) row by row,
 * K_l(x)ᵀ·vec(W_l) = J_l W_l f_{l−1} is the output f_L(x) of a network without biases, at every layer.
 *
 * Vectors in output space are [n_L, N] here, output by output: gates and sums over outputs are then operations on rows.
 *
 * Source: Tian, Yu, Chen & Ganguli 2020 (arXiv 2010.00578v6)
 */
import { concat, constant, matmul, multiply, reshape, sumOverColumns, sumOverRows } from "../autodiff/functions.ts";
import type { Graph, Tensor } from "../autodiff/graph.ts";
import { binaryOp } from "../ops/elementwise.ts";
import { operand } from "../ops/opDefinition.ts";
import type { DualLayer, DualPass } from "./network.ts";

export interface Connection {
  /** l = 1 … L. */
  readonly layer: number;
  /** W_l, [n_l, n_{l−1}]. */
  readonly weight: Tensor;
  /** f_{l−1}, [N, n_{l−1}]. */
  readonly inputs: Tensor;
  /** J_l = d f_L / d (W_l f_{l−1}), [n_L, N, n_l]; undefined at the last layer, where it is the identity. */
  readonly jacobian: Tensor | undefined;
  /** N. */
  readonly samples: number;
  /** n_L. */
  readonly outputs: number;
}

/**
 * Connections of all layers, by back-propagating the n_L unit cotangents of every sample through the gates: two dispatches a layer.
 * With batch normalisation its statistics count as constants, so that samples stay apart; the coupling through them is left out.
 *
 * @returns l = 1 … L at index l − 1
 */
export function connections({ layers, outputs }: DualPass): Connection[] {
  const [samples = 1, width = 1] = outputs.shape;
  return outputs.graph.scope("connections", () => {
    const found: Connection[] = [];
    let jacobian: Tensor | undefined;
    for (let index = layers.length - 1; index >= 0; index--) {
      const layer = operand(layers, index);
      if (index < layers.length - 1) {
        jacobian = throughGate(throughWeights(jacobian, operand(layers, index + 1), samples), layer);
      }
      found.unshift({
        layer: index + 1,
        weight: layer.weight,
        inputs: layer.input,
        jacobian,
        samples,
        outputs: width,
      });
    }
    return found;
  });
}

/** J·W of the layer above, [n_L, N, n_l]. */
function throughWeights(jacobian: Tensor | undefined, { weight }: DualLayer, samples: number): Tensor {
  const [rows = 1, columns = 1] = weight.shape;
  if (jacobian) return matmul(jacobian, weight);
  // J is the identity: row o of W for every sample.
  const ones = constant(weight.graph, [rows, samples, 1], 1);
  return matmul(ones, reshape(weight, [rows, 1, columns]));
}

/** Zero where the ReLU's gate is closed; times the factor of batch normalisation. */
function throughGate(cotangents: Tensor, { activation, inverseStd }: DualLayer): Tensor {
  if (!activation) return cotangents;
  const [outputs = 1, samples = 1, width = 1] = cotangents.shape;
  const flat = reshape(cotangents, [outputs, samples * width]);
  const gates = reshape(activation, [samples * width]);
  const gated = operand(flat.graph.add(binaryOp, [flat, gates], { kind: "reluGrad", alpha: 1, beta: 1 }, "gate"), 0);
  if (!inverseStd) return reshape(gated, cotangents.shape);
  return reshape(multiply(reshape(gated, [outputs * samples, width]), inverseStd), cotangents.shape);
}

/**
 * K_l(x_i)ᵀ·vec(V) of every sample.
 *
 * @param v [n_l, n_{l−1}]
 * @returns [n_L, N]
 */
export function pull({ inputs, jacobian, samples, outputs }: Connection, v: Tensor): Tensor {
  if (!jacobian) return matmul(v, inputs, { transposeB: true });
  const width = jacobian.shape[2] ?? 1;
  const products = reshape(matmul(inputs, v, { transposeB: true }), [samples * width]);
  const terms = multiply(reshape(jacobian, [outputs, samples * width]), products);
  return reshape(sumOverColumns(reshape(terms, [outputs, samples, width])), [outputs, samples]);
}

/**
 * Σ_i K_l(x_i)·c_i, the transpose of `pull`.
 *
 * @param c [n_L, N]
 * @returns [n_l, n_{l−1}]
 */
export function spread({ inputs, jacobian, samples, outputs }: Connection, c: Tensor): Tensor {
  if (!jacobian) return matmul(c, inputs);
  const width = jacobian.shape[2] ?? 1;
  const terms = multiply(reshape(jacobian, [outputs * samples, width]), reshape(c, [outputs * samples, 1]));
  const sums = reshape(sumOverRows(reshape(terms, [outputs, samples * width])), [samples, width]);
  return matmul(sums, inputs, { transposeA: true });
}

/** The identity [n, n]. */
export function identity(graph: Graph, n: number): Tensor {
  const parts = Array.from({ length: n }, (_, row) => [
    constant(graph, [1], 1),
    ...(row < n - 1 ? [constant(graph, [n], 0)] : []),
  ]).flat();
  return reshape(concat(parts), [n, n]);
}
