/** The graph of a linear encoder: z = W x, C = (1/2n) Σ (z z'ᵀ + z' zᵀ), L = ‖C − I‖_F² (Simon et al. 2023, §4). */
import { crossCorrelation, frobeniusIdentity, matmul, slice } from "../../autodiff/functions.ts";
import { Graph } from "../../autodiff/graph.ts";
import { eigenvalues } from "../../autodiff/linalg.ts";
import { DEFAULT_RING_CAPACITY, type TrainingStep, trainingStep } from "../../train/trainingStep.ts";

export interface LinearShape {
  /** Positive pairs. */
  readonly n: number;
  /** Features of an input. */
  readonly m: number;
  /** Embedding dimension. */
  readonly d: number;
}

/** Name of the input [2n, m]: all first views, then all second views. */
export const VIEWS = "views";

/** Both views pass the encoder as one batch; the spectrum is that of C. */
export function linearGraph({ n, m, d }: LinearShape, momentum: number): TrainingStep {
  const graph = new Graph();
  const views = graph.input(VIEWS, [2 * n, m]);
  const weight = graph.parameter("encoder.weight", [d, m]);
  const embeddings = graph.scope("encoder", () => matmul(views, weight, { transposeB: true }));
  const objective = graph.scope("loss", () => {
    const c = crossCorrelation(slice(embeddings, 0, n), slice(embeddings, n, 2 * n), { symmetric: true });
    return { loss: frobeniusIdentity(c), c };
  });
  const spectrum = graph.scope("spectrum", () => eigenvalues(objective.c));
  return trainingStep(graph, { loss: objective.loss, spectrum }, { momentum, ringCapacity: DEFAULT_RING_CAPACITY });
}
