/** Gives storages slots: a slot is one buffer, reused by storages whose lifetimes do not overlap. */
import { SEGMENT_ALIGNMENT } from "./graph.ts";
import type { Storage } from "./placement.ts";

export interface SlotAssignment {
  readonly slotOf: ReadonlyMap<Storage, number>;
  /** Of a slot's tensors the largest comes first, which is what gave it its size. */
  readonly slots: readonly { readonly sizeBytes: number; readonly tensors: readonly string[] }[];
}

/**
 * Greedy best fit over dispatches in order. A storage lives from the first to the last dispatch that touches it, both included, so the
 * outputs of a dispatch never share a slot with its inputs.
 *
 * @param uses storages touched by each dispatch, persistent ones left out
 */
export function assignSlots(uses: readonly (readonly Storage[])[]): SlotAssignment {
  const lastUse = new Map<Storage, number>();
  uses.forEach((storages, index) => {
    for (const storage of storages) lastUse.set(storage, index);
  });
  const slots: { elements: number; tensors: string[] }[] = [];
  const slotOf = new Map<Storage, number>();
  const free = new Set<number>();
  uses.forEach((storages, index) => {
    for (const storage of storages) {
      if (slotOf.has(storage)) continue;
      const slot = bestFit(free, slots, storage.elements) ?? slots.push({ elements: 0, tensors: [] }) - 1;
      free.delete(slot);
      slotOf.set(storage, slot);
      const chosen = slots[slot];
      if (!chosen) continue;
      if (storage.elements > chosen.elements) chosen.tensors.unshift(storage.name);
      else chosen.tensors.push(storage.name);
      chosen.elements = Math.max(chosen.elements, storage.elements);
    }
    for (const storage of new Set(storages)) {
      const slot = slotOf.get(storage);
      if (lastUse.get(storage) === index && slot !== undefined) free.add(slot);
    }
  });
  return {
    slotOf,
    slots: slots.map(({ elements, tensors }) => ({
      sizeBytes: Math.ceil(elements / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT * 4,
      tensors,
    })),
  };
}

/** The smallest free slot that is large enough, else the largest free one (it grows). */
function bestFit(
  free: ReadonlySet<number>,
  slots: readonly { elements: number }[],
  elements: number,
): number | undefined {
  const candidates = [...free].sort((a, b) => (slots[a]?.elements ?? 0) - (slots[b]?.elements ?? 0));
  return candidates.find((slot) => (slots[slot]?.elements ?? 0) >= elements) ?? candidates.at(-1);
}
