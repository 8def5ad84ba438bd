/** What `eigenstep svd` executes in a runtime: solve, measure, hand the arrays over as .npy. */
import { encodeNpy } from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import type { RunSink } from "../../experiments/contract.ts";
import { affordableColumns, singularErrors, svd } from "../../linalg/index.ts";
import { ALWAYS_MEASURED, MEASURING_BUDGET, part, type SolveDocument, solveDocument } from "./solveDocument.ts";

export interface SvdTask {
  readonly kind: "svd";
  /** Leading dimensions of the file, folded into `batch` here. */
  readonly batchShape: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly vectors: boolean;
  /** f32[batch, rows, columns]; travels beside the JSON. */
  readonly matrices: Float32Array;
}

export interface SvdDocument extends SolveDocument {
  readonly rows: number;
  readonly columns: number;
}

/** Delivers values.npy, and left.npy and right.npy when vectors were asked for. */
export async function executeSvd(engine: Engine, task: SvdTask, sink: RunSink): Promise<SvdDocument> {
  const { rows, columns, matrices, batchShape } = task;
  const batch = matrices.length / (rows * columns);
  const k = Math.min(rows, columns);
  const vectors = task.vectors || k <= ALWAYS_MEASURED;
  const solved = await svd(engine, matrices, { rows, columns, batch, left: vectors, right: vectors });
  await sink.file("values.npy", encodeNpy(solved.values, [...batchShape, k]));
  if (task.vectors) {
    await sink.file("left.npy", encodeNpy(solved.left, [...batchShape, rows, k]));
    await sink.file("right.npy", encodeNpy(solved.right, [...batchShape, columns, k]));
  }
  // A product with the matrix, and products with k vectors of both kinds.
  const cost = rows * columns + k * (rows + columns);
  const measured = affordableColumns(k, cost * batch, MEASURING_BUDGET);
  const measure = (g: number) =>
    singularErrors(
      part(matrices, g, rows * columns),
      part(solved.values, g, k),
      part(solved.left, g, rows * k),
      part(solved.right, g, columns * k),
      { rows, columns },
      measured,
    );
  return { rows, columns, ...solveDocument(k, solved, vectors ? measure : undefined) };
}
