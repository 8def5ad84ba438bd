/** batch_norm_stats, batch_norm_apply, batch_norm_grad_reduce and batch_norm_grad_apply, as the ops combine them. */
import { describe, expect, it } from "vitest";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { batchNorm } from "../../src/autodiff/norm.ts";
import { batchNormStats } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import {
  type BatchNormAttributes,
  batchNormGradOp,
  biasOffset,
  momentElements,
  normSplit,
} from "../../src/ops/batchNorm.ts";
import type { Target } from "../../src/ops/opDefinition.ts";
import * as oracle from "../oracle/batchNorm.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { gamma, U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { thinned } from "../support/thorough.ts";
import { unwritten, VALUE_SETS, values } from "./runF32.ts";

const engine = useEngine();

const TARGETS: Readonly<Record<string, Target>> = {
  software: { isSoftware: true, matmulFamily: "register" },
  gpu: { isSoftware: false, matmulFamily: "workgroup" },
};

/** Additions that a channel's sum goes through at most: a part's rows, the parts, the trees over at most 128 lanes. */
const chain = ({ rows, channels }: oracle.BatchNormShape, target: Target): number => {
  const { partRows, parts } = normSplit({ rows, quads: channels / 4 }, target);
  return Math.min(partRows, rows) + parts + 14;
};

const column = (x: Float32Array, { rows, channels }: oracle.BatchNormShape, c: number) =>
  Array.from({ length: rows }, (_, i) => x[i * channels + c]!);

/**
 * Bound of Σ (x − mean)² over n values, k additions per sum. Blocks and parts a, b are merged with weight w = n_a n_b/(n_a + n_b) and a
 * difference of means δ, known to e ≤ u|δ| + γ_{k+8}·(mean_a|x| + mean_b|x|). Rounding the non-negative terms costs γ_{2k+8}; the errors
 * of δ cost Σ w(2|δ|e + e²) ≤ 2·√M·√(Σ w e²) + Σ w e² by Cauchy and Schwarz, with M = Σ w δ² ≤ Σ d². Since w ≤ min(n_a, n_b) and the mean
 * of |x| is at most its root mean square, Σ w e² ≤ 2γ²·Σ(n_b·rms_b² + n_b·rms_a²); the first sum is n·rms² on each level, the second, for
 * parts merged one after the other, at most n·rms²·(1 + ln(number of parts)). For at most e⁶ blocks and 32 parts that is below
 * 25·γ²·n·rms²: h = 5·γ_{k+8}·rms.
 */
function squaresError(entries: readonly number[], k: number): { squares: number; error: number } {
  const n = entries.length;
  const mean = entries.reduce((total, value) => total + value / n, 0);
  const squares = entries.reduce((total, value) => total + (value - mean) ** 2, 0);
  const h = 5 * gamma(k + 8) * Math.sqrt(entries.reduce((total, value) => total + value ** 2 / n, 0));
  return { squares, error: gamma(2 * k + 8) * squares + 2 * Math.sqrt(n * squares) * h + n * h ** 2 };
}

describe("batch_norm_stats", () => {
  const check = async (
    x: Float32Array,
    rows: number,
    channels: number,
    parts: number,
    knobs: Record<string, number | boolean>,
  ) => {
    const chunk = Math.ceil(rows / parts);
    const { partials } = await runKernel(engine(), batchNormStats, {
      buffers: { x, partials: unwritten(parts * 2 * channels) },
      params: { rows, quads: channels / 4, parts, chunk },
      knobs,
      read: ["partials"],
    });
    for (let part = 0; part < parts; part++) {
      for (let c = 0; c < channels; c++) {
        const entries = column(x, { rows, channels }, c).slice(part * chunk, (part + 1) * chunk);
        const k = entries.length + 8;
        const exact = entries.reduce((total, value) => total + value, 0);
        const magnitude = entries.reduce((total, value) => total + Math.abs(value), 0);
        const at = part * 2 * channels + c;
        expect([partials![at]!]).toMatchOracle([exact], { factor: gamma(k), scale: magnitude });
        const { squares, error } = squaresError(entries, k);
        expect([partials![at + channels]!]).toMatchOracle([squares], { factor: 1, scale: error });
      }
    }
  };
  for (const channels of [4, 12, 20]) {
    for (const rows of [2, 3, 7, 8, 33]) {
      it(`${rows} × ${channels}`, async () => {
        const x = new TestRandom(rows + channels).normals(rows * channels);
        await check(x, rows, channels, 2, { WG: 16, QUADS: 4, SHARED: true });
        await check(x, rows, channels, 4, { WG: 16, QUADS: 4, SHARED: false });
        await check(x, rows, channels, 4, { WG: 4, QUADS: 1, SHARED: false });
      });
    }
  }
  for (const set of VALUE_SETS) {
    it(`${set} values`, async () => {
      const x = values(set, 150 * 8, new TestRandom(5), 4);
      await check(x, 150, 8, 3, { WG: 16, QUADS: 2, SHARED: true });
      await check(x, 150, 8, 8, { WG: 16, QUADS: 2, SHARED: false });
    });
  }
});

interface ForwardCase extends oracle.BatchNormShape {
  readonly seed?: number;
  readonly x?: Float32Array<ArrayBuffer>;
  readonly affine?: boolean;
  readonly addend?: boolean;
  readonly options?: Partial<oracle.BatchNormOptions>;
}

async function forward(test: ForwardCase, target: Target): Promise<void> {
  const { rows, channels } = test;
  const random = new TestRandom(test.seed ?? 100 * rows + channels);
  const x = test.x ?? random.normals(rows * channels);
  const weight = random.normals(channels);
  const bias = random.normals(channels);
  const addend = random.normals(rows * channels);
  const epsilon = Math.fround(test.options?.epsilon ?? 1e-5);
  const graph = new Graph();
  const [w, b] = [graph.input("weight", [channels]), graph.input("bias", [channels])];
  const result = batchNorm(graph.input("x", [rows, channels]), {
    ...test.options,
    running: undefined,
    epsilon,
    affine: test.affine ? { weight: w, bias: b } : undefined,
    addend: test.addend ? graph.input("addend", [rows, channels]) : undefined,
  });
  const out = await evaluate(
    engine(),
    graph,
    { x, weight, bias, addend },
    { y: result.y, moments: result.moments },
    target,
  );
  const options: oracle.BatchNormOptions = {
    ...test.options,
    epsilon,
    weight: test.affine ? weight : undefined,
    bias: test.affine ? bias : undefined,
    addend: test.addend ? addend : undefined,
  };
  const expected = oracle.batchNorm(x, test, options);
  const { mean, variance } = oracle.moments(x, test);
  const k = chain(test, target);
  const scale = new Float64Array(rows * channels);
  const meanError = new Float64Array(channels);
  const varianceError = new Float64Array(channels);
  const factor = options.unbiased ? 1 : (rows - 1) / rows;
  for (let c = 0; c < channels; c++) {
    const entries = column(x, test, c);
    // The division by n costs 5 roundings more (WGSL's accuracy table).
    const e = gamma(k + 5) * entries.reduce((total, value) => total + Math.abs(value) / rows, 0);
    meanError[c] = e;
    const { error } = squaresError(entries, k);
    varianceError[c] = (error / (rows - 1)) * (1 + gamma(8)) + gamma(8) * variance[c]!;
    const root = factor * variance[c]! + epsilon;
    // Root and reciprocal 14 roundings, the factor and the sum with epsilon 2, as in test/kernels/norm.test.ts.
    const rho = (factor * varianceError[c]!) / root + gamma(2);
    expect(rho).toBeLessThan(1);
    const divides = options.variance !== "omitted";
    const r = divides ? (1 - rho) ** -0.5 * (1 + gamma(14)) - 1 : 0;
    const inverseStd = divides ? root ** -0.5 : 1;
    const subtracts = options.mean !== "omitted";
    for (let i = 0; i < rows; i++) {
      const at = i * channels + c;
      const d = Math.abs(x[at]! - (subtracts ? mean[c]! : 0));
      const h = subtracts ? U * d + (1 + U) * e : 0;
      const slope = inverseStd * Math.abs(options.weight?.[c] ?? 1);
      const terms = d * slope + Math.abs(options.bias?.[c] ?? 0) + Math.abs(options.addend?.[at] ?? 0);
      scale[at] = (h * (1 + r) + d * r) * slope * (1 + gamma(3)) + gamma(4) * terms;
    }
  }
  expect(out.y).toMatchOracle(expected, { factor: 1, scale });
  expect(out.moments.slice(0, channels)).toMatchOracle(mean, { factor: 1, scale: meanError });
  expect(out.moments.slice(channels, 2 * channels)).toMatchOracle(variance, { factor: 1, scale: varianceError });
  expect([...out.moments.slice(2 * channels)].every((value) => value === 0)).toBe(true);
}

describe.each(Object.entries(TARGETS))("batch_norm_apply after batch_norm_stats, %s", (_name, target) => {
  for (const [at, channels] of [4, 8, 12, 68].entries()) {
    for (const rows of thinned([2, 3, 5, 64, 129], 2, at)) {
      it(`${rows} × ${channels}`, () => forward({ rows, channels }, target));
    }
  }
  it("many rows: several parts and several chunks", async () => {
    await forward({ rows: 2100, channels: 4, affine: true }, target);
    await forward({ rows: 1500, channels: 72, addend: true, options: { relu: true } }, target);
  });
  it("scale, shift, addend and ReLU, each alone and together", async () => {
    const shape = { rows: 37, channels: 12 };
    await forward({ ...shape, affine: true }, target);
    await forward({ ...shape, addend: true }, target);
    await forward({ ...shape, options: { relu: true } }, target);
    await forward({ ...shape, affine: true, addend: true, options: { relu: true } }, target);
  });
  it("mean or variance omitted, unbiased variance", async () => {
    const shape = { rows: 21, channels: 8, affine: true };
    await forward({ ...shape, options: { mean: "omitted" } }, target);
    await forward({ ...shape, options: { variance: "omitted" } }, target);
    await forward({ ...shape, options: { mean: "omitted", variance: "omitted" } }, target);
    await forward({ ...shape, options: { unbiased: true } }, target);
  });
  for (const set of VALUE_SETS) {
    it(`${set} values`, () =>
      forward({ rows: 90, channels: 8, x: new Float32Array(values(set, 720, new TestRandom(6), 4)) }, target));
  }
  it("a mean far above the deviations: E[x²] − E[x]² would lose every digit", async () => {
    const random = new TestRandom(9);
    const x = Float32Array.from({ length: 600 * 4 }, () => 1000 + 0.5 * random.normal());
    await forward({ rows: 600, channels: 4, x, options: { epsilon: 1e-5 } }, target);
  });
  it("an outlier in the first row, which a shift by the first row would take for the mean", async () => {
    const random = new TestRandom(10);
    const x = random.normals(400 * 4);
    x.fill(1e5, 0, 4);
    await forward({ rows: 400, channels: 4, x }, target);
  });
});

describe.each(Object.entries(TARGETS))("batch_norm_grad_reduce and batch_norm_grad_apply, %s", (_name, target) => {
  const check = async (
    shape: oracle.BatchNormShape,
    attributes: Partial<BatchNormAttributes>,
    set: (typeof VALUE_SETS)[number] = "normal",
  ) => {
    const { rows, channels } = shape;
    const random = new TestRandom(rows + 7 * channels);
    const count = rows * channels;
    const [dY, x] = [values(set, count, random, 3), values(set, count, random, 2)];
    const y = random.normals(count);
    const weight = random.normals(channels);
    const moments = new Float32Array(momentElements(channels));
    for (let c = 0; c < channels; c++) {
      moments[c] = random.normal();
      moments[channels + c] = 0.1 + random.uniform();
    }
    const all: BatchNormAttributes = {
      epsilon: Math.fround(1e-5),
      mean: "normal",
      variance: "normal",
      isUnbiased: false,
      isRunning: false,
      hasAffine: false,
      hasAddend: false,
      relu: false,
      ...attributes,
    };
    const graph = new Graph();
    const matrix = (name: string) => graph.input(name, [rows, channels]);
    const inputs = [matrix("dY"), matrix("x"), graph.input("moments", [moments.length])];
    if (all.hasAffine) inputs.push(graph.input("weight", [channels]));
    if (all.relu) inputs.push(matrix("y"));
    const outputs = graph.add(batchNormGradOp, inputs, all);
    const wanted: Record<string, Tensor> = { dX: outputs[0]!, dAffine: outputs[1]! };
    if (all.relu) wanted.masked = outputs[2]!;
    const feeds = { dY: new Float32Array(dY), x: new Float32Array(x), moments, weight, y };
    const out = await evaluate(engine(), graph, feeds, wanted, target);
    const given = { mean: moments.slice(0, channels), variance: moments.slice(channels, 2 * channels) };
    const expected = oracle.batchNormGrad(dY, x, given, all.relu ? y : undefined, shape, {
      epsilon: all.epsilon,
      mean: all.mean,
      variance: all.variance,
      unbiased: all.isUnbiased,
      running: all.isRunning ? given : undefined,
      weight: all.hasAffine ? weight : undefined,
    });
    // Σ d·x̂: difference, product, reciprocal of the root (17 with the factor), the additions; d_x: two such reciprocals, a division by n
    // and seven single roundings more.
    const k = chain(shape, target);
    const bias = biasOffset(channels);
    expect(out.dAffine!.slice(bias)).toMatchOracle(expected.dBias, { factor: gamma(k), scale: expected.absBias });
    expect([...out.dAffine!.slice(channels, bias)].every((value) => value === 0)).toBe(true);
    expect(out.dAffine!.slice(0, channels)).toMatchOracle(expected.dWeight, {
      factor: gamma(k + 20),
      scale: expected.absWeight,
    });
    expect(out.dX!).toMatchOracle(expected.dX, { factor: gamma(k + 50), scale: expected.magnitude });
    if (all.relu) expect([...out.masked!]).toEqual([...expected.masked]);
  };
  for (const channels of [4, 12, 68]) {
    for (const rows of thinned([2, 5, 130], 2)) it(`${rows} × ${channels}`, () => check({ rows, channels }, {}));
  }
  it("many rows, scale and ReLU", async () => {
    await check({ rows: 2100, channels: 4 }, { hasAffine: true, relu: true });
    await check({ rows: 1500, channels: 72 }, { relu: true });
  });
  it("scale, unbiased, detached, omitted, running", async () => {
    const shape = { rows: 33, channels: 8 };
    await check(shape, { hasAffine: true });
    await check(shape, { isUnbiased: true });
    await check(shape, { isRunning: true, hasAffine: true, relu: true });
    for (const mode of ["detached", "omitted"] as const) {
      await check(shape, { mean: mode });
      await check(shape, { variance: mode });
      await check(shape, { mean: mode, variance: mode, relu: true, hasAffine: true });
    }
  });
  for (const set of VALUE_SETS) it(`${set} values`, () => check({ rows: 90, channels: 8 }, { hasAffine: true }, set));
});

describe("the oracle's cotangent is the derivative of its normalisation", () => {
  const modes = ["normal", "omitted"] as const;
  for (const mean of modes) {
    for (const variance of modes) {
      for (const unbiased of [false, true]) {
        it(`mean ${mean}, variance ${variance}${unbiased ? ", unbiased" : ""}`, () => {
          const random = new TestRandom(12);
          const shape = { rows: 6, channels: 4 };
          const x = Float64Array.from(random.normals(24));
          const dY = random.normals(24);
          const options = {
            epsilon: 1e-3,
            mean,
            variance,
            unbiased,
            relu: true,
            weight: random.normals(4),
            bias: random.normals(4),
          };
          const y = oracle.batchNorm(x, shape, options);
          const numeric = x.map((_, i) => {
            const value = (step: number) =>
              oracle
                .batchNorm(
                  x.map((entry, j) => (i === j ? entry + step : entry)),
                  shape,
                  options,
                )
                .reduce((sum, entry, j) => sum + entry * dY[j]!, 0);
            return (value(1e-6) - value(-1e-6)) / 2e-6;
          });
          const { dX } = oracle.batchNormGrad(dY, x, oracle.moments(x, shape), y, shape, options);
          // Truncation about 1e-12, rounding about 1e-9.
          expect(dX).toMatchOracle(numeric, { factor: 0, scale: 0, absolute: 1e-7 });
        });
      }
    }
  }
});
