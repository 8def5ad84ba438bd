/** What a model's tensors are, as data: names, shapes here and in PyTorch, first values. Experiments turn it into draws and files. */
import { SEGMENT_ALIGNMENT } from "../autodiff/graph.ts";
import { momentElements } from "../ops/batchNorm.ts";
import { elementCount } from "../ops/opDefinition.ts";

/** How a tensor is drawn at first. */
export type Init =
  | { readonly kind: "normal"; readonly std: number }
  /** On (−bound, bound). */
  | { readonly kind: "uniform"; readonly bound: number }
  | { readonly kind: "constant"; readonly value: number };

/**
 * `plain`: the same elements in the same order here and in PyTorch. `filter`: HWIO here, with input channels padded to a multiple of
 * 4, and OIHW with `inChannels` channels there. `pixels`: a matrix whose columns are pixels of `padded` channels here and of `channels`
 * there.
 */
export type Layout =
  | { readonly kind: "plain" }
  | { readonly kind: "filter"; readonly inChannels: number }
  | { readonly kind: "pixels"; readonly channels: number; readonly padded: number };

export interface ParameterSpec {
  /** Path in PyTorch's notation, e.g. `layer1.0.conv1.weight`. */
  readonly name: string;
  /** As the engine holds it. */
  readonly shape: readonly number[];
  readonly layout: Layout;
  readonly init: Init;
}

/** Running statistics of one batch normalisation: mean, then unbiased variance, in a flat buffer. */
export interface RunningSpec {
  /** Path of the layer, e.g. `layer1.0.bn1`. */
  readonly name: string;
  readonly channels: number;
  /** Element at which its means begin. */
  readonly offset: number;
}

/** Everything a model keeps. */
export interface ModelSpec {
  readonly parameters: readonly ParameterSpec[];
  readonly running: readonly RunningSpec[];
}

/** Shape of a parameter in PyTorch. */
export function torchShape({ shape, layout }: ParameterSpec): readonly number[] {
  if (layout.kind === "plain") return shape;
  if (layout.kind === "pixels") return [shape[0] ?? 1, ((shape[1] ?? 1) / layout.padded) * layout.channels];
  const [height = 1, width = 1, , out = 1] = shape;
  return [out, layout.inChannels, height, width];
}

/** Number of trainable values as PyTorch counts them: without padded channels. */
export function parameterCount(parameters: readonly ParameterSpec[]): number {
  return parameters.reduce((total, parameter) => total + elementCount(torchShape(parameter)), 0);
}

/** Offsets of parameters in the flat buffer of a graph that makes them in this order and no others before. */
export function flatLayout(parameters: readonly ParameterSpec[]): {
  readonly offsets: readonly number[];
  readonly elements: number;
} {
  const offsets: number[] = [];
  let elements = 0;
  for (const { shape } of parameters) {
    offsets.push(elements);
    elements += Math.ceil(elementCount(shape) / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT;
  }
  return { offsets, elements };
}

/** Elements of the flat buffer of running statistics. */
export function runningElements(running: readonly RunningSpec[]): number {
  const last = running.at(-1);
  return last ? last.offset + momentElements(last.channels) : 0;
}
