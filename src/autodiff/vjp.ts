/** One rule per op: from the cotangents of a node's outputs to those of its inputs, as graph functions. */
import { EngineError } from "../errors.ts";
import type { CrossCorrelationAttributes } from "../ops/crossCorrelation.ts";
import { type AffineAttributes, type BinaryAttributes, binaryOp, broadcastOf } from "../ops/elementwise.ts";
import type { MatmulAttributes } from "../ops/matmul.ts";
import type { ConcatAttributes } from "../ops/memory.ts";
import { asMatrices, operand } from "../ops/opDefinition.ts";
import type { ReduceRowsAttributes } from "../ops/reduce.ts";
import { type StandardizeAttributes, standardizeGradOp } from "../ops/standardize.ts";
import { geluVjp } from "./activations.ts";
import { softmaxCrossEntropyVjp } from "./classification.ts";
import { conv2dDataGradVjp, conv2dVjp, conv2dWeightGradVjp } from "./convVjp.ts";
import {
  add,
  center,
  constant,
  matmul,
  multiply,
  reshape,
  scale,
  sum,
  sumOverColumns,
  sumOverRows,
} from "./functions.ts";
import type { Node, Tensor } from "./graph.ts";
import { batchContrastVjp, locallyConnectedVjp } from "./hltm.ts";
import { eighVjp, svdVjp, symmetricPowerVjp } from "./linalgVjp.ts";
import { batchNormVjp, layerNormVjp } from "./normVjp.ts";
import { averagePoolVjp, maxPoolVjp } from "./poolVjp.ts";
import {
  barlowColumnsVjp,
  cosineVjp,
  distanceContrastVjp,
  l2NormalizeVjp,
  matrixPenaltyVjp,
  similarityVjp,
  vicregVjp,
} from "./sslVjp.ts";

/** Cotangents by input; undefined where the input does not influence the outputs or `needs` says it is not wanted. */
export type VjpRule = (
  node: Node,
  cotangents: readonly (Tensor | undefined)[],
  needs: readonly boolean[],
) => readonly (Tensor | undefined)[];

/** @throws EngineError GRAPH-NO-VJP for an op without a rule */
export function vjpRule(node: Node): VjpRule {
  const rule = RULES[node.op.name];
  if (rule) return rule;
  throw new EngineError({
    code: "GRAPH-NO-VJP",
    message: `${node.label}: the op ${node.op.name} has no derivative`,
    fix: "Differentiate through ops with a rule in src/autodiff/vjp.ts only.",
    where: node.label,
  });
}

const RULES: Readonly<Record<string, VjpRule>> = {
  matmul: matmulVjp,
  binary: binaryVjp,
  affine: affineVjp,
  copy: (_node, [dY]) => [dY],
  fill: () => [],
  random: () => [],
  sumOverRows: sumOverRowsVjp,
  sumOverColumns: sumOverColumnsVjp,
  standardize: standardizeVjp,
  crossCorrelation: crossCorrelationVjp,
  frobeniusIdentity: frobeniusIdentityVjp,
  concat: concatVjp,
  eigh: eighVjp,
  svd: svdVjp,
  symmetricPower: symmetricPowerVjp,
  softmaxCrossEntropy: softmaxCrossEntropyVjp,
  l2Normalize: l2NormalizeVjp,
  cosine: cosineVjp,
  similarity: similarityVjp,
  barlowColumns: barlowColumnsVjp,
  matrixPenalty: matrixPenaltyVjp,
  vicreg: vicregVjp,
  distanceContrast: distanceContrastVjp,
  conv2d: conv2dVjp,
  conv2dDataGrad: conv2dDataGradVjp,
  conv2dWeightGrad: conv2dWeightGradVjp,
  batchNorm: batchNormVjp,
  layerNorm: layerNormVjp,
  maxPool: maxPoolVjp,
  averagePool: averagePoolVjp,
  gelu: geluVjp,
  locallyConnected: locallyConnectedVjp,
  batchContrast: batchContrastVjp,
};

/** Y = s·op(A)·op(B): dA = s·dY·op(B)ᵀ, dB = s·op(A)ᵀ·dY, each transposed as its operand is stored. */
function matmulVjp(node: Node, [dY]: readonly (Tensor | undefined)[], needs: readonly boolean[]) {
  if (!dY) return [];
  const { transposeA, transposeB, scale: factor } = node.attributes as MatmulAttributes;
  const [a, b] = [operand(node.inputs, 0), operand(node.inputs, 1)];
  // A plain B under a batched A acts on all rows at once; so do the products of the cotangents.
  const isShared = asMatrices(a).batch !== asMatrices(b).batch;
  const flat = (x: Tensor): Tensor =>
    isShared ? reshape(x, [x.elements / (x.shape.at(-1) ?? 1), x.shape.at(-1) ?? 1]) : x;
  const dYFlat = flat(dY);
  const dA = () =>
    transposeA
      ? matmul(b, dYFlat, { transposeA: transposeB, transposeB: true, scale: factor })
      : matmul(dYFlat, b, { transposeB: !transposeB, scale: factor });
  const dB = () =>
    transposeB
      ? matmul(dYFlat, flat(a), { transposeA: true, transposeB: transposeA, scale: factor })
      : matmul(flat(a), dYFlat, { transposeA: !transposeA, scale: factor });
  return [needs[0] ? reshape(dA(), a.shape) : undefined, needs[1] ? reshape(dB(), b.shape) : undefined];
}

/** Sums a cotangent of a's shape down to b's, where b was broadcast. */
function unbroadcast(dY: Tensor, a: Tensor, b: Tensor): Tensor {
  const columns = a.shape.at(-1) ?? 1;
  switch (broadcastOf(a, b)) {
    case "scalar":
      return reshape(sum(dY), b.shape);
    case "row":
      return reshape(sumOverRows(reshape(dY, [dY.elements / columns, columns])), b.shape);
    case "column":
      return reshape(sumOverColumns(dY), b.shape);
    default:
      return dY;
  }
}

function binaryVjp(node: Node, [dY]: readonly (Tensor | undefined)[], needs: readonly boolean[]) {
  if (!dY) return [];
  const { kind, alpha, beta } = node.attributes as BinaryAttributes;
  const [a, b] = [operand(node.inputs, 0), operand(node.inputs, 1)];
  if (kind === "add") {
    return [needs[0] ? scale(dY, alpha) : undefined, needs[1] ? unbroadcast(scale(dY, beta), a, b) : undefined];
  }
  if (kind === "reluGrad") {
    // Piecewise linear in its first operand; the mask does not move.
    return [needs[0] ? scale(reluMask(dY, b), alpha) : undefined, undefined];
  }
  const factor = alpha * beta;
  return [
    needs[0] ? scale(multiply(dY, b), factor) : undefined,
    needs[1] ? unbroadcast(scale(multiply(dY, a), factor), a, b) : undefined,
  ];
}

/** dY where y > 0, else 0. */
function reluMask(dY: Tensor, y: Tensor): Tensor {
  return operand(dY.graph.add(binaryOp, [dY, y], { kind: "reluGrad", alpha: 1, beta: 1 }, "reluGrad"), 0);
}

function affineVjp(node: Node, [dY]: readonly (Tensor | undefined)[]) {
  if (!dY) return [];
  const { alpha, relu } = node.attributes as AffineAttributes;
  return [scale(relu ? reluMask(dY, operand(node.outputs, 0)) : dY, alpha)];
}

/** Spreads a row over the rows of a matrix: ones · dY. */
function sumOverRowsVjp(node: Node, [dY]: readonly (Tensor | undefined)[]) {
  if (!dY) return [];
  const x = operand(node.inputs, 0);
  const { batch, rows, columns } = asMatrices(x);
  const { scale: factor } = node.attributes as { readonly scale: number };
  const zeros = constant(x.graph, [batch, rows, columns], 0);
  if (batch === 1) return [reshape(add(zeros, reshape(dY, [columns]), 1, factor), x.shape)];
  // For a batch, column j of matrix g is one entry per (g, j): ones [rows, 1] · dY [batch, 1, columns].
  const ones = constant(x.graph, [batch, rows, 1], 1);
  return [reshape(matmul(ones, reshape(dY, [batch, 1, columns]), { scale: factor }), x.shape)];
}

function sumOverColumnsVjp(node: Node, [dY]: readonly (Tensor | undefined)[]) {
  if (!dY) return [];
  const x = operand(node.inputs, 0);
  const { square, scale: factor } = node.attributes as ReduceRowsAttributes;
  const columns = x.shape.at(-1) ?? 1;
  const matrix = reshape(x, [x.elements / columns, columns]);
  const column = reshape(dY, [x.elements / columns, 1]);
  // The scalar rule of multiply folds a constant cotangent into the scale.
  const spread = square
    ? multiply(scale(matrix, 2 * factor), column)
    : add(constant(x.graph, matrix.shape, 0), column, 1, factor);
  return [reshape(spread, x.shape)];
}

function standardizeVjp(node: Node, [dY]: readonly (Tensor | undefined)[]) {
  if (!dY) return [];
  const { standardize } = node.attributes as StandardizeAttributes;
  // Centring is an orthogonal projection, hence its own adjoint.
  if (!standardize) return [center(dY)];
  const outputs = [operand(node.outputs, 0), operand(node.outputs, 1)];
  return [operand(dY.graph.add(standardizeGradOp, [dY, ...outputs], {}), 0)];
}

/** C = s·Aᵀ·B: dA = s·B·dCᵀ, dB = s·A·dC. Symmetric: with G = (dC + dCᵀ)/2, dA = s·B·G and dB = s·A·G. */
function crossCorrelationVjp(node: Node, [dC]: readonly (Tensor | undefined)[], needs: readonly boolean[]) {
  if (!dC) return [];
  const { scale: factor, symmetric } = node.attributes as CrossCorrelationAttributes;
  const [a, b] = [operand(node.inputs, 0), operand(node.inputs, 1)];
  if (!symmetric) {
    return [
      needs[0] ? matmul(b, dC, { transposeB: true, scale: factor }) : undefined,
      needs[1] ? matmul(a, dC, { scale: factor }) : undefined,
    ];
  }
  const timesG = (z: Tensor): Tensor =>
    isSymmetric(dC)
      ? matmul(z, dC, { scale: factor })
      : add(matmul(z, dC, { scale: factor / 2 }), matmul(z, dC, { transposeB: true, scale: factor / 2 }));
  return [needs[0] ? timesG(b) : undefined, needs[1] ? timesG(a) : undefined];
}

/** True when a matrix is symmetric by construction. */
export function isSymmetric(x: Tensor): boolean {
  const node = x.node;
  if (!node) return false;
  if (node.op.name === "crossCorrelation") return (node.attributes as CrossCorrelationAttributes).symmetric;
  if (["frobeniusIdentity", "matrixPenalty", "affine"].includes(node.op.name))
    return isSymmetric(operand(node.inputs, 0));
  return false;
}

function frobeniusIdentityVjp(node: Node, [dLoss, dResidual]: readonly (Tensor | undefined)[]) {
  if (dResidual) {
    throw new EngineError({
      code: "GRAPH-NO-VJP",
      message: `${node.label}: the residual output is not differentiable`,
      fix: "Use the loss output.",
      where: node.label,
    });
  }
  if (!dLoss) return [];
  return [scale(multiply(operand(node.outputs, 1), dLoss), 2)];
}

function concatVjp(node: Node, [dY]: readonly (Tensor | undefined)[]) {
  if (!dY) return [];
  const { offsets } = node.attributes as ConcatAttributes;
  return node.inputs.map((input, index) => dY.graph.view(dY, input.shape, operand(offsets, index)));
}
