/** Classifiers on features as graph functions, and the cotangent of their loss. */
import { gatherRowsOp, softmaxCrossEntropyOp } from "../ops/classification.ts";
import { operand } from "../ops/opDefinition.ts";
import { multiply, scale } from "./functions.ts";
import type { Node, Tensor } from "./graph.ts";

/** Rows of x [rows, ..] at `indices` u32[n] → [n, ..], f32 or u32; indices must be below x's rows. Not differentiated. */
export function gatherRows(x: Tensor, indices: Tensor): Tensor {
  return operand(x.graph.add(gatherRowsOp, [x, indices], {}), 0);
}

/**
 * Mean over rows of −ln softmax(logits)[label], logits [rows, classes], labels u32[rows] below classes; shape [1].
 *
 * @throws EngineError GRAPH-SHAPE
 */
export function softmaxCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return operand(logits.graph.add(softmaxCrossEntropyOp, [logits, labels], {}), 0);
}

export function softmaxCrossEntropyVjp(
  node: Node,
  [dLoss]: readonly (Tensor | undefined)[],
): readonly (Tensor | undefined)[] {
  if (!dLoss) return [];
  const rows = operand(node.inputs, 0).shape[0] ?? 1;
  return [scale(multiply(operand(node.outputs, 1), dLoss), 1 / rows)];
}
