/** Models against torchvision's counts and names, and against a float64 forward pass. */
import { describe, expect, it } from "vitest";
import { multiply, pack, sum } from "../../src/autodiff/functions.ts";
import { grad } from "../../src/autodiff/grad.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import {
  describeModel,
  exportWeights,
  type Model,
  type ModelState,
  ParameterScope,
  parameterCount,
  type ResNetDepth,
  type ResNetOptions,
  resnet,
  runningElements,
  smallConvNet,
  smallResNet,
  torchShape,
} from "../../src/nn/index.ts";
import { type ResNetStructure, resnetForward, type TorchWeights } from "../oracle/resnet.ts";
import { useEngine } from "../support/device.ts";
import { evaluate, REGISTER_TARGET } from "../support/graphs.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { padded, randomState, resnetStep } from "./support.ts";

const engine = useEngine({ unrollsLoops: false });

describe("ResNets have torchvision's parameters", () => {
  const images = [2, 32, 32, 4];
  it.each([
    [18, 11_689_512, 11_176_512],
    [34, 21_797_672, 21_284_672],
    [50, 25_557_032, 23_508_032],
    [101, 44_549_160, 42_500_160],
  ] as const)("ResNet-%i: %i with the 1000-class head, %i without", (depth, withHead, without) => {
    const headed = describeModel(resnet({ depth, stem: "imagenet", classes: 1000 }), images);
    expect(parameterCount(headed.parameters)).toBe(withHead);
    expect(headed.outputShape).toEqual([2, 1000]);
    const features = describeModel(resnet({ depth, stem: "imagenet" }), images);
    expect(parameterCount(features.parameters)).toBe(without);
    expect(features.outputShape).toEqual([2, depth < 50 ? 512 : 2048]);
  });

  /** `state_dict()` of torchvision.models.resnetN, counters left out, in its order. */
  function torchvisionNames(blocks: readonly number[], convolutions: 2 | 3): string[] {
    const norm = (name: string) => [`${name}.weight`, `${name}.bias`];
    const names = ["conv1.weight", ...norm("bn1")];
    blocks.forEach((count, stage) => {
      for (let block = 0; block < count; block++) {
        const at = `layer${stage + 1}.${block}`;
        for (let k = 1; k <= convolutions; k++) names.push(`${at}.conv${k}.weight`, ...norm(`${at}.bn${k}`));
        // ResNet-18's first stage keeps its shape; ResNet-50's widens it from 64 to 256.
        const hasShortcut = block === 0 && (stage > 0 || convolutions === 3);
        if (hasShortcut) names.push(`${at}.downsample.0.weight`, ...norm(`${at}.downsample.1`));
      }
    });
    return [...names, "fc.weight", "fc.bias"];
  }

  it.each([
    [18, [2, 2, 2, 2], 2],
    [50, [3, 4, 6, 3], 3],
  ] as const)("ResNet-%i: names in torchvision's order, 62 and 161 of them; shapes", (depth, blocks, convolutions) => {
    const { parameters, running } = describeModel(resnet({ depth, stem: "imagenet", classes: 1000 }), images);
    const names = parameters.map(({ name }) => name);
    expect(names).toHaveLength(depth === 18 ? 62 : 161);
    // A block's last scale and shift are made before its last convolution's sum with the shortcut, as in torchvision.
    expect(names).toEqual(torchvisionNames(blocks, convolutions));
    const norms = names.filter((name) => /(?:bn\d|downsample\.1)\.weight$/.test(name));
    expect(running.map(({ name }) => `${name}.weight`).sort()).toEqual(norms.sort());
    const shapes = new Map(parameters.map((parameter) => [parameter.name, torchShape(parameter)]));
    expect(shapes.get("conv1.weight")).toEqual([64, 3, 7, 7]);
    expect(shapes.get("fc.weight")).toEqual([1000, depth === 18 ? 512 : 2048]);
    expect(shapes.get("layer2.0.downsample.0.weight")).toEqual(depth === 18 ? [128, 64, 1, 1] : [512, 256, 1, 1]);
    expect(shapes.get("layer4.1.conv2.weight")).toEqual([512, 512, 3, 3]);
    expect(shapes.get("bn1.bias")).toEqual([64]);
  });

  it("the CIFAR stem is 3 × 3 without pooling, width scales all channels, zeroInitResidual the last scales", () => {
    const options: ResNetOptions = { depth: 18, stem: "cifar", width: 0.25, zeroInitResidual: true };
    const { parameters, outputShape } = describeModel(resnet(options), images);
    expect(outputShape).toEqual([2, 128]);
    expect(torchShape(parameters[0]!)).toEqual([16, 3, 3, 3]);
    const zeros = parameters.filter(
      ({ name, init }) => /weight/.test(name) && init.kind === "constant" && init.value === 0,
    );
    expect(zeros.map(({ name }) => name)).toEqual(
      [1, 2, 3, 4].flatMap((s) => [0, 1].map((b) => `layer${s}.${b}.bn2.weight`)),
    );
    expect(() => resnet({ ...options, width: 0.1 })).toThrow(/Width 0.1 gives 6.4/);
    expect(() => resnet({ depth: 20 as ResNetDepth, stem: "cifar" })).toThrow(/no ResNet of depth 20/);
  });

  it("the small nets have the parameters of their description", () => {
    const count = (model: Model) => parameterCount(describeModel(model, [4, 12, 12, 4]).parameters);
    expect(count(smallResNet({ width: 8, d: 10 }))).toBe(19_944);
    expect(count(smallResNet({ width: 4, d: 8 }))).toBe(5_172);
    // 3·9·8 + 8 + 8·9·16 + 16 + 16·9·32 + 32 + 32·10 + 10.
    expect(count(smallConvNet({ d: 10, biasScale: 1 }))).toBe(6_362);
  });
});

it("a training step has two dispatches per BatchNorm each way, one for all running averages, and no copy", () => {
  for (const [depth, stem, norms, most] of [
    [18, "cifar", 20, 163],
    [50, "imagenet", 53, 386],
  ] as const) {
    const { plan } = resnetStep({ depth, stem, classes: 1000 }, 4, 32);
    const count = (name: string) => plan.calls.filter(({ kernel }) => kernel.name === name).length;
    for (const kernel of ["stats", "apply", "grad_reduce", "grad_apply"]) {
      expect(count(`norm/batch_norm_${kernel}`)).toBe(norms);
    }
    expect(count("elementwise/moving_average")).toBe(1);
    expect(count("elementwise/copy_range")).toBe(0);
    expect(plan.calls.length).toBeLessThanOrEqual(most);
  }
});

/** Runs a model on NCHW images, in training or with the running statistics of `state`. */
async function run(
  model: Model,
  images: Float32Array,
  shape: readonly [number, number, number, number],
  state: ModelState,
  isTraining: boolean,
): Promise<Float32Array> {
  const [batch, , height, width] = shape;
  const spec = describeModel(model, [batch, height, width, 4]);
  const graph = new Graph();
  const x = graph.input("images", [batch, height, width, 4]);
  const running = isTraining
    ? undefined
    : { tensor: graph.state("runningStatistics", [runningElements(spec.running)]), layout: spec.running };
  const y = model(ParameterScope.create(graph, { running }), x);
  const feeds: Record<string, Float32Array<ArrayBuffer>> = {
    images: padded(images, shape),
    runningStatistics: state.running,
  };
  graph.segments.forEach(({ name, offset, elements }) => {
    feeds[name] = state.parameters.slice(offset, offset + elements);
  });
  const base = y.view?.base ?? y;
  return (await evaluate(engine(), graph, feeds, { y: base })).y;
}

interface ForwardCase {
  readonly name: string;
  readonly model: Model;
  readonly shape: readonly [number, number, number, number];
  readonly structure: Omit<ResNetStructure, "isTraining">;
}

const cifar = { kernel: 3, stride: 1, hasPool: false };
const FORWARD: readonly ForwardCase[] = [
  {
    name: "small residual net, w 8, d 10",
    model: smallResNet({ width: 8, d: 10, biasScale: 1 }),
    shape: [3, 3, 12, 10],
    structure: { stem: { ...cifar, stride: 2 }, strides: [1, 2, 2], head: "head" },
  },
  {
    name: "ResNet-18 with a CIFAR stem, width 1/8",
    model: resnet({ depth: 18, stem: "cifar", width: 1 / 8, classes: 10 }),
    shape: [2, 3, 12, 12],
    structure: { stem: cifar, strides: [1, 2, 2, 2], head: "fc" },
  },
  {
    name: "ResNet-50 with an ImageNet stem, width 1/16",
    model: resnet({ depth: 50, stem: "imagenet", width: 1 / 16 }),
    shape: [2, 3, 33, 40],
    structure: { stem: { kernel: 7, stride: 2, hasPool: true }, strides: [1, 2, 2, 2] },
  },
];

describe("forward pass against float64, from weights in PyTorch's layout", () => {
  for (const { name, model, shape, structure } of FORWARD) {
    for (const isTraining of [true, false]) {
      it(`${name}, ${isTraining ? "training" : "inference"}`, async () => {
        const [batch, , height, width] = shape;
        const spec = describeModel(model, [batch, height, width, 4]);
        const { state, tensors } = randomState(spec, 5);
        const images = new TestRandom(6).normals(shape.reduce((a, b) => a * b, 1));
        const actual = await run(model, images, shape, state, isTraining);
        const exact = (weights: TorchWeights) => resnetForward(weights, images, shape, { ...structure, isTraining });
        const expected = exact(tensors);
        const error = Math.max(...expected.map((value, at) => Math.abs(value - actual[at]!)));
        const change = conditioning(tensors, expected, exact);
        expect(error).toBeLessThan(2 * change);
      });
    }
  }
});

/**
 * Largest change of an output, over three draws, when every weight moves by a relative normal number of 2⁻²⁴·√16: about what
 * rounding in sums
 * of products amounts to. The condition of the net enters so, which BatchNorm over a handful of values makes large in deep nets. Not
 * derived:
 * the error was 0.28 to 0.53 times this change.
 */
function conditioning(
  tensors: TorchWeights,
  expected: Float64Array,
  exact: (weights: TorchWeights) => Float64Array,
): number {
  const random = new TestRandom(77);
  let largest = 0;
  for (let draw = 0; draw < 3; draw++) {
    const moved = Object.entries(tensors).map(([name, { shape, data }]) => [
      name,
      { shape, data: Float64Array.from(data, (value) => value * (1 + 4 * U * random.normal())) },
    ]);
    const values = exact(Object.fromEntries(moved));
    largest = Math.max(largest, ...values.map((value, at) => Math.abs(value - expected[at]!)));
  }
  return largest;
}

describe("gradients of a whole net", () => {
  it("along random directions of all parameters equal central differences in float64", async () => {
    const model = smallResNet({ width: 4, d: 6, biasScale: 1 });
    const shape = [4, 3, 8, 8] as const;
    const spec = describeModel(model, [4, 8, 8, 4]);
    const { state, tensors } = randomState(spec, 9);
    const random = new TestRandom(10);
    const images = random.normals(4 * 3 * 64);
    const weights = random.normals(24);
    const graph = new Graph();
    const y = model(ParameterScope.create(graph), graph.input("images", [4, 8, 8, 4]));
    const loss = sum(multiply(y, graph.input("weights", y.shape)));
    const parameters = graph.leaves.filter((leaf) => leaf.leaf?.role === "parameter");
    const offsets = graph.segments.map(({ offset }) => offset);
    const gradients = pack(graph, grad(loss, parameters), offsets, [graph.parameterElements]);
    const plan = planGraph({ graph, programs: { main: [gradients] }, outputs: { gradients }, target: REGISTER_TARGET });
    // Every kernel writes its part of the flat gradients itself.
    expect(plan.calls.filter(({ kernel }) => kernel.name.endsWith("copy_range"))).toEqual([]);
    const feeds: Record<string, Float32Array<ArrayBuffer>> = { images: padded(images, shape), weights };
    graph.segments.forEach(({ name, offset, elements }) => {
      feeds[name] = state.parameters.slice(offset, offset + elements);
    });
    const { flat } = await evaluate(engine(), graph, feeds, { flat: gradients });
    // As PyTorch would see them.
    const torchGradients = exportWeights(
      { ...spec, running: [] },
      { parameters: new Float32Array(flat), running: new Float32Array(0) },
    );
    const structure = { stem: { ...cifar, stride: 2 }, strides: [1, 2, 2], head: "head", isTraining: true };
    const value = (moved: Record<string, { shape: readonly number[]; data: Float64Array }>) =>
      resnetForward(moved, images, shape, structure).reduce((total, entry, i) => total + entry * weights[i]!, 0);
    for (const [name, { data }] of Object.entries(torchGradients)) {
      const direction = random.normals(data.length);
      const along = (step: number) =>
        value(
          Object.fromEntries(
            Object.entries(tensors).map(([other, tensor]) => [
              other,
              {
                shape: tensor.shape,
                data: Float64Array.from(tensor.data, (entry, i) => entry + (other === name ? step * direction[i]! : 0)),
              },
            ]),
          ),
        );
      // A step this small seldom crosses a kink of a ReLU; measured at most 2.5e-6 of the gradient's norm, f32's and the
      // differences' errors.
      const numeric = (along(1e-6) - along(-1e-6)) / 2e-6;
      const exact = Float64Array.from(data).reduce((total, entry, i) => total + entry * direction[i]!, 0);
      const scale = Math.sqrt(Float64Array.from(data).reduce((total, entry) => total + entry ** 2, 0)) + 1e-3;
      expect(Math.abs(exact - numeric) / scale, name).toBeLessThan(2e-5);
    }
  });
});
