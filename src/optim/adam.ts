/** Adam and AdamW over the flat parameter buffer. */
import type { Graph, Tensor } from "../autodiff/graph.ts";
import { adamOp } from "../ops/optimisers.ts";
import { optimizerError } from "./optimizerError.ts";
import { addFactors, type ClipOptions, lastNode, type OptimizerOptions, type OptimizerUpdate } from "./update.ts";

export interface AdamOptions extends OptimizerOptions, ClipOptions {
  /** 0.9 unless given. */
  readonly beta1?: number;
  /** 0.999 unless given. */
  readonly beta2?: number;
  /** Added to the root of the second moment; 1e-8 unless given. */
  readonly epsilon?: number;
}

/** Adam (Kingma & Ba 2015); weight decay is added to the gradient, as PyTorch's Adam. See `adamw`. */
export function adam(graph: Graph, loss: Tensor, stepState: Tensor, options: AdamOptions = {}): OptimizerUpdate {
  return addAdam(graph, loss, stepState, options, false);
}

/**
 * AdamW (Loshchilov & Hutter 2019) in PyTorch's form: p ← (1 − rate·decay)·p, then Adam's step. Adds the backward graph of `loss` and two
 * dispatches, three with clipping. The bias corrections count the steps of the step state.
 *
 * @throws EngineError CONFIG-OPTIMIZER for a number out of range
 */
export function adamw(graph: Graph, loss: Tensor, stepState: Tensor, options: AdamOptions = {}): OptimizerUpdate {
  return addAdam(graph, loss, stepState, options, true);
}

function addAdam(
  graph: Graph,
  loss: Tensor,
  stepState: Tensor,
  options: AdamOptions,
  isDecoupled: boolean,
): OptimizerUpdate {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
  for (const [name, beta] of [
    ["beta1", beta1],
    ["beta2", beta2],
  ] as const) {
    if (!(beta > 0 && beta < 1)) throw optimizerError(name, `${name} is ${beta}`, "Choose it between 0 and 1.");
  }
  if (!(epsilon > 0)) throw optimizerError("epsilon", `epsilon is ${epsilon}`, "Give a positive number.");
  const betas = [beta1, beta2] as const;
  const added = addFactors(graph, loss, stepState, { rule: "adam", options, betas, isDecoupled });
  const { gradients, factors, blocks, inputs } = added;
  const state = ["firstMoment", "secondMoment"];
  const moments = state.map((name) => graph.state(name, [graph.parameterElements]));
  const operands = [factors, blocks, gradients, graph.allParameters(), ...moments];
  graph.add(adamOp, operands, { beta1, beta2, epsilon, isDecoupled });
  return { node: lastNode(graph), gradients, inputs, state };
}
