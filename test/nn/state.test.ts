/** What models keep beside their value: running statistics, target networks, first values, weights in PyTorch's layout. */
import { describe, expect, it } from "vitest";
import { CompiledPlan } from "../../src/autodiff/compiledPlan.ts";
import { multiply, sum } from "../../src/autodiff/functions.ts";
import { Graph, type Node, type Tensor } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { encodeSafetensors, parseSafetensors } from "../../src/data/index.ts";
import { movingAverage as movingAverageKernel } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import {
  batchNormLayer,
  constantInit,
  describeModel,
  drawParameters,
  exportWeights,
  flatLayout,
  importWeights,
  initialRunning,
  linear,
  type ModelState,
  mlp,
  ParameterScope,
  parameterCount,
  predictor,
  projector,
  resnet,
  runningElements,
  scaleInit,
  smallResNet,
  targetNetwork,
  updateTarget,
} from "../../src/nn/index.ts";
import { sgd } from "../../src/optim/sgd.ts";
import { encodeStepState } from "../../src/train/stepState.ts";
import { packStepState } from "../kernels/stepState.ts";
import { moments } from "../oracle/batchNorm.ts";
import { movingAverage } from "../oracle/movingAverage.ts";
import { useEngine } from "../support/device.ts";
import { evaluate, REGISTER_TARGET } from "../support/graphs.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { padded, randomState } from "./support.ts";

const engine = useEngine({ unrollsLoops: false });

describe("moving_average", () => {
  for (const [count, steps, step] of [
    [4, 0, 0],
    [1024, 0, 7],
    [260, 100, 0],
    [260, 100, 33],
    [260, 100, 100],
    [260, 100, 500],
  ] as const) {
    it(`${count} elements, step ${step} of ${steps}`, async () => {
      const random = new TestRandom(count + step);
      const [x, y] = [random.normals(count), random.normals(count)];
      const increment = Math.fround(0.03);
      const state = packStepState({ step, records: 0, nonfiniteStep: 0xffffffff, learningRate: 0 });
      const result = await runKernel(engine(), movingAverageKernel, {
        buffers: { state, x, y },
        params: { count, increment, steps },
        knobs: { SCHEDULE: steps > 0 },
        read: ["y"],
      });
      const expected = movingAverage(y, x, { increment, steps }, step);
      const scale = y.map((value, i) => Math.abs(value) + Math.abs(x[i]!));
      // 1 − increment, two products, a sum; the cosine's own error, 3u, only enters times the increment.
      expect(result.y as Float32Array).toMatchOracle(expected, { factor: gamma(4), scale });
    });
  }
});

/** Runs programs of a graph on given contents and reads persistent buffers. */
async function runPrograms(
  graph: Graph,
  programs: Record<string, readonly (Node | Tensor)[]>,
  feeds: Record<string, Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>,
  order: readonly string[],
  read: readonly string[],
): Promise<Record<string, Float32Array>> {
  const plan = planGraph({ graph, programs, target: REGISTER_TARGET });
  const compiled = await CompiledPlan.compile(engine(), plan);
  try {
    for (const [name, data] of Object.entries(feeds)) compiled.write(name, data);
    for (const program of order) compiled.run(program);
    const results: Record<string, Float32Array> = {};
    for (const name of read) {
      const buffer = compiled.buffer(name);
      results[name] = new Float32Array(await engine().readBuffer(buffer, 0, buffer.size));
    }
    return results;
  } finally {
    compiled.destroy();
  }
}

describe("running statistics", () => {
  const model = (scope: ParameterScope, x: Tensor) => {
    const y = batchNormLayer(scope, "first", 8, { affine: false })(x);
    return batchNormLayer(scope, "second", 8, { affine: false })(multiply(y, y));
  };

  it("follow the batch by momentum 0.1 in programs that update them, in one dispatch, and not in others", async () => {
    const graph = new Graph();
    const scope = ParameterScope.create(graph);
    const x = graph.input("x", [20, 8]);
    const y = model(scope, x);
    const update = scope.updateRunning();
    expect(update).toHaveLength(1);
    const { running } = scope.spec();
    expect(running.map(({ name, offset }) => [name, offset])).toEqual([
      ["first", 0],
      ["second", 64],
    ]);
    const data = new TestRandom(3).normals(160, 2);
    const programs = { train: update, evaluate: [y] };
    const plan = planGraph({ graph, programs, target: REGISTER_TARGET });
    expect(plan.calls.filter(({ op }) => op === "movingAverage")).toHaveLength(1);
    expect(plan.calls.filter(({ op }) => op === "concat")).toHaveLength(0);
    const feeds = { x: data, runningStatistics: initialRunning(running) };
    const order = ["train", "evaluate", "train", "evaluate"];
    const { runningStatistics } = await runPrograms(graph, programs, feeds, order, ["runningStatistics"]);
    const { mean, variance } = moments(data, { rows: 20, channels: 8 });
    const expected = initialRunning(running).map((value, i) => {
      const batch = i < 8 ? mean[i]! : i < 16 ? variance[i - 8]! : value;
      return 0.81 * value + 0.19 * batch;
    });
    // Mean and variance of 20 numbers to about 40 roundings, two updates of 4.
    expect(runningStatistics!.slice(0, 16)).toMatchOracle(expected.slice(0, 16), { factor: gamma(50), scale: 8 });
    expect([...runningStatistics!.slice(16, 64)].every((value) => value === 0)).toBe(true);
  });

  it("two applications count as two updates, in order", async () => {
    const graph = new Graph();
    const scope = ParameterScope.create(graph);
    const norm = batchNormLayer(scope, "norm", 4, { affine: false });
    const inputs = [graph.input("a", [6, 4]), graph.input("b", [6, 4])];
    for (const input of inputs) norm(input);
    const update = scope.updateRunning(0.5);
    const random = new TestRandom(4);
    const [a, b] = [random.normals(24), random.normals(24)];
    const feeds = { a, b, runningStatistics: initialRunning(scope.spec().running) };
    const { runningStatistics } = await runPrograms(graph, { train: update }, feeds, ["train"], ["runningStatistics"]);
    const [first, second] = [a, b].map((data) => moments(data, { rows: 6, channels: 4 }).mean);
    const expected = first!.map((value, i) => 0.25 * value + 0.5 * second![i]!);
    expect(runningStatistics!.slice(0, 4)).toMatchOracle(expected, { factor: gamma(20), scale: 3 });
  });

  it("layers applied unequally often, and inference without a layer's entry, are refused by name", () => {
    const graph = new Graph();
    const scope = ParameterScope.create(graph);
    const x = graph.input("x", [6, 4]);
    const [first, second] = ["first", "second"].map((name) => batchNormLayer(scope, name, 4));
    first!(second!(first!(x)));
    expect(() => scope.updateRunning()).toThrow(/second was applied 1 times, first 2 times/);
    const tensor = graph.input("running", [64]);
    const inference = ParameterScope.create(new Graph(), {
      running: { tensor, layout: [{ name: "norm", channels: 8, offset: 0 }] },
    });
    expect(inference.isInference).toBe(true);
    expect(() => inference.running("other", 8)).toThrow(/no entry for other, which has 8 channels/);
    expect(() => inference.running("norm", 4)).toThrow(/8 channels for norm, which has 4/);
  });

  it("a batch of one value per channel is refused with the number", () => {
    const graph = new Graph();
    const scope = ParameterScope.create(graph);
    expect(() => batchNormLayer(scope, "bn", 4)(graph.input("x", [1, 1, 1, 4]))).toThrow(
      /at least two values per channel, and batch times height times width is 1; given \[1, 1, 1, 4\]/,
    );
    expect(() => batchNormLayer(scope, "odd", 6)(graph.input("y", [4, 6]))).toThrow(/multiple of 4/);
  });
});

describe("target networks", () => {
  it("follow the optimiser's new parameters, in one dispatch, and compute with their own", async () => {
    const graph = new Graph();
    const encoder = mlp([{ out: 8, activation: "relu" }, { out: 4 }]);
    const scope = ParameterScope.create(graph);
    const x = graph.input("x", [5, 6]);
    const z = scope.within("encoder", (own) => encoder(own, x));
    const target = targetNetwork(graph);
    const prediction = scope.within("predictor", (own) => linear(own, "head", z, { out: 4 }));
    const followed = target.scope.within("encoder", (own) => encoder(own, x));
    const stepState = graph.state("stepState", [4], "u32");
    const { node } = sgd(graph, sum(multiply(prediction, followed)), stepState);
    const follow = updateTarget(target, stepState, { decay: 0.75 });
    const random = new TestRandom(6);
    const spec = scope.spec();
    const flat = random.normals(flatLayout(spec.parameters).elements);
    const followers = random.normals(target.state.elements);
    expect(target.state.elements).toBe(graph.segments.find(({ name }) => name.startsWith("predictor"))!.offset);
    const words = encodeStepState({ step: 0, records: 0, nonfiniteStep: undefined, learningRate: 0.125 });
    const feeds = { x: random.normals(30), parameters: flat, target: followers, stepState: words };
    const read = ["parameters", "target"];
    const out = await runPrograms(graph, { train: [node, follow] }, feeds, ["train"], read);
    const trained = out.parameters!.slice(0, followers.length);
    expect(out.parameters!.some((value, i) => value !== flat[i])).toBe(true);
    const expected = movingAverage(followers, trained, { increment: 0.25, steps: 0 }, 0);
    const scale = trained.map((value, i) => Math.abs(value) + Math.abs(followers[i]!));
    expect(out.target!).toMatchOracle(expected, { factor: gamma(4), scale });
  });

  it("value: the same model on the target's parameters", async () => {
    const model = mlp([{ out: 8, activation: "gelu" }, { out: 4 }]);
    const graph = new Graph();
    const scope = ParameterScope.create(graph);
    const x = graph.input("x", [5, 6]);
    const online = model(scope, x);
    const target = targetNetwork(graph);
    const followed = model(target.scope, x);
    const random = new TestRandom(7);
    const data = random.normals(30);
    const state = random.normals(target.state.elements);
    const feeds: Record<string, Float32Array<ArrayBuffer>> = { x: data, target: state };
    graph.segments.forEach(({ name, offset, elements }) => {
      feeds[name] = state.slice(offset, offset + elements);
    });
    const out = await evaluate(engine(), graph, feeds, { online, followed });
    expect([...out.followed]).toEqual([...out.online]);
  });

  it("refuses an empty graph, unknown names and impossible decays", () => {
    const graph = new Graph();
    expect(() => targetNetwork(graph)).toThrow(/no parameters/);
    const scope = ParameterScope.create(graph);
    const x = graph.input("x", [2, 4]);
    linear(scope, "head", x, { out: 4 });
    const target = targetNetwork(graph);
    expect(() => linear(target.scope, "other", x, { out: 4 })).toThrow(/no other.weight/);
    expect(() => linear(target.scope, "head", x, { out: 8 })).toThrow(/head.weight of another shape, \[4, 4\]/);
    const stepState = graph.state("stepState", [4], "u32");
    expect(() => updateTarget(target, stepState, { decay: 1 })).toThrow(/decay of 1/);
  });
});

describe("first values", () => {
  it("are PyTorch's: fan-out normal for filters, U(±1/√fan_in) for linear layers, scales 1, shifts 0", () => {
    const { parameters } = describeModel(resnet({ depth: 18, stem: "imagenet", classes: 1000 }), [2, 32, 32, 4]);
    const init = (name: string) => parameters.find((parameter) => parameter.name === name)!.init;
    expect(init("conv1.weight")).toEqual({ kind: "normal", std: Math.sqrt(2 / (49 * 64)) });
    expect(init("layer2.0.downsample.0.weight")).toEqual({ kind: "normal", std: Math.sqrt(2 / 128) });
    expect(init("fc.weight")).toEqual({ kind: "uniform", bound: 1 / Math.sqrt(512) });
    expect(init("fc.bias")).toEqual({ kind: "uniform", bound: 1 / Math.sqrt(512) });
    expect([init("bn1.weight"), init("bn1.bias")]).toEqual([constantInit(1), constantInit(0)]);
    const small = describeModel(smallResNet({ width: 8, d: 10, weightScale: 0.01, biasScale: 5 }), [2, 12, 12, 4]);
    const smallInit = (name: string) => small.parameters.find((parameter) => parameter.name === name)!.init;
    expect(smallInit("conv1.weight")).toEqual({ kind: "normal", std: Math.sqrt(2 / 27) });
    expect(smallInit("head.weight")).toEqual({ kind: "uniform", bound: 0.01 / Math.sqrt(32) });
    expect(smallInit("head.bias")).toEqual({ kind: "uniform", bound: 5 / Math.sqrt(32) });
  });

  it("the init scale multiplies matrices and filters, and nothing else", () => {
    const { parameters } = describeModel(smallResNet({ width: 8, d: 10, biasScale: 1 }), [2, 12, 12, 4]);
    const scaled = scaleInit(parameters, 0.1);
    parameters.forEach(({ name, init }, i) => {
      const size = (of: typeof init) => (of.kind === "normal" ? of.std : of.kind === "uniform" ? of.bound : of.value);
      const isMatrix = /conv\d\.weight|downsample\.0\.weight|head\.weight/.test(name);
      expect(size(scaled[i]!.init) / (size(init) || 1), name).toBeCloseTo(
        isMatrix ? 0.1 : size(init) === 0 ? 0 : 1,
        12,
      );
    });
    expect(scaleInit(parameters, 0.1, (name) => name.startsWith("head"))[0]!.init).toEqual(parameters[0]!.init);
    expect(() => scaleInit(parameters, 0)).toThrow(/init scale is 0/);
  });

  it("draws on the GPU have the stated moments, zeros in padded channels and gaps, and depend on the seed", async () => {
    const { parameters } = describeModel(smallResNet({ width: 32, d: 12, biasScale: 1 }), [2, 12, 12, 4]);
    const draw = async (seed: number) => {
      const graph = new Graph();
      return (
        await evaluate(engine(), graph, {}, { flat: drawParameters(graph, parameters, { seed, stream: 0x20000 }) })
      ).flat;
    };
    const flat = await draw(1);
    const { offsets, elements } = flatLayout(parameters);
    expect(flat).toHaveLength(elements);
    let covered = 0;
    parameters.forEach(({ name, shape, layout, init }, i) => {
      const count = shape.reduce((a, b) => a * b, 1);
      let own = [...flat.subarray(offsets[i], offsets[i]! + count)];
      covered += own.reduce((total, value) => total + Math.abs(value), 0);
      if (layout.kind === "filter" && layout.inChannels < shape[2]!) {
        const channelOf = (at: number) => Math.floor(at / shape[3]!) % shape[2]!;
        expect(
          own.filter((value, at) => channelOf(at) >= layout.inChannels && value !== 0),
          name,
        ).toEqual([]);
        own = own.filter((_, at) => channelOf(at) < layout.inChannels);
      }
      const square = Math.sqrt(own.reduce((total, value) => total + value ** 2, 0) / own.length);
      if (init.kind === "constant") expect(new Set(own), name).toEqual(new Set([init.value]));
      if (init.kind === "uniform") expect(Math.max(...own.map(Math.abs)), name).toBeLessThanOrEqual(init.bound);
      const std = init.kind === "normal" ? init.std : init.kind === "uniform" ? init.bound / Math.sqrt(3) : square;
      // The root mean square of n draws is within 5/√n of the deviation, five standard errors at most.
      expect(Math.abs(square / (std || 1) - (std ? 1 : 0)), name).toBeLessThan(5 / Math.sqrt(own.length));
    });
    expect(flat.reduce((total, value) => total + Math.abs(value), 0)).toBeCloseTo(covered, 2);
    expect([...(await draw(1))]).toEqual([...flat]);
    expect((await draw(2))[0]).not.toBe(flat[0]);
  });
});

describe("weights in PyTorch's names and layout", () => {
  const model = resnet({ depth: 18, stem: "cifar", width: 1 / 16, classes: 6 });
  const spec = describeModel(model, [2, 8, 8, 4]);

  it("come back as they were, padded channels as zeros", () => {
    const { state, tensors } = randomState(spec, 3);
    expect(Object.keys(tensors)).toHaveLength(62 + 40);
    const again = exportWeights(spec, state);
    for (const [name, { shape, data }] of Object.entries(tensors)) {
      expect(again[name]!.shape, name).toEqual(shape);
      expect([...again[name]!.data], name).toEqual([...data]);
    }
    // OIHW → HWIO: output 1, input 2, row 0, column 1 of a 3 × 3 filter with 4 outputs and 3 of 4 input channels.
    const filter = tensors["conv1.weight"]!;
    expect(state.parameters[((0 * 3 + 1) * 4 + 2) * 4 + 1]).toBe(filter.data[((1 * 3 + 2) * 3 + 0) * 3 + 1]);
    expect([...state.parameters.subarray(12, 16)]).toEqual([0, 0, 0, 0]);
  });

  it("a part of a larger model, by prefix, leaves the rest alone", () => {
    const whole = describeModel((scope, x) => scope.within("encoder", (own) => model(own, x)), [2, 8, 8, 4]);
    const { tensors } = randomState(spec, 3);
    const base: ModelState = {
      parameters: new Float32Array(flatLayout(whole.parameters).elements).fill(7),
      running: new Float32Array(runningElements(whole.running)),
    };
    const state = importWeights(whole, tensors, { prefix: "encoder.", base });
    expect(base.parameters[0]).toBe(7);
    expect(Object.keys(exportWeights(whole, state, { prefix: "encoder." }))).toEqual(Object.keys(tensors));
  });

  it("missing, unknown and misshapen tensors are named; PyTorch's batch counters are passed over", () => {
    const { tensors } = randomState(spec, 3);
    const counter = { shape: [], data: Uint32Array.of(5) };
    expect(() => importWeights(spec, { ...tensors, "bn1.num_batches_tracked": counter })).not.toThrow();
    const { "bn1.weight": _, ...missing } = tensors;
    expect(() => importWeights(spec, missing)).toThrow(/has no bn1.weight \[4\]/);
    expect(() => importWeights(spec, { ...tensors, "fc2.weight": counter })).toThrow(/model has no fc2.weight/);
    const wrong = { ...tensors, "fc.weight": { shape: [6, 16], data: new Float32Array(96) } };
    expect(() => importWeights(spec, wrong)).toThrow(/fc.weight has shape \[6, 16\] in the file and \[6, 32\]/);
  });
});

it("a safetensors file written by PyTorch loads: its batch counters, 64-bit integers, are passed over", () => {
  const spec = describeModel((scope, x) => batchNormLayer(scope, "bn", 4)(x), [3, 4]);
  const { tensors, state } = randomState(spec, 8);
  const own = encodeSafetensors({ tensors, metadata: {} });
  const headerBytes = Number(new DataView(own.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(own.subarray(8, 8 + headerBytes)));
  const end = own.byteLength - 8 - headerBytes;
  const counter = { dtype: "I64", shape: [], data_offsets: [end, end + 8] };
  const text = new TextEncoder().encode(JSON.stringify({ ...header, "bn.num_batches_tracked": counter }));
  const bytes = new Uint8Array(8 + text.length + end + 8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(own.subarray(8 + headerBytes), 8 + text.length);
  expect(importWeights(spec, parseSafetensors(bytes, "torch.safetensors").tensors)).toEqual(state);
});

describe("projectors and predictors", () => {
  const count = (kind: Parameters<typeof projector>[0], widths: readonly number[], features: number) =>
    parameterCount(describeModel(projector(kind, widths), [4, features]).parameters);
  it("have the parameters of the reference implementations", () => {
    // Barlow Twins: 2048·8192 + 2·8192² weights, two BatchNorms.
    expect(count("barlow", [8192, 8192, 8192], 2048)).toBe(2048 * 8192 + 2 * 8192 ** 2 + 4 * 8192);
    // VICReg: the same with two biases.
    expect(count("vicreg", [8192, 8192, 8192], 2048)).toBe(2048 * 8192 + 2 * 8192 ** 2 + 6 * 8192);
    expect(count("simclr", [512, 128], 512)).toBe(512 * 512 + 512 + 512 * 128 + 128);
    expect(count("byol", [4096, 256], 2048)).toBe(2048 * 4096 + 3 * 4096 + 4096 * 256 + 256);
    // SimSiam: three linears without bias, two affine BatchNorms; the predictor's output has a bias.
    expect(count("simsiam", [2048, 2048, 2048], 2048)).toBe(3 * 2048 ** 2 + 4 * 2048);
    const { parameters } = describeModel(predictor("simsiam", [512, 2048]), [4, 2048]);
    expect(parameterCount(parameters)).toBe(2 * 512 * 2048 + 2 * 512 + 2048);
    expect(parameters.map(({ name }) => name)).toEqual(["0.weight", "1.weight", "1.bias", "3.weight", "3.bias"]);
  });
  it("share weights when applied twice, and refuse another width", () => {
    const graph = new Graph();
    const scope = ParameterScope.create(graph);
    const model = projector("simclr", [8, 4]);
    model(scope, graph.input("a", [4, 12]));
    model(scope, graph.input("b", [2, 12]));
    expect(graph.segments).toHaveLength(4);
    expect(() => model(scope, graph.input("c", [4, 16]))).toThrow(/0.weight was made with shape \[8, 12\].*\[8, 16\]/);
  });
});

it("images padded for tests keep their values", () => {
  expect([...padded([1, 2, 3, 4, 5, 6], [1, 3, 1, 2])]).toEqual([1, 3, 5, 0, 2, 4, 6, 0]);
});
