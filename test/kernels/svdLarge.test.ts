/** More than 128 columns: svd_gram, block_pair_solve and block_rows_rotate on the rows of the triangle; and many rows. */
import { describe, expect, it } from "vitest";
import { svd } from "../oracle/svd.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { bitsOf } from "./runF32.ts";
import { decompose, departures, prescribed } from "./svdSupport.ts";

const engine = useEngine();
const geometric = (d: number) => Array.from({ length: d }, (_, k) => 10 ** ((-7 * k) / (d - 1)));

describe("blocks of sixteen rows", () => {
  it("σ over seven decades, and columns scaled over seven decades, 160 × 130 in one batch", async () => {
    const [rows, columns] = [160, 130];
    const random = new TestRandom(1);
    const plain = prescribed(rows, geometric(columns), random);
    const scaled = Float32Array.from(
      { length: rows * columns },
      (_, at) => random.normal() * 10 ** ((-7 * (((at % columns) * 37) % columns)) / columns),
    );
    const [first, second] = await decompose(engine(), [plain, scaled], { rows, columns });
    for (const result of [first!, second!]) {
      expect(result.flags).toBe(0);
      expect(result.sweeps).toBeLessThanOrEqual(12);
      // The last sweep measured every pair of rows.
      expect(result.cosine).toBeLessThanOrEqual(2 ** -22);
      expect(result.cosine).toBeGreaterThan(0);
    }
    svd(plain, rows, columns).values.forEach((exact, k) => {
      // The promise of svd.test.ts; σ_max is 1.
      expect(Math.abs(first!.values[k]! - exact)).toBeLessThanOrEqual(1e-6 * exact + 5e-8);
    });
    svd(scaled, rows, columns).values.forEach((exact, k) => {
      expect(Math.abs(second!.values[k]! - exact)).toBeLessThanOrEqual(1e-5 * exact);
    });
  });

  it("vectors of a wide matrix, and a spoilt and a zero one beside it", async () => {
    const [rows, columns] = [129, 140];
    const z = new TestRandom(2).normals(rows * columns);
    const spoilt = z.slice();
    spoilt[77] = Number.NaN;
    const shape = { rows, columns, left: true, right: true };
    const [result, flagged, zero] = await decompose(engine(), [z, spoilt, new Float32Array(rows * columns)], shape);
    const { residual, left, right } = departures(z, rows, columns, result!);
    expect(residual).toBeLessThanOrEqual(2 * rows * U);
    expect(left).toBeLessThanOrEqual(3 * rows * U);
    expect(right).toBeLessThanOrEqual(3 * rows * U);
    expect([result!.flags, flagged!.flags, zero!.flags]).toEqual([0, 1, 0]);
    for (const { values } of [flagged!, zero!]) expect(values.every((value) => value === 0)).toBe(true);
    const [alone] = await decompose(engine(), [z], shape);
    expect(bitsOf(alone!.values)).toEqual(bitsOf(result!.values));
  });
});

describe("many rows", () => {
  it("20,000 × 8 through a tree of triangles", async () => {
    const [rows, columns] = [20_000, 8];
    const z = prescribed(rows, geometric(columns), new TestRandom(3));
    const [result] = await decompose(engine(), [z], { rows, columns });
    svd(z, rows, columns).values.forEach((exact, k) => {
      expect(Math.abs(result!.values[k]! - exact)).toBeLessThanOrEqual(1e-6 * exact + 5e-8);
    });
  });

  it("vectors of 3000 × 6: rows in several parts", async () => {
    const [rows, columns] = [3000, 6];
    const z = new TestRandom(4).normals(rows * columns);
    const [result] = await decompose(engine(), [z], { rows, columns, left: true, right: true });
    const { residual, left, right } = departures(z, rows, columns, result!);
    expect(residual).toBeLessThanOrEqual(2 * (columns + 1) * U);
    expect(left).toBeLessThanOrEqual(3 * (columns + 1) * U);
    expect(right).toBeLessThanOrEqual(3 * (columns + 1) * U);
  });
});
