/** Eigen-decomposition of a batch of small symmetric matrices on an engine: arrays in, arrays out. */
import type { Engine } from "../device/engine.ts";
import { EngineError } from "../errors.ts";
import { jacobiEigh } from "../kernels/library.ts";
import { runKernel } from "../kernels/runKernel.ts";
import { eighKnobs, MAX_EIGH_ORDER, STATUS_WORDS } from "./eighCalls.ts";

export type EighStatus = "ok" | "nonfinite" | "not-converged";

export interface EighResult {
  /** [batch, n], descending; zeros for a matrix with NaN or infinity. */
  readonly values: Float32Array;
  /** [batch, n, n], eigenvectors as columns in the order of the values; empty unless asked for. */
  readonly vectors: Float32Array;
  /** Sweeps of Jacobi rotations each matrix took. */
  readonly sweeps: readonly number[];
  readonly status: readonly EighStatus[];
}

/**
 * A = V diag(λ) Vᵀ by two-sided cyclic Jacobi, one workgroup a matrix.
 *
 * @param matrices f32[batch, n, n] row-major; the lower triangle is read
 * @param shape.n  order, 1 … 64
 * @returns        host arrays; not converged and not finite are statuses, not exceptions
 * Accuracy        max abs(λ̂ − λ) ≤ 4·√n·2⁻²⁴·max abs(λ) (docs/numerics.md)
 * @throws EngineError LINALG-ORDER for n outside 1 … 64, LINALG-SHAPE when the array does not hold batch·n² numbers
 * Source          Golub & Van Loan 2013, §8.5
 */
export async function eigh(
  engine: Engine,
  matrices: Float32Array,
  { n, batch, vectors = false }: { readonly n: number; readonly batch: number; readonly vectors?: boolean },
): Promise<EighResult> {
  if (!Number.isInteger(n) || n < 1 || n > MAX_EIGH_ORDER) {
    throw new EngineError({
      code: "LINALG-ORDER",
      message: `The solver takes matrices of order 1 to ${MAX_EIGH_ORDER}; these have order ${n}`,
      fix: "Use smaller matrices.",
      where: "eigh",
    });
  }
  if (matrices.length !== batch * n * n) {
    throw new EngineError({
      code: "LINALG-SHAPE",
      message: `${batch} matrices of order ${n} are ${batch * n * n} numbers; given ${matrices.length}`,
      fix: "Pass f32[batch, n, n].",
      where: "eigh",
    });
  }
  const scratch = (): Float32Array => new Float32Array(batch * n * n);
  const token = new Float32Array(4);
  const result = await runKernel(engine, jacobiEigh, {
    buffers: {
      a: matrices,
      work: scratch(),
      basis: vectors ? scratch() : token,
      values: new Float32Array(batch * n),
      vectors: vectors ? scratch() : token,
      status: new Uint32Array(STATUS_WORDS * batch),
    },
    params: { batch, n },
    knobs: eighKnobs(n, vectors),
    read: ["values", "status", ...(vectors ? ["vectors"] : [])],
  });
  const words = result.status as Uint32Array;
  return {
    values: result.values as Float32Array,
    vectors: vectors ? (result.vectors as Float32Array) : new Float32Array(0),
    sweeps: Array.from({ length: batch }, (_, g) => words[STATUS_WORDS * g] ?? 0),
    status: Array.from({ length: batch }, (_, g) => statusOf(words[STATUS_WORDS * g + 1] ?? 0)),
  };
}

function statusOf(flags: number): EighStatus {
  if (flags & 1) return "nonfinite";
  return flags & 2 ? "not-converged" : "ok";
}
