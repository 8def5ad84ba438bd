/** Stochastic gradient descent with momentum over the flat parameter buffer: one dispatch for all parameters. */

import type { Graph, Tensor } from "../autodiff/graph.ts";
import { momentumUpdateOp } from "../ops/optimisers.ts";
import { sgdOp } from "../ops/update.ts";
import { optimizerError } from "./optimizerError.ts";
import {
  addFactors,
  type ClipOptions,
  flatGradients,
  lastNode,
  type OptimizerOptions,
  type OptimizerUpdate,
} from "./update.ts";

export type { OptimizerUpdate } from "./update.ts";

export interface SgdOptions extends OptimizerOptions, ClipOptions {
  /** 0 … below 1; 0 unless given. */
  readonly momentum?: number;
  /** Nesterov's momentum in PyTorch's form, p ← p − rate·(d + momentum·v). */
  readonly nesterov?: boolean;
}

/**
 * Adds the backward graph of `loss` and the update of all parameters of the graph:
 * d = g + decay·p, v ← momentum·v + d, p ← p − rate·v (Polyak 1964; PyTorch's SGD without dampening); the rate is read from the step state
 * on the GPU. A dispatch more for decay, groups or a schedule, two for clipping.
 *
 * @throws EngineError CONFIG-OPTIMIZER for a number out of range
 */
export function sgd(graph: Graph, loss: Tensor, stepState: Tensor, options: SgdOptions = {}): OptimizerUpdate {
  const { momentum = 0, nesterov = false } = options;
  requireMomentum(momentum, nesterov);
  const isPlain =
    !nesterov &&
    (options.weightDecay ?? 0) === 0 &&
    (options.groups ?? []).length === 0 &&
    options.clipNorm === undefined &&
    (options.schedule ?? { kind: "constant" }).kind === "constant";
  if (isPlain) {
    const gradients = flatGradients(graph, loss);
    const velocity = velocityState(graph, momentum);
    graph.add(sgdOp, [stepState, gradients, graph.allParameters(), velocity], { momentum });
    return { node: lastNode(graph), gradients, inputs: {}, state: momentum === 0 ? [] : ["velocity"] };
  }
  const { gradients, factors, blocks, inputs } = addFactors(graph, loss, stepState, { rule: "sgd", options });
  const operands = [factors, blocks, gradients, graph.allParameters(), velocityState(graph, momentum)];
  graph.add(momentumUpdateOp, operands, { momentum, nesterov, isRateInside: false });
  return { node: lastNode(graph), gradients, inputs, state: momentum === 0 ? [] : ["velocity"] };
}

/** Without momentum the velocity is bound but never read: a token buffer serves. */
export function velocityState(graph: Graph, momentum: number): Tensor {
  return graph.state("velocity", [momentum === 0 ? 4 : graph.parameterElements]);
}

/** @throws EngineError CONFIG-OPTIMIZER */
export function requireMomentum(momentum: number, nesterov: boolean): void {
  if (!(momentum >= 0 && momentum < 1)) {
    throw optimizerError("momentum", `momentum is ${momentum}`, "Choose it from 0 to below 1.");
  }
  if (nesterov && momentum === 0) {
    throw optimizerError("nesterov", "Nesterov's form is asked for without momentum", "Give a momentum above 0.");
  }
}
