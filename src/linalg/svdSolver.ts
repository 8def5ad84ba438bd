/** Singular value decompositions as solvers. */
import { EngineError } from "../errors.ts";
import { f32Port, matricesOf, requireWhole, type SolverFamily, statusPort } from "./solver.ts";
import { svdCalls } from "./svdCalls.ts";

/** Singular value decompositions: Z = U diag(σ) Vᵀ, σ descending, k = min(rows, columns) of them. */
export interface SvdPlanShape {
  readonly rows: number;
  readonly columns: number;
  /** Number of matrices, 1 unless given. */
  readonly batch?: number | undefined;
  /** U, too. */
  readonly left?: boolean | undefined;
  /** V, too. */
  readonly right?: boolean | undefined;
}

/** Longest shorter and longer side of a matrix that `svd` takes. */
export const MAX_SVD_SIDES = { shorter: 1024, longer: 65_536 } as const;

export const svdFamily: SolverFamily<SvdPlanShape> = {
  solver({ rows, columns, batch = 1, left = false, right = false }, target) {
    requireWhole("batch", batch);
    requireWhole("rows", rows);
    requireWhole("columns", columns);
    const k = Math.min(rows, columns);
    const { shorter, longer } = MAX_SVD_SIDES;
    if (k > shorter || Math.max(rows, columns) > longer) {
      throw new EngineError({
        code: "LINALG-SHAPE",
        message: `The solver takes matrices of up to ${longer} × ${shorter} or ${shorter} × ${longer}; these have ${rows} × ${columns}`,
        fix: "Use fewer rows or columns.",
        where: "svd",
        detail: { rows, columns, shorter, longer },
      });
    }
    return {
      label: `svd ${rows}×${columns}${batch > 1 ? ` batch=${batch}` : ""}`,
      batch,
      inputs: [f32Port("z", batch * rows * columns)],
      outputs: [
        f32Port("values", batch * k),
        statusPort(batch),
        ...(right ? [f32Port("right", batch * columns * k)] : []),
        ...(left ? [f32Port("left", batch * rows * k)] : []),
      ],
      calls: svdCalls({ rows, columns, batch, left, right }, target),
    };
  },
  describe: ({ rows, columns, batch = 1 }) => matricesOf(batch, `${rows} × ${columns}`),
  shrinkable: (shape) => [
    { name: "rows", size: shape.rows, with: (rows) => ({ ...shape, rows }) },
    { name: "columns", size: shape.columns, with: (columns) => ({ ...shape, columns }) },
    { name: "batch", size: shape.batch ?? 1, with: (batch) => ({ ...shape, batch }) },
  ],
};
