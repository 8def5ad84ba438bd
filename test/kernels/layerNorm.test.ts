/** layer_norm, layer_norm_grad and layer_norm_grad_affine, as their ops bind them. */
import { describe, expect, it } from "vitest";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { layerNorm } from "../../src/autodiff/norm.ts";
import { layerNormGradOp, layerNormOp } from "../../src/ops/layerNorm.ts";
import type { Target } from "../../src/ops/opDefinition.ts";
import * as oracle from "../oracle/layerNorm.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { gamma, U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { VALUE_SETS, values } from "./runF32.ts";

const engine = useEngine();
const TARGETS: Readonly<Record<string, Target>> = {
  software: { isSoftware: true, matmulFamily: "register" },
  gpu: { isSoftware: false, matmulFamily: "workgroup" },
};
/** Additions along a row at most: all quads in one lane, or the tree of 64 lanes, then the four components. */
const additions = (columns: number) => columns / 4 + 6 + 3;

async function forward(
  shape: oracle.LayerNormShape,
  target: Target,
  options: { x?: Float32Array; affine?: boolean; epsilon?: number } = {},
) {
  const { rows, columns } = shape;
  const random = new TestRandom(rows * 31 + columns);
  const x = new Float32Array(options.x ?? random.normals(rows * columns));
  const affine = options.affine ? { weight: random.normals(columns), bias: random.normals(columns) } : undefined;
  const epsilon = Math.fround(options.epsilon ?? 1e-5);
  const graph = new Graph();
  const vectors = affine ? [graph.input("weight", [columns]), graph.input("bias", [columns])] : [];
  const outputs = graph.add(layerNormOp, [graph.input("x", [rows, columns]), ...vectors], {
    epsilon,
    hasAffine: affine !== undefined,
  });
  const out = await evaluate(engine(), graph, { x, ...affine }, { y: outputs[0]!, stats: outputs[1]! }, target);
  const expected = oracle.layerNorm(x, shape, epsilon, affine);
  const scale = new Float64Array(rows * columns);
  const statsError = new Float64Array(2 * rows);
  const stats = new Float64Array(2 * rows);
  // As test/kernels/norm.test.ts derives for column_standardize.
  const k = additions(columns);
  for (let i = 0; i < rows; i++) {
    const row = Array.from(x.subarray(i * columns, (i + 1) * columns));
    const e = gamma(k + 5) * row.reduce((total, value) => total + Math.abs(value) / columns, 0);
    let w = 0;
    for (const value of row) {
      const d = Math.abs(value - expected.mean[i]!);
      const h = U * d + (1 + U) * e;
      w += (gamma(k + 6) * (d + h) ** 2 + 2 * d * h + h ** 2) / columns;
    }
    const relative = w / (expected.variance[i]! + epsilon);
    const rho = relative + U * (1 + relative);
    expect(rho).toBeLessThan(1);
    const r = (1 - rho) ** -0.5 * (1 + gamma(14)) - 1;
    stats.set([expected.mean[i]!, expected.inverseStd[i]!], 2 * i);
    statsError.set([e, r * expected.inverseStd[i]!], 2 * i);
    row.forEach((value, j) => {
      const d = Math.abs(value - expected.mean[i]!);
      const h = U * d + (1 + U) * e;
      const slope = expected.inverseStd[i]! * Math.abs(affine?.weight[j] ?? 1);
      const terms = d * slope + Math.abs(affine?.bias[j] ?? 0);
      scale[i * columns + j] = (h * (1 + r) + d * r) * slope * (1 + gamma(3)) + gamma(3) * terms;
    });
  }
  expect(out.y).toMatchOracle(expected.y, { factor: 1, scale });
  expect(out.stats).toMatchOracle(stats, { factor: 1, scale: statsError });
}

async function backward(
  shape: oracle.LayerNormShape,
  target: Target,
  hasAffine: boolean,
  set: (typeof VALUE_SETS)[number],
) {
  const { rows, columns } = shape;
  const random = new TestRandom(rows + 41 * columns);
  const [dY, x] = [values(set, rows * columns, random, 3), values(set, rows * columns, random, 2)];
  const weight = random.normals(columns);
  const stats = Float32Array.from({ length: 2 * rows }, (_, i) => (i % 2 ? 0.5 + random.uniform() : random.normal()));
  const graph = new Graph();
  const matrix = (name: string) => graph.input(name, [rows, columns]);
  const inputs = [matrix("dY"), matrix("x"), graph.input("stats", [rows, 2])];
  if (hasAffine) inputs.push(graph.input("weight", [columns]));
  const outputs = graph.add(layerNormGradOp, inputs, { epsilon: 1e-5, hasAffine });
  const wanted: Record<string, Tensor> = { dX: outputs[0]! };
  if (hasAffine) Object.assign(wanted, { dWeight: outputs[1]!, dBias: outputs[2]! });
  const feeds = { dY: new Float32Array(dY), x: new Float32Array(x), stats, weight };
  const out = await evaluate(engine(), graph, feeds, wanted, target);
  const given = {
    mean: stats.filter((_, i) => i % 2 === 0),
    inverseStd: stats.filter((_, i) => i % 2 === 1),
  };
  const expected = oracle.layerNormGrad(dY, x, given, shape, hasAffine ? weight : undefined);
  expect(out.dX!).toMatchOracle(expected.dX, { factor: gamma(additions(columns) + 14), scale: expected.magnitude });
  if (!hasAffine) return;
  const k = rows + 6;
  expect(out.dWeight!).toMatchOracle(expected.dWeight, { factor: gamma(k + 3), scale: expected.absWeight });
  expect(out.dBias!).toMatchOracle(expected.dBias, { factor: gamma(k), scale: expected.absBias });
}

describe.each(Object.entries(TARGETS))("layer_norm, %s", (_name, target) => {
  for (const columns of [4, 12, 64, 300]) {
    for (const rows of [1, 3, 17, 70]) {
      it(`${rows} × ${columns}`, async () => {
        await forward({ rows, columns }, target);
        await forward({ rows, columns }, target, { affine: true });
      });
    }
  }
  for (const set of VALUE_SETS) {
    it(`${set} values`, () => forward({ rows: 9, columns: 48 }, target, { x: values(set, 432, new TestRandom(2), 4) }));
  }
  it("a mean far above the deviations", async () => {
    const random = new TestRandom(9);
    const x = Float32Array.from({ length: 640 }, () => 1000 + 0.1 * random.normal());
    await forward({ rows: 10, columns: 64 }, target, { x, epsilon: 0 });
  });
});

describe.each(Object.entries(TARGETS))("layer_norm_grad and layer_norm_grad_affine, %s", (_name, target) => {
  for (const columns of [4, 12, 64, 300]) {
    for (const rows of [1, 3, 17, 70]) {
      it(`${rows} × ${columns}`, async () => {
        await backward({ rows, columns }, target, true, "normal");
        await backward({ rows, columns }, target, false, "normal");
      });
    }
  }
  for (const set of VALUE_SETS) it(`${set} values`, () => backward({ rows: 40, columns: 20 }, target, true, set));
});

it("the oracle's cotangent is the derivative of its normalisation", () => {
  const random = new TestRandom(12);
  const shape = { rows: 3, columns: 5 };
  const x = Float64Array.from(random.normals(15));
  const [dY, weight, bias] = [random.normals(15), random.normals(5), random.normals(5)];
  const numeric = x.map((_, i) => {
    const value = (step: number) =>
      oracle
        .layerNorm(
          x.map((entry, j) => (i === j ? entry + step : entry)),
          shape,
          1e-3,
          { weight, bias },
        )
        .y.reduce((sum, entry, j) => sum + entry * dY[j]!, 0);
    return (value(1e-6) - value(-1e-6)) / 2e-6;
  });
  const statistics = oracle.layerNorm(x, shape, 1e-3, undefined);
  // Truncation about 1e-12, rounding about 1e-9.
  expect(oracle.layerNormGrad(dY, x, statistics, shape, weight).dX).toMatchOracle(numeric, {
    factor: 0,
    scale: 0,
    absolute: 1e-7,
  });
});

it("layerNorm refuses rows that are no multiple of 4 and a weight of another length, naming shapes", () => {
  const graph = new Graph();
  expect(() => layerNorm(graph.input("a", [2, 6]))).toThrow(/multiple of 4; given \[2, 6\]/);
  const affine = { weight: graph.input("w", [4]), bias: graph.input("b", [8]) };
  expect(() => layerNorm(graph.input("c", [2, 8]), { affine })).toThrow(/one number per column.*\[2, 8\] and \[4\]/);
});
