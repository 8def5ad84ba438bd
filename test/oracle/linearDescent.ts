/** Float64 gradient descent of the linear Barlow Twins model, plain loops: L = ‖C − I‖_F², C = W Γ Wᵀ, dW = 4 (C − I) W Γ. */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";

export interface DescentRecord {
  readonly step: number;
  readonly loss: number;
  /** Descending. */
  readonly spectrum: number[];
}

export interface DescentOptions {
  readonly n: number;
  readonly m: number;
  readonly d: number;
  readonly learningRate: number;
  readonly momentum?: number;
  readonly steps: number;
  readonly recordEvery: number;
  /** Sees the weights of every step. */
  readonly onStep?: (step: number, weights: Float64Array) => void;
}

/** Γ = (1/2n) Σ (x x'ᵀ + x' xᵀ). */
export function crossCorrelation(a: ArrayLike<number>, b: ArrayLike<number>, n: number, m: number): Float64Array {
  const gamma = new Float64Array(m * m);
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < m; i++) {
      const [ai, bi] = [a[k * m + i]!, b[k * m + i]!];
      for (let j = 0; j < m; j++) gamma[i * m + j]! += (ai * b[k * m + j]! + bi * a[k * m + j]!) / (2 * n);
    }
  }
  return gamma;
}

export function descend(
  viewsA: ArrayLike<number>,
  viewsB: ArrayLike<number>,
  weights: ArrayLike<number>,
  { n, m, d, learningRate, momentum = 0, steps, recordEvery, onStep }: DescentOptions,
): DescentRecord[] {
  const gamma = crossCorrelation(viewsA, viewsB, n, m);
  const w = Float64Array.from(weights);
  const velocity = new Float64Array(d * m);
  const records: DescentRecord[] = [];
  for (let step = 0; step <= steps; step++) {
    onStep?.(step, w);
    const wGamma = new Float64Array(d * m);
    for (let i = 0; i < d; i++) {
      for (let k = 0; k < m; k++) {
        const value = w[i * m + k]!;
        for (let j = 0; j < m; j++) wGamma[i * m + j]! += value * gamma[k * m + j]!;
      }
    }
    const residual = new Float64Array(d * d);
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < d; j++) {
        let c = 0;
        for (let k = 0; k < m; k++) c += wGamma[i * m + k]! * w[j * m + k]!;
        residual[i * d + j] = c - (i === j ? 1 : 0);
      }
    }
    if (step % recordEvery === 0 || step === steps) {
      const c = Matrix.from1DArray(d, d, residual).add(Matrix.eye(d));
      const spectrum = new EigenvalueDecomposition(c, { assumeSymmetric: true }).realEigenvalues.sort((x, y) => y - x);
      records.push({ step, loss: residual.reduce((total, r) => total + r * r, 0), spectrum });
    }
    for (let i = 0; i < d; i++) {
      for (let j = 0; j < m; j++) {
        let gradient = 0;
        for (let k = 0; k < d; k++) gradient += 4 * residual[i * d + k]! * wGamma[k * m + j]!;
        velocity[i * m + j] = momentum * velocity[i * m + j]! + gradient;
        w[i * m + j]! -= learningRate * velocity[i * m + j]!;
      }
    }
  }
  return records;
}

/** Times at which the j-th largest eigenvalue first crosses one half, interpolated; t = timePerStep·step. */
export function stepTimesOf(records: readonly DescentRecord[], timePerStep: number, d: number): (number | undefined)[] {
  return Array.from({ length: d }, (_, j) => {
    const at = records.findIndex((record) => record.spectrum[j]! >= 0.5);
    if (at < 1) return undefined;
    const [before, after] = [records[at - 1]!, records[at]!];
    const share = (0.5 - before.spectrum[j]!) / (after.spectrum[j]! - before.spectrum[j]!);
    return timePerStep * (before.step + share * (after.step - before.step));
  });
}
