import { describe, expect, it } from "vitest";
import { crossCorrelation, frobeniusIdentity } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { absolute } from "../oracle/elementwise.ts";
import * as oracle from "../oracle/ssl.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { bitsOf, runF32, unwritten, VALUE_SETS, values } from "./runF32.ts";

const engine = useEngine();

describe("cross_correlation", () => {
  interface Options {
    readonly rows: number;
    readonly columns: number;
    readonly symmetric: boolean;
    readonly WG?: number;
    readonly scale?: number;
  }
  const run = (
    a: Float32Array,
    b: Float32Array,
    { rows, columns, symmetric, WG = 16, scale = 1 }: Options,
    offsets = [0, 0],
  ) =>
    runF32(
      engine(),
      crossCorrelation,
      {
        buffers: { a, b, c: unwritten(columns * columns) },
        params: { rows, columns, scale, a_offset: offsets[0]!, b_offset: offsets[1]! },
        knobs: { WG, SYMMETRIC: symmetric },
      },
      "c",
    );
  // A lane adds ⌈rows/WG⌉ products (rounded once each) to zero, twice as many with SYMMETRIC; log2 WG additions in the tree; the factor
  // once, its half exactly: k = ⌈rows/WG⌉·(2 with SYMMETRIC) + log2 WG + 1.
  const check = async (a: Float32Array, b: Float32Array, options: Options) => {
    const { rows, columns, symmetric, WG = 16, scale = 1 } = options;
    expect(await run(a, b, options)).toMatchOracle(oracle.crossCorrelation(a, b, { rows, columns, scale, symmetric }), {
      factor: gamma(Math.ceil(rows / WG) * (symmetric ? 2 : 1) + Math.log2(WG) + 1),
      scale: oracle.crossCorrelation(absolute(a), absolute(b), { rows, columns, scale: Math.abs(scale), symmetric }),
    });
  };

  for (const symmetric of [false, true]) {
    for (const columns of [1, 3, 4, 5, 8, 13]) {
      it(`${columns} columns, symmetric: ${symmetric}`, async () => {
        const random = new TestRandom(columns);
        for (const rows of [1, 15, 16, 17, 37]) {
          const [a, b] = [random.normals(rows * columns), random.normals(rows * columns)];
          await check(a, b, { rows, columns, symmetric, scale: Math.fround(1 / 3) });
        }
      });
    }
    for (const set of VALUE_SETS) {
      it(`${set} values, symmetric: ${symmetric}`, async () => {
        const random = new TestRandom(5);
        await check(values(set, 45 * 6, random), values(set, 45 * 6, random), { rows: 45, columns: 6, symmetric });
      });
    }
    it(`workgroups of 1, 4, 32 and 128, symmetric: ${symmetric}`, async () => {
      const random = new TestRandom(6);
      const [a, b] = [random.normals(70 * 5), random.normals(70 * 5)];
      for (const WG of [1, 4, 32, 128]) await check(a, b, { rows: 70, columns: 5, symmetric, WG });
    });
  }

  it("offsets: two views stacked in one buffer", async () => {
    const random = new TestRandom(7);
    const [rows, columns] = [19, 6];
    const [a, b] = [random.normals(rows * columns), random.normals(rows * columns)];
    const stacked = Float32Array.of(99, ...a, 77, ...b, 55);
    const plain = await run(a, b, { rows, columns, symmetric: false });
    const shifted = await run(stacked, stacked, { rows, columns, symmetric: false }, [1, rows * columns + 2]);
    expect(bitsOf(shifted)).toEqual(bitsOf(plain));
  });

  it("symmetric: equal views give the Gram matrix, and C is symmetric to the last rounding", async () => {
    const random = new TestRandom(8);
    const [rows, columns] = [33, 7];
    const [a, b] = [random.normals(rows * columns), random.normals(rows * columns)];
    await check(a, a, { rows, columns, symmetric: true });
    const c = await run(a, b, { rows, columns, symmetric: true });
    const transposed = c.map((_, at) => c[(at % columns) * columns + Math.floor(at / columns)]!);
    expect(c).toMatchOracle(transposed, {
      factor: 2 * gamma(2 * Math.ceil(rows / 16) + 4 + 1),
      scale: oracle.crossCorrelation(absolute(a), absolute(b), { rows, columns, scale: 1, symmetric: true }),
    });
  });

  it("the oracle's gradient is the derivative of the oracle", () => {
    const random = new TestRandom(9);
    const [rows, columns] = [4, 3];
    const [a, b] = [Float64Array.from(random.normals(12)), Float64Array.from(random.normals(12))];
    const dC = random.normals(9);
    for (const symmetric of [false, true]) {
      const options = { rows, columns, scale: 0.7, symmetric };
      const value = (left: ArrayLike<number>, right: ArrayLike<number>) =>
        oracle.crossCorrelation(left, right, options).reduce((sum, c, i) => sum + c * dC[i]!, 0);
      const { dA, dB } = oracle.crossCorrelationGrad(dC, a, b, options);
      // The form is linear in each argument, so that a difference of step 1 is exact but for rounding.
      const difference = (at: Float64Array, of: (moved: Float64Array) => number) =>
        at.map((_, i) => of(at.map((entry, j) => (i === j ? entry + 1 : entry))) - of(at));
      expect(dA).toMatchOracle(
        difference(a, (moved) => value(moved, b)),
        { factor: 0, scale: 0, absolute: 1e-12 },
      );
      expect(dB).toMatchOracle(
        difference(b, (moved) => value(a, moved)),
        { factor: 0, scale: 0, absolute: 1e-12 },
      );
    }
  });
});

describe("frobenius_identity", () => {
  // loss: c − 1 (squared: 2), the square or the weight and the product: at most 3; ⌈n²/WG⌉ − 1 additions, log2 WG in the tree.
  // residual: one rounding of either kind.
  const check = async (c: Float32Array, n: number, offDiagonal: number, WG = 16) => {
    const off_diagonal = Math.fround(offDiagonal);
    const result = await runKernel(engine(), frobeniusIdentity, {
      buffers: { c, loss: unwritten(1), residual: unwritten(n * n) },
      params: { n, off_diagonal },
      knobs: { WG },
      read: ["loss", "residual"],
    });
    const reference = oracle.frobeniusIdentity(c, { n, offDiagonal: off_diagonal });
    expect(result.loss).toMatchOracle([reference.loss], {
      factor: gamma(Math.ceil((n * n) / WG) + 2 + Math.log2(WG)),
      scale: reference.loss,
    });
    expect(result.residual).toMatchOracle(reference.residual, {
      factor: gamma(1),
      scale: absolute(reference.residual),
    });
  };

  for (const n of [1, 2, 3, 4, 5, 8, 13]) {
    it(`n = ${n}`, async () => {
      const c = new TestRandom(n).normals(n * n);
      await check(c, n, 1);
      await check(c, n, 0.005);
      await check(c, n, 1, 64);
    });
  }
  for (const set of VALUE_SETS) {
    it(`${set} values`, () => check(values(set, 81, new TestRandom(1)), 9, 0.3));
  }
  it("the identity has loss zero and residual zero", async () => {
    const identity = Float32Array.from({ length: 25 }, (_, at) => (at % 6 === 0 ? 1 : 0));
    await check(identity, 5, 1);
  });
});
