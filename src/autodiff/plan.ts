/** The plan as data: what runs, on which memory, at which cost. JSON-serialisable; no GPU object. */
import type { Kernel } from "../kernels/kernel.ts";
import type { KnobValues } from "../kernels/specialize.ts";
import { packUniforms } from "../linalg/uniforms.ts";

/** A run of elements of a slot or of a persistent buffer. */
export interface Placement {
  /** `slot:3` or the name of a persistent buffer. */
  readonly memory: string;
  /** From the memory's start, a multiple of 256. */
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** One dispatch. */
export interface PlannedCall {
  /** `label#n`: names the dispatch within its plan, the n-th of its node's label. */
  readonly key: string;
  readonly node: string;
  readonly op: string;
  readonly kernel: Kernel;
  readonly knobs: KnobValues;
  readonly params: Readonly<Record<string, number>>;
  readonly bindings: Readonly<Record<string, Placement | "unused">>;
  readonly grid: readonly [number, number, number];
  readonly flops: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Programs this dispatch belongs to. */
  readonly programs: readonly string[];
}

export interface PersistentBuffer {
  readonly name: string;
  readonly sizeBytes: number;
  readonly role: "input" | "parameter" | "state" | "output";
}

export interface Plan {
  readonly calls: readonly PlannedCall[];
  readonly slots: readonly { readonly sizeBytes: number; readonly tensors: readonly string[] }[];
  readonly persistent: readonly PersistentBuffer[];
}

/** Bytes of the buffer that stands in for bindings which a kernel's variant does not use. */
const UNUSED_BYTES = 256;
/** Sizes of buffers are multiples of this (`Engine.createBuffers`). */
const BUFFER_UNIT_BYTES = 16;

/** Every buffer of the compiled plan: slots, persistent buffers, parameters of the kernels, and one for unused bindings. */
export function planBuffers(plan: Plan): { readonly label: string; readonly sizeBytes: number }[] {
  return [
    ...plan.slots.map(({ sizeBytes }, index) => ({ label: `slot:${index}`, sizeBytes })),
    ...plan.persistent.map(({ name, sizeBytes }) => ({ label: name, sizeBytes })),
    { label: "uniforms", sizeBytes: packUniforms(plan.calls).bytes.byteLength },
    { label: "unused", sizeBytes: UNUSED_BYTES },
  ].map(({ label, sizeBytes }) => ({
    label,
    sizeBytes: Math.max(1, Math.ceil(sizeBytes / BUFFER_UNIT_BYTES)) * BUFFER_UNIT_BYTES,
  }));
}

/** Totals of the dispatches of some programs (all, unless named); memory is that of the whole plan. */
export function planTotals(plan: Plan, programs?: readonly string[]) {
  const calls = plan.calls.filter((call) => !programs || call.programs.some((name) => programs.includes(name)));
  const sum = (of: (call: PlannedCall) => number): number => calls.reduce((total, call) => total + of(call), 0);
  const slotBytes = plan.slots.reduce((total, slot) => total + slot.sizeBytes, 0);
  const persistentBytes = plan.persistent.reduce((total, buffer) => total + buffer.sizeBytes, 0);
  return {
    dispatches: calls.length,
    flops: sum((call) => call.flops),
    bytesRead: sum((call) => call.bytesRead),
    bytesWritten: sum((call) => call.bytesWritten),
    slots: plan.slots.length,
    slotBytes,
    persistentBytes,
    /** What the compiled plan allocates, from its start to its end. */
    peakBytes: planBuffers(plan).reduce((total, { sizeBytes }) => total + sizeBytes, 0),
  };
}

/** A kernel by name with all its knobs: what one dispatch runs. */
export interface Variant {
  readonly kernel: string;
  readonly knobs: Readonly<Record<string, number | boolean>>;
}

/** The variant of each dispatch by its key, as config.json records it; `planGraph` takes the same to repeat a plan. */
export function kernelVariants(plan: Plan): Record<string, Variant> {
  return Object.fromEntries(
    plan.calls.map(({ key, kernel, knobs }) => [key, { kernel: kernel.name, knobs: kernel.knobs(knobs) }]),
  );
}
