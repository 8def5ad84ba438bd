/** Where the layers of a model find their tensors: parameters by path, running statistics, training or inference. */
import { pack } from "../autodiff/functions.ts";
import { Graph, type Node, type Tensor } from "../autodiff/graph.ts";
import { EngineError } from "../errors.ts";
import { momentElements } from "../ops/batchNorm.ts";
import { movingAverageOp } from "../ops/movingAverage.ts";
import { operand, shapeText } from "../ops/opDefinition.ts";
import { type ModelSpec, type ParameterSpec, type RunningSpec, runningElements } from "./spec.ts";

/** A model: a plain function that takes its tensors from a scope. */
export type Model = (scope: ParameterScope, x: Tensor) => Tensor;

/** Flat running statistics that inference reads. */
export interface RunningStatistics {
  /** [runningElements]. */
  readonly tensor: Tensor;
  readonly layout: readonly RunningSpec[];
}

/** What all scopes of one network share. */
interface Registry {
  readonly graph: Graph;
  /** Makes or finds a parameter. */
  readonly resolve: (spec: ParameterSpec) => Tensor;
  readonly parameters: Map<string, { readonly spec: ParameterSpec; readonly tensor: Tensor }>;
  /** Batch statistics of every application of a layer, in order. */
  readonly applied: Map<string, { readonly spec: RunningSpec; readonly moments: Tensor[] }>;
  readonly running: RunningStatistics | undefined;
  readonly isFolded: boolean;
  /** Outputs of layers, blocks and poolings by path, in the order in which they were first computed. */
  readonly outputs: Map<string, Tensor>;
}

export interface ScopeOptions {
  /** Inference with these running statistics; batch statistics unless given. */
  readonly running?: RunningStatistics | undefined;
  /** Inference with parameters from `foldBatchNorm`: a batch normalisation only adds its shift. False unless given. */
  readonly isFolded?: boolean;
}

function emptyMaps(): Pick<Registry, "parameters" | "applied" | "outputs"> {
  return { parameters: new Map(), applied: new Map(), outputs: new Map() };
}

/** A batch normalisation as one of its applications has it in the graph. */
export interface Normalization {
  /** Path of the layer, e.g. `layer1.0.bn1`. */
  readonly name: string;
  readonly node: Node;
}

/** Name of the state that holds running statistics. */
export const RUNNING_STATISTICS = "runningStatistics";

export class ParameterScope {
  readonly path: string;
  readonly #registry: Registry;

  private constructor(registry: Registry, path: string) {
    this.#registry = registry;
    this.path = path;
  }

  /** The root scope of networks whose parameters are the graph's own. */
  static create(graph: Graph, { running, isFolded = false }: ScopeOptions = {}): ParameterScope {
    const resolve = ({ name, shape }: ParameterSpec): Tensor => graph.parameter(name, shape);
    return new ParameterScope({ graph, resolve, ...emptyMaps(), running, isFolded }, "");
  }

  /** The root scope of networks whose parameters are found elsewhere, by full name. */
  static over(graph: Graph, resolve: (spec: ParameterSpec) => Tensor): ParameterScope {
    return new ParameterScope({ graph, resolve, ...emptyMaps(), running: undefined, isFolded: false }, "");
  }

  get graph(): Graph {
    return this.#registry.graph;
  }

  get isInference(): boolean {
    return this.#registry.running !== undefined || this.isFolded;
  }

  /** Batch normalisations are part of the weights before them. */
  get isFolded(): boolean {
    return this.#registry.isFolded;
  }

  /** Builds inside a named part; names join by dots, labels of nodes by slashes. */
  within<T>(name: string, build: (scope: ParameterScope) => T): T {
    const inner = new ParameterScope(this.#registry, this.#join(name));
    return this.graph.scope(name, () => build(inner));
  }

  /**
   * The parameter of this name in this scope; made at the first call, the same tensor afterwards, so that a network applied twice
   * shares its weights.
   *
   * @throws EngineError NN-PARAMETER when it was made with another shape
   */
  parameter(name: string, spec: Omit<ParameterSpec, "name">): Tensor {
    const path = this.#join(name);
    const existing = this.#registry.parameters.get(path);
    if (existing) {
      if (existing.tensor.shape.join() === spec.shape.join()) return existing.tensor;
      throw new EngineError({
        code: "NN-PARAMETER",
        message: `${path} was made with shape ${shapeText(existing.tensor.shape)} and is asked for with ${shapeText(spec.shape)}`,
        fix: "Apply a network to inputs of one width, or give the second one a scope of its own.",
        where: path,
      });
    }
    const full = { ...spec, name: path };
    const tensor = this.#registry.resolve(full);
    this.#registry.parameters.set(path, { spec: full, tensor });
    return tensor;
  }

  /**
   * Running statistics (mean, variance) of a layer in inference, undefined in training.
   *
   * @throws EngineError NN-RUNNING when they hold none for this layer
   */
  running(name: string, channels: number): Tensor | undefined {
    const { running, graph } = this.#registry;
    if (!running) return undefined;
    const path = this.#join(name);
    const found = running.layout.find((spec) => spec.name === path);
    if (!found || found.channels !== channels) {
      throw new EngineError({
        code: "NN-RUNNING",
        message: `The running statistics have ${found ? `${found.channels} channels` : "no entry"} for ${path}, which has ${channels} channels`,
        fix: "Take them from the model that was trained.",
        where: path,
      });
    }
    return graph.view(running.tensor, [momentElements(channels)], found.offset);
  }

  /** Notes a layer's batch statistics, of which `updateRunning` makes running ones. */
  noteMoments(name: string, channels: number, moments: Tensor): void {
    const { applied } = this.#registry;
    const path = this.#join(name);
    const known = applied.get(path);
    if (known) {
      known.moments.push(moments);
      return;
    }
    const offset = runningElements([...applied.values()].map(({ spec }) => spec));
    applied.set(path, { spec: { name: path, channels, offset }, moments: [moments] });
  }

  /** Batch normalisations applied so far with the batch's own statistics. */
  normalizations(): readonly Normalization[] {
    return [...this.#registry.applied.values()].flatMap(({ spec: { name }, moments }) =>
      moments.flatMap(({ node }) => (node ? [{ name, node }] : [])),
    );
  }

  /**
   * Notes the output of a layer, a block or a pooling under its path, for spectra of layers and for finding the first bad one. Of a network
   * that is applied more than once, the first application counts.
   *
   * @param name inside this scope; empty for the scope itself
   * @returns the tensor
   */
  observe(name: string, output: Tensor): Tensor {
    const { outputs } = this.#registry;
    const path = name === "" ? this.path : this.#join(name);
    if (!outputs.has(path)) outputs.set(path, output);
    return output;
  }

  /** What was observed so far by scopes of this root, in order of computation. */
  get outputs(): ReadonlyMap<string, Tensor> {
    return this.#registry.outputs;
  }

  /** All tensors made so far by scopes of this root. */
  spec(): ModelSpec {
    const { parameters, applied } = this.#registry;
    return {
      parameters: [...parameters.values()].map(({ spec }) => spec),
      running: [...applied.values()].map(({ spec }) => spec),
    };
  }

  /**
   * Updates the state `runningStatistics` by the batch statistics of every application in order,
   * running ← (1 − momentum)·running + momentum·batch, one dispatch for all layers (PyTorch's rule, momentum 0.1). Make the nodes
   * roots of the program that trains; a program without them leaves the averages alone.
   *
   * @throws EngineError NN-RUNNING when layers were applied unequally often
   */
  updateRunning(momentum = 0.1): readonly Node[] {
    const { graph, applied } = this.#registry;
    const layers = [...applied.values()];
    const rounds = layers[0]?.moments.length ?? 0;
    const odd = layers.find(({ moments }) => moments.length !== rounds);
    if (odd) {
      throw new EngineError({
        code: "NN-RUNNING",
        message: `${odd.spec.name} was applied ${odd.moments.length} times, ${layers[0]?.spec.name} ${rounds} times`,
        fix: "Apply the networks of one scope equally often, or give them scopes of their own.",
        where: odd.spec.name,
      });
    }
    if (rounds === 0) return [];
    const elements = runningElements(layers.map(({ spec }) => spec));
    const state = graph.state(RUNNING_STATISTICS, [elements]);
    return Array.from({ length: rounds }, (_, round) => {
      const parts = layers.map(({ moments }) => operand(moments, round));
      const offsets = layers.map(({ spec }) => spec.offset);
      const batch = pack(graph, parts, offsets, [elements]);
      graph.add(movingAverageOp, [batch, state], { increment: momentum, steps: 0 }, RUNNING_STATISTICS);
      return operand(graph.nodes, graph.nodes.length - 1);
    });
  }

  #join(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }
}

/** Names and shapes of everything a model keeps, and its output's shape, for inputs of a given shape; nothing is kept. */
export function describeModel(
  model: Model,
  inputShape: readonly number[],
  options: Pick<ScopeOptions, "isFolded"> = {},
): ModelSpec & { readonly outputShape: readonly number[] } {
  const scratch = new Graph();
  const scope = ParameterScope.create(scratch, options);
  const { shape } = model(scope, scratch.input("model input", inputShape));
  return { ...scope.spec(), outputShape: shape };
}
