/** A tiny linear encoder as a training step, and its float64 twin with the magnitudes that rounding errors are multiples of. */
import { CompiledPlan } from "../../src/autodiff/compiledPlan.ts";
import { crossCorrelation, frobeniusIdentity, matmul, slice } from "../../src/autodiff/functions.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { eigenvalues } from "../../src/autodiff/linalg.ts";
import type { Engine } from "../../src/device/engine.ts";
import { planTrainingStep, type TrainingStep, trainingStep } from "../../src/train/trainingStep.ts";
import { REGISTER_TARGET } from "../support/graphs.ts";
import { TestRandom } from "../support/random.ts";

/** Pairs, features, embedding dimensions. */
export const [N, M, D] = [6, 7, 3];

const random = new TestRandom(61);
/** [2N, M]: first views, then second views, which share most of their content. */
export const VIEWS = (() => {
  const first = random.normals(N * M);
  return Float32Array.of(...first, ...first.map((value) => value + 0.3 * random.normal()));
})();
/** [D, M]. */
export const WEIGHTS = random.normals(D * M, 0.2);

export function tinyStep(options: { readonly momentum?: number; readonly ringCapacity?: number } = {}): TrainingStep {
  const graph = new Graph();
  const views = graph.input("views", [2 * N, M]);
  const weights = graph.parameter("weights", [D, M]);
  const z = matmul(views, weights, { transposeB: true });
  const c = crossCorrelation(slice(z, 0, N), slice(z, N, 2 * N), { symmetric: true });
  const objective = { loss: frobeniusIdentity(c), spectrum: eigenvalues(c) };
  return trainingStep(graph, objective, { momentum: options.momentum ?? 0, ringCapacity: options.ringCapacity ?? 256 });
}

/** The step on a device with its views and first weights. */
export async function compileTiny(
  engine: Engine,
  step: TrainingStep,
  weights: Float32Array<ArrayBuffer> = WEIGHTS,
): Promise<CompiledPlan> {
  const compiled = await CompiledPlan.compile(engine, planTrainingStep(step, REGISTER_TARGET));
  compiled.write("views", VIEWS);
  compiled.write("parameters", weights);
  return compiled;
}

/**
 * Loss and its gradient, C = (1/2N) Σ (z z'ᵀ + z' zᵀ), L = ‖C − I‖²_F, dL/dz = (2/N) (C − I) z'. With `isMajorant` all is done on
 * absolute values and I is added: every monomial with a plus sign. The gradient g is a polynomial in W, and its majorant G bounds both
 * |g(W)| and |g(W + δ) − g(W)| ≤ G(|W| + |δ|) − G(|W|), entry by entry.
 */
export function lossAndGradient(
  weights: ArrayLike<number>,
  isMajorant: boolean,
): { readonly loss: number; readonly gradient: Float64Array; readonly spectrumTrace: number } {
  const x = isMajorant ? Float64Array.from(VIEWS, Math.abs) : Float64Array.from(VIEWS);
  const w = isMajorant ? Float64Array.from(weights, Math.abs) : Float64Array.from(weights);
  const z = new Float64Array(2 * N * D);
  for (let i = 0; i < 2 * N; i++) {
    for (let a = 0; a < D; a++) for (let k = 0; k < M; k++) z[i * D + a]! += w[a * M + k]! * x[i * M + k]!;
  }
  const residual = new Float64Array(D * D);
  let loss = 0;
  let spectrumTrace = 0;
  for (let a = 0; a < D; a++) {
    for (let b = 0; b < D; b++) {
      let sum = 0;
      for (let i = 0; i < N; i++) sum += z[i * D + a]! * z[(N + i) * D + b]! + z[(N + i) * D + a]! * z[i * D + b]!;
      const c = sum / (2 * N);
      residual[a * D + b] = c + (a === b ? (isMajorant ? 1 : -1) : 0);
      loss += residual[a * D + b]! ** 2;
      if (a === b) spectrumTrace += c;
    }
  }
  const gradient = new Float64Array(D * M);
  for (let i = 0; i < 2 * N; i++) {
    const other = (i + N) % (2 * N);
    for (let a = 0; a < D; a++) {
      let dZ = 0;
      for (let b = 0; b < D; b++) dZ += (2 / N) * residual[a * D + b]! * z[other * D + b]!;
      for (let k = 0; k < M; k++) gradient[a * M + k]! += dZ * x[i * M + k]!;
    }
  }
  return { loss, gradient, spectrumTrace };
}
