/**
 * A small residual net and InfoNCE whose first losses two independent engines (TensorFlow.js 4.22 and jax-js 0.1.25) agree on to 2.4e-7:
 * the training step that benchmarks and golden tests share.
 */

import { matmul, slice } from "../../src/autodiff/functions.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { singularValues } from "../../src/autodiff/linalg.ts";
import { globalAveragePool } from "../../src/autodiff/pool.ts";
import { heNormal } from "../../src/nn/init.ts";
import { batchNormLayer, conv } from "../../src/nn/layers.ts";
import { basicBlock } from "../../src/nn/resnet.ts";
import { ParameterScope } from "../../src/nn/scope.ts";
import { crossViewInfoNce } from "../../src/ssl/crossViewInfoNce.ts";
import { type TrainingStep, trainingStep } from "../../src/train/trainingStep.ts";

export const BATCH = 32;
const SIDE = 32;
export const LEARNING_RATE = 0.05;
export const MOMENTUM = 0.9;

/** Losses of the first five states, by TensorFlow.js. */
export const GOLDEN_LOSSES = [2.766758442, 2.763579845, 2.757569075, 2.748932838, 2.737707615];

/** Filters in the order in which their values are drawn: name, output and input channels, side. */
const FILTERS: readonly (readonly [name: string, out: number, inputs: number, kernel: number])[] = [
  ["conv1.weight", 16, 3, 3],
  ["layer1.conv1.weight", 16, 16, 3],
  ["layer1.conv2.weight", 16, 16, 3],
  ["layer2.conv1.weight", 32, 16, 3],
  ["layer2.conv2.weight", 32, 32, 3],
  ["layer2.downsample.0.weight", 32, 16, 1],
  ["layer3.conv1.weight", 64, 32, 3],
  ["layer3.conv2.weight", 64, 64, 3],
  ["layer3.downsample.0.weight", 64, 32, 1],
];

/** Images [32, 32, 32, 4] (the fourth channel is zero), rows 0 … 15 against 16 … 31. */
export function goldenStep(): TrainingStep {
  const graph = new Graph();
  const scope = ParameterScope.create(graph);
  let y: Tensor = graph.input("images", [BATCH, SIDE, SIDE, 4]);
  y = conv(scope, "conv1", y, { out: 16, kernel: 3, inChannels: 3, init: heNormal });
  y = batchNormLayer(scope, "bn1", 16)(y, { relu: true });
  for (const [name, width, stride] of [
    ["layer1", 16, 1],
    ["layer2", 32, 2],
    ["layer3", 64, 2],
  ] as const) {
    y = scope.within(name, (own) => basicBlock(own, y, { width, stride }));
  }
  const z = matmul(globalAveragePool(y), graph.parameter("head.weight", [64, 64]));
  const loss = crossViewInfoNce(slice(z, 0, BATCH / 2), slice(z, BATCH / 2, BATCH), { temperature: 0.5 });
  return trainingStep(graph, { loss, spectrum: singularValues(z) }, { momentum: MOMENTUM, ringCapacity: 64 });
}

/** The batch and all parameters, drawn by a linear congruential generator; scales of BatchNorm 1, shifts 0. */
export function goldenValues(step: TrainingStep): {
  readonly images: Float32Array<ArrayBuffer>;
  readonly parameters: Float32Array<ArrayBuffer>;
} {
  let state = 1;
  const draw = (scale: number): number => {
    state = (Math.imul(1_664_525, state) + 1_013_904_223) >>> 0;
    return Math.fround(2 * (state / 2 ** 32 - 0.5) * scale);
  };
  const images = new Float32Array(BATCH * SIDE * SIDE * 4);
  for (let image = 0; image < BATCH; image++) {
    for (let channel = 0; channel < 3; channel++) {
      for (let at = 0; at < SIDE * SIDE; at++) images[(image * SIDE * SIDE + at) * 4 + channel] = draw(1);
    }
  }
  const parameters = new Float32Array(step.graph.parameterElements);
  const segments = new Map(step.graph.segments.map((segment) => [segment.name, segment]));
  const offsetOf = (name: string): number => {
    const segment = segments.get(name);
    if (!segment) throw new Error(`no parameter ${name}; there are ${[...segments.keys()].join(", ")}`);
    return segment.offset;
  };
  for (const { name, offset, elements } of step.graph.segments) {
    if (/(bn\d|downsample\.1)\.weight$/.test(name)) parameters.fill(1, offset, offset + elements);
  }
  for (const [name, out, inputs, kernel] of FILTERS) {
    const start = offsetOf(name);
    const padded = inputs === 3 ? 4 : inputs;
    const scale = Math.sqrt(3 / (kernel * kernel * inputs));
    for (let o = 0; o < out; o++) {
      for (let i = 0; i < inputs; i++) {
        for (let tap = 0; tap < kernel * kernel; tap++) parameters[start + (tap * padded + i) * out + o] = draw(scale);
      }
    }
  }
  const head = offsetOf("head.weight");
  for (let at = 0; at < 64 * 64; at++) parameters[head + at] = draw(0.2);
  return { images, parameters };
}
