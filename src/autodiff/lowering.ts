/** From placed nodes to kernel calls: copies where a kernel cannot bind an operand, scratch, grids, costs, fixed variants. */
import { EngineError } from "../errors.ts";
import { MAX_GRID_DIMENSION } from "../kernels/grid.ts";
import { library } from "../kernels/registry.ts";
import { copyOp } from "../ops/memory.ts";
import { type KernelCall, type Operand, operand, type PlacedTensor, type Target } from "../ops/opDefinition.ts";
import { type Node, SEGMENT_ALIGNMENT, type Tensor } from "./graph.ts";
import type { Place, Placements, Storage } from "./placement.ts";
import type { PlannedCall, Variant } from "./plan.ts";

/** A call before its storages have slots. */
export interface DraftCall extends Omit<PlannedCall, "bindings"> {
  readonly bindings: Readonly<Record<string, { readonly place: Place; readonly elements: number } | "unused">>;
}

/** What lowering a whole graph shares. */
export interface Lowering {
  readonly placements: Placements;
  readonly target: Target;
  readonly variants: Readonly<Record<string, Variant>>;
  /** Calls lowered so far by label. */
  readonly labels: Map<string, number>;
}

/** Kernel calls of one node, copies for operands that no kernel can bind directly first. */
export function lowerNode(node: Node, lowering: Lowering, programs: readonly string[]): DraftCall[] {
  const { placements, target } = lowering;
  const copies: DraftCall[] = [];
  const places = node.inputs.map((input, index): Place => {
    const place = placements.of(input);
    if (node.op.acceptsOffsets || place.offset % SEGMENT_ALIGNMENT === 0) return place;
    if (node.op.writes?.includes(index)) {
      // A copy would take the update and leave the state as it was.
      throw new EngineError({
        code: "GRAPH-ALIGNMENT",
        message: `${node.label}: ${input} is updated in place from element ${place.offset} of ${place.storage.name}, no multiple of ${SEGMENT_ALIGNMENT}`,
        fix: "Give the state a tensor of its own.",
        where: node.label,
      });
    }
    // No kernel of this op can start inside an aligned unit: give it a copy of its own.
    const storage: Storage = {
      name: `${node.label} copy of ${input.name}`,
      persistent: undefined,
      elements: input.elements,
    };
    const copy: Place = { storage, offset: 0 };
    const calls = copyOp.lower({
      inputs: [placed(input, place)],
      outputs: [placed(input, copy)],
      attributes: {},
      target,
    });
    const io: CallOperands = { inputs: [input], outputs: [input], inputPlaces: [place], outputPlaces: [copy] };
    copies.push(
      ...calls.map((call) => draft(call, { ...io, node, label: `${node.label}/copy`, programs, flops: 0 }, lowering)),
    );
    return copy;
  });
  const outputPlaces = node.outputs.map((output) => placements.of(output));
  const calls = node.op.lower({
    inputs: node.inputs.map((input, index) => placed(input, operand(places, index))),
    outputs: node.outputs.map((output, index) => placed(output, operand(outputPlaces, index))),
    attributes: node.attributes,
    target,
  });
  const flops = node.op.flops(node.inputs, node.outputs, node.attributes) / Math.max(1, calls.length);
  const io: CallOperands = { inputs: node.inputs, outputs: node.outputs, inputPlaces: places, outputPlaces };
  const scratch = new Map<string, Storage>();
  return [
    ...copies,
    ...calls.map((call) => draft(call, { ...io, node, label: node.label, programs, flops, scratch }, lowering)),
  ];
}

function placed(tensor: Tensor, place: Place): PlacedTensor {
  return { shape: tensor.shape, dtype: tensor.dtype, offset: place.offset % SEGMENT_ALIGNMENT };
}

interface CallOperands {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly inputPlaces: readonly Place[];
  readonly outputPlaces: readonly Place[];
}

interface CallSite extends CallOperands {
  readonly node: Node;
  readonly label: string;
  readonly programs: readonly string[];
  readonly flops: number;
  /** Scratch storages of the node, shared by its calls. */
  readonly scratch?: Map<string, Storage>;
}

function draft(chosen: KernelCall, site: CallSite, lowering: Lowering): DraftCall {
  const { node, label, inputs, outputs, inputPlaces, outputPlaces, programs, flops, scratch = new Map() } = site;
  const ordinal = lowering.labels.get(label) ?? 0;
  lowering.labels.set(label, ordinal + 1);
  const key = `${label}#${ordinal}`;
  const call = withVariant(chosen, key, lowering.variants[key]);
  const resolve = (binding: Operand) => {
    switch (binding.kind) {
      case "unused":
        return "unused" as const;
      case "input":
        return { place: operand(inputPlaces, binding.index), elements: operand(inputs, binding.index).elements };
      case "output":
        return { place: operand(outputPlaces, binding.index), elements: operand(outputs, binding.index).elements };
      case "scratch": {
        const storage = scratch.get(binding.name) ?? {
          name: `${label} ${binding.name}`,
          persistent: undefined,
          elements: binding.elements,
        };
        scratch.set(binding.name, storage);
        return { place: { storage, offset: 0 }, elements: binding.elements };
      }
    }
  };
  const bindings = Object.fromEntries(Object.entries(call.bindings).map(([name, binding]) => [name, resolve(binding)]));
  const bytes = (writes: boolean): number =>
    Object.entries(bindings).reduce((total, [name, binding]) => {
      const isWritten = call.kernel.shader.bindings[name]?.type === "storage";
      return binding === "unused" || isWritten !== writes ? total : total + 4 * binding.elements;
    }, 0);
  const grid = call.kernel.grid(call.params, call.knobs);
  if (grid.some((extent) => extent > MAX_GRID_DIMENSION)) {
    throw new EngineError({
      code: "LIMIT-GRID",
      message: `${label}: ${call.kernel.name} would need a grid of ${grid.join(" × ")} workgroups; a dimension holds ${MAX_GRID_DIMENSION}`,
      fix: "Use a smaller batch.",
      where: label,
    });
  }
  return {
    key,
    node: label,
    op: node.op.name,
    kernel: call.kernel,
    knobs: call.knobs,
    params: call.params,
    bindings,
    grid,
    flops,
    bytesRead: bytes(false),
    bytesWritten: bytes(true),
    programs,
  };
}

/** The call with the kernel and knobs of a recorded variant; kernels of one op share bindings and parameters. */
function withVariant(call: KernelCall, key: string, variant: Variant | undefined): KernelCall {
  if (!variant) return call;
  const kernel = Object.values(library).find(({ name }) => name === variant.kernel);
  if (!kernel) throw variantError(key, `there is no kernel ${variant.kernel}`);
  const fields = (of: KernelCall["kernel"]): string =>
    [...Object.keys(of.shader.bindings), ...Object.keys(of.shader.params?.fields ?? {})].sort().join();
  if (fields(kernel) !== fields(call.kernel))
    throw variantError(key, `${kernel.name} cannot take the place of ${call.kernel.name}`);
  return { ...call, kernel, knobs: variant.knobs };
}

export function variantError(key: string, why: string): EngineError {
  return new EngineError({
    code: "GRAPH-VARIANT",
    message: `The recorded kernel variant of ${key} does not fit: ${why}`,
    fix: "Remove kernels.variants from the configuration to let the variants be chosen anew.",
    where: key,
  });
}
