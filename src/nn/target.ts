/** Target networks: a second set of parameters that follows the trained one as a moving average (Grill et al. 2020; He et al. 2020). */
import type { Graph, Node, Tensor } from "../autodiff/graph.ts";
import { EngineError } from "../errors.ts";
import { movingAverageOp } from "../ops/movingAverage.ts";
import { operand } from "../ops/opDefinition.ts";
import { ParameterScope } from "./scope.ts";

export interface TargetNetwork {
  /** Gives the target's tensors for the names of the trained network; apply the same models to it. */
  readonly scope: ParameterScope;
  /** The target's flat parameters, a state laid out like the first part of the buffer `parameters`. */
  readonly state: Tensor;
}

export interface TargetUpdate {
  /** θ' ← decay·θ' + (1 − decay)·θ, 0 ≤ decay < 1. */
  readonly decay: number;
  /** The decay rises to 1 over so many steps, 1 − (1 − decay)·(cos(πk/steps) + 1)/2 (Grill et al. 2020); constant unless given. */
  readonly steps?: number;
}

/**
 * A target for all parameters made so far: call it after encoder and projector and before a predictor, which has none. Its batch
 * statistics are its own; nothing is differentiated with respect to it.
 *
 * @throws EngineError NN-TARGET when the graph has no parameters yet
 */
export function targetNetwork(graph: Graph, name = "target"): TargetNetwork {
  const elements = graph.parameterElements;
  if (elements === 0) {
    throw new EngineError({
      code: "NN-TARGET",
      message: "There are no parameters for a target network to follow",
      fix: "Build the trained network first.",
      where: name,
    });
  }
  const segments = new Map(graph.segments.map((segment) => [segment.name, segment]));
  const state = graph.state(name, [elements]);
  const scope = ParameterScope.over(graph, (spec) => {
    const segment = segments.get(spec.name);
    if (segment && segment.shape.join() === spec.shape.join()) return graph.view(state, spec.shape, segment.offset);
    throw new EngineError({
      code: "NN-TARGET",
      message: `The trained network has ${segment ? `${spec.name} of another shape, [${segment.shape.join(", ")}]` : `no ${spec.name}`}`,
      fix: "Apply the model that was trained, under the same names, and make the target after it.",
      where: spec.name,
    });
  });
  return { scope, state };
}

/**
 * Adds the target's update, one dispatch; call it after the optimiser's, so that it follows the new parameters, and make the node a
 * root of the program that trains.
 *
 * @param stepState counts the updates; read with `steps` only
 * @throws EngineError CONFIG-DECAY
 */
export function updateTarget(target: TargetNetwork, stepState: Tensor, { decay, steps = 0 }: TargetUpdate): Node {
  if (!(decay >= 0 && decay < 1) || !Number.isInteger(steps) || steps < 0) {
    throw new EngineError({
      code: "CONFIG-DECAY",
      message: `A target's decay of ${decay} over ${steps} steps is not possible`,
      fix: "Choose 0 ≤ decay < 1 and a whole number of steps.",
      where: "decay",
    });
  }
  const { state } = target;
  const { graph } = state;
  const trained = graph.view(graph.allParameters(), state.shape, 0);
  const inputs = [trained, state, ...(steps > 0 ? [stepState] : [])];
  graph.add(movingAverageOp, inputs, { increment: 1 - decay, steps }, "target");
  return operand(graph.nodes, graph.nodes.length - 1);
}
