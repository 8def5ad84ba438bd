/** Decides which memory every tensor lives in: persistent buffers, parts of a concatenation, or storages to be given slots. */
import { EngineError } from "../errors.ts";
import type { ConcatAttributes } from "../ops/memory.ts";
import { operand } from "../ops/opDefinition.ts";
import { baseOf } from "./fusion.ts";
import { type Graph, isReservedName, type Node, SEGMENT_ALIGNMENT, type Tensor } from "./graph.ts";
import type { PersistentBuffer } from "./plan.ts";

/** One allocation: a persistent buffer by name, or a storage that the planner gives a slot for its lifetime. */
export interface Storage {
  readonly name: string;
  readonly persistent: PersistentBuffer["role"] | undefined;
  elements: number;
}

export interface Place {
  readonly storage: Storage;
  /** Elements from the storage's start. */
  readonly offset: number;
}

export class Placements {
  readonly #places = new Map<Tensor, Place>();
  readonly #persistent = new Map<string, Storage>();

  get persistent(): Iterable<Storage> {
    return this.#persistent.values();
  }

  /** Place of a tensor or view. */
  of(tensor: Tensor): Place {
    const base = baseOf(tensor);
    const place = this.#places.get(base);
    if (!place) throw new Error(`${base} has no place: it is not part of the plan`);
    return { storage: place.storage, offset: place.offset + (tensor.view?.offset ?? 0) };
  }

  has(tensor: Tensor): boolean {
    return this.#places.has(baseOf(tensor));
  }

  put(base: Tensor, place: Place): void {
    place.storage.elements = Math.max(place.storage.elements, place.offset + base.elements);
    this.#places.set(base, place);
  }

  persistentStorage(name: string, role: PersistentBuffer["role"]): Storage {
    let storage = this.#persistent.get(name);
    if (!storage) {
      storage = { name, persistent: role, elements: 0 };
      this.#persistent.set(name, storage);
    }
    return storage;
  }
}

/**
 * Places every tensor that `nodes` touch.
 *
 * @param outputs tensors wanted in persistent buffers, by buffer name
 * @returns the placements, and the nodes with concatenations told which parts are already in place
 */
export function placeTensors(
  graph: Graph,
  nodes: readonly Node[],
  outputs: Readonly<Record<string, Tensor>>,
): { readonly placements: Placements; readonly nodes: Node[] } {
  const placements = new Placements();
  const touched = new Set<Tensor>(nodes.flatMap((node) => [...node.inputs.map(baseOf), ...node.outputs]));
  for (const leaf of graph.leaves) {
    if (!leaf.leaf || !touched.has(leaf)) continue;
    const storage = placements.persistentStorage(leaf.leaf.buffer, leaf.leaf.role);
    placements.put(leaf, { storage, offset: leaf.leaf.offset });
  }
  if ([...touched].some((tensor) => tensor.leaf?.role === "parameter")) {
    // The whole flat buffer exists even where a plan reads one segment.
    const storage = placements.persistentStorage("parameters", "parameter");
    storage.elements = Math.max(storage.elements, graph.parameterElements);
  }
  for (const [name, tensor] of Object.entries(outputs)) {
    const base = baseOf(tensor);
    if (isReservedName(name) || graph.leaves.some(({ leaf }) => leaf?.buffer === name)) {
      throw new EngineError({
        code: "GRAPH-NAME",
        message: `Output ${name} has the name of a buffer that the plan has already`,
        fix: "Choose another name.",
        where: name,
      });
    }
    if (base.leaf || placements.has(base) || base.elements !== tensor.elements) {
      throw new EngineError({
        code: "GRAPH-OUTPUT",
        message: `Output ${name} must be a whole computed tensor, wanted once; ${tensor} is not`,
        fix: "Copy it first, or ask for the tensor it is part of.",
        where: name,
      });
    }
    placements.put(base, { storage: placements.persistentStorage(name, "output"), offset: 0 });
  }
  const placed = placeConcatenations(nodes, placements);
  for (const node of placed) {
    for (const output of node.outputs) {
      if (!placements.has(output)) {
        const storage: Storage = { name: `${node.label}#${output.id}`, persistent: undefined, elements: 0 };
        placements.put(output, { storage, offset: 0 });
      }
    }
  }
  return { placements, nodes: placed };
}

/** Lets producers write straight into the concatenation they feed, last concatenation first so that nested ones follow. */
function placeConcatenations(nodes: readonly Node[], placements: Placements): Node[] {
  const producer = new Map<Tensor, Node>(
    nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)),
  );
  const result = new Map<Node, Node>();
  const parts = nodes.filter((node) => node.op.name === "concat").flatMap((node) => node.inputs.map(baseOf));
  for (const node of [...nodes].reverse()) {
    if (node.op.name !== "concat") continue;
    const whole = operand(node.outputs, 0);
    if (!placements.has(whole)) {
      placements.put(whole, {
        storage: { name: `${node.label}#${whole.id}`, persistent: undefined, elements: 0 },
        offset: 0,
      });
    }
    const { storage, offset } = placements.of(whole);
    const attributes = node.attributes as ConcatAttributes;
    const inPlace = node.inputs.map((part, index) => {
      const base = baseOf(part);
      const maker = producer.get(base);
      const at = offset + operand(attributes.offsets, index);
      if (!maker || placements.has(base) || base.elements !== part.elements) return false;
      // A tensor that is a part twice would have to be copied within one buffer.
      if (parts.filter((other) => other === base).length > 1) return false;
      if (maker.op.acceptsOffsets !== "all" && at % SEGMENT_ALIGNMENT !== 0) return false;
      if (touchesStorage(base, storage, nodes, placements)) return false;
      placements.put(base, { storage, offset: at });
      return true;
    });
    result.set(node, { ...node, attributes: { ...attributes, inPlace } });
  }
  return nodes.map((node) => result.get(node) ?? node);
}

/** True when putting `base` into `storage` would make some node read and write that storage at once. */
function touchesStorage(base: Tensor, storage: Storage, nodes: readonly Node[], placements: Placements): boolean {
  const isIn = (tensor: Tensor): boolean => placements.has(tensor) && placements.of(tensor).storage === storage;
  return nodes.some((node) => {
    if (node.op.name === "concat") return false;
    // Beside another output of its node there would be two writers of one buffer.
    if (node.outputs.includes(base)) return node.inputs.some(isIn) || node.outputs.some(isIn);
    return node.inputs.some((input) => baseOf(input) === base) && node.outputs.some(isIn);
  });
}
