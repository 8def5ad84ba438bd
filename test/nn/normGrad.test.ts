/** Derivatives of normalisations in the middle of a graph, against central differences in float64 with detached statistics frozen. */
import { describe, expect, it } from "vitest";
import { affine, multiply, sum } from "../../src/autodiff/functions.ts";
import { grad } from "../../src/autodiff/grad.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { batchNorm, layerNorm, type StatisticMode } from "../../src/autodiff/norm.ts";
import type { Target } from "../../src/ops/opDefinition.ts";
import * as layerOracle from "../oracle/layerNorm.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine({ unrollsLoops: false });
const TARGETS: Readonly<Record<string, Target>> = {
  software: { isSoftware: true, matmulFamily: "register" },
  gpu: { isSoftware: false, matmulFamily: "workgroup" },
};
const [ROWS, CHANNELS] = [11, 8];
const COUNT = ROWS * CHANNELS;
type Inputs = Readonly<Record<"x" | "weight" | "bias" | "addend", ArrayLike<number>>>;

/** Mean and unbiased variance of a channel. */
function statistics(x: ArrayLike<number>, c: number): { mean: number; variance: number } {
  let [mean, variance] = [0, 0];
  for (let i = 0; i < ROWS; i++) mean += x[i * CHANNELS + c]! / ROWS;
  for (let i = 0; i < ROWS; i++) variance += (x[i * CHANNELS + c]! - mean) ** 2 / (ROWS - 1);
  return { mean, variance };
}

/** Normalisation of 2·x − 1 with statistics of `frozen` where they are detached. */
function reference(
  inputs: Inputs,
  frozen: ArrayLike<number>,
  mean: StatisticMode,
  variance: StatisticMode,
): Float64Array {
  const before = (x: ArrayLike<number>) => Float64Array.from(x, (value) => 2 * value - 1);
  const [x, still] = [before(inputs.x), before(frozen)];
  return x.map((value, at) => {
    const c = at % CHANNELS;
    const [moving, fixed] = [statistics(x, c), statistics(still, c)];
    const subtracted = mean === "omitted" ? 0 : (mean === "normal" ? moving : fixed).mean;
    const chosen = (variance === "normal" ? moving : fixed).variance * ((ROWS - 1) / ROWS);
    const factor = variance === "omitted" ? 1 : 1 / Math.sqrt(chosen + 1e-3);
    return Math.max(0, (value - subtracted) * factor * inputs.weight[c]! + inputs.bias[c]! + inputs.addend[at]!);
  });
}

function centralDifferences(f: (inputs: Inputs) => number, inputs: Inputs, name: keyof Inputs): Float64Array {
  return Float64Array.from(inputs[name], (_, i) => {
    const at = (step: number) =>
      f({ ...inputs, [name]: Float64Array.from(inputs[name], (value, j) => value + (i === j ? step : 0)) });
    // Truncation 1e-12, rounding 1e-10 of values near 10; a kink within 1e-6 of zero would show.
    return (at(1e-6) - at(-1e-6)) / 2e-6;
  });
}

const MODES: readonly StatisticMode[] = ["normal", "detached", "omitted"];

describe.each(Object.entries(TARGETS))("batchNorm with scale, shift, addend and ReLU, %s", (_name, target) => {
  for (const mean of MODES) {
    for (const variance of MODES) {
      it(`mean ${mean}, variance ${variance}`, async () => {
        const random = new TestRandom(31);
        const inputs = {
          x: random.normals(COUNT),
          weight: random.normals(CHANNELS),
          bias: random.normals(CHANNELS),
          addend: random.normals(COUNT),
        };
        const r = random.normals(COUNT);
        const graph = new Graph();
        const leaves: Record<keyof Inputs, Tensor> = {
          x: graph.input("x", [ROWS, CHANNELS]),
          weight: graph.input("weight", [CHANNELS]),
          bias: graph.input("bias", [CHANNELS]),
          addend: graph.input("addend", [ROWS, CHANNELS]),
        };
        const { weight, bias, addend } = leaves;
        const options = { affine: { weight, bias }, addend, relu: true, epsilon: 1e-3, mean, variance };
        const { y } = batchNorm(affine(leaves.x, 2, -1), options);
        const loss = sum(multiply(y, graph.input("r", y.shape)));
        const gradients = grad(loss, Object.values(leaves));
        // The cotangents of scale and shift are parts of one tensor; an output is a whole one.
        const wanted = Object.fromEntries(Object.keys(leaves).map((name, i) => [name, affine(gradients[i]!, 1, 0)]));
        const results = await evaluate(engine(), graph, { ...inputs, r }, wanted, target);
        const f = (moved: Inputs) =>
          reference(moved, inputs.x, mean, variance).reduce((total, value, i) => total + value * r[i]!, 0);
        for (const name of Object.keys(leaves) as (keyof Inputs)[]) {
          const expected = centralDifferences(f, inputs, name);
          // Sums of 11 terms of size up to 10, each exact to about 60 roundings (kernel tests have the derived bounds): 4e-5 of 10.
          expect(results[name]!, name).toMatchOracle(expected, { factor: 4e-6, scale: 10 });
        }
      });
    }
  }
});

it.each(Object.entries(TARGETS))("layerNorm with scale and shift, %s", async (_name, target) => {
  const random = new TestRandom(32);
  const [x, weight, bias, r] = [
    random.normals(COUNT),
    random.normals(CHANNELS),
    random.normals(CHANNELS),
    random.normals(COUNT),
  ];
  const graph = new Graph();
  const leaves = [
    graph.input("x", [ROWS, CHANNELS]),
    graph.input("weight", [CHANNELS]),
    graph.input("bias", [CHANNELS]),
  ];
  const y = layerNorm(affine(leaves[0]!, 2, -1), { affine: { weight: leaves[1]!, bias: leaves[2]! }, epsilon: 1e-3 });
  const [dX, dWeight, dBias] = grad(sum(multiply(y, graph.input("r", y.shape))), leaves);
  const wanted = { x: dX!, weight: dWeight!, bias: dBias! };
  const results = await evaluate(engine(), graph, { x, weight, bias, r }, wanted, target);
  const inputs: Inputs = { x, weight, bias, addend: [] };
  const f = (moved: Inputs) => {
    const before = Float64Array.from(moved.x, (value) => 2 * value - 1);
    const { y: values } = layerOracle.layerNorm(before, { rows: ROWS, columns: CHANNELS }, 1e-3, moved);
    return values.reduce((total, value, i) => total + value * r[i]!, 0);
  };
  for (const name of ["x", "weight", "bias"] as const) {
    expect(results[name], name).toMatchOracle(centralDifferences(f, inputs, name), { factor: 4e-6, scale: 10 });
  }
});

it("a loss of the statistics beside y is refused by name", () => {
  const graph = new Graph();
  const { moments } = batchNorm(graph.input("x", [4, 4]));
  expect(() => grad(sum(moments), graph.leaves)).toThrow(/statistics beside y are not differentiable/);
});
