/** Symmetric eigenproblems as solvers. */
import { EngineError } from "../errors.ts";
import { eighCalls, MAX_EIGH_ORDER } from "./eighCalls.ts";
import { f32Port, matricesOf, requireWhole, type SolverFamily, statusPort } from "./solver.ts";

export type EigenvalueOrder = "descending" | "ascending";

/** Symmetric eigenproblems: A = V diag(λ) Vᵀ. */
export interface EighPlanShape {
  /** Order of the matrices, 1 … MAX_EIGH_ORDER. */
  readonly n: number;
  /** Number of matrices, 1 unless given. */
  readonly batch?: number | undefined;
  /** Eigenvectors, too. */
  readonly vectors?: boolean | undefined;
  /** Of the eigenvalues and their vectors; descending unless given. */
  readonly order?: EigenvalueOrder | undefined;
}

export const eighFamily: SolverFamily<EighPlanShape> = {
  solver({ n, batch = 1, vectors = false, order = "descending" }, target) {
    requireWhole("batch", batch);
    if (!Number.isInteger(n) || n < 1 || n > MAX_EIGH_ORDER) {
      throw new EngineError({
        code: "LINALG-ORDER",
        message: `The solver takes matrices of order 1 to ${MAX_EIGH_ORDER}; these have order ${n}`,
        fix: "Use smaller matrices.",
        where: "eigh",
        detail: { n, largest: MAX_EIGH_ORDER },
      });
    }
    return {
      label: `eigh n=${n}${batch > 1 ? ` batch=${batch}` : ""}`,
      batch,
      inputs: [f32Port("a", batch * n * n)],
      outputs: [
        f32Port("values", batch * n),
        statusPort(batch),
        ...(vectors ? [f32Port("vectors", batch * n * n)] : []),
      ],
      calls: eighCalls({ n, batch, vectors, order }, target),
    };
  },
  describe: ({ n, batch = 1 }) => matricesOf(batch, `order ${n}`),
  shrinkable: (shape) => [
    { name: "n", size: shape.n, with: (n) => ({ ...shape, n }) },
    { name: "batch", size: shape.batch ?? 1, with: (batch) => ({ ...shape, batch }) },
  ],
};
