/** Weights to and from PyTorch's names and layouts, on the CPU. */
import { EngineError } from "../errors.ts";
import { momentElements } from "../ops/batchNorm.ts";
import { elementCount, shapeText } from "../ops/opDefinition.ts";
import { flatLayout, type ModelSpec, type ParameterSpec, runningElements, torchShape } from "./spec.ts";

/** A tensor of a weights file. */
export interface NamedWeight {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint32Array;
}

/** The flat buffers of a model. */
export interface ModelState {
  /** As `flatLayout` lays parameters out. */
  readonly parameters: Float32Array<ArrayBuffer>;
  /** Running statistics, as `runningElements` counts them. */
  readonly running: Float32Array<ArrayBuffer>;
}

export interface WeightOptions {
  /** Part of a larger model to take: names in files are what follows it, e.g. `encoder.`. */
  readonly prefix?: string;
}

/** Visits the elements that both have: index here, index in PyTorch. */
function eachElement(spec: ParameterSpec, visit: (engine: number, torch: number) => void): void {
  const { layout } = spec;
  if (layout.kind === "plain") {
    for (let at = 0; at < elementCount(spec.shape); at++) visit(at, at);
    return;
  }
  if (layout.kind === "pixels") {
    const { channels, padded } = layout;
    for (let pixel = 0; pixel < elementCount(spec.shape) / padded; pixel++) {
      for (let channel = 0; channel < channels; channel++) visit(pixel * padded + channel, pixel * channels + channel);
    }
    return;
  }
  const [height = 1, width = 1, padded = 1] = spec.shape;
  const [out = 1, channels = 1] = torchShape(spec);
  for (let o = 0; o < out; o++) {
    for (let i = 0; i < channels; i++) {
      for (let h = 0; h < height; h++) {
        for (let w = 0; w < width; w++) {
          visit(((h * width + w) * padded + i) * out + o, ((o * channels + i) * height + h) * width + w);
        }
      }
    }
  }
}

/** Parameters of a part of a model with their offsets and names in files. */
function chosen<T extends { readonly name: string }>(items: readonly T[], prefix: string) {
  return items.flatMap((item, index) =>
    item.name.startsWith(prefix) ? [{ item, index, name: item.name.slice(prefix.length) }] : [],
  );
}

/**
 * Tensors of a weights file: parameters and running statistics under PyTorch's names, filters as OIHW, padded channels left out. PyTorch's
 * counters `num_batches_tracked` are not kept here; it fills them in.
 */
export function exportWeights(
  spec: ModelSpec,
  { parameters, running }: ModelState,
  { prefix = "" }: WeightOptions = {},
): Record<string, NamedWeight> {
  const { offsets } = flatLayout(spec.parameters);
  const tensors: Record<string, NamedWeight> = {};
  for (const { item, index, name } of chosen(spec.parameters, prefix)) {
    const offset = offsets[index] ?? 0;
    const own = parameters.subarray(offset, offset + elementCount(item.shape));
    const shape = torchShape(item);
    const data = new Float32Array(elementCount(shape));
    eachElement(item, (engine, torch) => {
      data[torch] = own[engine] ?? 0;
    });
    tensors[name] = { shape, data };
  }
  for (const { item, name } of chosen(spec.running, prefix)) {
    const { channels, offset } = item;
    tensors[`${name}.running_mean`] = { shape: [channels], data: running.slice(offset, offset + channels) };
    tensors[`${name}.running_var`] = {
      shape: [channels],
      data: running.slice(offset + channels, offset + 2 * channels),
    };
  }
  return tensors;
}

/** Tensors that PyTorch writes and this engine does without. */
const IGNORED = /(?:^|\.)num_batches_tracked$/;

/**
 * The reverse of `exportWeights`.
 *
 * @param base state whose other parts are kept, where `prefix` names a part; zeros unless given
 * @throws EngineError NN-WEIGHTS when tensors are missing, unknown or of another shape, naming them
 */
export function importWeights(
  spec: ModelSpec,
  tensors: Readonly<Record<string, NamedWeight>>,
  { prefix = "", base }: WeightOptions & { readonly base?: ModelState } = {},
): ModelState {
  const { offsets, elements } = flatLayout(spec.parameters);
  const parameters = new Float32Array(base?.parameters ?? new Float32Array(elements));
  const running = new Float32Array(base?.running ?? new Float32Array(runningElements(spec.running)));
  const used = new Set<string>();
  const take = (name: string, shape: readonly number[]): Float32Array => {
    const tensor = tensors[name];
    if (!tensor) throw weightsError(name, `the file has no ${name} ${shapeText(shape)}`);
    if (tensor.shape.join() !== shape.join() || !(tensor.data instanceof Float32Array)) {
      throw weightsError(
        name,
        `${name} has shape ${shapeText(tensor.shape)} in the file and ${shapeText(shape)} in the model`,
      );
    }
    used.add(name);
    return tensor.data;
  };
  for (const { item, index, name } of chosen(spec.parameters, prefix)) {
    const offset = offsets[index] ?? 0;
    const data = take(name, torchShape(item));
    parameters.fill(0, offset, offset + elementCount(item.shape));
    eachElement(item, (engine, torch) => {
      parameters[offset + engine] = data[torch] ?? 0;
    });
  }
  for (const { item, name } of chosen(spec.running, prefix)) {
    const { channels, offset } = item;
    running.fill(0, offset, offset + momentElements(channels));
    running.set(take(`${name}.running_mean`, [channels]), offset);
    running.set(take(`${name}.running_var`, [channels]), offset + channels);
  }
  const unknown = Object.keys(tensors).filter((name) => !used.has(name) && !IGNORED.test(name));
  if (unknown.length > 0) {
    const more = unknown.length > 3 ? ` and ${unknown.length - 3} more` : "";
    throw weightsError(unknown[0] ?? "", `the model has no ${unknown.slice(0, 3).join(", ")}${more}`);
  }
  return { parameters, running };
}

function weightsError(where: string, why: string): EngineError {
  return new EngineError({
    code: "NN-WEIGHTS",
    message: `The weights do not belong to this model: ${why}`,
    fix: "Choose the depth, width and head that the file was written with.",
    where,
  });
}
