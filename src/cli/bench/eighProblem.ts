/** What the suite `eigh` measures: the matrices, their names in the table, and when a result counts as right. */
import { symmetricFamily } from "../../../test/oracle/symmetricFamilies.ts";
import { referenceEigenvalues } from "../../../test/oracle/tridiagonalEigen.ts";
import { type BenchRow, unmeasured } from "./contract.ts";

export const SIZES = [16, 32, 64, 128, 256, 512] as const;
export const SCALES = [1, 1e-8, 1e8] as const;
export const BATCH = { n: 32, batch: 64 } as const;
export const SPECTRUM = { rows: 256, columns: 64 } as const;
export interface Problem {
  readonly n: number;
  readonly scale: number;
  readonly a: Float32Array;
  /** Float64 eigenvalues of `a`, descending. */
  readonly exact: Float64Array;
}

export function rowName(n: number, scale: number): string {
  return `n=${n} scale=${scale === 1 ? "1" : scale.toExponential(0).replace("+", "")}`;
}

/** A random matrix (Gaussian orthogonal ensemble) of unit scale, times `scale`. */
export function problemOf(n: number, scale: number): Problem {
  const a = symmetricFamily("random", n).map((x) => x * scale);
  return { n, scale, a, exact: referenceEigenvalues(a, n) };
}

/** Largest error over the largest magnitude, whatever the order of `values`. */
export function relativeError(values: ArrayLike<number>, exact: ArrayLike<number>): number {
  const sorted = Float64Array.from(values).sort().reverse();
  let [error, largest] = [0, 0];
  for (let i = 0; i < exact.length; i++) {
    error = Math.max(error, Math.abs((sorted[i] ?? Number.NaN) - (exact[i] ?? 0)));
    largest = Math.max(largest, Math.abs(exact[i] ?? 0));
  }
  return sorted.length === exact.length ? error / largest : Number.NaN;
}

/** What docs/numerics.md promises: c·√n·2⁻²⁴ with c = 4 up to order 128 and 8 above. */
export function promisedError(n: number): number {
  return (n <= 128 ? 4 : 8) * Math.sqrt(n) * 2 ** -24;
}

export function eighUnmeasured(name: string, engine: string, note: string): BenchRow {
  return unmeasured({ suite: "eigh", name, engine }, note);
}

export function spectrumName(): string {
  return `spectrum N=${SPECTRUM.rows} d=${SPECTRUM.columns}`;
}
