/** Activations with kernels of their own; ReLU is in functions.ts. */
import { geluGradOp, geluOp } from "../ops/gelu.ts";
import { operand } from "../ops/opDefinition.ts";
import type { Node, Tensor } from "./graph.ts";

/** x·Φ(x) with the normal distribution function, the exact form (PyTorch's default), elementwise. */
export function gelu(x: Tensor): Tensor {
  return operand(x.graph.add(geluOp, [x], {}), 0);
}

export function geluVjp(node: Node, [dY]: readonly (Tensor | undefined)[]) {
  return dY ? dY.graph.add(geluGradOp, [dY, operand(node.inputs, 0)], {}) : [];
}
