/** The golden training step (goldenWork.ts) for our engine: its graph, and its numbers in our layouts. */
import { matmul, slice } from "../../autodiff/functions.ts";
import { Graph, type Tensor } from "../../autodiff/graph.ts";
import { singularValues } from "../../autodiff/linalg.ts";
import { globalAveragePool } from "../../autodiff/pool.ts";
import { heNormal } from "../../nn/init.ts";
import { batchNormLayer, conv } from "../../nn/layers.ts";
import { basicBlock } from "../../nn/resnet.ts";
import { ParameterScope } from "../../nn/scope.ts";
import { crossViewInfoNce } from "../../ssl/crossViewInfoNce.ts";
import { type TrainingStep, trainingStep } from "../../train/trainingStep.ts";
import type { StepWork } from "./peerContract.ts";

export interface GoldenStepOptions {
  /** Record the singular values of the embeddings beside the loss; otherwise the loss alone. */
  readonly spectrum: boolean;
}

/** Images [batch, side, side, 4] (the fourth channel is zero), first half of the batch against the second. */
export function goldenStep(work: StepWork, { spectrum }: GoldenStepOptions): TrainingStep {
  const { batch, side, filters, blocks, temperature, momentum, head } = work;
  const widths = new Map(filters.map(({ name, outChannels }) => [name, outChannels]));
  const widthOf = (name: string): number => widths.get(name) ?? 0;
  const features = Math.sqrt(head.length);
  const graph = new Graph();
  const scope = ParameterScope.create(graph);
  let y: Tensor = graph.input("images", [batch, side, side, 4]);
  y = conv(scope, "conv1", y, { out: widthOf("conv1"), kernel: 3, inChannels: 3, init: heNormal });
  y = batchNormLayer(scope, "bn1", widthOf("conv1"))(y, { relu: true });
  for (const { name, stride } of blocks) {
    y = scope.within(name, (own) => basicBlock(own, y, { width: widthOf(`${name}.conv1`), stride }));
  }
  const z = matmul(globalAveragePool(y), graph.parameter("head.weight", [features, features]));
  const loss = crossViewInfoNce(slice(z, 0, batch / 2), slice(z, batch / 2, batch), { temperature });
  // Without a spectrum the record holds the loss a second time: it has at least one eigenvalue.
  return trainingStep(graph, { loss, spectrum: spectrum ? singularValues(z) : loss }, { momentum, ringCapacity: 64 });
}

/** The batch and all parameters; scales of BatchNorm 1, shifts 0. */
export function goldenValues(
  step: TrainingStep,
  { batch, side, images, filters, head }: StepWork,
): { readonly images: Float32Array<ArrayBuffer>; readonly parameters: Float32Array<ArrayBuffer> } {
  const pixels = side * side;
  const padded = new Float32Array(batch * pixels * 4);
  images.forEach((value, at) => {
    const [image, channel, pixel] = [Math.floor(at / (3 * pixels)), Math.floor(at / pixels) % 3, at % pixels];
    padded[(image * pixels + pixel) * 4 + channel] = value;
  });
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
  for (const { name, values, outChannels, inChannels, kernel } of filters) {
    const start = offsetOf(`${name}.weight`);
    const area = kernel * kernel;
    const paddedChannels = Math.ceil(inChannels / 4) * 4;
    // OIHW to HWIO.
    values.forEach((value, at) => {
      const [o, i, tap] = [Math.floor(at / (inChannels * area)), Math.floor(at / area) % inChannels, at % area];
      parameters[start + (tap * paddedChannels + i) * outChannels + o] = value;
    });
  }
  parameters.set(head, offsetOf("head.weight"));
  return { images: padded, parameters };
}
