/** What `eigenstep eigh` and `eigenstep svd` answer. */
import type { DecompositionErrors, EighStatus } from "../../linalg/index.ts";

/** Plain JSON. Numbers of a matrix that is not finite, and numbers that were not measured, are null. */
export interface SolveDocument {
  /** Values of each matrix. */
  readonly n: number;
  readonly batch: number;
  /** Descending. */
  readonly values: readonly (readonly (number | null)[])[];
  readonly sweeps: readonly number[];
  readonly residual: readonly (number | null)[];
  readonly orthogonality: readonly (number | null)[];
  readonly status: readonly EighStatus[];
  /**
   * How residual and orthogonality were found: in float64 on the CPU from all columns or from a sample of them, or, of large matrices
   * without vectors, by the GPU alone: the off-diagonal that is left, which is the residual but for rounding.
   */
  readonly measured: Measured;
}

export type Measured = "all" | "sample" | "gpu";

/** Multiply-adds that measuring may take on the CPU: some three seconds. */
export const MEASURING_BUDGET = 2 ** 31;
/** Above this many values a matrix, vectors are computed only when they are asked for. */
export const ALWAYS_MEASURED = 512;

export function part<T extends Float32Array>(array: T, index: number, size: number): Float32Array {
  return array.subarray(index * size, (index + 1) * size);
}

/** @param measure errors of matrix g; without it, the residual is the off-norm */
export function solveDocument(
  n: number,
  solved: {
    readonly values: Float32Array;
    readonly sweeps: readonly number[];
    readonly status: readonly EighStatus[];
    readonly offNorm: readonly number[];
  },
  measure: ((g: number) => DecompositionErrors) | undefined,
): SolveDocument {
  const { values, sweeps, status } = solved;
  const errors = status.map((state, g) => (state === "nonfinite" ? undefined : measure?.(g)));
  const isSample = errors.some((error) => error !== undefined && error.columns < n);
  return {
    n,
    batch: status.length,
    values: status.map((state, g) => Array.from(part(values, g, n), (value) => (state === "nonfinite" ? null : value))),
    sweeps,
    residual: status.map((state, g) =>
      state === "nonfinite" ? null : measure ? (errors[g]?.residual ?? null) : (solved.offNorm[g] ?? null),
    ),
    orthogonality: errors.map((error) => error?.orthogonality ?? null),
    status,
    measured: measure ? (isSample ? "sample" : "all") : "gpu",
  };
}
