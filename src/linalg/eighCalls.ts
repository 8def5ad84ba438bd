/** The dispatches that solve a batch of symmetric eigenproblems: one list, used by graphs (ops/eigh.ts) and by stand-alone plans. */
import type { KernelCall, Operand } from "../kernels/call.ts";
import { jacobiEigh } from "../kernels/library.ts";

export interface EighShape {
  /** Order of the matrices. */
  readonly n: number;
  readonly batch: number;
  readonly vectors: boolean;
}

/** Words of a matrix's status: sweeps, flags, and as bits of f32 the off-norm and the residual. */
export const STATUS_WORDS = 4;

/** Largest order that one workgroup solves in one short dispatch. */
export const MAX_EIGH_ORDER = 64;

/** Workgroups grow with the number of disjoint rotations in a round, ⌈n/2⌉, whose blocks they share. */
export function eighKnobs(n: number, vectors: boolean) {
  return { WG: n <= 16 ? 16 : n <= 40 ? 32 : 64, N_MAX: Math.ceil(n / 8) * 8, VECTORS: vectors } as const;
}

/**
 * Input 0: a f32[batch, n, n], lower triangle read. Outputs: 0 values f32[batch, n]; 1 status u32[batch, STATUS_WORDS]; 2 with `vectors`
 * f32[batch, n, n], eigenvectors as columns.
 */
export function eighCalls({ n, batch, vectors }: EighShape): readonly KernelCall[] {
  const elements = batch * n * n;
  const scratch = (name: string): Operand => ({ kind: "scratch", name, elements });
  return [
    {
      kernel: jacobiEigh,
      knobs: eighKnobs(n, vectors),
      params: { batch, n },
      bindings: {
        a: { kind: "input", index: 0 },
        work: scratch("work"),
        basis: vectors ? scratch("basis") : { kind: "scratch", name: "basis", elements: 1 },
        values: { kind: "output", index: 0 },
        vectors: vectors ? { kind: "output", index: 2 } : { kind: "scratch", name: "vectors", elements: 1 },
        status: { kind: "output", index: 1 },
      },
    },
  ];
}
