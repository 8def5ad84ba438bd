/** Properties that hold for every symmetric matrix, on random shapes, batches and spectra (fast-check). */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { eigh } from "../../src/linalg/eigh.ts";
import { MAX_EIGH_ORDER } from "../../src/linalg/eighCalls.ts";
import { svd } from "../../src/linalg/svd.ts";
import { SeededNormals } from "../oracle/seededNormals.ts";
import { FAMILY_NAMES, type SymmetricFamily, symmetricFamily } from "../oracle/symmetricFamilies.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";

const engine = useEngine();

/** What an eigenvalue may be off by: the asserted bound 4·√n·u·|λ|_max of eighFamilies.test.ts, with |λ|_max ≤ ‖A‖_F. */
const bound = (n: number, largest: number): number => 4 * Math.sqrt(n) * U * largest;
const RUNS = { numRuns: 20, seed: 20_240_601 } as const;

/** Mostly small, now and then more than one workgroup's. */
const order = fc.oneof(
  { weight: 7, arbitrary: fc.integer({ min: 1, max: 40 }) },
  { weight: 1, arbitrary: fc.integer({ min: 41, max: Math.min(100, MAX_EIGH_ORDER - 1) }) },
);
const batchOf = (n: number) =>
  fc.array(fc.tuple(fc.constantFrom(...FAMILY_NAMES.filter((name) => name !== "near f32's largest")), fc.nat(1000)), {
    minLength: 1,
    maxLength: n > 20 ? 3 : 9,
  });
/** Matrices of several families in one batch, all of one order, scaled by a power of ten. */
const batches = order.chain((n) =>
  fc.record({ n: fc.constant(n), made: batchOf(n), decade: fc.integer({ min: -15, max: 15 }) }),
);

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function scaledFamily(family: SymmetricFamily, n: number, seed: number, decade: number): Float32Array {
  return symmetricFamily(family, n, seed).map((x) => x * 10 ** decade);
}

/** Eigenvalues alone, of matrices of one order. */
async function solve(matrices: readonly Float32Array[], n: number): Promise<Float32Array[]> {
  const { values, status } = await eigh(engine(), concatenated(matrices), { n, batch: matrices.length });
  expect(status).toEqual(matrices.map(() => "ok"));
  return matrices.map((_, g) => values.slice(g * n, (g + 1) * n));
}

const norm = (values: ArrayLike<number>): number => {
  // Powers of two near the largest keep squares inside the range of float64 for every f32.
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! ** 2;
  return Math.sqrt(sum);
};

/** Pivot rows, with a random permutation of n. */
function permutation(n: number, seed: number): number[] {
  const source = new SeededNormals(seed);
  return Array.from({ length: n }, (_, i) => ({ i, key: source.uniform() }))
    .sort((x, y) => x.key - y.key)
    .map(({ i }) => i);
}

describe("properties of eigh", () => {
  it("descending; trace and Frobenius norm are those of the matrix; a batch gives each matrix what it gets alone", async () => {
    await fc.assert(
      fc.asyncProperty(batches, async ({ n, made, decade }) => {
        const matrices = made.map(([family, seed]) => scaledFamily(family, n, seed, decade));
        const all = await solve(matrices, n);
        for (const [g, a] of matrices.entries()) {
          const values = all[g]!;
          for (let i = 1; i < n; i++) expect(values[i]!).toBeLessThanOrEqual(values[i - 1]!);
          const largest = Math.max(...values.map(Math.abs));
          // Each of n eigenvalues contributes its own error; norms by the triangle inequality.
          const trace = Array.from({ length: n }, (_, i) => a[i * n + i]!).reduce((x, y) => x + y, 0);
          const sum = values.reduce((x, y) => x + y, 0);
          expect(Math.abs(sum - trace)).toBeLessThanOrEqual(n * bound(n, largest));
          expect(Math.abs(norm(values) - norm(a))).toBeLessThanOrEqual(Math.sqrt(n) * bound(n, largest));
        }
        const alone = await solve([matrices.at(-1)!], n);
        expect(alone[0]).toEqual(all.at(-1));
      }),
      RUNS,
    );
  });

  it("P·A·Pᵀ has the eigenvalues of A", async () => {
    await fc.assert(
      fc.asyncProperty(batches, fc.nat(1000), async ({ n, made, decade }, seed) => {
        const [family, familySeed] = made[0]!;
        const a = scaledFamily(family, n, familySeed, decade);
        const p = permutation(n, seed);
        const permuted = a.map((_, at) => a[p[Math.floor(at / n)]! * n + p[at % n]!]!);
        const [values, others] = await solve([a, permuted], n);
        const allowed = 2 * bound(n, Math.max(...values!.map(Math.abs)));
        for (let i = 0; i < n; i++) expect(Math.abs(values![i]! - others![i]!)).toBeLessThanOrEqual(allowed);
      }),
      RUNS,
    );
  });

  it("Cauchy: the eigenvalues of a principal submatrix interlace", async () => {
    await fc.assert(
      fc.asyncProperty(batches, fc.nat(1000), async ({ n: order, made, decade }, seed) => {
        const n = order + 1;
        const [family, familySeed] = made[0]!;
        const a = scaledFamily(family, n, familySeed, decade);
        const kept = permutation(n, seed)
          .slice(1)
          .sort((x, y) => x - y);
        const minor = Float32Array.from({ length: (n - 1) ** 2 }, (_, at) => {
          const [i, j] = [kept[Math.floor(at / (n - 1))]!, kept[at % (n - 1)]!];
          return a[i * n + j]!;
        });
        const [values] = await solve([a], n);
        const [inner] = await solve([minor], n - 1);
        const allowed = 2 * bound(n, Math.max(...values!.map(Math.abs)));
        for (let i = 0; i < n - 1; i++) {
          expect(inner![i]!).toBeLessThanOrEqual(values![i]! + allowed);
          expect(inner![i]!).toBeGreaterThanOrEqual(values![i + 1]! - allowed);
        }
      }),
      RUNS,
    );
  });

  it("A + c·I moves every eigenvalue by c, −A mirrors them", async () => {
    await fc.assert(
      fc.asyncProperty(order, fc.nat(1000), fc.integer({ min: -8, max: 8 }), async (n, seed, shift) => {
        const a = symmetricFamily("random", n, seed);
        const shifted = a.map((x, at) => (at % (n + 1) === 0 ? Math.fround(x + shift) : x));
        const [values, moved, mirrored] = await solve([a, shifted, a.map((x) => -x)], n);
        // The sum on the diagonal is rounded once more: u·(|a_ii| + |c|) by Weyl.
        const largest = Math.max(...values!.map(Math.abs)) + Math.abs(shift);
        for (let i = 0; i < n; i++) {
          expect(Math.abs(moved![i]! - values![i]! - shift)).toBeLessThanOrEqual(2 * bound(n, largest) + U * largest);
          expect(Math.abs(mirrored![n - 1 - i]! + values![i]!)).toBeLessThanOrEqual(2 * bound(n, largest));
        }
      }),
      RUNS,
    );
  });
});

describe("properties of svd", () => {
  /** What a singular value may be off by, as for eigenvalues. */
  const allowed = (columns: number, largest: number): number => 4 * Math.sqrt(columns) * U * largest;
  const shapes = fc.record({
    rows: fc.integer({ min: 1, max: 70 }),
    columns: fc.integer({ min: 1, max: 24 }),
    batch: fc.integer({ min: 1, max: 3 }),
    seed: fc.nat(1000),
    decade: fc.integer({ min: -12, max: 12 }),
  });

  it("descending and not negative; the Frobenius norm is the matrix's; Zᵀ has the same; a batch gives what each gets alone", async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async ({ rows, columns, batch, seed, decade }) => {
        const source = new SeededNormals(seed);
        const z = Float32Array.from({ length: batch * rows * columns }, () => source.next() * 10 ** decade);
        const k = Math.min(rows, columns);
        const all = await svd(engine(), z, { rows, columns, batch });
        expect(all.status).toEqual(Array.from({ length: batch }, () => "ok"));
        const last = z.subarray((batch - 1) * rows * columns);
        const alone = await svd(engine(), last, { rows, columns });
        expect(alone.values).toEqual(all.values.slice((batch - 1) * k));
        const transposed = last.map((_, at) => last[(at % rows) * columns + Math.floor(at / rows)]!);
        const mirrored = await svd(engine(), transposed, { rows: columns, columns: rows });
        for (let i = 0; i < k; i++) {
          expect(alone.values[i]!).toBeGreaterThanOrEqual(0);
          if (i > 0) expect(alone.values[i]!).toBeLessThanOrEqual(alone.values[i - 1]!);
          const gap = Math.abs(mirrored.values[i]! - alone.values[i]!);
          expect(gap).toBeLessThanOrEqual(2 * allowed(k, alone.values[0]!));
        }
        const off = Math.abs(norm(alone.values) - norm(last));
        expect(off).toBeLessThanOrEqual(Math.sqrt(k) * allowed(k, alone.values[0]!));
      }),
      RUNS,
    );
  });

  it("without a column the singular values interlace", async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async ({ columns: d, seed, decade }) => {
        const [rows, columns] = [d + 10, d + 1];
        const source = new SeededNormals(seed);
        const z = Float32Array.from({ length: rows * columns }, () => source.next() * 10 ** decade);
        const fewer = Float32Array.from({ length: rows * d }, (_, at) => z[Math.floor(at / d) * columns + (at % d)]!);
        const { values } = await svd(engine(), z, { rows, columns });
        const { values: inner } = await svd(engine(), fewer, { rows, columns: d });
        const slack = 2 * allowed(columns, values[0]!);
        for (let i = 0; i < d; i++) {
          expect(inner[i]!).toBeLessThanOrEqual(values[i]! + slack);
          expect(inner[i]!).toBeGreaterThanOrEqual(values[i + 1]! - slack);
        }
      }),
      RUNS,
    );
  });
});
