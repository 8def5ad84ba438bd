/** Solves families of symmetric matrices on the GPU, one call for all of one order, and compares with the float64 reference. */
import type { Engine } from "../../src/device/engine.ts";
import { eigh } from "../../src/linalg/eigh.ts";
import { FAMILY_NAMES, type SymmetricFamily, symmetricFamily } from "../oracle/symmetricFamilies.ts";
import { type EighErrors, eighErrors } from "../oracle/tridiagonalEigen.ts";

export interface FamilyRun extends EighErrors {
  readonly family: SymmetricFamily;
  readonly n: number;
  readonly sweeps: number;
  readonly status: string;
  readonly isDescending: boolean;
  /** Time of the call per matrix, read-back included. */
  readonly ms: number;
}

/**
 * What is asserted, in the units of docs/numerics.md (u = 2⁻²⁴): eigenvalues max|λ̂ − λ| ≤ c·√n·u·|λ|_max, residual ‖AV − VΛ‖_F ≤ c·n·u·‖A‖_F,
 * orthogonality ‖VᵀV − I‖_F ≤ c·n·u. Jacobi's a-priori constants are far too large to be of use (docs/numerics.md): these are measured.
 */
export function familyBounds(_n: number): EighErrors {
  return { eigenvalue: 2, residual: 2, orthogonality: 4 };
}

export async function solveFamilies(
  engine: Engine,
  n: number,
  {
    families = FAMILY_NAMES,
    vectors = true,
  }: { readonly families?: readonly SymmetricFamily[]; readonly vectors?: boolean } = {},
): Promise<FamilyRun[]> {
  const batch = families.length;
  const matrices = new Float32Array(batch * n * n);
  for (const [g, family] of families.entries()) matrices.set(symmetricFamily(family, n), g * n * n);
  const started = performance.now();
  const result = await eigh(engine, matrices, { n, batch, vectors });
  const ms = (performance.now() - started) / batch;
  return families.map((family, g) => {
    const a = matrices.subarray(g * n * n, (g + 1) * n * n);
    const values = result.values.subarray(g * n, (g + 1) * n);
    const part = vectors ? { values, vectors: result.vectors.subarray(g * n * n, (g + 1) * n * n) } : { values };
    return {
      family,
      n,
      ...eighErrors(a, n, part),
      sweeps: result.sweeps[g]!,
      status: result.status[g]!,
      isDescending: values.every((value, i) => i === 0 || value <= values[i - 1]!),
      ms,
    };
  });
}

/** One line: the largest error of each kind and whose it is. */
export function largestErrors(runs: readonly FamilyRun[]): string {
  const worst = (["eigenvalue", "residual", "orthogonality", "sweeps"] as const).map((kind) => {
    const run = runs.reduce((x, y) => (y[kind] > x[kind] ? y : x));
    return `${kind} ${run[kind].toFixed(2)} (${run.family})`;
  });
  return `n = ${runs[0]?.n}: ${worst.join(", ")}, ${runs[0]?.ms.toFixed(1)} ms a matrix`;
}
