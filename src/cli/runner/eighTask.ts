/** What `eigenstep eigh` executes in a runtime: solve, measure, hand the arrays over as .npy. */
import { encodeNpy } from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import type { RunSink } from "../../experiments/contract.ts";
import { decompositionErrors, type EighStatus, eigh } from "../../linalg/index.ts";

export interface EighTask {
  readonly kind: "eigh";
  /** Leading dimensions of the file, folded into `batch` here. */
  readonly batchShape: readonly number[];
  readonly n: number;
  readonly vectors: boolean;
  /** f32[batch, n, n]; travels beside the JSON. */
  readonly matrices: Float32Array;
}

/** Plain JSON. Numbers of a matrix that is not finite are null. */
export interface EighDocument {
  readonly n: number;
  readonly batch: number;
  readonly values: readonly (readonly (number | null)[])[];
  readonly sweeps: readonly number[];
  readonly residual: readonly (number | null)[];
  readonly orthogonality: readonly (number | null)[];
  readonly status: readonly EighStatus[];
}

/** Delivers values.npy, and vectors.npy when they were asked for. */
export async function executeEigh(engine: Engine, task: EighTask, sink: RunSink): Promise<EighDocument> {
  const { n, matrices, batchShape } = task;
  const batch = matrices.length / (n * n);
  // The vectors are needed for the residual even when nobody asked for them.
  const { values, vectors, sweeps, status } = await eigh(engine, matrices, { n, batch, vectors: true });
  await sink.file("values.npy", encodeNpy(values, [...batchShape, n]));
  if (task.vectors) await sink.file("vectors.npy", encodeNpy(vectors, [...batchShape, n, n]));
  const part = (array: Float32Array, g: number, size: number): Float32Array => array.subarray(g * size, (g + 1) * size);
  const errors = status.map((state, g) =>
    state === "nonfinite"
      ? undefined
      : decompositionErrors(part(matrices, g, n * n), part(values, g, n), part(vectors, g, n * n), n),
  );
  return {
    n,
    batch,
    values: status.map((state, g) => Array.from(part(values, g, n), (value) => (state === "nonfinite" ? null : value))),
    sweeps,
    residual: errors.map((error) => error?.residual ?? null),
    orthogonality: errors.map((error) => error?.orthogonality ?? null),
    status,
  };
}
