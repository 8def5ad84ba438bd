/** Eigen-decomposition of a batch of symmetric matrices on an engine: arrays in, arrays out. */
import type { Engine } from "../device/engine.ts";
import { EngineError } from "../errors.ts";
import type { EigenvalueOrder } from "./eighSolver.ts";
import { runOnHost } from "./hostRun.ts";
import { plan } from "./plan.ts";
import type { EighStatus } from "./status.ts";

export interface EighOptions {
  /** Order of the matrices. */
  readonly n: number;
  /** Number of matrices, 1 unless given. */
  readonly batch?: number;
  readonly vectors?: boolean;
  readonly order?: EigenvalueOrder;
}

export interface EighResult {
  /** [batch, n], descending unless asked otherwise; zeros for a matrix with NaN or infinity. */
  readonly values: Float32Array;
  /** [batch, n, n], eigenvectors as columns in the order of the values; empty unless asked for. */
  readonly vectors: Float32Array;
  /** Sweeps of Jacobi rotations each matrix took. */
  readonly sweeps: readonly number[];
  readonly status: readonly EighStatus[];
  /** Off-diagonal left in each matrix, relative to its Frobenius norm. */
  readonly offNorm: readonly number[];
  /** The GPU's own estimate of each residual, relative to the Frobenius norm. */
  readonly residual: readonly number[];
}

/**
 * A = V diag(λ) Vᵀ by two-sided cyclic Jacobi.
 *
 * @param matrices f32[batch, n, n] row-major; the lower triangle is read
 * @returns        host arrays; not converged and not finite are statuses, not exceptions
 * Accuracy        docs/numerics.md
 * @throws EngineError LINALG-ORDER for an order that is not solved, LINALG-SHAPE when the array does not hold batch·n² numbers,
 *         LIMIT-DEVICE, LIMIT-MEMORY
 * Source          Golub & Van Loan 2013, §8.5
 */
export async function eigh(
  engine: Engine,
  matrices: Float32Array,
  { n, batch = 1, vectors = false, order = "descending" }: EighOptions,
): Promise<EighResult> {
  const solver = await plan(engine, { n, batch, vectors, order });
  try {
    if (matrices.length !== batch * n * n) {
      throw new EngineError({
        code: "LINALG-SHAPE",
        message: `${batch} matrices of order ${n} are ${batch * n * n} numbers; given ${matrices.length}`,
        fix: "Pass f32[batch, n, n].",
        where: "eigh",
      });
    }
    const { outputs, status } = await runOnHost(
      engine,
      solver,
      { a: matrices },
      { values: batch * n, ...(vectors ? { vectors: batch * n * n } : {}) },
    );
    return {
      values: outputs.values ?? new Float32Array(0),
      vectors: outputs.vectors ?? new Float32Array(0),
      sweeps: status.map(({ sweeps }) => sweeps),
      status: status.map((matrix) => matrix.status),
      offNorm: status.map(({ offNorm }) => offNorm),
      residual: status.map(({ residual }) => residual),
    };
  } finally {
    solver.destroy();
  }
}
