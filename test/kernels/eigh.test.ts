import { describe, expect, it } from "vitest";
import { jacobiEigh } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { eighKnobs } from "../../src/linalg/eighCalls.ts";
import { eigh, orthogonalityError, residualNorm } from "../oracle/eigh.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { bitsOf } from "./runF32.ts";

const engine = useEngine();

/** Flags of the status word. */
const NONFINITE = 1;
const NOT_CONVERGED = 2;
const MAX_SWEEPS = 30;

interface Result {
  readonly values: Float32Array;
  readonly vectors: Float32Array;
  readonly sweeps: number;
  readonly flags: number;
  /** As the status word says it. */
  readonly offNorm: number;
}

async function solve(
  matrices: readonly Float32Array[],
  n: number,
  { vectors = true, ...knobs }: { vectors?: boolean } & Record<string, number | boolean> = {},
): Promise<Result[]> {
  const batch = matrices.length;
  const a = Float32Array.from(matrices.flatMap((matrix) => [...matrix]));
  const make = () => new Float32Array(batch * n * n).fill(-12345);
  const even = n + (n % 2);
  const result = await runKernel(engine(), jacobiEigh, {
    buffers: {
      a,
      work: new Float32Array(batch * even * even).fill(-12345),
      basis: new Float32Array(batch * n * 4 * Math.ceil(n / 4)).fill(-12345),
      values: make().subarray(0, batch * n),
      vectors: make(),
      status: new Uint32Array(4 * batch).fill(99),
    },
    params: { batch, n },
    knobs: { ...eighKnobs(n, vectors), ...knobs },
    read: ["values", "vectors", "status"],
  });
  const words = new Float32Array((result.status as Uint32Array).buffer);
  return matrices.map((_, g) => ({
    values: (result.values as Float32Array).slice(g * n, (g + 1) * n),
    vectors: (result.vectors as Float32Array).slice(g * n * n, (g + 1) * n * n),
    sweeps: result.status![4 * g]!,
    flags: result.status![4 * g + 1]!,
    offNorm: words[4 * g + 2]!,
  }));
}

/** Lower triangle from f, the upper one filled with a number that must not be read. */
function symmetric(n: number, f: (i: number, j: number) => number): Float32Array {
  return Float32Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return i >= j ? f(i, j) : 1e30;
  });
}

function random(n: number, seed: number): Float32Array {
  const source = new TestRandom(seed);
  return symmetric(n, () => source.normal());
}

/** Q·diag(spectrum)·Qᵀ with a seeded orthogonal Q (Gram–Schmidt in float64), rounded to f32. */
function withSpectrum(spectrum: readonly number[], seed: number): Float32Array {
  const n = spectrum.length;
  const source = new TestRandom(seed);
  const q: number[][] = [];
  for (let i = 0; i < n; i++) {
    const v = Array.from({ length: n }, () => source.normal());
    for (let pass = 0; pass < 2; pass++) {
      for (const other of q) {
        const dot = v.reduce((sum, x, k) => sum + x * other[k]!, 0);
        for (let k = 0; k < n; k++) v[k]! -= dot * other[k]!;
      }
    }
    const norm = Math.hypot(...v);
    q.push(v.map((x) => x / norm));
  }
  return symmetric(n, (i, j) => spectrum.reduce((sum, value, k) => sum + value * q[k]![i]! * q[k]![j]!, 0));
}

/**
 * Jacobi's backward error has no useful a-priori constant (Golub & Van Loan §8.5), so the constants are measured here (SwiftShader)
 * and asserted:
 *
 *   max|λ̂ − λ| ≤ 2·√n·u·max|λ|            largest seen 1.04 (n = 2)
 *   ‖AV − V·diag(λ̂)‖_F ≤ 2·n·u·‖A‖_F      largest seen 0.95 (n = 5)
 *   ‖VᵀV − I‖_F ≤ 4·n·u                    largest seen 1.82 (Hilbert, n = 21)
 *
 * Sweeps: at most 13 seen (n = 33, close pairs of eigenvalues), of 30 allowed.
 */
function verify(a: Float32Array, n: number, result: Result): void {
  expect(result.flags).toBe(0);
  expect(result.sweeps).toBeLessThan(MAX_SWEEPS);
  const exact = eigh(a, n);
  const largest = Math.max(...exact.values.map(Math.abs));
  const norm = Math.hypot(...exact.values);
  for (let i = 1; i < n; i++) expect(result.values[i]).toBeLessThanOrEqual(result.values[i - 1]!);
  const errors = exact.values.map((value, i) => Math.abs(value - result.values[i]!));
  const error = Math.max(...errors) / (Math.sqrt(n) * U * largest);
  const residual = residualNorm(a, n, result) / (n * U * norm);
  const orthogonality = orthogonalityError(result.vectors, n) / (n * U);
  expect(error).toBeLessThanOrEqual(2);
  expect(residual).toBeLessThanOrEqual(2);
  expect(orthogonality).toBeLessThanOrEqual(4);
}

const SIZES = [1, 2, 3, 4, 5, 8, 10, 17, 31, 32, 33, 64, 65, 128];

describe("jacobi_eigh", () => {
  for (const n of SIZES) {
    it(`random, n = ${n}, with and without vectors`, async () => {
      const matrices = [random(n, n), random(n, n + 1000), random(n, n + 2000)];
      const results = await solve(matrices, n);
      matrices.forEach((a, g) => {
        verify(a, n, results[g]!);
      });
      // Rotations do not depend on whether they are accumulated.
      const valuesOnly = await solve(matrices, n, { vectors: false });
      valuesOnly.forEach((result, g) => {
        expect(bitsOf(result.values)).toEqual(bitsOf(results[g]!.values));
        expect(result.sweeps).toBe(results[g]!.sweeps);
        expect(result.vectors.every((entry) => entry === -12345)).toBe(true);
      });
    });
  }

  const SPECTRA: Record<string, (n: number) => number[]> = {
    "repeated eigenvalues": (n) => Array.from({ length: n }, (_, i) => 1 + (i % 3)),
    "one eigenvalue apart from many equal": (n) => Array.from({ length: n }, (_, i) => (i === 0 ? 5 : 1)),
    "rank 3": (n) => Array.from({ length: n }, (_, i) => (i < 3 ? 3 - i : 0)),
    "rank 1": (n) => Array.from({ length: n }, (_, i) => (i < 1 ? 3 : 0)),
    "all negative": (n) => Array.from({ length: n }, (_, i) => -1 - i / n),
    "pairs ±λ": (n) => Array.from({ length: n }, (_, i) => (i % 2 ? -1 : 1) * (1 + Math.floor(i / 2))),
    "ten decades": (n) => Array.from({ length: n }, (_, i) => 10 ** ((-10 * i) / n)),
    "close pairs": (n) => Array.from({ length: n }, (_, i) => 1 + Math.floor(i / 2) + (i % 2) * 1e-6),
  };
  for (const [name, spectrum] of Object.entries(SPECTRA)) {
    it(name, async () => {
      for (const n of [4, 7, 16, 33]) {
        const a = withSpectrum(spectrum(n), n);
        verify(a, n, (await solve([a], n))[0]!);
      }
    });
  }

  it("Hilbert, Wilkinson, all ones, anti-diagonal", async () => {
    const n = 21;
    const matrices = [
      symmetric(n, (i, j) => 1 / (i + j + 1)),
      symmetric(n, (i, j) => (i === j ? Math.abs(i - 10) : i === j + 1 ? 1 : 0)),
      symmetric(n, () => 1),
      symmetric(n, (i, j) => (i + j === n - 1 ? 1 : 0)),
    ];
    const results = await solve(matrices, n);
    matrices.forEach((a, g) => {
      verify(a, n, results[g]!);
    });
  });

  it("graded: small eigenvalues of a scaled diagonally dominant matrix keep relative accuracy", async () => {
    // D·B·D with B's condition about 3 and D over 12 decades: Jacobi is accurate to about n·u·κ(B) of each eigenvalue (Demmel & Veselić 1992).
    const n = 12;
    const source = new TestRandom(1);
    const a = symmetric(n, (i, j) => 10 ** (-(i + j) / 2) * (i === j ? 1 : 0.5 * (source.uniform() - 0.5) * (2 / n)));
    const exact = eigh(a, n);
    const [result] = await solve([a], n);
    exact.values.forEach((value, i) => {
      expect(Math.abs(result!.values[i]! - value) / value).toBeLessThanOrEqual(3 * n * U);
    });
    verify(a, n, result!);
  });

  for (const n of [1, 2, 5, 8, 33]) {
    it(`diagonal, identity and zero, n = ${n}: no rotation, exact`, async () => {
      const diagonal = symmetric(n, (i, j) => (i === j ? ((7 * i) % 11) - 4.5 : 0));
      const [d, one, zero] = await solve(
        [diagonal, symmetric(n, (i, j) => (i === j ? 1 : 0)), symmetric(n, () => 0)],
        n,
      );
      const expected = Array.from({ length: n }, (_, i) => diagonal[i * n + i]!).sort((x, y) => y - x);
      expect([...d!.values]).toEqual(expected);
      expect(residualNorm(diagonal, n, d!)).toBe(0);
      expect([d!.sweeps, d!.flags]).toEqual([1, 0]);
      expect([...one!.values]).toEqual(new Array(n).fill(1));
      expect([one!.sweeps, one!.flags]).toEqual([1, 0]);
      expect([...zero!.values]).toEqual(new Array(n).fill(0));
      expect([zero!.sweeps, zero!.flags]).toEqual([0, 0]);
      for (const { vectors } of [one!, zero!])
        expect([...vectors]).toEqual(Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0)));
    });
  }

  it("NaN and infinities are flagged, wherever they are; the other matrices of the batch keep their bits", async () => {
    for (const n of [1, 5, 40]) {
      const good = [random(n, 1), random(n, 2)];
      const alone = await solve(good, n);
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const spoilt = random(n, 3);
        spoilt[(n - 1) * n] = bad;
        const [first, flagged, last] = await solve([good[0]!, spoilt, good[1]!], n);
        expect([flagged!.sweeps, flagged!.flags]).toEqual([0, NONFINITE]);
        expect([...flagged!.values]).toEqual(new Array(n).fill(0));
        [first!, last!].forEach((result, g) => {
          expect(result.flags).toBe(0);
          expect(bitsOf(result.values)).toEqual(bitsOf(alone[g]!.values));
          expect(bitsOf(result.vectors)).toEqual(bitsOf(alone[g]!.vectors));
        });
      }
    }
  });

  it("too few sweeps are flagged, not hidden", async () => {
    const [result] = await solve([random(16, 1)], 16, { MAX_SWEEPS: 2 });
    expect([result!.sweeps, result!.flags]).toEqual([2, NOT_CONVERGED]);
  });

  it("A·2^k, k = −60 … 60: the same bits but for the exponent", async () => {
    const n = 9;
    const a = random(n, 4);
    const exponents = Array.from({ length: 121 }, (_, i) => i - 60);
    const results = await solve(
      exponents.map((k) => a.map((x) => (x === Math.fround(1e30) ? x : x * 2 ** k))),
      n,
    );
    const reference = results[60]!;
    results.forEach((result, i) => {
      expect(bitsOf(result.values.map((x) => x * 2 ** -exponents[i]!))).toEqual(bitsOf(reference.values));
      expect(bitsOf(result.vectors)).toEqual(bitsOf(reference.vectors));
      expect(result.sweeps).toBe(reference.sweeps);
    });
  });

  it("near the ends of f32's range", async () => {
    const n = 6;
    const a = random(n, 5);
    const scaled = [-120, 120].map((k) => symmetric(n, (i, j) => a[i * n + j]! * 2 ** k));
    const results = await solve(scaled, n);
    scaled.forEach((matrix, g) => {
      verify(matrix, n, results[g]!);
    });
  });

  for (const [title, n, variants] of [
    [
      "workgroups of 8, 16 and 64 lanes, some of them sharing rows, give the same bits",
      19,
      [{ WG: 8 }, { WG: 16, STRIPES: 1 }, { WG: 16, STRIPES: 2 }, { WG: 64, STRIPES: 16 }, { WG: 64, STRIPES: 1 }],
    ],
    [
      "so they do with more rows than lanes",
      66,
      [{ WG: 16, STRIPES: 2 }, { WG: 32, STRIPES: 32 }, eighKnobs(66, true, false)],
    ],
    // Apart from the others because one driver cannot: test/firefox/page/knownDefects.ts.
    ["a workgroup of one gives the same bits", 19, [{ WG: 1, STRIPES: 1 }]],
  ] as const) {
    it(title, async () => {
      const a = random(n, 6);
      const reference = (await solve([a], n))[0]!;
      for (const knobs of variants) {
        const [result] = await solve([a], n, { STRIPES: 1, N_MAX: n, ...knobs });
        expect(bitsOf(result!.values), JSON.stringify(knobs)).toEqual(bitsOf(reference.values));
        expect(bitsOf(result!.vectors), JSON.stringify(knobs)).toEqual(bitsOf(reference.vectors));
        expect(result!.offNorm).toBe(reference.offNorm);
      }
    });
  }

  it("ascending: the same pairs the other way round", async () => {
    for (const n of [1, 6, 33]) {
      const a = [random(n, 7), symmetric(n, () => 0)];
      const [down, zero] = await solve(a, n);
      const [up, upZero] = await solve(a, n, { ASCENDING: true });
      expect([...up!.values]).toEqual([...down!.values].reverse());
      for (let at = 0; at < n * n; at++) {
        const [row, column] = [Math.floor(at / n), at % n];
        expect(up!.vectors[at]).toBe(down!.vectors[row * n + n - 1 - column]);
      }
      expect([...upZero!.values]).toEqual([...zero!.values]);
    }
  });

  it("off-norm: what is left beside the diagonal, relative to the whole", async () => {
    // After one sweep of a 2 × 2 matrix nothing is; a diagonal matrix with one entry below the threshold keeps it.
    const [two, kept, early] = [
      (await solve([random(2, 8)], 2))[0]!,
      (await solve([symmetric(4, (i, j) => (i === j ? 2 : i === 3 && j === 0 ? 2 ** -25 : 0))], 4))[0]!,
      (await solve([random(16, 1)], 16, { MAX_SWEEPS: 1 }))[0]!,
    ];
    expect(two.offNorm).toBe(0);
    // √(2·2⁻⁵⁰)/√(4·2²), to a rounding each of two squares, sums, roots and the quotient.
    expect(Math.abs(kept.offNorm / ((Math.SQRT2 * 2 ** -25) / 4) - 1)).toBeLessThanOrEqual(8 * U);
    expect(early.offNorm).toBeGreaterThan(1e-3);
    expect(early.offNorm).toBeLessThan(1);
    const errors = await solve([random(64, 2)], 64);
    // Every entry below the threshold 2⁻²⁵·√|a_pp·a_qq|: √n·2⁻²⁵ of the norm at most.
    expect(errors[0]!.offNorm).toBeLessThanOrEqual(Math.sqrt(64) * 2 ** -25);
    expect(errors[0]!.offNorm).toBeGreaterThan(0);
  });

  it("a batch of 40 small matrices", async () => {
    const matrices = Array.from({ length: 40 }, (_, g) => random(4, g));
    const results = await solve(matrices, 4);
    matrices.forEach((a, g) => {
      verify(a, 4, results[g]!);
    });
  });
});
