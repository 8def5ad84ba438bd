/** Weights and images for tests of models. */

import { sumSquares } from "../../src/autodiff/functions.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import {
  exportWeights,
  flatLayout,
  importWeights,
  type ModelSpec,
  type ModelState,
  type NamedWeight,
  ParameterScope,
  type ResNetOptions,
  resnet,
} from "../../src/nn/index.ts";
import { elementCount } from "../../src/ops/opDefinition.ts";
import { sgd } from "../../src/optim/sgd.ts";
import { REGISTER_TARGET } from "../support/graphs.ts";
import { TestRandom } from "../support/random.ts";

/**
 * Random state of a model: filters and matrices of their own scale, scales and variances about 1, the rest small.
 *
 * @param next standard normals, for models too large for the default
 */
export function randomState(
  spec: ModelSpec,
  seed: number,
  next?: () => number,
): { state: ModelState; tensors: Record<string, NamedWeight> } {
  const random = new TestRandom(seed);
  const normals = (count: number, scale: number): Float32Array => {
    if (!next) return random.normals(count, scale);
    const values = new Float32Array(count);
    for (let at = 0; at < count; at++) values[at] = scale * next();
    return values;
  };
  const zeros: ModelState = {
    parameters: new Float32Array(flatLayout(spec.parameters).elements),
    running: importWeights({ parameters: [], running: [] }, {}).running,
  };
  const running = new Float32Array(
    spec.running.reduce((end, { offset, channels }) => Math.max(end, offset + 2 * channels), 0),
  );
  const template = exportWeights(spec, { ...zeros, running });
  const tensors: Record<string, NamedWeight> = {};
  for (const [name, { shape }] of Object.entries(template)) {
    const fanIn = elementCount(shape.slice(1));
    const isScale = /(?:bn\d|downsample\.1)\.weight$|running_var$/.test(name);
    const data = normals(elementCount(shape), shape.length > 1 ? Math.sqrt(2 / fanIn) : 0.2);
    tensors[name] = { shape, data: isScale ? data.map((value) => 1 + 0.5 * Math.tanh(value)) : data };
  }
  return { state: importWeights(spec, tensors), tensors };
}

/** NCHW images with `channels` channels as NHWC padded to four. */
export function padded(
  images: ArrayLike<number>,
  [batch, channels, height, width]: readonly [number, number, number, number],
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(batch * height * width * 4);
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < height * width; p++) {
        result[(b * height * width + p) * 4 + c] = images[(b * channels + c) * height * width + p] ?? 0;
      }
    }
  }
  return result;
}

/** A training step of a ResNet on B × size × size images, loss the mean square of its outputs: programs `train`, outputs `loss`. */
export function resnetStep(options: ResNetOptions, batch: number, size: number) {
  const model = resnet(options);
  const graph = new Graph();
  const scope = ParameterScope.create(graph);
  const y = model(scope, graph.input("images", [batch, size, size, 4]));
  const loss = sumSquares(y, 1 / y.elements);
  const stepState = graph.state("stepState", [4], "u32");
  const running = scope.updateRunning();
  const { node, gradients } = sgd(graph, loss, stepState);
  const programs = { train: [node, loss, ...running] };
  const plan = planGraph({ graph, programs, outputs: { loss, gradients }, target: REGISTER_TARGET });
  return { plan, spec: scope.spec() };
}
