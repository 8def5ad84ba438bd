import { describe, expect, it } from "vitest";
import { columnStandardize, columnStandardizeGrad } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import * as oracle from "../oracle/norm.ts";
import { useEngine } from "../support/device.ts";
import { gamma, U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { runF32, unwritten, VALUE_SETS, values } from "./runF32.ts";

const engine = useEngine();

const SMALL = { WG: 16, COLUMNS: 4 };
/** Additions that one column's sum goes through: each lane's (the first, to zero, is exact), then the tree's. */
const additions = (rows: number, { WG, COLUMNS }: { WG: number; COLUMNS: number }) =>
  Math.ceil(rows / (WG / COLUMNS)) - 1 + Math.log2(WG / COLUMNS);
/** WGSL's accuracy table in roundings u: division 2.5 ulp, and √x = 1/inverseSqrt(x), 2 ulp and a division; an ulp is at most 2u. */
const DIVISION = 5;
const ROOT = 4 + DIVISION;

/**
 * Bounds of inverse_std and y, with k additions per sum:
 *
 *   mean:  |m̂ − m| ≤ e = γ_{k+5}·mean|x|
 *   deviation d = x − m:  |d̂ − d| ≤ h = u·|d| + (1 + u)·e
 *   variance:  |v̂ − v| ≤ w = γ_{k+6}·mean d̂² + mean(2|d|h + h²)
 *   s = v + ε:  relative error ρ = w/s + u·(1 + w/s);  1/√s:  r = (1 − ρ)^{−1/2} − 1 + γ_14 (root, division), products neglected only
 *   in the next line's (1 + r)
 *   y = d/√s:  |ŷ − y| ≤ (h·(1 + r) + |d|·r)·(1 + u)/√s + u·|y|
 */
function bounds(x: Float32Array, shape: oracle.ColumnShape, epsilon: number, standardize: boolean, k: number) {
  const { batch, rows, columns } = shape;
  const { mean, variance, inverseStd, y } = oracle.columnStandardize(x, shape, { epsilon, standardize });
  const ofY = new Float64Array(x.length);
  const ofInverseStd = new Float64Array(batch * columns);
  for (let g = 0; g < batch; g++) {
    for (let j = 0; j < columns; j++) {
      const c = g * columns + j;
      const at = (i: number) => (g * rows + i) * columns + j;
      let meanAbs = 0;
      for (let i = 0; i < rows; i++) meanAbs += Math.abs(x[at(i)]!) / rows;
      const e = gamma(k + DIVISION) * meanAbs;
      const deviation = (i: number) => Math.abs(x[at(i)]! - mean[c]!);
      const h = (i: number) => U * deviation(i) + (1 + U) * e;
      let w = 0;
      for (let i = 0; i < rows; i++) {
        w += (gamma(k + DIVISION + 1) * (deviation(i) + h(i)) ** 2 + 2 * deviation(i) * h(i) + h(i) ** 2) / rows;
      }
      const relative = w / (variance[c]! + epsilon);
      const rho = relative + U * (1 + relative);
      const r = standardize ? (1 - rho) ** -0.5 - 1 + gamma(ROOT + DIVISION) * (1 - rho) ** -0.5 : 0;
      ofInverseStd[c] = r * inverseStd[c]!;
      for (let i = 0; i < rows; i++) {
        ofY[at(i)] = (h(i) * (1 + r) + deviation(i) * r) * (1 + U) * inverseStd[c]! + U * Math.abs(y[at(i)]!);
      }
    }
  }
  return { y, inverseStd, ofY, ofInverseStd };
}

describe("column_standardize", () => {
  const check = async (
    x: Float32Array,
    shape: oracle.ColumnShape,
    {
      knobs = SMALL,
      standardize = true,
      epsilon = 1e-5,
    }: { knobs?: { WG: number; COLUMNS: number }; standardize?: boolean; epsilon?: number } = {},
  ) => {
    const epsilon32 = Math.fround(epsilon);
    const result = await runKernel(engine(), columnStandardize, {
      buffers: { x, y: unwritten(x.length), inverse_std: unwritten(shape.batch * shape.columns) },
      params: { ...shape, epsilon: epsilon32 },
      knobs: { ...knobs, STANDARDIZE: standardize },
      read: ["y", "inverse_std"],
    });
    const bound = bounds(x, shape, epsilon32, standardize, additions(shape.rows, knobs));
    expect(result.inverse_std).toMatchOracle(bound.inverseStd, { factor: 1, scale: bound.ofInverseStd });
    expect(result.y).toMatchOracle(bound.y, { factor: 1, scale: bound.ofY });
  };

  for (const columns of [1, 3, 4, 5, 13]) {
    for (const rows of [1, 2, 3, 4, 5, 23]) {
      it(`${rows} × ${columns}`, async () => {
        const random = new TestRandom(100 * rows + columns);
        await check(random.normals(rows * columns), { batch: 1, rows, columns });
        await check(random.normals(3 * rows * columns), { batch: 3, rows, columns });
        await check(random.normals(rows * columns), { batch: 1, rows, columns }, { standardize: false });
      });
    }
  }

  it("default knobs, around 16 columns", async () => {
    for (const columns of [15, 16, 17]) {
      const x = new TestRandom(columns).normals(2 * 65 * columns);
      await check(x, { batch: 2, rows: 65, columns }, { knobs: { WG: 64, COLUMNS: 16 } });
    }
  });

  for (const set of VALUE_SETS) {
    it(`${set} values`, async () => {
      const x = values(set, 40 * 6, new TestRandom(8), 4);
      await check(x, { batch: 1, rows: 40, columns: 6 });
      await check(x, { batch: 1, rows: 40, columns: 6 }, { standardize: false });
    });
  }

  it("a mean far above the deviations: E[x²] − E[x]² would lose every digit", async () => {
    const random = new TestRandom(9);
    const x = Float32Array.from({ length: 64 * 3 }, () => 1000 + 0.1 * random.normal());
    await check(x, { batch: 1, rows: 64, columns: 3 }, { epsilon: 0 });
  });
});

describe("column_standardize_grad", () => {
  // Σ dY·y: a product, the additions; a division (5); then y·mean, two subtractions, the scale: additions + 10 roundings at most.
  const check = async (
    shape: oracle.ColumnShape,
    seed: number,
    set: (typeof VALUE_SETS)[number] = "normal",
    knobs = SMALL,
  ) => {
    const random = new TestRandom(seed);
    const count = shape.batch * shape.rows * shape.columns;
    const [d_y, y] = [values(set, count, random), values(set, count, random, 2)];
    const inverse_std = random.normals(shape.batch * shape.columns).map((value) => Math.abs(value) + 0.1);
    const d_x = await runF32(
      engine(),
      columnStandardizeGrad,
      { buffers: { d_y, y, inverse_std, d_x: unwritten(count) }, params: { ...shape }, knobs },
      "d_x",
    );
    const reference = oracle.columnStandardizeGrad(d_y, y, inverse_std, shape);
    expect(d_x).toMatchOracle(reference.dX, {
      factor: gamma(additions(shape.rows, knobs) + DIVISION + 5),
      scale: reference.magnitude,
    });
  };

  for (const columns of [1, 3, 4, 5, 13]) {
    for (const rows of [1, 3, 4, 5, 23]) {
      it(`${rows} × ${columns}`, async () => {
        await check({ batch: 1, rows, columns }, rows);
        await check({ batch: 3, rows, columns }, columns);
      });
    }
  }
  for (const set of VALUE_SETS) {
    it(`${set} values`, () => check({ batch: 1, rows: 50, columns: 7 }, 3, set));
  }
  it("default knobs, around 16 columns", async () => {
    for (const columns of [15, 16, 17])
      await check({ batch: 2, rows: 33, columns }, columns, "normal", { WG: 64, COLUMNS: 16 });
  });

  it("is the derivative of the oracle's column_standardize", () => {
    // Central differences in float64 with step 1e-5: truncation about 1e-10, rounding about 1e-11.
    const random = new TestRandom(12);
    const shape = { batch: 2, rows: 6, columns: 3 };
    const x = Float64Array.from(random.normals(36));
    const dY = random.normals(36);
    const forward = (at: ArrayLike<number>) =>
      oracle.columnStandardize(at, shape, { epsilon: 1e-3, standardize: true });
    const { y, inverseStd } = forward(x);
    const numeric = x.map((_, i) => {
      const value = (step: number) => {
        const moved = forward(x.map((entry, j) => (i === j ? entry + step : entry))).y;
        return moved.reduce((sum, entry, j) => sum + entry * dY[j]!, 0);
      };
      return (value(1e-5) - value(-1e-5)) / 2e-5;
    });
    expect(oracle.columnStandardizeGrad(dY, y, inverseStd, shape).dX).toMatchOracle(numeric, {
      factor: 0,
      scale: 0,
      absolute: 1e-8,
    });
  });
});
