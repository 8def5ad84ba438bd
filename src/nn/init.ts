/** First values: PyTorch's rules as numbers, scaling for small initialisation, and draws on the GPU. */
import { concat, constant, multiply, pack, reshape } from "../autodiff/functions.ts";
import type { Graph, Tensor } from "../autodiff/graph.ts";
import { EngineError } from "../errors.ts";
import { operand } from "../ops/opDefinition.ts";
import { randomOp } from "../ops/random.ts";
import { flatLayout, type Init, type ParameterSpec, type RunningSpec, runningElements } from "./spec.ts";

/** kaiming_normal_(mode = "fan_out", nonlinearity = "relu"), torchvision's rule for the convolutions of ResNets (He et al. 2015). */
export function kaimingNormalFanOut(kernel: readonly [number, number], outChannels: number): Init {
  return { kind: "normal", std: Math.sqrt(2 / (kernel[0] * kernel[1] * outChannels)) };
}

/** Normal with variance 2/fan_in (He et al. 2015), before a ReLU. */
export function heNormal(fanIn: number): Init {
  return { kind: "normal", std: Math.sqrt(2 / fanIn) };
}

/**
 * U(±a/√fan_in); a = 1 is PyTorch's default for weights (kaiming_uniform_ with its a = √5) and biases of linear layers and
 * convolutions.
 */
export function uniformFanIn(fanIn: number, a = 1): Init {
  return { kind: "uniform", bound: a / Math.sqrt(fanIn) };
}

export function constantInit(value: number): Init {
  return { kind: "constant", value };
}

/**
 * The *init scale* of small-initialisation runs: multiplies the first values of weight matrices and filters (two dimensions or
 * more); biases and normalisations keep theirs.
 *
 * @param select names to scale; all unless given
 * @throws EngineError CONFIG-INIT for a factor that is not positive and finite
 */
export function scaleInit(
  parameters: readonly ParameterSpec[],
  factor: number,
  select: (name: string) => boolean = () => true,
): readonly ParameterSpec[] {
  if (!(factor > 0 && Number.isFinite(factor))) {
    throw new EngineError({
      code: "CONFIG-INIT",
      message: `The init scale is ${factor}`,
      fix: "Choose a positive number.",
      where: "initScale",
    });
  }
  return parameters.map((parameter) =>
    parameter.shape.length >= 2 && select(parameter.name)
      ? { ...parameter, init: scaled(parameter.init, factor) }
      : parameter,
  );
}

function scaled(init: Init, factor: number): Init {
  switch (init.kind) {
    case "normal":
      return { kind: "normal", std: init.std * factor };
    case "uniform":
      return { kind: "uniform", bound: init.bound * factor };
    case "constant":
      return { kind: "constant", value: init.value * factor };
  }
}

export interface DrawKey {
  readonly seed: number;
  /** Parameter i draws from stream `stream` + i of the seed; keep 2¹⁶ streams free. */
  readonly stream: number;
}

/**
 * All parameters drawn on the GPU, laid out like the flat parameter buffer (`flatLayout`). Draws depend on seed, stream and a
 * parameter's place in the list alone. Padded input channels are zeros. Keep the result in a buffer of its own, whose gaps stay zero.
 */
export function drawParameters(graph: Graph, parameters: readonly ParameterSpec[], key: DrawKey): Tensor {
  const { offsets, elements } = flatLayout(parameters);
  const parts = parameters.map((parameter, index) => drawn(graph, parameter, key.seed, key.stream + index));
  return pack(graph, parts, offsets, [elements]);
}

function drawn(graph: Graph, { name, shape, layout, init }: ParameterSpec, seed: number, stream: number): Tensor {
  if (init.kind === "constant") return constant(graph, shape, init.value);
  const isNormal = init.kind === "normal";
  const attributes = {
    shape,
    distribution: isNormal ? ("normal" as const) : ("uniform" as const),
    scale: isNormal ? init.std : 2 * init.bound,
    offset: isNormal ? 0 : -init.bound,
    seed,
    stream,
  };
  const values = operand(graph.add(randomOp, [], attributes, name), 0);
  if (layout.kind === "plain") return values;
  if (layout.kind === "pixels") {
    const { channels, padded } = layout;
    const mask = concat([constant(graph, [channels], 1), constant(graph, [padded - channels], 0)]);
    return reshape(multiply(reshape(values, [values.elements / padded, padded]), mask), shape);
  }
  const [height = 1, width = 1, inChannels = 1, outChannels = 1] = shape;
  if (layout.inChannels === inChannels) return values;
  const used = layout.inChannels * outChannels;
  const mask = concat([constant(graph, [used], 1), constant(graph, [inChannels * outChannels - used], 0)]);
  return reshape(multiply(reshape(values, [height * width, inChannels * outChannels]), mask), shape);
}

/** Running statistics before the first step: means 0, variances 1. */
export function initialRunning(running: readonly RunningSpec[]): Float32Array<ArrayBuffer> {
  const values = new Float32Array(runningElements(running));
  for (const { channels, offset } of running) values.fill(1, offset + channels, offset + 2 * channels);
  return values;
}
