/**
 * From a graph to a plan: dead nodes dropped, fusions applied, tensors placed, ops lowered to kernel calls, storages given slots by
 * liveness. Pure: the same graph and target give the same plan.
 */
import { EngineError } from "../errors.ts";
import { MAX_GRID_DIMENSION } from "../kernels/grid.ts";
import { copyOp } from "../ops/memory.ts";
import { type KernelCall, type Operand, operand, type PlacedTensor, type Target } from "../ops/opDefinition.ts";
import { baseOf, fuse, liveNodes } from "./fusion.ts";
import { type Graph, type Node, SEGMENT_ALIGNMENT, type Tensor } from "./graph.ts";
import { assignSlots } from "./liveness.ts";
import { type Place, type Placements, placeTensors, type Storage } from "./placement.ts";
import type { Placement, Plan, PlannedCall } from "./plan.ts";

export interface PlanRequest {
  readonly graph: Graph;
  /** Named lists of roots: nodes with side effects, or tensors. A program is replayed as a whole. */
  readonly programs: Readonly<Record<string, readonly (Node | Tensor)[]>>;
  /** Tensors to keep in persistent buffers of these names. */
  readonly outputs?: Readonly<Record<string, Tensor>>;
  readonly target: Target;
}

/** A call before its storages have slots. */
interface DraftCall extends Omit<PlannedCall, "bindings"> {
  readonly bindings: Readonly<Record<string, { readonly place: Place; readonly elements: number } | "unused">>;
}

/** @throws EngineError GRAPH-OUTPUT, GRAPH-NAME, GRAPH-ALIGNMENT, GRAPH-ALIAS, LIMIT-GRID */
export function planGraph({ graph, programs, outputs = {}, target }: PlanRequest): Plan {
  const roots = [...Object.values(programs).flat(), ...Object.values(outputs)];
  const wanted = roots.flatMap((root) => ("op" in root ? [] : [baseOf(root)]));
  const fused = fuse(liveNodes(graph, roots), new Set(wanted));
  const { placements, nodes } = placeTensors(graph, fused, outputs);
  const membership = programMembership(nodes, programs);
  const drafts = nodes.flatMap((node) => lowerNode(node, placements, target, membership.get(node) ?? []));
  for (const draft of drafts) assertNoAliasing(draft);

  const uses = drafts.map((draft) => ({
    storages: Object.values(draft.bindings).flatMap((binding) => (binding === "unused" ? [] : [binding.place.storage])),
  }));
  const slots = assignSlots(uses.map(({ storages }) => storages.filter((storage) => !storage.persistent)));
  const calls = drafts.map((draft): PlannedCall => {
    const bindings = Object.entries(draft.bindings).map(([name, binding]) => [
      name,
      binding === "unused" ? binding : placementOf(binding.place, binding.elements, slots.slotOf),
    ]);
    return { ...draft, bindings: Object.fromEntries(bindings) };
  });
  return {
    calls,
    slots: slots.slots,
    persistent: [...placements.persistent].map((storage) => ({
      name: storage.name,
      sizeBytes: paddedBytes(storage.elements),
      role: storage.persistent ?? "state",
    })),
  };
}

/** Sizes are whole 256-byte units, so that any vec4 view of a tensor stays inside its buffer. */
function paddedBytes(elements: number): number {
  return Math.ceil(elements / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT * 4;
}

/** Which programs need each node. */
function programMembership(nodes: readonly Node[], programs: PlanRequest["programs"]): Map<Node, string[]> {
  const producer = new Map<Tensor, Node>(
    nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)),
  );
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const membership = new Map<Node, string[]>();
  for (const [name, roots] of Object.entries(programs)) {
    const visit = (node: Node | undefined): void => {
      if (!node || membership.get(node)?.includes(name)) return;
      membership.set(node, [...(membership.get(node) ?? []), name]);
      for (const input of node.inputs) visit(producer.get(baseOf(input)));
    };
    for (const root of roots) visit("op" in root ? byId.get(root.id) : producer.get(baseOf(root)));
  }
  return membership;
}

function lowerNode(node: Node, placements: Placements, target: Target, programs: readonly string[]): DraftCall[] {
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
    copies.push(
      ...calls.map((call) => draft(call, node, `${node.label}/copy`, [place], [copy], [input], [input], programs, 0)),
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
  const scratch = new Map<string, Storage>();
  return [
    ...copies,
    ...calls.map((call) =>
      draft(call, node, node.label, places, outputPlaces, node.inputs, node.outputs, programs, flops, scratch),
    ),
  ];
}

function placed(tensor: Tensor, place: Place): PlacedTensor {
  return { shape: tensor.shape, dtype: tensor.dtype, offset: place.offset % SEGMENT_ALIGNMENT };
}

function draft(
  call: KernelCall,
  node: Node,
  label: string,
  inputPlaces: readonly Place[],
  outputPlaces: readonly Place[],
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  programs: readonly string[],
  flops: number,
  scratch: Map<string, Storage> = new Map(),
): DraftCall {
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

/** WebGPU forbids a buffer bound both read and read_write in a dispatch, and overlapping writes pass silently in some browsers. */
function assertNoAliasing(call: DraftCall): void {
  const seen = new Map<Storage, { readonly name: string; readonly isWritten: boolean }[]>();
  for (const [name, binding] of Object.entries(call.bindings)) {
    if (binding === "unused") continue;
    const isWritten = call.kernel.shader.bindings[name]?.type === "storage";
    const others = seen.get(binding.place.storage) ?? [];
    const clash = others.find((other) => other.isWritten || isWritten);
    if (clash) {
      throw new EngineError({
        code: "GRAPH-ALIAS",
        message: `${call.node}: ${clash.name} and ${name} of ${call.kernel.name} share ${binding.place.storage.name}, and one is written`,
        fix: "This is a defect of the planner; please report it with the output of `eigenstep plan`.",
        where: call.node,
      });
    }
    seen.set(binding.place.storage, [...others, { name, isWritten }]);
  }
}

function placementOf(place: Place, elements: number, slotOf: ReadonlyMap<Storage, number>): Placement {
  const inside = place.offset % SEGMENT_ALIGNMENT;
  const slot = slotOf.get(place.storage);
  return {
    memory: place.storage.persistent ? place.storage.name : `slot:${slot}`,
    offsetBytes: 4 * (place.offset - inside),
    sizeBytes: Math.ceil((4 * (inside + elements)) / 16) * 16,
  };
}
