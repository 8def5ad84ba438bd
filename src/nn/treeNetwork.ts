/** Networks that mirror a latent tree: a node of `width` units for every latent, connected to its children's nodes only. */

import type { Tensor } from "../autodiff/graph.ts";
import { type LocalLayer, locallyConnected } from "../autodiff/hltm.ts";
import { uniformFanIn } from "./init.ts";
import type { ParameterScope } from "./scope.ts";

export interface TreeNetworkShape {
  /** Layers: the lowest one sees the leaves, the last one is the root's. */
  readonly depth: number;
  /** Children of every node. */
  readonly branching: number;
  /** Units of a node. */
  readonly width: number;
}

export interface TreeNetwork {
  /** From the lowest to the root's: inputs, and weights [trials, nodes, width, fan_in + 1] whose last column is the bias. */
  readonly layers: readonly LocalLayer[];
  /** Before the ReLU that the parent applies, [views, trials, rows, nodes·width], in the same order; the last is the output. */
  readonly preActivations: readonly Tensor[];
}

/**
 * ReLU is applied to what enters a node, so that the root's outputs are linear; the leaves, 0 or 1, would pass it unchanged. Parameters are
 * `level1` … `level<depth>`, first values U(±1/√fan_in) for weights and biases alike, as PyTorch's Linear has them.
 *
 * @param leaves [views, trials, rows, branching^depth]; all views of a trial share its weights
 * @throws EngineError GRAPH-SHAPE
 * Source: luckmatters/ssl/hltm (Tian et al. 2020, arXiv 2010.00578v6)
 */
export function treeNetwork(scope: ParameterScope, leaves: Tensor, shape: TreeNetworkShape): TreeNetwork {
  const { depth, branching, width } = shape;
  const trials = leaves.shape[1] ?? 1;
  const layers: LocalLayer[] = [];
  const preActivations: Tensor[] = [];
  let x = leaves;
  for (let level = 1; level <= depth; level++) {
    const nodes = branching ** (depth - level);
    const fanIn = branching * (level === 1 ? 1 : width);
    const name = `level${level}`;
    const weights = scope.parameter(name, {
      shape: [trials, nodes, width, fanIn + 1],
      layout: { kind: "plain" },
      init: uniformFanIn(fanIn),
    });
    const layer = { x, weights, relu: level > 1 };
    layers.push(layer);
    x = scope.graph.scope(name, () => locallyConnected(layer.x, weights, layer));
    preActivations.push(x);
  }
  return { layers, preActivations };
}
