/**
 * From a graph to a plan: dead nodes dropped, fusions applied, tensors placed, ops lowered to kernel calls, storages given slots by
 * liveness. Pure: the same graph and target give the same plan.
 */
import { EngineError } from "../errors.ts";
import type { Target } from "../ops/opDefinition.ts";
import { baseOf, fuse, liveNodes } from "./fusion.ts";
import { type Graph, type Node, SEGMENT_ALIGNMENT, type Tensor } from "./graph.ts";
import { assignSlots } from "./liveness.ts";
import { type DraftCall, type Lowering, lowerNode, variantError } from "./lowering.ts";
import { type Place, placeTensors, type Storage } from "./placement.ts";
import type { Placement, Plan, PlannedCall, Variant } from "./plan.ts";

export interface PlanRequest {
  readonly graph: Graph;
  /** Named lists of roots: nodes with side effects, or tensors. A program is replayed as a whole. */
  readonly programs: Readonly<Record<string, readonly (Node | Tensor)[]>>;
  /** Tensors to keep in persistent buffers of these names. */
  readonly outputs?: Readonly<Record<string, Tensor>>;
  readonly target: Target;
  /** Variants to run instead of the chosen ones, by the key of the dispatch. */
  readonly variants?: Readonly<Record<string, Variant>> | undefined;
}

/** @throws EngineError GRAPH-OUTPUT, GRAPH-NAME, GRAPH-ALIGNMENT, GRAPH-ALIAS, GRAPH-VARIANT, LIMIT-GRID */
export function planGraph({ graph, programs, outputs = {}, target, variants = {} }: PlanRequest): Plan {
  const roots = [...Object.values(programs).flat(), ...Object.values(outputs)];
  const wanted = roots.flatMap((root) => ("op" in root ? [] : [baseOf(root)]));
  const fused = fuse(liveNodes(graph, roots), new Set(wanted));
  const { placements, nodes } = placeTensors(graph, fused, outputs);
  const membership = programMembership(nodes, programs);
  assertOutputsRun(outputs, nodes, membership);
  const lowering: Lowering = { placements, target, variants, labels: new Map() };
  const drafts = nodes.flatMap((node) => lowerNode(node, lowering, membership.get(node) ?? []));
  const strange = Object.keys(variants).find((key) => !drafts.some((draft) => draft.key === key));
  if (strange !== undefined) throw variantError(strange, "the plan has no such dispatch");
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

/** An output that no program computes would be a buffer of zeros. */
function assertOutputsRun(
  outputs: Readonly<Record<string, Tensor>>,
  nodes: readonly Node[],
  membership: ReadonlyMap<Node, readonly string[]>,
): void {
  for (const [name, tensor] of Object.entries(outputs)) {
    const producer = nodes.find((node) => node.outputs.includes(baseOf(tensor)));
    if (producer && (membership.get(producer)?.length ?? 0) > 0) continue;
    throw new EngineError({
      code: "GRAPH-OUTPUT",
      message: `Output ${name} (${tensor}) is computed by none of the programs`,
      fix: "Add the tensor to a program's roots, or leave the output out.",
      where: name,
    });
  }
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
