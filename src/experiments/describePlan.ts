/** The plan of an experiment's training step as a document: what `eigenstep plan` prints. Needs no data. */
import { type Placement, type Plan, planTotals } from "../autodiff/plan.ts";
import { dispatchCounts } from "../train/trainingStep.ts";

export interface PlanDocumentNode {
  readonly node: string;
  readonly op: string;
  readonly kernel: string;
  readonly knobs: Readonly<Record<string, number | boolean>>;
  /** Workgroups in x, y, z. */
  readonly grid: readonly [number, number, number];
  readonly flops: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Memory of every binding; a slot or a persistent buffer. */
  readonly bindings: Readonly<Record<string, Placement | "unused">>;
  /** `update`: every step. `record`: steps whose loss and spectrum are recorded. */
  readonly programs: readonly string[];
}

export interface PlanDocument {
  /** Of a step that records its spectrum. */
  readonly dispatches: number;
  readonly dispatchesWithoutSpectrum: number;
  readonly flops: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Slots and persistent buffers. */
  readonly peakBytes: number;
  readonly slots: number;
  readonly persistent: readonly { readonly name: string; readonly sizeBytes: number; readonly role: string }[];
  readonly nodes: readonly PlanDocumentNode[];
}

/** A training step's plan with its totals. */
export function planDocument(plan: Plan): PlanDocument {
  const { dispatches, flops, bytesRead, bytesWritten, peakBytes, slots } = planTotals(plan);
  return {
    dispatches,
    dispatchesWithoutSpectrum: dispatchCounts(plan).withoutRecord,
    flops,
    bytesRead,
    bytesWritten,
    peakBytes,
    slots,
    persistent: plan.persistent,
    nodes: plan.calls.map((call) => ({
      node: call.node,
      op: call.op,
      kernel: call.kernel.name,
      knobs: call.kernel.knobs(call.knobs),
      grid: call.grid,
      flops: call.flops,
      bytesRead: call.bytesRead,
      bytesWritten: call.bytesWritten,
      bindings: call.bindings,
      programs: call.programs,
    })),
  };
}
