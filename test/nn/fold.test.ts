/** Folded inference: each layer against the unfolded mathematics in float64, a whole ResNet, the plan, what cannot be folded. */
import { describe, expect, it } from "vitest";
import { add, multiply, relu } from "../../src/autodiff/functions.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import {
  batchNormLayer,
  conv,
  describeModel,
  foldBatchNorm,
  linear,
  type Model,
  mlp,
  type NormOptions,
  ParameterScope,
  smallResNet,
  uniformFanIn,
} from "../../src/nn/index.ts";
import { useEngine } from "../support/device.ts";
import { REGISTER_TARGET } from "../support/graphs.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import {
  checkNet,
  checkUnits,
  foldedGraph,
  largestDifference,
  NARROW_18,
  RESNET_18,
  RESNET_50,
  trainedNet,
  unfoldedGraph,
  value,
} from "./foldedNets.ts";
import { randomState } from "./support.ts";

const engine = useEngine({ unrollsLoops: false });

describe("whole ResNets (at full width: test/long/foldedResnets.long.ts)", () => {
  it(`${NARROW_18.name}: layer by layer within derived bounds; as a whole as float64 and as without folding`, async () => {
    await checkNet(engine(), NARROW_18);
  });

  it("an inference pass has convolutions, products and pooling, and nothing else", () => {
    for (const { model, shape, norms } of [RESNET_18, RESNET_50]) {
      const graph = new Graph();
      const y = model(
        ParameterScope.create(graph, { isFolded: true }),
        graph.input("images", [1, shape[2], shape[3], 4]),
      );
      const plan = planGraph({ graph, programs: { main: [y] }, target: REGISTER_TARGET });
      const families = plan.calls.map(({ kernel }) => kernel.name.split("/")[0]);
      expect(families.filter((family) => !["conv", "matmul", "pool"].includes(family!))).toEqual([]);
      const products = plan.calls.filter(({ op }) => op === "conv2d" || op === "matmul");
      expect(new Set(products.map(({ node }) => node)).size).toBe(norms + 1);
      // The biases are the only parameters besides filters and head.
      expect(graph.segments).toHaveLength(2 * (norms + 1));
    }
  });
});

describe("small models", () => {
  it("the small residual net: every layer, a batch of 3 odd images", async () => {
    expect((await checkUnits(engine(), trainedNet(smallResNet({ width: 8, d: 10 }), [3, 3, 13, 9], 5))).units).toBe(9);
  });

  const MODES: Readonly<Record<string, NormOptions>> = {
    plain: {},
    "without scale and shift": { affine: false },
    "mean omitted": { mean: "omitted" },
    "variance omitted": { variance: "omitted" },
    detached: { mean: "detached", variance: "detached" },
  };
  for (const [mode, norm] of Object.entries(MODES)) {
    it(`projector with a bias before the normalisation, ${mode}`, async () => {
      const model = mlp([{ out: 8, norm, activation: "relu" }, { out: 4 }]);
      const { state } = randomState(describeModel(model, [5, 12]), 31);
      const x = new TestRandom(32).normals(60);
      const folded = await value(engine(), foldedGraph(model, foldBatchNorm(model, [5, 12], state), [5, 12], x));
      const unfolded = await value(engine(), unfoldedGraph(model, state, [5, 12], x));
      // 12 and 8 terms, six roundings of the normalisation and the shift on either side; sums of absolute terms below 40.
      expect(largestDifference(folded, unfolded)).toBeLessThan(2 * gamma(12 + 8 + 12) * 40);
      expect(Math.max(...unfolded.map(Math.abs))).toBeGreaterThan(0.5);
    });
  }

  it("a net without normalisation is left as it is", () => {
    const model = mlp([{ out: 8, activation: "relu" }, { out: 4 }]);
    const spec = describeModel(model, [5, 12]);
    const { state } = randomState(spec, 1);
    const folded = foldBatchNorm(model, [5, 12], state);
    expect(folded.spec.parameters).toEqual(spec.parameters);
    expect([...folded.state.parameters]).toEqual([...state.parameters]);
  });
});

describe("what cannot be folded is named", () => {
  const init = () => uniformFanIn(4);
  const fold = (model: Model) => () => {
    const { state } = randomState(describeModel(model, [4, 8]), 1);
    foldBatchNorm(model, [4, 8], state);
  };
  it.each<[string, Model, RegExp]>([
    ["an input", (scope, x) => batchNormLayer(scope, "bn", 8)(x), /bn cannot be folded: it normalises model input/],
    [
      "an activation",
      (scope, x) => batchNormLayer(scope, "bn", 8)(relu(linear(scope, "fc", x, { out: 8 }))),
      /bn cannot be folded: it follows relu/,
    ],
    [
      "a product that something else reads",
      (scope, x) => {
        const y = linear(scope, "fc", x, { out: 8, bias: false });
        return add(batchNormLayer(scope, "bn", 8)(y), y);
      },
      /bn cannot be folded: fc\/matmul is also read by add/,
    ],
    [
      "a matrix used without it",
      (scope, x) => {
        const y = linear(scope, "fc", x, { out: 8, bias: false });
        return add(batchNormLayer(scope, "bn", 8)(y), linear(scope, "fc", multiply(x, x), { out: 8, bias: false }));
      },
      /bn cannot be folded: fc.weight is also used by fc\/matmul/,
    ],
    [
      "two normalisations of one matrix",
      (scope, x) => {
        const y = batchNormLayer(scope, "a", 8)(linear(scope, "fc", x, { out: 8, bias: false }));
        return batchNormLayer(scope, "b", 8)(linear(scope, "fc", y, { out: 8, bias: false }));
      },
      /b cannot be folded: fc.weight also feeds a/,
    ],
  ])("%s", (_what, model, message) => {
    expect(fold(model)).toThrow(expect.objectContaining({ code: "NN-FOLD", message: expect.stringMatching(message) }));
  });

  it("control: a convolution of its own folds", () => {
    const model: Model = (scope, x) => batchNormLayer(scope, "bn", 8)(conv(scope, "c", x, { out: 8, kernel: 1, init }));
    const { state } = randomState(describeModel(model, [2, 3, 3, 4]), 1);
    expect(() => foldBatchNorm(model, [2, 3, 3, 4], state)).not.toThrow();
  });
});
