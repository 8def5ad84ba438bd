/** The blocked eigen-solver as a whole, n > 163: the calls of eighCalls around block_pair_solve, for software adapters and for GPUs. */
import { describe, expect, it } from "vitest";
import type { KernelCall } from "../../src/kernels/call.ts";
import { MAX_EIGH_ORDER } from "../../src/linalg/eighCalls.ts";
import { runOnHost } from "../../src/linalg/hostRun.ts";
import { requirementsOf, targetFor } from "../../src/linalg/requirements.ts";
import { solverOf } from "../../src/linalg/shapes.ts";
import { SolverPlan } from "../../src/linalg/solverPlan.ts";
import { symmetricFamily } from "../oracle/symmetricFamilies.ts";
import { eighErrors } from "../oracle/tridiagonalEigen.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";
import { thinned } from "../support/thorough.ts";
import { bitsOf } from "./runF32.ts";

const engine = useEngine();

interface Options {
  readonly n: number;
  readonly vectors?: boolean;
  readonly order?: "descending" | "ascending";
  readonly isSoftware?: boolean;
  readonly change?: (call: KernelCall) => KernelCall;
}

async function solve(matrices: readonly Float32Array[], { isSoftware = true, change, ...shape }: Options) {
  const { n } = shape;
  const batch = matrices.length;
  const solver = solverOf({ ...shape, batch }, targetFor(isSoftware));
  const plan = await SolverPlan.create<object>(
    engine(),
    change ? { ...solver, calls: solver.calls.map(change) } : solver,
  );
  const a = new Float32Array(batch * n * n);
  for (const [g, matrix] of matrices.entries()) a.set(matrix, g * n * n);
  const counts = { values: batch * n, ...(shape.vectors ? { vectors: batch * n * n } : {}) };
  const { outputs, status } = await runOnHost(engine(), plan, { a }, counts);
  return matrices.map((_, g) => ({
    ...status[g]!,
    values: outputs.values!.slice(g * n, (g + 1) * n),
    vectors: outputs.vectors?.slice(g * n * n, (g + 1) * n * n) ?? new Float32Array(0),
  }));
}

/** Lower triangle kept, the upper one filled with a number that must not be read. */
const lowerOnly = (a: Float32Array, n: number) => a.map((x, at) => (at % n > Math.floor(at / n) ? 1e30 : x));

describe("blocked eigh", () => {
  const FAMILIES = [
    "random",
    "geometric decay, 14 decades",
    "clustered",
    "repeated",
    "graded",
    "wilkinson",
    "rank one",
    "near f32's largest",
  ] as const;

  for (const n of thinned([165, 192], 2)) {
    it(`families of order ${n}: accurate, and the same bits without vectors`, async () => {
      const matrices: Float32Array[] = FAMILIES.map((family) => symmetricFamily(family, n));
      const given = matrices.map((a) => lowerOnly(a, n));
      const results = await solve(given, { n, vectors: true });
      matrices.forEach((a, g) => {
        const { values, vectors, ...said } = results[g]!;
        const errors = eighErrors(a, n, { values, vectors });
        // Constants measured (largest here 0.6, 0.25, 1.4; over all families and orders in docs/numerics.md), bounds as for one workgroup.
        expect(errors.eigenvalue, FAMILIES[g]).toBeLessThanOrEqual(2);
        expect(errors.residual, FAMILIES[g]).toBeLessThanOrEqual(1);
        expect(errors.orthogonality, FAMILIES[g]).toBeLessThanOrEqual(4);
        expect(said.status).toBe("ok");
        expect(said.sweeps).toBeLessThan(25);
        // Entries below 2⁻²⁵·√|a_pp·a_qq|: √n·2⁻²⁵ of the norm at most.
        expect(said.offNorm).toBeLessThanOrEqual(Math.sqrt(n) * 2 ** -25);
        // The residual on the GPU is that of float64 but for its own rounding.
        expect(Math.abs(said.residual / (n * U) - errors.residual)).toBeLessThanOrEqual(0.1);
        for (let i = 1; i < n; i++) expect(values[i]).toBeLessThanOrEqual(values[i - 1]!);
      });
      const valuesOnly = await solve(given, { n });
      valuesOnly.forEach((result, g) => {
        expect(bitsOf(result.values)).toEqual(bitsOf(results[g]!.values));
        expect(result.sweeps).toBe(results[g]!.sweeps);
      });
    });
  }

  it("the same bits from the kernels for GPUs", async () => {
    const n = 173;
    const a = symmetricFamily("random", n);
    const [software] = await solve([a], { n, vectors: true });
    const [gpu] = await solve([a], { n, vectors: true, isSoftware: false });
    expect(bitsOf(gpu!.values)).toEqual(bitsOf(software!.values));
    expect(bitsOf(gpu!.vectors)).toEqual(bitsOf(software!.vectors));
    expect([gpu!.sweeps, gpu!.offNorm, gpu!.residual]).toEqual([
      software!.sweeps,
      software!.offNorm,
      software!.residual,
    ]);
  });

  it("zero, identity, NaN and infinities: flagged, exact, and the rest of the batch keeps its bits", async () => {
    const n = 166;
    const good = symmetricFamily("random", n);
    const [zero, one] = [symmetricFamily("zero", n), symmetricFamily("identity", n)];
    const bad = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY].map((x) => {
      const a = good.slice();
      a[(n - 1) * n] = x;
      return a;
    });
    const results = await solve([zero, one, ...bad, good], { n, vectors: true });
    const [alone] = await solve([good], { n, vectors: true });
    expect(bitsOf(results[5]!.values)).toEqual(bitsOf(alone!.values));
    expect(bitsOf(results[5]!.vectors)).toEqual(bitsOf(alone!.vectors));
    expect(results.map(({ sweeps, flags }) => [sweeps, flags])).toEqual([
      [0, 0],
      [1, 0],
      [0, 1],
      [0, 1],
      [0, 1],
      [alone!.sweeps, 0],
    ]);
    results.slice(0, 5).forEach(({ values, vectors, offNorm, residual }, g) => {
      expect(values.every((value) => value === (g === 1 ? 1 : 0))).toBe(true);
      expect(vectors.every((entry, at) => entry === (at % (n + 1) === 0 ? 1 : 0))).toBe(true);
      expect([offNorm, residual]).toEqual([0, 0]);
    });
  });

  it("A·2^k: the same bits but for the exponent; ascending: the same pairs the other way round", async () => {
    const n = 166;
    const a = symmetricFamily("random", n);
    const exponents = [0, -60, -1, 37, 60];
    const results = await solve(
      exponents.map((k) => a.map((x) => x * 2 ** k)),
      { n, vectors: true },
    );
    const [reference] = results;
    results.forEach((result, g) => {
      expect(bitsOf(result.values.map((x) => x * 2 ** -exponents[g]!))).toEqual(bitsOf(reference!.values));
      expect(bitsOf(result.vectors)).toEqual(bitsOf(reference!.vectors));
      expect([result.sweeps, result.offNorm, result.residual]).toEqual([
        reference!.sweeps,
        reference!.offNorm,
        reference!.residual,
      ]);
    });
    const [up] = await solve([a], { n, vectors: true, order: "ascending" });
    expect([...up!.values]).toEqual([...reference!.values].reverse());
    const mirrored = reference!.vectors.map((_, at) => reference!.vectors[Math.floor(at / n) * n + n - 1 - (at % n)]!);
    expect(bitsOf(up!.vectors)).toEqual(bitsOf(mirrored));
  });

  it("too few sweeps are flagged, not hidden", async () => {
    const n = 166;
    const change = (call: KernelCall): KernelCall =>
      "max_sweeps" in call.params ? { ...call, params: { ...call.params, max_sweeps: 2 } } : call;
    const [result] = await solve([symmetricFamily("random", n)], { n, change });
    expect([result!.status, result!.sweeps]).toEqual(["not-converged", 2]);
    expect(result!.offNorm).toBeGreaterThan(1e-3);
  });
});

describe("eighCalls", () => {
  it("scratch of at most 3n² floats (and 32n) per matrix with vectors, every order that is solved", () => {
    for (let n = 1; n <= MAX_EIGH_ORDER; n += n < 300 ? 1 : 97) {
      const solver = solverOf({ n, vectors: true }, targetFor(true));
      const { scratchBytes } = requirementsOf({ ...solver, calls: solver.calls.filter((_, at) => at < 40) });
      expect(scratchBytes / 4, `n = ${n}`).toBeLessThanOrEqual(3 * n * n + 32 * n + 3072);
    }
  });

  it("dispatches of bounded length at the largest order", () => {
    const n = MAX_EIGH_ORDER;
    const { calls } = solverOf({ n, vectors: true }, targetFor(false));
    const names = new Set(calls.map(({ kernel }) => kernel.name));
    expect(names.size).toBe(11);
    for (const { kernel, params } of calls) {
      const flops = kernel.name.endsWith("eigh_residual") ? 2 * n * n * params.rows! : 2 * 32 * 2 * n * n;
      expect(flops).toBeLessThanOrEqual(2e9);
    }
  });
});
