/** Cotangents of the building blocks of self-supervised losses. Their further outputs serve these rules and have none of their own. */
import { asMatrices, operand } from "../ops/opDefinition.ts";
import { type DistanceContrastAttributes, distanceContrastGradOp } from "../ops/sslDistance.ts";
import { type CosineAttributes, cosineGradOp, l2NormalizeGradOp } from "../ops/sslNormalize.ts";
import { type VicregAttributes, vicregPullOp } from "../ops/sslPenalty.ts";
import { type SimilarityAttributes, similarityGradOp } from "../ops/sslSimilarity.ts";
import { standardizeGradOp } from "../ops/standardize.ts";
import { add, matmul, multiply, scale } from "./functions.ts";
import type { Node, Tensor } from "./graph.ts";

type Cotangents = readonly (Tensor | undefined)[];

export function l2NormalizeVjp(node: Node, [dY]: Cotangents): Cotangents {
  if (!dY) return [];
  const { shape } = operand(node.inputs, 0);
  return [operand(dY.graph.add(l2NormalizeGradOp, [dY, ...node.outputs], { shape }), 0)];
}

export function cosineVjp(node: Node, [dLoss]: Cotangents, needs: readonly boolean[]): Cotangents {
  if (!dLoss) return [];
  const both = needs[1] ?? false;
  const inputs = [...node.inputs, operand(node.outputs, 1)];
  const attributes = { ...(node.attributes as CosineAttributes), both };
  return dLoss.graph.add(cosineGradOp, inputs, attributes).map((gradient) => multiply(gradient, dLoss));
}

/** The tensor that weights are made from gets nothing: they are constants of the loss. */
export function similarityVjp(node: Node, [dLoss]: Cotangents): Cotangents {
  if (!dLoss) return [];
  const [u, ...weightsFrom] = node.inputs;
  const inputs = [...(u ? [u] : []), operand(node.outputs, 1), ...weightsFrom];
  const gradient = dLoss.graph.add(similarityGradOp, inputs, node.attributes as SimilarityAttributes);
  return [multiply(operand(gradient, 0), dLoss)];
}

/** As `standardize`: derivatives flow through means and variances of both views. */
export function barlowColumnsVjp(node: Node, [dY]: Cotangents): Cotangents {
  if (!dY) return [];
  const [y, inverseStd] = [operand(node.outputs, 0), operand(node.outputs, 1)];
  return [operand(dY.graph.add(standardizeGradOp, [dY, y, inverseStd], {}), 0)];
}

export function matrixPenaltyVjp(node: Node, [dLoss]: Cotangents): Cotangents {
  if (!dLoss) return [];
  return [scale(multiply(operand(node.outputs, 1), dLoss), 2)];
}

/**
 * dz = pull + 4/(rows − 1)·zc·R with R half the derivative by the (symmetric) covariance. Centring zc·R would change nothing: the columns
 * of zc sum to zero, hence those of zc·R.
 */
export function vicregVjp(node: Node, [dLoss]: Cotangents): Cotangents {
  if (!dLoss) return [];
  const z = operand(node.inputs, 0);
  const [centered, slope, residual] = [operand(node.outputs, 1), operand(node.outputs, 2), operand(node.outputs, 3)];
  const { invariance } = node.attributes as VicregAttributes;
  const pull = operand(dLoss.graph.add(vicregPullOp, [z, centered, slope], { invariance }), 0);
  const { rows } = asMatrices(z);
  return [multiply(add(matmul(centered, residual, { scale: 4 / (rows - 1) }), pull), dLoss)];
}

export function distanceContrastVjp(node: Node, [dLoss]: Cotangents): Cotangents {
  if (!dLoss) return [];
  const slopes = multiply(operand(node.outputs, 1), dLoss);
  const { groups } = node.attributes as DistanceContrastAttributes;
  return dLoss.graph.add(distanceContrastGradOp, [...node.inputs, slopes], { groups });
}
