/** Singular values, and the spectrum of embeddings, on an engine: arrays in, arrays out. */
import type { Engine } from "../device/engine.ts";
import { EngineError } from "../errors.ts";
import { runOnHost } from "./hostRun.ts";
import type { EighStatus } from "./status.ts";
import { planSvd } from "./svdPlan.ts";

export interface SvdOptions {
  readonly rows: number;
  readonly columns: number;
  /** Number of matrices, 1 unless given. */
  readonly batch?: number;
  readonly left?: boolean;
  readonly right?: boolean;
}

export interface SvdResult {
  /** [batch, k] descending, k = min(rows, columns); zeros for a matrix with NaN or infinity. */
  readonly values: Float32Array;
  /** U [batch, rows, k], singular vectors as columns; empty unless asked for. */
  readonly left: Float32Array;
  /** V [batch, columns, k], singular vectors as columns; empty unless asked for. */
  readonly right: Float32Array;
  readonly sweeps: readonly number[];
  readonly status: readonly EighStatus[];
  readonly offNorm: readonly number[];
  readonly residual: readonly number[];
}

/**
 * Z = U diag(σ) Vᵀ by one-sided Jacobi.
 *
 * @param matrix f32[batch, rows, columns] row-major
 * @returns      host arrays; not converged and not finite are statuses, not exceptions
 * Accuracy      docs/numerics.md
 * @throws EngineError LINALG-SHAPE for sides that are not solved or an array of another length, LIMIT-DEVICE, LIMIT-MEMORY
 */
export async function svd(
  engine: Engine,
  matrix: Float32Array,
  { rows, columns, batch = 1, left = false, right = false }: SvdOptions,
): Promise<SvdResult> {
  const solver = await planSvd(engine, { rows, columns, batch, left, right });
  try {
    requireLength(matrix.length, rows, columns, batch);
    const k = Math.min(rows, columns);
    const { outputs, status } = await runOnHost(
      engine,
      solver,
      { z: matrix },
      {
        values: batch * k,
        ...(left ? { left: batch * rows * k } : {}),
        ...(right ? { right: batch * columns * k } : {}),
      },
    );
    return {
      values: outputs.values ?? new Float32Array(0),
      left: outputs.left ?? new Float32Array(0),
      right: outputs.right ?? new Float32Array(0),
      sweeps: status.map(({ sweeps }) => sweeps),
      status: status.map((state) => state.status),
      offNorm: status.map(({ offNorm }) => offNorm),
      residual: status.map(({ residual }) => residual),
    };
  } finally {
    solver.destroy();
  }
}

export interface SpectrumOptions {
  /** Number of embeddings. */
  readonly rows: number;
  /** Their dimension. */
  readonly columns: number;
  /** Subtract the mean embedding first (two passes in float64); off unless asked for. */
  readonly center?: boolean;
}

/**
 * Eigenvalues of the covariance (1/N) ZᵀZ of N embeddings, descending. They are σ²/N of the embeddings themselves, squared in float64:
 * the covariance is never formed, so eigenvalues down to about 1e-14 of the largest survive, where forming it in f32 leaves 1e-7.
 *
 * @param embeddings f32[rows, columns] row-major
 * @returns          float64[columns], the last columns − min(rows, columns) of them 0
 * @throws EngineError LINALG-NONFINITE, LINALG-NOT-CONVERGED, and what `svd` throws
 */
export async function spectrum(
  engine: Engine,
  embeddings: Float32Array,
  { rows, columns, center = false }: SpectrumOptions,
): Promise<Float64Array> {
  requireLength(embeddings.length, rows, columns, 1);
  const matrix = center ? centered(embeddings, rows, columns) : embeddings;
  const { values, status, sweeps } = await svd(engine, matrix, { rows, columns });
  if (status[0] !== "ok") {
    const hasOnlyNumbers = status[0] === "not-converged";
    throw new EngineError({
      code: hasOnlyNumbers ? "LINALG-NOT-CONVERGED" : "LINALG-NONFINITE",
      message: hasOnlyNumbers
        ? `The singular values of ${rows} × ${columns} embeddings had not converged after ${sweeps[0]} sweeps`
        : `The ${rows} × ${columns} embeddings hold NaN or infinity`,
      fix: hasOnlyNumbers ? "Please report these embeddings." : "Pass finite embeddings.",
      where: "spectrum",
    });
  }
  const eigenvalues = new Float64Array(columns);
  values.forEach((value, index) => {
    eigenvalues[index] = (value * value) / rows;
  });
  return eigenvalues;
}

/** Z − 1·mean, means in float64, rounded once. */
function centered(embeddings: Float32Array, rows: number, columns: number): Float32Array {
  const means = new Float64Array(columns);
  for (let at = 0; at < embeddings.length; at++) {
    const column = at % columns;
    means[column] = (means[column] ?? 0) + (embeddings[at] ?? 0) / rows;
  }
  return embeddings.map((value, at) => value - (means[at % columns] ?? 0));
}

function requireLength(length: number, rows: number, columns: number, batch: number): void {
  if (length === batch * rows * columns) return;
  throw new EngineError({
    code: "LINALG-SHAPE",
    message: `${batch} × ${rows} × ${columns} are ${batch * rows * columns} numbers; given ${length}`,
    fix: "Pass f32[batch, rows, columns].",
    where: "svd",
  });
}
