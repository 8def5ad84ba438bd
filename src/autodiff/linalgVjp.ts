/** Cotangents of decompositions and functions of symmetric matrices. */
import { EngineError } from "../errors.ts";
import { type EighAttributes, eighOp } from "../ops/eigh.ts";
import { asMatrices, operand } from "../ops/opDefinition.ts";
import { type SvdAttributes, svdOp } from "../ops/svd.ts";
import { eighGradOp, type SymmetricPowerAttributes, symmetricPowerGradOp } from "../ops/symmetric.ts";
import { constant, matmul, multiply, reshape } from "./functions.ts";
import type { Node, Tensor } from "./graph.ts";
import { eigenvalueGap } from "./linalg.ts";

/** V·M·Vᵀ. */
function conjugate(vectors: Tensor, middle: Tensor): Tensor {
  return matmul(matmul(vectors, middle), vectors, { transposeB: true });
}

/** dA = V·(diag(dλ) + ½(F∘C + (F∘C)ᵀ))·Vᵀ, C = Vᵀ·dV, F_ij = 1/(λ_j − λ_i) (shaders/linalg/eigh_grad.wgsl). */
export function eighVjp(node: Node, cotangents: readonly (Tensor | undefined)[]): readonly (Tensor | undefined)[] {
  const [dValues, , dVectors] = cotangents;
  if (!dValues && !dVectors) return [];
  const a = operand(node.inputs, 0);
  const { vectors: hasVectors } = node.attributes as EighAttributes;
  // Eigenvalues alone were asked for: their derivative needs the vectors, hence a solve of its own.
  const solved = hasVectors ? node.outputs : a.graph.add(eighOp, [a], { vectors: true });
  const [values, vectors] = [operand(solved, 0), operand(solved, 2)];
  const products = dVectors ? [matmul(vectors, dVectors, { transposeA: true })] : [];
  const middle = a.graph.add(eighGradOp, [values, ...(dValues ? [dValues] : []), ...products], {
    hasValues: dValues !== undefined,
    hasVectors: dVectors !== undefined,
    gap: eigenvalueGap(asMatrices(a).rows),
  });
  return [conjugate(vectors, operand(middle, 0))];
}

/** dZ = U diag(dσ) Vᵀ. @throws EngineError GRAPH-NO-VJP for cotangents of the singular vectors */
export function svdVjp(node: Node, cotangents: readonly (Tensor | undefined)[]): readonly (Tensor | undefined)[] {
  const [dValues, , ...dVectors] = cotangents;
  if (dVectors.some((cotangent) => cotangent !== undefined)) {
    throw new EngineError({
      code: "GRAPH-NO-VJP",
      message: `${node.label}: singular vectors are not differentiable`,
      fix: "Differentiate through singularValues, or through eigh of ZᵀZ or Z·Zᵀ.",
      where: node.label,
    });
  }
  if (!dValues) return [];
  const z = operand(node.inputs, 0);
  const { left, right } = node.attributes as SvdAttributes;
  const solved = left && right ? node.outputs : z.graph.add(svdOp, [z], { left: true, right: true });
  const [v, u] = [operand(solved, 2), operand(solved, 3)];
  const { batch, rows } = asMatrices(u);
  const k = u.shape.at(-1) ?? 1;
  const scaled = batch === 1 ? multiply(reshape(u, [rows, k]), reshape(dValues, [k])) : scaleColumns(u, dValues);
  return [matmul(reshape(scaled, u.shape), v, { transposeB: true })];
}

/** Column j of each matrix times factor j of that matrix. */
function scaleColumns(x: Tensor, factors: Tensor): Tensor {
  const { batch, rows, columns } = asMatrices(x);
  const ones = matmul(constant(x.graph, [batch, rows, 1], 1), reshape(factors, [batch, 1, columns]));
  return multiply(reshape(x, [batch, rows, columns]), ones);
}

/** dA = V·M·Vᵀ with M from G = Vᵀ·dY·V (shaders/linalg/symmetric_power_grad.wgsl). */
export function symmetricPowerVjp(node: Node, [dY]: readonly (Tensor | undefined)[]): readonly (Tensor | undefined)[] {
  if (!dY) return [];
  const [values, vectors] = [operand(node.inputs, 1), operand(node.inputs, 2)];
  const g = matmul(matmul(vectors, dY, { transposeA: true }), vectors);
  const middle = dY.graph.add(symmetricPowerGradOp, [values, g], node.attributes as SymmetricPowerAttributes);
  return [conjugate(vectors, operand(middle, 0))];
}
