import { describe, expect, it } from "vitest";
import { copyRange, elementwiseBinary, elementwiseUnary } from "../../src/kernels/library.ts";
import * as oracle from "../oracle/elementwise.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { runF32, unwritten, VALUE_SETS, values } from "./runF32.ts";

const engine = useEngine();

/** A workgroup does 4·QUADS·WG elements: 1,024 with the default knobs, 64 with these. */
const SMALL = { WG: 16, QUADS: 1 };

describe("elementwise_unary", () => {
  // Two roundings (product, sum), each at most u times a term's magnitude; max(·, 0) adds none: γ_2·(|alpha x| + |beta|).
  const check = async (
    x: Float32Array,
    params: { alpha: number; beta: number },
    knobs: Record<string, number | boolean>,
  ) => {
    const y = await runF32(engine(), elementwiseUnary, {
      buffers: { x, y: unwritten(x.length) },
      params: { count: x.length, ...params },
      knobs,
    });
    expect(y).toMatchOracle(oracle.elementwiseUnary(x, { ...params, relu: knobs.RELU === true }), {
      factor: gamma(2),
      scale: oracle.elementwiseUnary(oracle.absolute(x), {
        alpha: Math.abs(params.alpha),
        beta: Math.abs(params.beta),
      }),
    });
  };

  for (const count of [1, 2, 3, 4, 5, 7, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025]) {
    it(`${count} elements`, async () => {
      const x = new TestRandom(count).normals(count);
      const params = { alpha: Math.fround(-1.7), beta: Math.fround(0.3) };
      await check(x, params, SMALL);
      await check(x, params, { RELU: true });
    });
  }

  for (const set of VALUE_SETS) {
    it(`${set} values`, async () => {
      await check(
        values(set, 501, new TestRandom(1), 20),
        { alpha: Math.fround(1.3), beta: Math.fround(-1.3) },
        { RELU: true },
      );
    });
  }

  it("a scale of one and no offset copies bits", async () => {
    const x = values("spread", 333, new TestRandom(2), 30);
    const y = await runF32(engine(), elementwiseUnary, {
      buffers: { x, y: unwritten(333) },
      params: { count: 333, alpha: 1, beta: 0 },
    });
    expect(y).toEqual(x);
  });

  it("more than 65,535 workgroups fold into y", async () => {
    const count = 4 * 65_535 + 9;
    const x = Float32Array.from({ length: count }, (_, i) => i);
    await check(x, { alpha: 0.5, beta: 1 }, { WG: 1, QUADS: 1 });
  });
});

describe("elementwise_binary", () => {
  const OPERATIONS = ["add", "multiply", "reluGrad"] as const;
  const BROADCASTS = ["none", "row", "column", "scalar"] as const;
  // add: one rounding in each product, one in the sum: γ_2 of the absolute terms. multiply: three products: γ_3·|y|. reluGrad: γ_1·|y|.
  const ROUNDINGS = { add: 2, multiply: 3, reluGrad: 1 };

  const check = async (
    a: Float32Array,
    b: Float32Array,
    operation: (typeof OPERATIONS)[number],
    broadcast: (typeof BROADCASTS)[number],
    columns: number,
    knobs: Record<string, number | boolean>,
  ) => {
    const [alpha, beta] = [Math.fround(1.3), Math.fround(-0.7)];
    const y = await runF32(engine(), elementwiseBinary, {
      buffers: { a, b, y: unwritten(a.length) },
      params: { count: a.length, columns, alpha, beta },
      knobs: { ...knobs, OP: OPERATIONS.indexOf(operation), BROADCAST: BROADCASTS.indexOf(broadcast) },
    });
    const options = { operation, broadcast, columns };
    const scale =
      operation === "add"
        ? oracle.elementwiseBinary(oracle.absolute(a), oracle.absolute(b), { ...options, alpha, beta: -beta })
        : oracle.absolute(oracle.elementwiseBinary(a, b, { ...options, alpha, beta }));
    expect(y).toMatchOracle(oracle.elementwiseBinary(a, b, { ...options, alpha, beta }), {
      factor: gamma(ROUNDINGS[operation]),
      scale,
    });
  };
  const lengthOfB = {
    none: (r: number, c: number) => r * c,
    row: (_: number, c: number) => c,
    column: (r: number) => r,
    scalar: () => 1,
  };

  for (const operation of OPERATIONS) {
    for (const broadcast of BROADCASTS) {
      it(`${operation}, b broadcast: ${broadcast}`, async () => {
        const random = new TestRandom(3);
        // One element, a prime count, one below, at and above a workgroup's 64, both orientations of a non-square shape.
        for (const [rows, columns] of [
          [1, 1],
          [1, 7],
          [7, 1],
          [9, 7],
          [8, 8],
          [5, 13],
          [13, 5],
          [3, 43],
        ] as const) {
          const a = random.normals(rows * columns);
          const b = random.normals(lengthOfB[broadcast](rows, columns));
          await check(a, b, operation, broadcast, columns, SMALL);
        }
        await check(
          random.normals(41 * 25),
          random.normals(lengthOfB[broadcast](41, 25)),
          operation,
          broadcast,
          25,
          {},
        );
      });
    }
  }

  for (const set of VALUE_SETS) {
    it(`${set} values`, async () => {
      const random = new TestRandom(4);
      for (const operation of OPERATIONS) {
        await check(values(set, 210, random), values(set, 210, random), operation, "none", 30, SMALL);
      }
    });
  }

  it("the ReLU cotangent is zero where the output is zero, also for minus zero", async () => {
    const y = await runF32(engine(), elementwiseBinary, {
      buffers: { a: Float32Array.of(1, 2, 3, 4), b: Float32Array.of(0, -0, 1e-30, -1), y: unwritten(4) },
      params: { count: 4, columns: 4, alpha: 1, beta: 1 },
      knobs: { OP: 2 },
    });
    expect([...y]).toEqual([0, 0, 3, 0]);
  });

  it("more than 65,535 workgroups fold into y", async () => {
    const [rows, columns] = [3, 87_383]; // 262,149 = 4·65,535 + 9 elements
    const a = Float32Array.from({ length: rows * columns }, (_, i) => i % 1009);
    const b = Float32Array.from({ length: rows }, (_, i) => i + 1);
    await check(a, b, "multiply", "column", columns, { WG: 1, QUADS: 1 });
  });
});

describe("copy_range", () => {
  const check = async (count: number, xOffset: number, yOffset: number, WG: number) => {
    const x = Float32Array.from({ length: xOffset + count + 3 }, (_, i) => i + 0.5);
    const y = unwritten(yOffset + count + 3);
    const copied = await runF32(engine(), copyRange, {
      buffers: { x, y },
      params: { count, x_offset: xOffset, y_offset: yOffset },
      knobs: { WG },
    });
    expect(copied).toMatchOracle(oracle.copyRange(x, y, { count, xOffset, yOffset }), { factor: 0, scale: 0 });
  };
  // A workgroup of 16 copies 64 elements.
  for (const count of [1, 7, 63, 64, 65, 129]) {
    it(`${count} elements, between any positions`, async () => {
      for (const [from, to] of [
        [0, 0],
        [3, 0],
        [0, 5],
        [13, 2],
      ] as const)
        await check(count, from, to, 16);
      await check(count, 1, 2, 64);
    });
  }
  it("more than 65,535 workgroups fold into y", () => check(4 * 65_535 + 9, 3, 1, 1));
});
