/** Singular value decomposition end to end: svd_jacobi, svd_values, svd_vectors (and svd_gram above 128 columns: svdLarge.test.ts). */
import { SingularValueDecomposition } from "ml-matrix";
import { describe, expect, it } from "vitest";
import { svd } from "../oracle/svd.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { bitsOf } from "./runF32.ts";
import { decompose, departures, GPU, prescribed, SOFTWARE } from "./svdSupport.ts";

const engine = useEngine();

/** Flags of the status word. */
const NONFINITE = 1;

const geometric = (d: number) => Array.from({ length: d }, (_, k) => 10 ** ((-7 * k) / Math.max(1, d - 1)));

/**
 * What is promised for every σ, and what was seen over all cases below (SwiftShader, either target):
 *
 *   |σ̂ − σ| ≤ 1e-6·σ + 5e-8·σ_max          at most 0.36 of it
 *   Z = G·D, columns scaled over 7 decades   |σ̂ − σ| ≤ 1e-5·σ, at most 9e-7·σ
 */
function verifyValues(
  z: Float32Array,
  rows: number,
  columns: number,
  values: Float32Array,
  isScaled = false,
  floor = 5e-8,
): void {
  const exact = svd(z, rows, columns).values;
  for (let k = 0; k < columns; k++) {
    const error = Math.abs(values[k]! - exact[k]!);
    expect(error).toBeLessThanOrEqual(isScaled ? 1e-5 * exact[k]! : 1e-6 * exact[k]! + floor * exact[0]!);
    if (k > 0) expect(values[k]).toBeLessThanOrEqual(values[k - 1]!);
  }
}

describe("singular values", () => {
  for (const [rows, columns] of [
    [512, 32],
    [512, 64],
  ] as const) {
    it(`σ over seven decades, ${rows} × ${columns}`, async () => {
      const z = prescribed(rows, geometric(columns), new TestRandom(1));
      const [result] = await decompose(engine(), [z], { rows, columns });
      expect(result!.flags).toBe(0);
      expect(result!.sweeps).toBeLessThanOrEqual(12);
      verifyValues(z, rows, columns, result!.values);
    });

    it(`columns scaled over seven decades, in any order, ${rows} × ${columns}`, async () => {
      const random = new TestRandom(2);
      for (const place of [(j: number) => j, (j: number) => columns - 1 - j, (j: number) => (j * 37) % columns]) {
        const scale = Array.from({ length: columns }, (_, j) => 10 ** ((-7 * place(j)) / (columns - 1)));
        const z = Float32Array.from({ length: rows * columns }, (_, at) => random.normal() * scale[at % columns]!);
        const [result] = await decompose(engine(), [z], { rows, columns });
        expect(result!.flags).toBe(0);
        verifyValues(z, rows, columns, result!.values, true);
      }
    });
  }

  it("agrees with another library's decomposition", async () => {
    const z = new TestRandom(3).normals(60 * 20);
    const [result] = await decompose(engine(), [z], { rows: 60, columns: 20 });
    const matrix = Array.from({ length: 60 }, (_, i) => [...z.slice(20 * i, 20 * (i + 1))]);
    const other = new SingularValueDecomposition(matrix, {
      computeLeftSingularVectors: false,
      computeRightSingularVectors: false,
    });
    for (const [k, value] of other.diagonal.entries()) {
      expect(Math.abs(result!.values[k]! - value)).toBeLessThanOrEqual(1e-6 * value);
    }
  });

  it("a lane per pair of blocks and teams of lanes per pair of rows", async () => {
    const [rows, columns] = [40, 33];
    const z = prescribed(rows, geometric(columns), new TestRandom(4));
    for (const target of [SOFTWARE, GPU]) {
      const [result] = await decompose(engine(), [z], { rows, columns, left: true, right: true }, target);
      verifyValues(z, rows, columns, result!.values);
      const { residual } = departures(z, rows, columns, result!);
      expect(residual).toBeLessThanOrEqual(columns * U);
    }
  });

  it("A·2^k: the same bits but for the exponent", async () => {
    const [rows, columns] = [12, 7];
    const z = new TestRandom(5).normals(rows * columns);
    const exponents = [-60, -31, -1, 0, 1, 17, 60];
    const scaled = exponents.map((k) => z.map((x) => x * 2 ** k));
    const results = await decompose(engine(), scaled, { rows, columns, left: true, right: true });
    const reference = results[3]!;
    results.forEach((result, i) => {
      expect(bitsOf(result.values.map((x) => x * 2 ** -exponents[i]!))).toEqual(bitsOf(reference.values));
      expect(bitsOf(result.left)).toEqual(bitsOf(reference.left));
      expect(bitsOf(result.right)).toEqual(bitsOf(reference.right));
    });
  });

  it("rank one, repeated values, equal columns, a zero column, near f32's largest", async () => {
    const [rows, columns] = [30, 9];
    const random = new TestRandom(6);
    const column = random.normals(rows);
    const duplicated = Float32Array.from({ length: rows * columns }, (_, at) => column[Math.floor(at / columns)]!);
    const gap = random.normals(rows * columns).map((x, at) => (at % columns === 4 ? 0 : x));
    const cases = [
      prescribed(rows, [3, 0, 0, 0, 0, 0, 0, 0, 0], random),
      prescribed(rows, [2, 2, 2, 1, 1, 1, 0.5, 0.5, 0.5], random),
      duplicated,
      gap,
      prescribed(rows, geometric(columns), random).map((x) => x * 2 ** 126),
    ];
    const results = await decompose(engine(), cases, { rows, columns });
    cases.forEach((z, g) => {
      expect(results[g]!.flags).toBe(0);
      // Where σ is zero what is left is rounding: at most 0.9·u·σ_max seen.
      verifyValues(z, rows, columns, results[g]!.values, false, 2 * U);
    });
    expect(results[3]!.values[columns - 1]).toBe(0);
  });

  it("NaN and infinities are flagged; the other matrices of the batch keep their bits", async () => {
    const [rows, columns] = [20, 6];
    const good = [1, 2].map((seed) => new TestRandom(seed).normals(rows * columns));
    const alone = await decompose(engine(), good, { rows, columns });
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      const spoilt = new TestRandom(3).normals(rows * columns);
      spoilt[rows * columns - 1] = bad;
      const [first, flagged, last] = await decompose(engine(), [good[0]!, spoilt, good[1]!], { rows, columns });
      expect(flagged!.flags).toBe(NONFINITE);
      expect([...flagged!.values]).toEqual(new Array(columns).fill(0));
      [first!, last!].forEach((result, g) => {
        expect(result.flags).toBe(0);
        expect(bitsOf(result.values)).toEqual(bitsOf(alone[g]!.values));
      });
    }
  });

  it("a zero matrix: zeros, no flag; vectors of the longer side are orthonormal, of the shorter side zero", async () => {
    const [result] = await decompose(engine(), [new Float32Array(20 * 4)], {
      rows: 20,
      columns: 4,
      left: true,
      right: true,
    });
    expect(result!.flags).toBe(0);
    expect([...result!.values]).toEqual([0, 0, 0, 0]);
    expect(result!.right.every((x) => x === 0)).toBe(true);
    expect(departures(new Float32Array(80), 20, 4, result!).left).toBe(0);
  });
});

describe("singular vectors", () => {
  /** ‖Z − U diag(σ) Vᵀ‖_F ≤ 2·(k + 1)·u·‖Z‖_F (at most 0.7 seen), ‖UᵀU − I‖_F and ‖VᵀV − I‖_F ≤ 3·(k + 1)·u (at most 2.3 seen, 20 × 20). */
  for (const [rows, columns] of [
    [1, 1],
    [7, 1],
    [1, 7],
    [5, 5],
    [20, 20],
    [33, 17],
    [17, 33],
    [512, 64],
  ] as const) {
    it(`${rows} × ${columns}, two matrices`, async () => {
      const k = Math.min(rows, columns);
      const matrices = [1, 2].map((seed) => new TestRandom(seed + rows).normals(rows * columns));
      const results = await decompose(engine(), matrices, { rows, columns, left: true, right: true });
      matrices.forEach((z, g) => {
        const { residual, left, right } = departures(z, rows, columns, results[g]!);
        expect(results[g]!.flags).toBe(0);
        expect(residual).toBeLessThanOrEqual(2 * (k + 1) * U);
        expect(left).toBeLessThanOrEqual(3 * (k + 1) * U);
        expect(right).toBeLessThanOrEqual(3 * (k + 1) * U);
      });
    });
  }

  it("one side alone has the bits of both", async () => {
    const [rows, columns] = [30, 11];
    const z = new TestRandom(9).normals(rows * columns);
    const shape = { rows, columns };
    const [both] = await decompose(engine(), [z], { ...shape, left: true, right: true });
    const [leftOnly] = await decompose(engine(), [z], { ...shape, left: true });
    expect(bitsOf(leftOnly!.left)).toEqual(bitsOf(both!.left));
    // Without the left side the QR is another one: equal within rounding, up to sign.
    const [rightOnly] = await decompose(engine(), [z], { ...shape, right: true });
    rightOnly!.right.forEach((x, at) => {
      expect(Math.abs(Math.abs(x) - Math.abs(both!.right[at]!))).toBeLessThanOrEqual(200 * U);
    });
  });
});
