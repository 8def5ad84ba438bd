/** What `eigenstep eigh` executes in a runtime: solve, measure, hand the arrays over as .npy. */
import { encodeNpy } from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import type { RunSink } from "../../experiments/contract.ts";
import { affordableColumns, decompositionErrors, eigh } from "../../linalg/index.ts";
import { ALWAYS_MEASURED, MEASURING_BUDGET, part, type SolveDocument, solveDocument } from "./solveDocument.ts";

export interface EighTask {
  readonly kind: "eigh";
  /** Leading dimensions of the file, folded into `batch` here. */
  readonly batchShape: readonly number[];
  readonly n: number;
  readonly vectors: boolean;
  /** f32[batch, n, n]; travels beside the JSON. */
  readonly matrices: Float32Array;
}

/** Delivers values.npy, and vectors.npy when they were asked for. */
export async function executeEigh(engine: Engine, task: EighTask, sink: RunSink): Promise<SolveDocument> {
  const { n, matrices, batchShape } = task;
  const batch = matrices.length / (n * n);
  // Of small matrices the vectors are found for the residual's sake even when nobody asked for them.
  const vectors = task.vectors || n <= ALWAYS_MEASURED;
  const solved = await eigh(engine, matrices, { n, batch, vectors });
  await sink.file("values.npy", encodeNpy(solved.values, [...batchShape, n]));
  if (task.vectors) await sink.file("vectors.npy", encodeNpy(solved.vectors, [...batchShape, n, n]));
  const columns = affordableColumns(n, 2 * n * n * batch, MEASURING_BUDGET);
  const measure = (g: number) =>
    decompositionErrors(
      part(matrices, g, n * n),
      part(solved.values, g, n),
      part(solved.vectors, g, n * n),
      n,
      columns,
    );
  return solveDocument(n, solved, vectors ? measure : undefined);
}
