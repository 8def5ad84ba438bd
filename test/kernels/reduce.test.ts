import { describe, expect, it } from "vitest";
import { reduceColumns, reduceRows } from "../../src/kernels/library.ts";
import { absolute } from "../oracle/elementwise.ts";
import * as oracle from "../oracle/reduce.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { runF32, unwritten, VALUE_SETS, values } from "./runF32.ts";

const engine = useEngine();

describe("reduce_rows", () => {
  // A lane adds ⌈columns/WG⌉ terms to zero (the first exactly), the tree adds log2 WG times, SQUARE and scale round once each:
  // k = ⌈columns/WG⌉ + log2 WG + 1.
  const check = async (
    x: Float32Array,
    rows: number,
    columns: number,
    knobs: { WG: number; SQUARE?: boolean },
    scale = 1,
  ) => {
    const y = await runF32(engine(), reduceRows, {
      buffers: { x, y: unwritten(rows) },
      params: { rows, columns, scale },
      knobs,
    });
    const square = knobs.SQUARE ?? false;
    expect(y).toMatchOracle(oracle.reduceRows(x, { rows, columns, scale, square }), {
      factor: gamma(Math.ceil(columns / knobs.WG) + Math.log2(knobs.WG) + 1),
      scale: oracle.reduceRows(absolute(x), { rows, columns, scale: Math.abs(scale), square }),
    });
  };

  for (const columns of [1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 257]) {
    it(`rows of ${columns}`, async () => {
      const random = new TestRandom(columns);
      for (const rows of [1, 5]) {
        const x = random.normals(rows * columns);
        await check(x, rows, columns, { WG: 16 }, Math.fround(-0.3));
        await check(x, rows, columns, { WG: 16, SQUARE: true }, Math.fround(1 / 3));
        await check(x, rows, columns, { WG: 64 });
      }
    });
  }

  for (const set of VALUE_SETS) {
    it(`${set} values`, async () => {
      const x = values(set, 3 * 130, new TestRandom(1));
      await check(x, 3, 130, { WG: 16 });
      await check(x, 3, 130, { WG: 16, SQUARE: true });
    });
  }

  it("a workgroup of one and of 256", async () => {
    const x = new TestRandom(2).normals(2 * 300);
    await check(x, 2, 300, { WG: 1 });
    await check(x, 2, 300, { WG: 256 });
  });

  it("70,000 rows fold into y", async () => {
    const x = Float32Array.from({ length: 70_000 }, (_, i) => i);
    const y = await runF32(engine(), reduceRows, {
      buffers: { x, y: unwritten(70_000) },
      params: { rows: 70_000, columns: 1, scale: 2 },
      knobs: { WG: 1 },
    });
    expect(y).toMatchOracle(
      x.map((value) => 2 * value),
      { factor: 0, scale: 0 },
    );
  });
});

describe("reduce_columns", () => {
  // With LANES = WG/COLUMNS: a lane adds ⌈rows/LANES⌉ terms to zero (the first exactly), the tree adds log2 LANES times, scale rounds
  // once: k = ⌈rows/LANES⌉ + log2 LANES.
  const check = async (
    x: Float32Array,
    shape: { batch: number; rows: number; columns: number },
    knobs: { WG: number; COLUMNS: number },
    scale = 1,
  ) => {
    const y = await runF32(engine(), reduceColumns, {
      buffers: { x, y: unwritten(shape.batch * shape.columns) },
      params: { ...shape, scale },
      knobs,
    });
    const lanes = knobs.WG / knobs.COLUMNS;
    expect(y).toMatchOracle(oracle.reduceColumns(x, { ...shape, scale }), {
      factor: gamma(Math.ceil(shape.rows / lanes) + Math.log2(lanes)),
      scale: oracle.reduceColumns(absolute(x), { ...shape, scale: Math.abs(scale) }),
    });
  };

  for (const columns of [1, 3, 4, 5, 13]) {
    for (const rows of [1, 3, 4, 5, 23]) {
      it(`${rows} × ${columns}`, async () => {
        const random = new TestRandom(100 * rows + columns);
        for (const batch of [1, 3]) {
          await check(
            random.normals(batch * rows * columns),
            { batch, rows, columns },
            { WG: 16, COLUMNS: 4 },
            Math.fround(0.7),
          );
        }
      });
    }
  }

  it("default knobs, around 16 columns and 4 lanes", async () => {
    const random = new TestRandom(5);
    for (const columns of [15, 16, 17]) {
      await check(random.normals(2 * 67 * columns), { batch: 2, rows: 67, columns }, { WG: 64, COLUMNS: 16 });
    }
  });

  it("one lane, and one column per workgroup", async () => {
    const x = new TestRandom(6).normals(50 * 9);
    await check(x, { batch: 1, rows: 50, columns: 9 }, { WG: 16, COLUMNS: 16 });
    await check(x, { batch: 1, rows: 50, columns: 9 }, { WG: 16, COLUMNS: 1 });
  });

  for (const set of VALUE_SETS) {
    it(`${set} values`, async () => {
      await check(values(set, 101 * 6, new TestRandom(7)), { batch: 1, rows: 101, columns: 6 }, { WG: 16, COLUMNS: 4 });
    });
  }
});
