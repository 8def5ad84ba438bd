/** Folded nets for tests: graphs with and without folding, every layer against the unfolded mathematics, whole nets against float64. */
import { expect } from "vitest";
import { Graph, type Node, type Tensor } from "../../src/autodiff/graph.ts";
import type { Engine } from "../../src/device/engine.ts";
import {
  describeModel,
  type FoldedModel,
  flatLayout,
  foldBatchNorm,
  type Model,
  type ModelSpec,
  type ModelState,
  ParameterScope,
  type ParameterSpec,
  resnet,
  runningElements,
} from "../../src/nn/index.ts";
import type { ConvAttributes } from "../../src/ops/conv.ts";
import { elementCount } from "../../src/ops/opDefinition.ts";
import { batchNorm } from "../oracle/batchNorm.ts";
import { type ConvSpec, conv2d } from "../oracle/conv.ts";
import { type ResNetStructure, resnetForward, type TorchWeights } from "../oracle/resnet.ts";
import { SeededNormals } from "../oracle/seededNormals.ts";
import { evaluate } from "../support/graphs.ts";
import { gamma, U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { padded, randomState } from "./support.ts";

/** The folded model's graph on `images`, and what it reads. */
export function foldedGraph(
  model: Model,
  folded: FoldedModel,
  shape: readonly number[],
  images: Float32Array<ArrayBuffer>,
) {
  const graph = new Graph();
  const y = model(ParameterScope.create(graph, { isFolded: true }), graph.input("images", shape));
  return { graph, y, feeds: { images, ...parameterFeeds(folded.spec.parameters, folded.state) } };
}

export function unfoldedGraph(
  model: Model,
  state: ModelState,
  shape: readonly number[],
  images: Float32Array<ArrayBuffer>,
) {
  const { running, parameters } = describeModel(model, [Math.max(2, shape[0]!), ...shape.slice(1)]);
  const graph = new Graph();
  const tensor = graph.state("runningStatistics", [runningElements(running)]);
  const scope = ParameterScope.create(graph, { running: { tensor, layout: running } });
  const y = model(scope, graph.input("images", shape));
  return { graph, y, feeds: { images, runningStatistics: state.running, ...parameterFeeds(parameters, state) } };
}

function parameterFeeds(
  parameters: readonly ParameterSpec[],
  state: ModelState,
): Record<string, Float32Array<ArrayBuffer>> {
  const { offsets } = flatLayout(parameters);
  return Object.fromEntries(
    parameters.map(({ name, shape }, index) => {
      const offset = offsets[index]!;
      return [name, state.parameters.slice(offset, offset + elementCount(shape))];
    }),
  );
}

const baseOf = (tensor: Tensor): Tensor => tensor.view?.base ?? tensor;

export async function value(
  engine: Engine,
  { graph, y, feeds }: ReturnType<typeof foldedGraph>,
): Promise<Float32Array> {
  return (await evaluate(engine, graph, feeds, { y: baseOf(y) })).y;
}

/** A product, the shift of the normalisation behind it, an addend and a ReLU: one dispatch of a folded net. */
interface Unit {
  readonly norm: string;
  readonly filter: Tensor;
  readonly x: Tensor;
  readonly addend: Tensor | undefined;
  readonly relu: boolean;
  readonly out: Tensor;
  readonly spec: ConvSpec;
}

/** The units of a folded graph, found from the biases that normalisations left. */
function unitsOf(graph: Graph, isNorm: (name: string) => boolean): Unit[] {
  const consumer = (tensor: Tensor, accepts: (node: Node) => boolean) =>
    graph.nodes.find((node) => baseOf(node.inputs[0]!) === tensor && accepts(node));
  return graph.nodes.flatMap((node): Unit[] => {
    const norm = node.inputs[1]?.name.replace(/\.bias$/, "") ?? "";
    if (node.op.name !== "binary" || node.inputs[1]?.leaf?.role !== "parameter" || !isNorm(norm)) return [];
    const [shifted] = node.outputs;
    const product = baseOf(node.inputs[0]!).node!;
    const sum = consumer(shifted!, ({ op, inputs }) => op.name === "binary" && inputs[1]!.leaf === undefined);
    const last = sum?.outputs[0] ?? shifted!;
    const rectifier = consumer(last, ({ op }) => op.name === "affine");
    const [x, filter] = product.inputs as [Tensor, Tensor];
    const isMatmul = product.op.name === "matmul";
    const [batch, oh, ow, outChannels] = shifted!.shape as [number, number, number, number];
    const { shape } = baseOf(x);
    const input = isMatmul ? ([oh, ow] as const) : ([shape[1]!, shape[2]!] as const);
    const { stride, padding } = product.attributes as ConvAttributes;
    const [kh, kw, inChannels] = baseOf(filter).shape as [number, number, number];
    const spec: ConvSpec = {
      batch,
      input,
      output: [oh, ow],
      kernel: [kh, kw],
      stride: isMatmul ? [1, 1] : stride,
      padding: isMatmul ? [0, 0] : padding,
      inChannels,
      outChannels,
    };
    return [
      {
        norm,
        filter: baseOf(filter),
        x: baseOf(x),
        addend: sum && baseOf(sum.inputs[1]!),
        relu: rectifier !== undefined,
        out: rectifier?.outputs[0] ?? last,
        spec,
      },
    ];
  });
}

export interface Trained {
  readonly model: Model;
  /** NCHW. */
  readonly shape: readonly [number, number, number, number];
  readonly spec: ModelSpec;
  readonly state: ModelState;
  readonly tensors: TorchWeights;
  readonly pixels: Float32Array;
  readonly images: Float32Array<ArrayBuffer>;
}

export function trainedNet(model: Model, shape: Trained["shape"], seed: number): Trained {
  const [, , height, width] = shape;
  const spec = describeModel(model, [2, height, width, 4]);
  const normals = new SeededNormals(seed);
  const pixels = new TestRandom(seed).normals(shape.reduce((a, b) => a * b, 1));
  const images = padded(pixels, shape);
  return { model, shape, spec, ...randomState(spec, seed, () => normals.next()), pixels, images };
}

/**
 * Every unit against the unfolded layer in float64, given its own operands as the GPU had them. With K terms, s = weight/√(var + ε):
 * |y − exact| ≤ γ_{K+3}·(s·(Σ|x·w| + |mean|) + |bias| + |addend|): u for each folded weight, γ_K of the sum, bias and addend u each.
 *
 * @returns number of units and the net's output
 */
export async function checkUnits(engine: Engine, { model, shape, spec: trained, state, images }: Trained) {
  const [batch, , height, width] = shape;
  const nhwc = [batch, height, width, 4];
  const original = parameterFeeds(trained.parameters, state);
  const built = foldedGraph(model, foldBatchNorm(model, nhwc, state), nhwc, images);
  const units = unitsOf(built.graph, (name) => trained.running.some((entry) => entry.name === name));
  expect(units.map(({ norm }) => norm).sort()).toEqual(trained.running.map(({ name }) => name).sort());
  const operands = units.flatMap(({ x, addend, out }) => [x, out, ...(addend ? [addend] : [])]);
  const wanted = new Set([...operands, baseOf(built.y)].filter(({ node }) => node));
  const read = await evaluate(
    engine,
    built.graph,
    built.feeds,
    Object.fromEntries([...wanted].map((tensor) => [`t${tensor.id}`, tensor])),
  );
  const valuesOf = (tensor: Tensor): Float32Array => (tensor.node ? read[`t${tensor.id}`]! : images);
  for (const { norm, filter, x, addend, relu: isRelu, out, spec } of units) {
    const { offset, channels } = trained.running.find(({ name }) => name === norm)!;
    const running = {
      mean: state.running.subarray(offset, offset + channels),
      variance: state.running.subarray(offset + channels, offset + 2 * channels),
    };
    const [weight, bias] = [original[`${norm}.weight`]!, original[`${norm}.bias`]!];
    const [from, taps] = [valuesOf(x), original[filter.name]!];
    const added = addend && valuesOf(addend);
    const rows = { rows: out.elements / channels, channels };
    const options = { epsilon: 1e-5, running, weight, bias, addend: added, relu: isRelu };
    const exact = batchNorm(conv2d({ x: from, filter: taps }, spec), rows, options);
    const absolute = conv2d({ x: from.map(Math.abs), filter: taps.map(Math.abs) }, spec);
    const scale = absolute.map((sum, at) => {
      const c = at % channels;
      const factor = Math.abs(weight[c]!) / Math.sqrt(running.variance[c]! + 1e-5);
      return factor * (sum + Math.abs(running.mean[c]!)) + Math.abs(bias[c]!) + Math.abs(added?.[at] ?? 0);
    });
    const terms = spec.kernel[0] * spec.kernel[1] * spec.inChannels;
    expect(valuesOf(out), norm).toMatchOracle(exact, { factor: gamma(terms + 3), scale });
  }
  return { units: units.length, y: valuesOf(baseOf(built.y)) };
}

export interface FoldedNet {
  readonly name: string;
  readonly model: Model;
  readonly shape: Trained["shape"];
  readonly structure: Omit<ResNetStructure, "isTraining">;
  readonly norms: number;
}

function imagenetNet(depth: 18 | 50, norms: number, width = 1): FoldedNet {
  return {
    name: `ResNet-${depth}, width ${width}, ImageNet stem, 1000 classes, 32 × 32`,
    model: resnet({ depth, stem: "imagenet", classes: 1000, width }),
    shape: [1, 3, 32, 32],
    structure: { stem: { kernel: 7, stride: 2, hasPool: true }, strides: [1, 2, 2, 2], head: "fc" },
    norms,
  };
}

export const RESNET_18 = imagenetNet(18, 20);
export const RESNET_50 = imagenetNet(50, 53);
/** All of ResNet-18's layers with a sixteenth of its work. */
export const NARROW_18 = imagenetNet(18, 20, 1 / 4);

/** Layer by layer within derived bounds; the output as float64 and as without folding. */
export async function checkNet(engine: Engine, { model, shape, structure, norms }: FoldedNet): Promise<void> {
  const net = trainedNet(model, shape, 11);
  const { units, y: folded } = await checkUnits(engine, net);
  expect(units).toBe(norms);
  const [batch, , height, width] = shape;
  const unfolded = await value(engine, unfoldedGraph(model, net.state, [batch, height, width, 4], net.images));
  const exact = (weights: TorchWeights) =>
    resnetForward(weights, net.pixels, shape, { ...structure, isTraining: false });
  const expected = exact(net.tensors);
  // As in models.test.ts: the change of the output when weights move by what rounding of the sums amounts to.
  const change = largestDifference(exact(perturbed(net.tensors)), expected);
  expect(largestDifference(folded, expected)).toBeLessThan(2 * change);
  expect(largestDifference(unfolded, expected)).toBeLessThan(2 * change);
  expect(largestDifference(folded, unfolded)).toBeLessThan(4 * change);
}

/** Every weight moved by a relative normal number of 4u. */
function perturbed(tensors: TorchWeights): TorchWeights {
  const normals = new SeededNormals(77);
  return Object.fromEntries(
    Object.entries(tensors).map(([name, { shape, data }]) => {
      const moved = new Float64Array(data.length);
      for (let at = 0; at < moved.length; at++) moved[at] = data[at]! * (1 + 4 * U * normals.next());
      return [name, { shape, data: moved }];
    }),
  );
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a).reduce((largest, entry, at) => Math.max(largest, Math.abs(entry - b[at]!)), 0);
}
