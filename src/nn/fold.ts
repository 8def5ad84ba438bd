/** Batch normalisation folded into the product before it, for inference: in float64 on the CPU, each weight rounded once. */
import { Graph, type Node, type Tensor } from "../autodiff/graph.ts";
import { EngineError } from "../errors.ts";
import type { BatchNormAttributes } from "../ops/batchNorm.ts";
import { type BinaryAttributes, broadcastOf } from "../ops/elementwise.ts";
import type { MatmulAttributes } from "../ops/matmul.ts";
import { elementCount, operand } from "../ops/opDefinition.ts";
import { describeModel, type Model, ParameterScope } from "./scope.ts";
import { flatLayout, type ModelSpec } from "./spec.ts";
import type { ModelState } from "./weights.ts";

export interface FoldedModel {
  /** Parameters of the same model in a scope with `isFolded`; no running statistics. */
  readonly spec: ModelSpec;
  readonly state: ModelState;
}

/**
 * Weights with which `model`, applied in a scope with `isFolded`, computes what it computes with running statistics: with
 * s = weight/√(running_var + ε) of a normalisation, the filter or matrix before it is multiplied by s along its output channels, as is a
 * bias between the two, and the normalisation's own bias becomes bias − running_mean·s. An inference pass then has no normalisation: bias,
 * addend and ReLU are part of the convolutions.
 *
 * @param inputShape of the model's input; the batch does not matter
 * @param state as trained, laid out as `describeModel(model, inputShape)` says
 * @throws EngineError NN-FOLD where a normalisation does not follow a convolution or linear layer of its own
 */
export function foldBatchNorm(model: Model, inputShape: readonly number[], state: ModelState): FoldedModel {
  const graph = new Graph();
  const scope = ParameterScope.create(graph);
  // Batch statistics need two values per channel, which only this trace computes (symbolically) at all.
  model(scope, graph.input("model input", [Math.max(2, inputShape[0] ?? 2), ...inputShape.slice(1)]));
  const trained = new NamedValues(scope.spec(), state.parameters);
  const folding = foldings(graph, scope, trained, state.running);

  const spec = describeModel(model, inputShape, { isFolded: true });
  const { offsets, elements } = flatLayout(spec.parameters);
  const parameters = new Float32Array(elements);
  spec.parameters.forEach(({ name, shape }, index) => {
    const offset = operand(offsets, index);
    const shift = folding.shifts.get(name);
    parameters.set(shift ?? trained.of(name), offset);
    const scale = folding.scales.get(name);
    if (scale) scaleChannels(parameters.subarray(offset, offset + elementCount(shape)), scale);
  });
  return { spec, state: { parameters, running: new Float32Array(0) } };
}

/** Parameters of a flat buffer by name. */
class NamedValues {
  readonly #values: ReadonlyMap<string, Float32Array>;

  constructor({ parameters }: ModelSpec, flat: Float32Array) {
    const { offsets } = flatLayout(parameters);
    this.#values = new Map(
      parameters.map(({ name, shape }, index) => {
        const offset = operand(offsets, index);
        return [name, flat.subarray(offset, offset + elementCount(shape))];
      }),
    );
  }

  of(name: string): Float32Array {
    const values = this.#values.get(name);
    if (!values) throw new Error(`unreachable: the trained model has no ${name}`);
    return values;
  }
}

/** Factors of a parameter by output channel. */
interface ChannelScale {
  readonly factors: Float64Array;
  /** Output channels vary fastest (HWIO filters, biases) or slowest (matrices [out, in] of linear layers). */
  readonly isLastAxis: boolean;
}

interface Foldings {
  readonly scales: ReadonlyMap<string, ChannelScale>;
  /** Values of the parameter that a folded normalisation keeps. */
  readonly shifts: ReadonlyMap<string, Float64Array>;
}

function foldings(graph: Graph, scope: ParameterScope, trained: NamedValues, running: Float32Array): Foldings {
  const scales = new Map<string, ChannelScale>();
  const shifts = new Map<string, Float64Array>();
  const layouts = new Map(scope.spec().running.map((entry) => [entry.name, entry]));
  const owners = new Map<string, string>();
  const readers = new Set<Node>();
  for (const { name, node } of scope.normalizations()) {
    const { epsilon, mean, variance, hasAffine } = node.attributes as BatchNormAttributes;
    const { offset = 0, channels = 0 } = layouts.get(name) ?? {};
    const weight = hasAffine ? trained.of(`${name}.weight`) : undefined;
    const bias = hasAffine ? trained.of(`${name}.bias`) : undefined;
    const factors = Float64Array.from({ length: channels }, (_, c) => {
      const spread = variance === "omitted" ? 1 : Math.sqrt((running[offset + channels + c] ?? 0) + epsilon);
      return (weight?.[c] ?? 1) / spread;
    });
    shifts.set(
      `${name}.bias`,
      factors.map((factor, c) => (bias?.[c] ?? 0) - (mean === "omitted" ? 0 : (running[offset + c] ?? 0) * factor)),
    );
    for (const part of productBefore(graph, name, node)) {
      const owner = owners.get(part.parameter.name) ?? name;
      if (owner !== name) throw foldError(name, `${part.parameter.name} also feeds ${owner}`);
      owners.set(part.parameter.name, name);
      readers.add(part.reader);
      scales.set(part.parameter.name, { factors, isLastAxis: part.isLastAxis });
    }
  }
  for (const node of graph.nodes) {
    if (readers.has(node)) continue;
    const parameter = node.inputs.map(baseOf).find(({ name }) => owners.has(name));
    if (parameter) {
      const owner = owners.get(parameter.name) ?? "";
      throw foldError(owner, `${parameter.name} is also used by ${node.label}, without the normalisation`);
    }
  }
  return { scales, shifts };
}

/** A parameter of the product that a normalisation follows, and the node that reads it. */
interface ProductPart {
  readonly parameter: Tensor;
  readonly reader: Node;
  readonly isLastAxis: boolean;
}

/** Filter or matrix, and a bias where there is one, of the product whose result `norm` normalises and nothing else reads. */
function productBefore(graph: Graph, name: string, norm: Node): readonly ProductPart[] {
  const parts: ProductPart[] = [];
  let reader = norm;
  for (;;) {
    const result = baseOf(operand(reader.inputs, 0));
    const node = result.node;
    if (!node) throw foldError(name, `it normalises ${result}, which no layer computes`);
    const others = graph.nodes.filter((other) => other !== reader && other.inputs.some((x) => baseOf(x) === result));
    if (others.length > 0) throw foldError(name, `${node.label} is also read by ${others[0]?.label}`);
    const parameter = baseOf(operand(node.inputs, node.inputs.length - 1));
    if (parameter.leaf?.role !== "parameter") throw foldError(name, `it follows ${node.label}`);
    switch (node.op.name) {
      case "conv2d":
        return [...parts, { parameter, reader: node, isLastAxis: true }];
      case "matmul":
        return [...parts, { parameter, reader: node, isLastAxis: !(node.attributes as MatmulAttributes).transposeB }];
      case "binary": {
        const { kind, alpha, beta } = node.attributes as BinaryAttributes;
        const isBias = kind === "add" && alpha === 1 && beta === 1;
        if (!isBias || broadcastOf(operand(node.inputs, 0), parameter) !== "row") {
          throw foldError(name, `it follows ${node.label}`);
        }
        parts.push({ parameter, reader: node, isLastAxis: true });
        reader = node;
        break;
      }
      default:
        throw foldError(name, `it follows ${node.label}`);
    }
  }
}

/** Multiplies in place; products in float64, rounded as they are stored. */
function scaleChannels(values: Float32Array, { factors, isLastAxis }: ChannelScale): void {
  const channels = factors.length;
  const inputs = values.length / channels;
  for (let at = 0; at < values.length; at++) {
    const channel = isLastAxis ? at % channels : Math.floor(at / inputs);
    values[at] = (values[at] ?? 0) * (factors[channel] ?? 0);
  }
}

function baseOf(tensor: Tensor): Tensor {
  return tensor.view?.base ?? tensor;
}

function foldError(name: string, why: string): EngineError {
  return new EngineError({
    code: "NN-FOLD",
    message: `The batch normalisation ${name} cannot be folded: ${why}`,
    fix: "Put it behind a convolution or linear layer of its own, or run inference with running statistics.",
    where: name,
  });
}
