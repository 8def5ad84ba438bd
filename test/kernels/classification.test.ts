/** softmax_cross_entropy and gather_rows against float64. */
import { describe, expect, it } from "vitest";
import { gatherRows, softmaxCrossEntropy } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { softmaxKnobs } from "../../src/ops/classification.ts";
import * as oracle from "../oracle/classification.ts";
import { absolute } from "../oracle/elementwise.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { bitsOf, unwritten } from "./runF32.ts";

const engine = useEngine();

interface Knobs {
  readonly WG: number;
  readonly LANES: number;
}

async function run(logits: Float32Array, labels: Uint32Array, columns: number, knobs: Knobs) {
  const rows = labels.length;
  const results = await runKernel(engine(), softmaxCrossEntropy, {
    buffers: { logits, labels, terms: unwritten(rows), residual: unwritten(rows * columns) },
    params: { rows, columns },
    knobs: { ...knobs },
    read: ["terms", "residual"],
  });
  return results as { terms: Float32Array; residual: Float32Array };
}

/** The header's bounds. */
async function check(logits: Float32Array, labels: Uint32Array, columns: number, knobs: Knobs) {
  const { terms, residual } = await run(logits, labels, columns, knobs);
  const exact = oracle.softmaxCrossEntropy(logits, labels, columns);
  const k = Math.ceil(columns / knobs.LANES) + Math.log2(knobs.LANES);
  expect(terms).toMatchOracle(exact.terms, { factor: U, scale: exact.spread.map((distance) => k + 8 + 5 * distance) });
  const scale = absolute(exact.residual).map((size, at) => {
    return size * (2 * k + 12 + 8 * exact.spread[Math.floor(at / columns)]!);
  });
  // e^-87 and the least normal number: what is smaller becomes 0.
  expect(residual).toMatchOracle(exact.residual, { factor: U, scale, absolute: 2e-38 });
  return { terms, residual };
}

const LANES: readonly Knobs[] = [
  { WG: 16, LANES: 1 },
  { WG: 8, LANES: 4 },
  { WG: 64, LANES: 16 },
  { WG: 64, LANES: 64 },
];
const labelsBelow = (columns: number, rows: number, random: TestRandom) =>
  Uint32Array.from({ length: rows }, () => random.integer(columns));

describe("softmax_cross_entropy", () => {
  for (const knobs of LANES) {
    it(`workgroups of ${knobs.WG}, ${knobs.LANES} lanes a row: rows and classes around every multiple`, async () => {
      const random = new TestRandom(3 + knobs.LANES);
      for (const [rows, columns] of [
        [1, 1],
        [1, 2],
        [3, 10],
        [17, 3],
        [16, 16],
        [5, 17],
        [67, 100],
        [2, 1000],
      ] as const) {
        const logits = random.normals(rows * columns, 3);
        await check(logits, labelsBelow(columns, rows, random), columns, knobs);
      }
    });
  }

  it("all logits equal: ln of the number of classes", async () => {
    const { terms } = await check(new Float32Array(30).fill(1.1), Uint32Array.of(0, 4, 9), 10, LANES[0]!);
    for (const term of terms) expect(Math.abs(term - Math.log(10))).toBeLessThan(18 * U);
  });

  it("a sure and right answer: a tiny loss keeps its digits, and so does the label's residual", async () => {
    const logits = Float32Array.of(20, 0, 0, 0, 30, 0);
    const { terms, residual } = await check(logits, Uint32Array.of(0, 1), 3, LANES[1]!);
    expect(Math.abs(terms[0]! / (2 * Math.exp(-20)) - 1)).toBeLessThan(1e-5);
    expect(Math.abs(terms[1]! / (2 * Math.exp(-30)) - 1)).toBeLessThan(1e-5);
    expect(Math.abs(-residual[0]! / (2 * Math.exp(-20)) - 1)).toBeLessThan(1e-5);
  });

  it("a sure and wrong answer: the distance of the logits, without overflow", async () => {
    const { terms } = await check(Float32Array.of(0, 1000, -1000, 5), Uint32Array.of(0, 0), 2, LANES[0]!);
    expect(terms[0]).toBe(1000);
  });

  it("logits of very different size", async () => {
    const random = new TestRandom(9);
    const logits = random.normals(40 * 7).map((value, at) => value * 10 ** ((Math.floor(at / 7) % 5) - 2));
    for (const knobs of LANES) await check(logits, labelsBelow(7, 40, random), 7, knobs);
  });

  it("residuals of a row sum to zero", async () => {
    const random = new TestRandom(10);
    const { residual } = await run(random.normals(50, 4), labelsBelow(10, 5, random), 10, LANES[2]!);
    for (let row = 0; row < 5; row++) {
      const sum = residual.subarray(10 * row, 10 * row + 10).reduce((total, value) => total + value, 0);
      expect(Math.abs(sum)).toBeLessThan(100 * U);
    }
  });

  it("equal bits when run again", async () => {
    const random = new TestRandom(11);
    const [logits, labels] = [random.normals(300), labelsBelow(10, 30, random)];
    const [first, second] = [await run(logits, labels, 10, LANES[2]!), await run(logits, labels, 10, LANES[2]!)];
    expect(bitsOf(second.terms)).toEqual(bitsOf(first.terms));
    expect(bitsOf(second.residual)).toEqual(bitsOf(first.residual));
  });

  it("lanes by target: one on software adapters, four classes to a lane elsewhere, at most 32", () => {
    const gpu = { isSoftware: false, matmulFamily: "workgroup" } as const;
    expect(softmaxKnobs(10, { ...gpu, isSoftware: true }).LANES).toBe(1);
    expect([1, 4, 10, 100, 1000].map((columns) => softmaxKnobs(columns, gpu).LANES)).toEqual([1, 1, 2, 16, 32]);
  });
});

describe("gather_rows", () => {
  it.each([
    [1, 1, 1],
    [5, 7, 3],
    [64, 4, 64],
    [1000, 3, 67],
    [10, 257, 2],
  ] as const)("%i rows of %i, %i of them chosen, some twice", async (count, columns, rows) => {
    const random = new TestRandom(count);
    const x = random.normals(count * columns);
    const indices = labelsBelow(count, rows, random);
    indices[rows - 1] = indices[0]!;
    const { y } = await runKernel(engine(), gatherRows, {
      buffers: { x, indices, y: unwritten(rows * columns) },
      params: { rows, columns },
      read: ["y"],
    });
    expect([...(y as Float32Array)]).toEqual([...oracle.gatherRows(x, indices, columns)]);
  });

  it("copies bits: denormals, −0 and integers come through", async () => {
    const bits = Uint32Array.of(1, 0x80000000, 0x007fffff, 0x7fc00001);
    const { y } = await runKernel(engine(), gatherRows, {
      buffers: { x: bits, indices: Uint32Array.of(3, 0, 1, 2), y: new Uint32Array(4) },
      params: { rows: 4, columns: 1 },
      read: ["y"],
    });
    expect([...y!]).toEqual([0x7fc00001, 1, 0x80000000, 0x007fffff]);
  });
});
