/** Latent trees and networks that mirror them, as functions of a graph: samples, locally connected layers, batch-level losses, measures. */
import { batchContrastGradOp, batchContrastOp } from "../ops/batchContrast.ts";
import {
  type LatentMomentsAttributes,
  latentMomentsOp,
  operatorNormOp,
  rootContrastOp,
} from "../ops/latentMeasures.ts";
import {
  type LocallyConnectedAttributes,
  locallyConnectedGradOp,
  locallyConnectedOp,
} from "../ops/locallyConnected.ts";
import { operand } from "../ops/opDefinition.ts";
import { type TreeSamplesAttributes, treeSamplesOp } from "../ops/treeSamples.ts";
import type { Node, Tensor } from "./graph.ts";

/** What samples are drawn from: the step's counter, a seed for each trial, and its tree's probabilities. */
export interface TreeSource {
  readonly stepState: Tensor;
  /** u32[trials]. */
  readonly seeds: Tensor;
  /** u32[trials, nodes, 2]: P(node = 1 | parent = 0) and P(node = 1 | parent = 1) in units of 2⁻³⁰. */
  readonly thresholds: Tensor;
}

export interface TreeSamples {
  /** f32[views, trials, rows, leaves], 0 or 1. */
  readonly leaves: Tensor;
  /** The nodes above the leaves, one bit a sample: u32[views, trials, ⌈rows/32⌉, latents]. */
  readonly latents: Tensor | undefined;
}

/** Samples of latent trees; new ones in every step. Two dispatches. @throws EngineError GRAPH-SHAPE, LIMIT-COUNTER */
export function treeSamples(
  { stepState, seeds, thresholds }: TreeSource,
  attributes: TreeSamplesAttributes,
): TreeSamples {
  const [leaves, latents] = stepState.graph.add(treeSamplesOp, [stepState, seeds, thresholds], attributes);
  return { leaves: leaves as Tensor, latents };
}

/**
 * A linear map for every node of a layer and every trial: y = W·u + b, u = max(x, 0) with `relu`.
 *
 * @param x       [views, trials, rows, nodes·fan_in]; all views of a trial share its weights
 * @param weights [trials, nodes, fan_out, fan_in + 1], the last column b
 * @returns       [views, trials, rows, nodes·fan_out]
 * @throws EngineError GRAPH-SHAPE
 */
export function locallyConnected(x: Tensor, weights: Tensor, options: LocallyConnectedAttributes): Tensor {
  return operand(x.graph.add(locallyConnectedOp, [x, weights], { relu: options.relu }), 0);
}

/** As `matmul`: a rule of vjp.ts. */
export function locallyConnectedVjp(
  node: Node,
  [dY]: readonly (Tensor | undefined)[],
  [needsInput = false, needsWeight = false]: readonly boolean[],
): readonly (Tensor | undefined)[] {
  if (!dY) return [];
  const { relu } = node.attributes as LocallyConnectedAttributes;
  const attributes = { relu, needsInput, needsWeight, perView: false };
  const outputs = dY.graph.add(locallyConnectedGradOp, [dY, ...node.inputs], attributes);
  return [needsInput ? outputs[0] : undefined, needsWeight ? outputs[needsInput ? 1 : 0] : undefined];
}

/**
 * Contrastive losses of a whole batch, one number for each trial, of anchors, positives and negatives [3, trials, rows, d]. With r₊ and r₋
 * the mean squared differences over rows and dimensions: −1/(1 + e^{(r₊ − r₋)/τ}), or r₊ − r₋ without a temperature.
 *
 * @returns [trials]
 * @throws EngineError GRAPH-SHAPE
 */
export function batchContrast(z: Tensor, temperature: number | undefined): Tensor {
  const attributes = { isSigmoid: temperature !== undefined, inverseTemperature: 1 / (temperature ?? 1) };
  return operand(z.graph.add(batchContrastOp, [z], attributes), 0);
}

export function batchContrastVjp(node: Node, [dLosses]: readonly (Tensor | undefined)[]) {
  if (!dLosses) return [];
  const inputs = [operand(node.inputs, 0), operand(node.outputs, 1), dLosses];
  return [operand(dLosses.graph.add(batchContrastGradOp, inputs, {}), 0)];
}

/** Accumulates moments of a layer's pre-activations with its latents into `moments` [trials, nodes·units, 8]; returns the node. */
export function latentMoments(
  {
    stepState,
    preActivations,
    latents,
    moments,
  }: Readonly<Record<"stepState" | "preActivations" | "latents" | "moments", Tensor>>,
  attributes: LatentMomentsAttributes,
): Node {
  const { graph } = stepState;
  graph.add(latentMomentsOp, [stepState, preActivations, latents, moments], attributes);
  return graph.nodes.at(-1) as Node;
}

/** One layer of a network, as `rootOperators` needs it. */
export interface LocalLayer {
  readonly x: Tensor;
  readonly weights: Tensor;
  readonly relu: boolean;
}

/**
 * ‖M Mᵀ‖_F of every node, M = (1/rows) Σ (z_0 − mean z_0)·K over the rows, K the connection f ⊗ Jᵀ of the node's weights (without bias)
 * to the network's outputs: Var z_0 times the norm of the covariance operator V_{z_0}[E[K | z_0]].
 *
 * @param layers  from the leaves to the root, x of one view
 * @param latents of the same samples
 * @returns       [trials, nodes] for each layer, in order
 */
export function rootOperators(layers: readonly LocalLayer[], latents: Tensor): Tensor[] {
  const top = layers.at(-1);
  if (!top) return [];
  const { graph } = top.x;
  const outputs = operand(top.weights.shape, 2);
  let cotangent = operand(graph.add(rootContrastOp, [latents], { outputs }), 0);
  const norms: Tensor[] = [];
  for (const [index, { x, weights, relu }] of [...layers.entries()].reverse()) {
    const needsInput = index > 0;
    const attributes = { relu, needsInput, needsWeight: true, perView: true };
    const results = graph.add(locallyConnectedGradOp, [cotangent, x, weights], attributes);
    const m = operand(results, needsInput ? 1 : 0);
    const shape = weights.shape as readonly [number, number, number, number];
    norms.unshift(operand(graph.add(operatorNormOp, [m], { weights: shape }), 0));
    if (needsInput) cotangent = operand(results, 0);
  }
  return norms;
}
