/** conv2d in the middle of graphs: values, derivatives, fusion into its epilogue, and errors. */
import { describe, expect, it } from "vitest";
import { type ConvOptions, conv2d } from "../../src/autodiff/conv.ts";
import { add, multiply, relu, scale, sum } from "../../src/autodiff/functions.ts";
import { grad, vjp } from "../../src/autodiff/grad.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { outputExtent, type Pair } from "../../src/ops/convGeometry.ts";
import type { Target } from "../../src/ops/opDefinition.ts";
import * as oracle from "../oracle/conv.ts";
import { absolute } from "../oracle/elementwise.ts";
import { useEngine } from "../support/device.ts";
import { evaluate, REGISTER_TARGET } from "../support/graphs.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine({ unrollsLoops: false });

const TARGETS: Record<string, Target> = {
  software: REGISTER_TARGET,
  "GPU, register family": { isSoftware: false, matmulFamily: "register" },
  "GPU, workgroup family": { isSoftware: false, matmulFamily: "workgroup" },
};

interface Problem {
  readonly x: readonly [number, number, number, number];
  readonly kernel: Pair;
  readonly co: number;
  readonly stride?: Pair;
  readonly padding?: Pair;
  readonly bias?: boolean;
}

const PROBLEMS: Record<string, Problem> = {
  "3 × 3, bias": { x: [2, 7, 9, 4], kernel: [3, 3], co: 12, padding: [1, 1], bias: true },
  "3 × 3, stride 2": { x: [2, 8, 8, 8], kernel: [3, 3], co: 4, stride: [2, 2], padding: [1, 1] },
  "1 × 1: a matrix product": { x: [2, 5, 3, 8], kernel: [1, 1], co: 4, bias: true },
  "1 × 1, stride 2: a shortcut": { x: [2, 6, 5, 8], kernel: [1, 1], co: 16, stride: [2, 2] },
  "7 × 7, stride 2: a stem": { x: [1, 13, 15, 4], kernel: [7, 7], co: 8, stride: [2, 2], padding: [3, 3] },
  "axes apart": { x: [1, 9, 6, 4], kernel: [2, 4], co: 8, stride: [3, 1], padding: [0, 2] },
  // Enough of everything for the workgroup family's rows of the table.
  "wide, stride 1": { x: [2, 7, 6, 48], kernel: [3, 3], co: 52, padding: [1, 1] },
  "wide, stride 2": { x: [2, 19, 17, 48], kernel: [3, 3], co: 64, stride: [2, 2], padding: [1, 1] },
};

function prepare({ x, kernel, co, stride = [1, 1], padding = [0, 0], bias = false }: Problem) {
  const output = [0, 1].map((axis) => outputExtent(x[axis + 1]!, kernel[axis]!, stride[axis]!, padding[axis]!));
  const spec: oracle.ConvSpec = {
    batch: x[0],
    input: [x[1], x[2]],
    output: [output[0]!, output[1]!],
    kernel,
    stride,
    padding,
    inChannels: x[3],
    outChannels: co,
  };
  const random = new TestRandom(x[1] * 10 + co);
  const count = (shape: readonly number[]): number => shape.reduce((product, extent) => product * extent, 1);
  const shapes = {
    x: [...x],
    filter: [...kernel, x[3], co],
    bias: [co],
    r: [x[0], ...output, co],
  };
  const feeds = {
    x: random.normals(count(shapes.x)),
    filter: random.normals(count(shapes.filter)),
    bias: random.normals(co),
    r: random.normals(count(shapes.r)),
  };
  return { spec, shapes, feeds, hasBias: bias, options: { stride, padding } satisfies ConvOptions };
}

const [A, B] = [Math.fround(0.7), Math.fround(1.3)];

describe.each(Object.entries(TARGETS))("conv2d for %s", (_target, target) => {
  for (const [name, problem] of Object.entries(PROBLEMS)) {
    // Register tiles do not change with the number of channels.
    if (target.matmulFamily === "register" && name.startsWith("wide")) continue;
    it(name, async () => {
      const { spec, shapes, feeds, hasBias, options } = prepare(problem);
      const graph = new Graph();
      const [x, filter, bias, r] = [
        graph.parameter("x", shapes.x),
        graph.parameter("filter", shapes.filter),
        graph.parameter("bias", shapes.bias),
        graph.input("r", shapes.r),
      ];
      const y = conv2d(scale(x, A), scale(filter, B), hasBias ? { ...options, bias } : options);
      const [dX, dFilter, dBias] = grad(sum(multiply(y, r)), [x, filter, ...(hasBias ? [bias] : [])]);
      const wanted: Record<string, Tensor> = { y, dX: dX!, dFilter: dFilter!, ...(dBias ? { dBias } : {}) };
      const actual = await evaluate(engine(), graph, feeds, wanted, target);

      const size = Object.fromEntries(Object.entries(feeds).map(([key, value]) => [key, absolute(value)]));
      const times = (values: Float64Array, factor: number) => values.map((value) => factor * value);
      const pixels = spec.batch * spec.output[0] * spec.output[1];
      const taps = spec.kernel[0] * spec.kernel[1];
      // As in the kernels' headers, and two roundings for the scales.
      const biasOf = (value: ArrayLike<number>, factor: number) =>
        hasBias ? Float64Array.from(value, (entry) => entry / factor) : undefined;
      expect(actual.y).toMatchOracle(times(oracle.conv2d({ ...feeds, bias: biasOf(feeds.bias, A * B) }, spec), A * B), {
        factor: gamma(taps * spec.inChannels + 5),
        scale: times(oracle.conv2d({ x: size.x!, filter: size.filter!, bias: biasOf(size.bias!, A * B) }, spec), A * B),
      });
      expect(actual.dX).toMatchOracle(times(oracle.conv2dDataGrad(feeds.r, feeds.filter, spec), A * B), {
        factor: gamma(taps * spec.outChannels + 5),
        scale: times(oracle.conv2dDataGrad(size.r!, size.filter!, spec), A * B),
      });
      expect(actual.dFilter).toMatchOracle(times(oracle.conv2dWeightGrad(feeds.x, feeds.r, spec), A * B), {
        factor: gamma(pixels + 5),
        scale: times(oracle.conv2dWeightGrad(size.x!, size.r!, spec), A * B),
      });
      if (hasBias) {
        const sums = (values: ArrayLike<number>) =>
          Float64Array.from({ length: spec.outChannels }, (_, channel) => {
            let total = 0;
            for (let at = channel; at < values.length; at += spec.outChannels) total += values[at]!;
            return total;
          });
        expect(actual.dBias).toMatchOracle(sums(feeds.r), { factor: gamma(pixels + 2), scale: sums(size.r!) });
      }
    });
  }
});

describe("derivatives of derivatives", () => {
  it("of both gradients, in both operands", async () => {
    const { spec, shapes, feeds, options } = prepare(PROBLEMS["3 × 3, stride 2"]!);
    const random = new TestRandom(77);
    const [s, t] = [random.normals(feeds.x.length), random.normals(feeds.filter.length)];
    const graph = new Graph();
    const [x, filter, r] = [
      graph.parameter("x", shapes.x),
      graph.parameter("filter", shapes.filter),
      graph.parameter("r", shapes.r),
    ];
    const [sLeaf, tLeaf] = [graph.input("s", shapes.x), graph.input("t", shapes.filter)];
    const [dX, dFilter] = grad(sum(multiply(conv2d(x, filter, options), r)), [x, filter]);
    // ⟨s, dX(r, f)⟩ + ⟨t, dF(x, r)⟩, with dX bilinear in (r, f) and dF in (x, r).
    const second = add(sum(multiply(dX!, sLeaf)), sum(multiply(dFilter!, tLeaf)));
    const [ddX, ddFilter, ddR] = grad(second, [x, filter, r]);
    const wanted = { ddX: ddX!, ddFilter: ddFilter!, ddR: ddR! };
    const actual = await evaluate(engine(), graph, { ...feeds, s, t }, wanted);
    const [r1, s1, t1, f1, x1] = [feeds.r, s, t, feeds.filter, feeds.x].map(absolute);
    expect(actual.ddX).toMatchOracle(oracle.conv2dDataGrad(feeds.r, t, spec), {
      factor: gamma(9 * spec.outChannels + 3),
      scale: oracle.conv2dDataGrad(r1!, t1!, spec),
    });
    expect(actual.ddFilter).toMatchOracle(oracle.conv2dWeightGrad(s, feeds.r, spec), {
      factor: gamma(spec.batch * spec.output[0] * spec.output[1] + 3),
      scale: oracle.conv2dWeightGrad(s1!, r1!, spec),
    });
    const sumOf = (a: Float64Array, b: Float64Array) => a.map((value, at) => value + b[at]!);
    expect(actual.ddR).toMatchOracle(
      sumOf(oracle.conv2d({ x: s, filter: feeds.filter }, spec), oracle.conv2d({ x: feeds.x, filter: t }, spec)),
      {
        factor: gamma(9 * spec.inChannels + 4),
        scale: sumOf(oracle.conv2d({ x: s1!, filter: f1! }, spec), oracle.conv2d({ x: x1!, filter: t1! }, spec)),
      },
    );
  });
});

describe("what a plan does with a convolution", () => {
  const kernels = (graph: Graph, outputs: Record<string, Tensor>): string[] =>
    planGraph({
      graph,
      programs: { main: Object.values(outputs) },
      outputs,
      target: REGISTER_TARGET,
    }).calls.map(({ kernel }) => kernel.name);

  it("skips the data gradient when the image needs none", () => {
    const graph = new Graph();
    const [x, filter] = [graph.input("x", [2, 8, 8, 4]), graph.parameter("filter", [3, 3, 4, 8])];
    const [dFilter] = grad(sum(conv2d(x, filter, { padding: 1 })), [filter]);
    expect(graph.nodes.map(({ op }) => op.name)).not.toContain("conv2dDataGrad");
    expect(kernels(graph, { dFilter: dFilter! })).not.toContain("conv/conv2d_data_grad_register");
  });

  it("folds scale, shift, residual and ReLU into one dispatch, with the values of the parts", async () => {
    const { spec, shapes, feeds } = prepare(PROBLEMS["3 × 3, bias"]!);
    const random = new TestRandom(9);
    const [gain, shift, other] = [random.normals(12), random.normals(12), random.normals(feeds.r.length)];
    const graph = new Graph();
    const y = conv2d(graph.input("x", shapes.x), graph.input("filter", shapes.filter), { padding: 1 });
    const normalised = add(multiply(y, graph.input("gain", [12])), graph.input("shift", [12]));
    const z = relu(add(graph.input("other", shapes.r), normalised));
    expect(kernels(graph, { z })).toEqual(["conv/conv2d_register"]);
    const actual = await evaluate(engine(), graph, { ...feeds, gain, shift, other }, { z });
    const parts = { x: feeds.x, filter: feeds.filter, scale: gain, bias: shift, addend: other };
    const sizes = Object.fromEntries(Object.entries(parts).map(([key, value]) => [key, absolute(value)]));
    expect(actual.z).toMatchOracle(oracle.conv2d(parts, spec, true), {
      factor: gamma(9 * spec.inChannels + 3),
      scale: oracle.conv2d(sizes as unknown as oracle.ConvOperands, spec),
    });
  });

  it.each(Object.entries(TARGETS))(
    "adds a shortcut's cotangent inside the data gradient, with the bits of a dispatch of its own: %s",
    async (_name, target) => {
      const { shapes, feeds } = prepare(PROBLEMS["3 × 3, stride 2"]!);
      const random = new TestRandom(10);
      const graph = new Graph();
      const [x, filter, r] = [
        graph.input("x", shapes.x),
        graph.input("filter", shapes.filter),
        graph.input("r", shapes.r),
      ];
      const other = graph.input("other", shapes.x);
      const both = { ...feeds, other: random.normals(x.elements) };
      // Two cotangents reach x: one through the convolution, one on its own.
      const y = conv2d(x, filter, { stride: 2, padding: 1 });
      const [whole] = vjp([y, x], [r, other], [x]);
      const { calls } = planGraph({ graph, programs: { main: [whole!] }, outputs: { whole: whole! }, target });
      expect(calls.filter(({ kernel }) => kernel.name.includes("data_grad"))).toHaveLength(1);
      expect(calls.map(({ kernel }) => kernel.name)).not.toContain("elementwise/elementwise_binary");
      expect(calls.find(({ kernel }) => kernel.name.includes("data_grad"))?.knobs.HAS_ADDEND).toBe(true);
      const fused = await evaluate(engine(), graph, both, { whole: whole! }, target);
      const [part] = vjp([y], [r], [x]);
      const apart = await evaluate(engine(), graph, both, { part: part! }, target);
      const expected = apart.part.map((value, index) => Math.fround(value + both.other[index]!));
      expect([...fused.whole]).toEqual([...expected]);
    },
  );

  it("keeps apart what the order of the epilogue does not allow, and what others read", () => {
    const graph = new Graph();
    const [x, filter] = [graph.input("x", [1, 4, 4, 4]), graph.input("filter", [3, 3, 4, 4])];
    const row = graph.input("row", [4]);
    const y = conv2d(x, filter, { padding: 1 });
    const scaledAfterRelu = multiply(relu(y), row);
    expect(kernels(graph, { scaledAfterRelu })).toEqual(["conv/conv2d_register", "elementwise/elementwise_binary"]);
    expect(kernels(graph, { y, relu: relu(y) })).toContain("elementwise/elementwise_unary");
  });

  it("counts two operations per multiply-add", () => {
    const graph = new Graph();
    const y = conv2d(graph.input("x", [32, 32, 32, 16]), graph.input("filter", [3, 3, 16, 32]), { padding: 1 });
    const node = y.node!;
    expect(node.op.flops(node.inputs, node.outputs, node.attributes)).toBe(2 * 32 * 32 * 32 * 9 * 16 * 32);
  });
});

describe("errors", () => {
  const build = (x: readonly number[], filter: readonly number[], options: ConvOptions = {}) => {
    const graph = new Graph();
    return conv2d(graph.input("x", x), graph.input("filter", filter), options);
  };
  const CASES: readonly (readonly [string, () => Tensor, string])[] = [
    [
      "channels that do not chain",
      () => build([2, 8, 8, 16], [3, 3, 8, 4]),
      "conv2d: does not chain: 16 channels of x against 8 input channels of the filter; given [2, 8, 8, 16] and [3, 3, 8, 4]",
    ],
    [
      "RGB",
      () => build([2, 8, 8, 3], [3, 3, 3, 8]),
      "conv2d: 3 input and 8 output channels are not multiples of 4; given [2, 8, 8, 3] and [3, 3, 3, 8]",
    ],
    [
      "a matrix",
      () => build([8, 8], [3, 3, 4, 4]),
      "conv2d: takes an image [N, H, W, Ci] and a filter [KH, KW, Ci, Co]; given [8, 8] and [3, 3, 4, 4]",
    ],
    [
      "a kernel larger than the padded image",
      () => build([1, 4, 2, 4], [5, 5, 4, 4], { padding: 1 }),
      "conv2d: the padded input [6, 4] is smaller than the kernel; given [1, 4, 2, 4] and [5, 5, 4, 4]",
    ],
    [
      "a fractional stride",
      () => build([1, 4, 4, 4], [3, 3, 4, 4], { stride: [1, 0.5] }),
      "conv2d: stride [1, 0.5] is not made of positive whole numbers; given [1, 4, 4, 4] and [3, 3, 4, 4]",
    ],
    [
      "negative padding",
      () => build([1, 4, 4, 4], [3, 3, 4, 4], { padding: -1 }),
      "conv2d: padding [-1, -1] is not made of whole numbers ≥ 0; given [1, 4, 4, 4] and [3, 3, 4, 4]",
    ],
  ];
  it.each(CASES)("%s", (_name, attempt, message) => {
    expect(attempt).toThrowError(expect.objectContaining({ code: "GRAPH-SHAPE", message }));
  });

  it("a bias of another length", () => {
    const graph = new Graph();
    const bias = graph.input("bias", [4]);
    expect(() => conv2d(graph.input("x", [1, 4, 4, 4]), graph.input("filter", [3, 3, 4, 8]), { bias })).toThrowError(
      "conv2d: the bias has not 8 entries; given [1, 4, 4, 4] and [3, 3, 4, 8] and [4]",
    );
  });
});
