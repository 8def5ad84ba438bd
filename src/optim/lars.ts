/** LARS (You et al. 2017) in the variants of the self-supervised literature, which are not interchangeable. */
import type { Graph, Tensor } from "../autodiff/graph.ts";
import { momentumUpdateOp } from "../ops/optimisers.ts";
import { optimizerError } from "./optimizerError.ts";
import { requireMomentum, velocityState } from "./sgd.ts";
import { addFactors, lastNode, type OptimizerOptions, type OptimizerUpdate } from "./update.ts";

/**
 * Trust ratio q of a segment with weights p, gradient g and decay w, and where the rate enters:
 *
 * - `facebook`: q = eta‖p‖/‖g + w·p‖, 1 when a norm is 0; v ← m·v + q·(g + w·p), p ← p − rate·v. facebookresearch/barlowtwins and vicreg;
 *   DeepMind's BYOL.
 * - `lightly`: q = eta‖p‖/(‖g‖ + w‖p‖ + 1e-8), neither scaled nor decayed when a norm is 0; segments with w = 0 are not scaled. Also
 *   Lightning Bolts.
 * - `solo-learn`: the same ratio, also where w = 0; with `clipRate` min(q/rate, 1).
 * - `google`: the ratio of `facebook`, the rate inside the velocity: v ← m·v + rate·q·(g + w·p), p ← p − v. google-research/simclr.
 */
export type LarsVariant = "facebook" | "lightly" | "solo-learn" | "google";

export interface LarsOptions extends OptimizerOptions {
  readonly variant: LarsVariant;
  /** 0.9 unless given. */
  readonly momentum?: number;
  /** Trust coefficient; 0.001 unless given (solo-learn's CIFAR recipes: 0.02 with `clipRate`). */
  readonly eta?: number;
  /** `solo-learn` only: no segment's ratio makes its rate exceed the scheduled one. */
  readonly clipRate?: boolean;
}

/**
 * Adds the backward graph of `loss` and the update of all parameters: three dispatches. Biases and normalisation's parameters are neither
 * decayed nor scaled, unless `exclude` says otherwise.
 *
 * @throws EngineError CONFIG-OPTIMIZER for a number out of range or a `clipRate` that the variant does not know
 */
export function lars(graph: Graph, loss: Tensor, stepState: Tensor, options: LarsOptions): OptimizerUpdate {
  const { variant, momentum = 0.9, eta = 0.001, clipRate = false, exclude = { vectors: true } } = options;
  requireMomentum(momentum, false);
  if (!(eta > 0)) throw optimizerError("eta", `eta is ${eta}`, "Give a positive trust coefficient.");
  if (clipRate && variant !== "solo-learn") {
    throw optimizerError("clipRate", `clipRate is asked of the variant ${variant}`, "Use the variant solo-learn.");
  }
  const isNormOfSum = variant === "facebook" || variant === "google";
  const rule = isNormOfSum ? "larsNormOfSum" : clipRate ? "larsClipped" : "larsSumOfNorms";
  const { gradients, factors, blocks, inputs } = addFactors(graph, loss, stepState, {
    rule,
    options: { ...options, exclude },
    eta,
    ...(variant === "lightly"
      ? { adjust: (segment) => ({ ...segment, adapts: segment.adapts && segment.weightDecay > 0 }) }
      : {}),
  });
  const operands = [factors, blocks, gradients, graph.allParameters(), velocityState(graph, momentum)];
  graph.add(momentumUpdateOp, operands, { momentum, nesterov: false, isRateInside: variant === "google" });
  return { node: lastNode(graph), gradients, inputs, state: momentum === 0 ? [] : ["velocity"] };
}
