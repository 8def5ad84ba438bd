/** Stochastic gradient descent with heavy-ball momentum over the flat parameter buffer: one dispatch for all parameters. */

import { pack } from "../autodiff/functions.ts";
import { grad } from "../autodiff/grad.ts";
import type { Graph, Node, Tensor } from "../autodiff/graph.ts";
import { sgdOp } from "../ops/update.ts";

export interface SgdOptions {
  /** 0 … below 1. */
  readonly momentum?: number;
}

export interface OptimizerUpdate {
  /** The update's node, a root of the program that trains. */
  readonly node: Node;
  /** All gradients in one tensor, laid out like the parameters; keep it in a buffer of its own, whose gaps stay zero. */
  readonly gradients: Tensor;
}

/**
 * Adds the backward graph of `loss` and the update of all parameters of the graph:
 * v ← momentum·v + g, p ← p − learning rate·v (Polyak 1964); the learning rate is read from the step state on the GPU.
 */
export function sgd(graph: Graph, loss: Tensor, stepState: Tensor, options: SgdOptions = {}): OptimizerUpdate {
  const momentum = options.momentum ?? 0;
  const parameters = graph.leaves.filter((leaf) => leaf.leaf?.role === "parameter");
  const segments = graph.segments;
  const gradients = pack(
    graph,
    grad(loss, parameters),
    segments.map((segment) => segment.offset),
    [graph.parameterElements],
  );
  // Without momentum the velocity is bound but never read: a token buffer serves.
  const velocity = graph.state("velocity", [momentum === 0 ? 4 : graph.parameterElements]);
  graph.add(sgdOp, [stepState, gradients, graph.allParameters(), velocity], { momentum });
  const node = graph.nodes.at(-1);
  if (!node) throw new Error("unreachable: the node was just added");
  return { node, gradients };
}
