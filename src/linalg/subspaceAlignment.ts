/** How far the subspaces that two sets of embeddings span agree. */
import type { Engine } from "../device/engine.ts";
import { EngineError } from "../errors.ts";
import { svd } from "./svd.ts";

export interface SubspaceAlignmentOptions {
  /** Number of samples: rows of both matrices. */
  readonly rows: number;
  /** Dimensions of the two embeddings. */
  readonly columns: readonly [a: number, b: number];
  /** Directions with σ ≤ cutoff·σ_max do not count; max(rows, columns)·2⁻²³ unless given. */
  readonly cutoff?: number;
}

export interface SubspaceAlignment {
  /** ‖Q_AᵀQ_B‖_F² / min(rank A, rank B), between 0 and 1; 1 when one subspace holds the other. */
  readonly alignment: number;
  /** Expected alignment of random subspaces of these ranks: max(rank A, rank B)/rows. */
  readonly chance: number;
  readonly ranks: readonly [a: number, b: number];
}

/**
 * Alignment of the column spaces of A and B in sample space, by orthonormal bases Q_A, Q_B (left singular vectors) found on the GPU.
 *
 * @param a f32[rows, columns[0]] row-major, one embedding a row; b likewise; centre them first where a mean should not count
 * @throws EngineError LINALG-RANK when one has no direction at all, LINALG-NONFINITE, LINALG-NOT-CONVERGED, and what `svd` throws
 * Source  Simon et al. 2023, subspace alignment of learned and predicted embeddings
 */
export async function subspaceAlignment(
  engine: Engine,
  a: Float32Array,
  b: Float32Array,
  { rows, columns, cutoff }: SubspaceAlignmentOptions,
): Promise<SubspaceAlignment> {
  const first = await basis(engine, a, rows, columns[0], cutoff, "a");
  const second = await basis(engine, b, rows, columns[1], cutoff, "b");
  let total = 0;
  for (let i = 0; i < first.rank; i++) {
    for (let j = 0; j < second.rank; j++) {
      let product = 0;
      for (let row = 0; row < rows; row++) {
        product += (first.left[row * first.k + i] ?? 0) * (second.left[row * second.k + j] ?? 0);
      }
      total += product * product;
    }
  }
  return {
    alignment: total / Math.min(first.rank, second.rank),
    chance: Math.max(first.rank, second.rank) / rows,
    ranks: [first.rank, second.rank],
  };
}

interface Basis {
  /** [rows, k], the first `rank` columns orthonormal. */
  readonly left: Float32Array;
  readonly k: number;
  readonly rank: number;
}

async function basis(
  engine: Engine,
  matrix: Float32Array,
  rows: number,
  columns: number,
  cutoff: number | undefined,
  name: string,
): Promise<Basis> {
  const { values, left, status } = await svd(engine, matrix, { rows, columns, left: true });
  if (status[0] !== "ok") {
    throw new EngineError({
      code: status[0] === "nonfinite" ? "LINALG-NONFINITE" : "LINALG-NOT-CONVERGED",
      message: `The ${rows} × ${columns} matrix ${name} ${status[0] === "nonfinite" ? "holds NaN or infinity" : "did not converge"}`,
      fix: "Pass finite embeddings.",
      where: `subspaceAlignment ${name}`,
    });
  }
  const threshold = (cutoff ?? Math.max(rows, columns) * 2 ** -23) * (values[0] ?? 0);
  const rank = values.filter((value) => value > threshold).length;
  if (rank === 0) {
    throw new EngineError({
      code: "LINALG-RANK",
      message: `The ${rows} × ${columns} matrix ${name} spans no direction: all its singular values are zero`,
      fix: "Pass embeddings that have not collapsed to a point.",
      where: `subspaceAlignment ${name}`,
    });
  }
  return { left, k: Math.min(rows, columns), rank };
}
