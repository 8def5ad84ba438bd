/** The suites `matmul` and `conv` on Dawn in small shapes: verification that can fail, peers of every kind, counts. */
import { describe, expect, it } from "vitest";
import { FIRST_VARIANT } from "../../src/cli/bench/ceiling.ts";
import { type BenchContext, type BenchRow, MULTIPLY_ADDS, OURS } from "../../src/cli/bench/contract.ts";
import { CONV_SHAPES, type ConvShape, convName, convWork, measureConvs } from "../../src/cli/bench/convSuite.ts";
import { GpuCalls } from "../../src/cli/bench/gpuCalls.ts";
import {
  MATMUL_SHAPES,
  type MatmulShape,
  matmulName,
  matmulSuite,
  measureMatmuls,
} from "../../src/cli/bench/matmulSuite.ts";
import { checkMultiplyAdd, flopsOf, prepareMultiplyAdd, roundsFor } from "../../src/cli/bench/multiplyAdd.ts";
import type { ConvProduct, ConvWork, MatmulWork, Peer, PreparedWork } from "../../src/cli/bench/peerContract.ts";
import { sampledCheck } from "../../src/cli/bench/sampledCheck.ts";
import * as convOracle from "../oracle/conv.ts";
import { matmul } from "../oracle/matmul.ts";
import { convDataGradEntry, convEntry, convWeightGradEntry, matmulEntry } from "../oracle/productEntries.ts";
import { useEngine } from "../support/device.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine();

const SHAPES: readonly MatmulShape[] = [
  { orientation: "NN", m: 17, k: 23, n: 12 },
  { orientation: "NT", m: 16, k: 9, n: 20 },
  { orientation: "TN", m: 5, k: 33, n: 7 },
];
const CONVS: readonly ConvShape[] = [
  { kernel: 3, stride: 2, side: 5, inChannels: 3, outChannels: 8, batch: 2 },
  { kernel: 1, stride: 2, side: 6, inChannels: 8, outChannels: 4, batch: 2 },
];
const PRODUCTS: readonly ConvProduct[] = ["forward", "dataGrad", "weightGrad"];

/** A library on the CPU: the oracle rounded to f32, changed as the test wants. */
function cpuPeer(name: string, change: (result: Float32Array) => Float32Array = (result) => result): Peer {
  const prepared = (compute: () => Float64Array): PreparedWork => ({
    run: async () => {},
    result: async () => change(Float32Array.from(compute())),
    release() {},
  });
  return {
    engine: name,
    matmul: async (work) => prepared(() => exactMatmul(work)),
    conv: async (work) => prepared(() => exactConv(work)),
  };
}

function exactMatmul({ m, k, n, transposeA, transposeB, a, b }: MatmulWork): Float64Array {
  const none = { aOffset: 0, bOffset: 0, yOffset: 0, addendOffset: 0, biasOffset: 0 };
  const strides = { aBatchStride: 0, bBatchStride: 0, yBatchStride: 0 };
  const leading = { lda: transposeA ? m : k, ldb: transposeB ? k : n, ldy: n };
  const spec = { batch: 1, m, n, k, transposeA, transposeB, ...leading, ...none, ...strides, scale: 1, relu: false };
  return matmul({ a, b }, spec, new Float64Array(m * n));
}

function specOf({ batch, side, outSide, kernel, stride, padding, inChannels, outChannels }: ConvWork) {
  const pair = (extent: number) => [extent, extent] as const;
  return {
    batch,
    input: pair(side),
    output: pair(outSide),
    kernel: pair(kernel),
    stride: pair(stride),
    padding: pair(padding),
    inChannels,
    outChannels,
  };
}

function exactConv(work: ConvWork): Float64Array {
  const { product, x, filter, dY } = work;
  if (product === "forward") return convOracle.conv2d({ x, filter }, specOf(work));
  if (product === "dataGrad") return convOracle.conv2dDataGrad(dY, filter, specOf(work));
  return convOracle.conv2dWeightGrad(x, dY, specOf(work));
}

async function measured(
  measure: (context: BenchContext) => Promise<BenchRow[]>,
  changes: Partial<BenchContext> = {},
): Promise<BenchRow[]> {
  using calls = GpuCalls.install();
  return await measure({
    engine: engine(),
    signal: new AbortController().signal,
    progress() {},
    calls,
    peers: [],
    wants: () => true,
    soakSteps: undefined,
    multiplyAdds: FIRST_VARIANT,
    ...changes,
  });
}

describe("single entries in float64", () => {
  const random = new TestRandom(3);

  it("of a matrix product are those of the whole", () => {
    for (const { orientation, m, k, n } of SHAPES) {
      const [transposeA, transposeB] = [orientation === "TN", orientation === "NT"];
      const work = { m, k, n, transposeA, transposeB, a: random.normals(m * k), b: random.normals(k * n) };
      const exact = exactMatmul(work);
      const entries = Array.from(exact, (_, at) => matmulEntry(work.a, work.b, work, at));
      expect(entries.map(({ value }) => value)).toEqual([...exact]);
      expect(entries.every(({ terms, magnitude, value }) => terms === k && magnitude >= Math.abs(value))).toBe(true);
    }
  });

  it("of a convolution's products are those of the whole", () => {
    for (const shape of CONVS) {
      for (const product of PRODUCTS) {
        const work = convWork(shape, product);
        const { x, filter, dY } = work;
        const spec = specOf(work);
        const entryOf = {
          forward: (at: number) => convEntry(x, filter, spec, at),
          dataGrad: (at: number) => convDataGradEntry(dY, filter, spec, at),
          weightGrad: (at: number) => convWeightGradEntry(x, dY, spec, at),
        }[product];
        const exact = exactConv(work);
        exact.forEach((value, at) => {
          expect(entryOf(at).value, `${convName(shape, product)} [${at}]`).toBeCloseTo(value, 12);
        });
      }
    }
  });
});

describe("sampledCheck", () => {
  const exact = (at: number) => ({ value: Math.sin(at), magnitude: 1, terms: 4 });
  const right = (length: number) => Float32Array.from({ length }, (_, at) => Math.sin(at));

  it("accepts rounding, refuses one wrong entry of a short result, NaN and a wrong length", () => {
    expect(sampledCheck(right(1000), 1000, exact)).toMatchObject({ verified: true });
    const wrong = right(1000);
    wrong[777] = Math.sin(777) + 1e-6;
    expect(sampledCheck(wrong, 1000, exact).verified).toBe(false);
    wrong[777] = Number.NaN;
    expect(sampledCheck(wrong, 1000, exact)).toEqual({ verified: false, error: Number.NaN });
    expect(sampledCheck(right(999), 1000, exact).verified).toBe(false);
  });

  it("finds what is wrong in one entry of two hundred of a long result, and at its ends", () => {
    const length = 100_000;
    expect(sampledCheck(right(length), length, exact).verified).toBe(true);
    const sparse = right(length).map((value, at) => (at % 200 === 7 ? value + 1 : value));
    expect(sampledCheck(sparse, length, exact).verified).toBe(false);
    const last = right(length);
    last[length - 1] = 9;
    expect(sampledCheck(last, length, exact).verified).toBe(false);
  });
});

describe("multiply-adds alone", () => {
  const variant = { chains: 4, workgroup: 64 };

  it.each([1, 3, 20])("%i rounds: what the adapter gives is verified", async (rounds) => {
    const work = await prepareMultiplyAdd(engine(), variant, rounds);
    const y = await work.result();
    work.release();
    expect(checkMultiplyAdd(y, variant, rounds)).toMatchObject({ verified: true });
    // After more rounds than were run it would have come nearer.
    expect(checkMultiplyAdd(y, variant, rounds + 6).verified).toBe(rounds > 6);
  });

  it("one wrong entry, NaN and a missing one are seen", () => {
    const right = () => new Float32Array(4 * 2 ** 15).fill(8);
    expect(checkMultiplyAdd(right(), variant, 20)).toEqual({ verified: true, error: 0 });
    for (const wrong of [8.001, Number.NaN, 0]) {
      expect(checkMultiplyAdd(right().fill(wrong, 77, 78), variant, 20).verified).toBe(false);
    }
    expect(checkMultiplyAdd(right().subarray(1), variant, 20).verified).toBe(false);
  });

  it("rounds are those that come nearest to the wanted operations, at least one", () => {
    expect(roundsFor({ chains: 8, workgroup: 64 }, 2 * 512 ** 3)).toBe(32);
    expect(flopsOf({ chains: 8, workgroup: 64 }, 32)).toBe(2 * 512 ** 3);
    expect(roundsFor({ chains: 12, workgroup: 8 }, 1)).toBe(1);
  });
});

describe("the suites", () => {
  it("matmul: ours verified, one dispatch and one submit a run, nothing created", async () => {
    const rows = await measured((context) => measureMatmuls(context, SHAPES));
    expect(rows.map(({ name }) => name)).toEqual(SHAPES.map(matmulName));
    for (const row of rows) {
      expect(row).toMatchObject({
        suite: "matmul",
        engine: OURS,
        verified: true,
        dispatches: 1,
        submits: 1,
        passes: 1,
        objectsCreated: 0,
        writeBuffers: 0,
        bytesReadBack: 0,
      });
      expect(row.runs).toBeGreaterThanOrEqual(11);
      expect(row.fastestMs).toBeLessThanOrEqual(row.medianMs!);
      expect(row.medianMs).toBeLessThanOrEqual(row.slowestMs!);
    }
  });

  it("matmul of order 512: as many multiply-adds alone take turns with ours, verified and as often", async () => {
    const [shape] = MATMUL_SHAPES.filter(({ orientation, m, k, n }) => orientation === "TN" && m * k * n === 512 ** 3);
    const rows = await measured((context) => measureMatmuls(context, [shape!]));
    expect(rows.map(({ engine, verified, dispatches }) => [engine, verified, dispatches])).toEqual([
      [OURS, true, 1],
      [MULTIPLY_ADDS, true, 1],
    ]);
    const [ours, alone] = rows.map(({ gflops, medianMs }) => gflops! * medianMs! * 1e6);
    expect(ours).toBeCloseTo(2 * 512 ** 3, 0);
    expect(alone! / ours!).toBeCloseTo(1, 1);
    const target = matmulSuite.targets(rows, { isSoftware: true }).at(-1);
    expect(target!.value).toBeCloseTo((100 * rows[0]!.gflops!) / rows[1]!.gflops!, 8);
  });

  it("conv: all three products verified, channels of the stem padded and cut", async () => {
    const rows = await measured((context) => measureConvs(context, CONVS), { peers: [cpuPeer("cpu")] });
    const names = CONVS.flatMap((shape) => PRODUCTS.map((product) => convName(shape, product)));
    expect(rows.map(({ name }) => name)).toEqual(names.flatMap((name) => [name, name]));
    expect(rows.filter(({ verified }) => !verified)).toEqual([]);
    expect(rows.every(({ objectsCreated, submits }) => objectsCreated === 0 && (submits ?? 0) <= 1)).toBe(true);
  });

  it("a peer that is wrong is not verified, one that fails is a row that says so, one without the work is none", async () => {
    const peers: Peer[] = [
      cpuPeer("wrong", (result) => result.map((value) => value * 1.001)),
      { engine: "broken", matmul: () => Promise.reject(new Error("no such device")) },
      {
        engine: "breaks later",
        matmul: async () => {
          let runs = 0;
          const fail = () => (++runs > 2 ? Promise.reject(new Error("lost")) : Promise.resolve());
          return { run: fail, result: async () => new Float32Array(1), release() {} };
        },
      },
      { engine: "another trade" },
    ];
    const rows = await measured((context) => measureMatmuls(context, SHAPES.slice(0, 1)), { peers });
    expect(rows.map((row) => [row.engine, row.verified, row.runs > 0, row.note])).toEqual([
      [OURS, true, true, undefined],
      ["wrong", false, true, undefined],
      ["broken", false, false, "failed: Error: no such device"],
      ["breaks later", false, false, "failed: Error: lost"],
    ]);
  });

  it("rows whose names are not wanted are left out; an interrupted benchmark ends", async () => {
    const wants = (name: string) => name.startsWith("NT");
    const rows = await measured((context) => measureMatmuls(context, SHAPES), { wants });
    expect(rows.map(({ name }) => name)).toEqual(["NT 16×9×20"]);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(measured((context) => measureMatmuls(context, SHAPES), { signal })).rejects.toThrow("enough");
  });

  it("measure every distinct convolution of ResNet-18 on 32 × 32 images, and its products as matrices", () => {
    const [stages, entries] = [[64, 128, 256, 512], CONV_SHAPES.filter(({ stride }) => stride === 2)];
    expect(CONV_SHAPES).toHaveLength(1 + 4 + 3 + 3);
    expect(entries.map(({ kernel, outChannels }) => `${kernel}→${outChannels}`)).toEqual(
      stages.slice(1).flatMap((channels) => [`3→${channels}`, `1→${channels}`]),
    );
    const names = MATMUL_SHAPES.map(matmulName);
    expect(new Set(names).size).toBe(names.length);
    // The patches of 4 images times the filter, at every stage the same work.
    const products = MATMUL_SHAPES.filter(({ m, k, n }) => m * k * n === 4 * 1024 * 576 * 64);
    expect(products).toHaveLength(12);
  });
});
