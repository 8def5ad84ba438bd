/** Cotangents of pooling. */
import { operand } from "../ops/opDefinition.ts";
import { averagePoolGradOp, maxPoolGradOp, type PoolAttributes } from "../ops/pool.ts";
import type { Node, Tensor } from "./graph.ts";

export function maxPoolVjp(node: Node, [dY]: readonly (Tensor | undefined)[]) {
  if (!dY) return [];
  const attributes = { ...(node.attributes as PoolAttributes), inputShape: operand(node.inputs, 0).shape };
  return dY.graph.add(maxPoolGradOp, [dY, operand(node.outputs, 1)], attributes);
}

export function averagePoolVjp(node: Node, [dY]: readonly (Tensor | undefined)[]) {
  if (!dY) return [];
  const attributes = { ...(node.attributes as PoolAttributes), inputShape: operand(node.inputs, 0).shape };
  return dY.graph.add(averagePoolGradOp, [dY], attributes);
}
