/** Cotangents of normalisations. */
import { EngineError } from "../errors.ts";
import { type BatchNormAttributes, batchNormGradOp, biasOffset } from "../ops/batchNorm.ts";
import { type LayerNormAttributes, layerNormGradOp } from "../ops/layerNorm.ts";
import { operand } from "../ops/opDefinition.ts";
import type { Node, Tensor } from "./graph.ts";

/** @throws EngineError GRAPH-NO-VJP when a loss depends on statistics that an op returns beside its value */
function refuseStatistics(node: Node, cotangent: Tensor | undefined): void {
  if (!cotangent) return;
  throw new EngineError({
    code: "GRAPH-NO-VJP",
    message: `${node.label}: the statistics beside y are not differentiable`,
    fix: "Compute mean and variance with sumOverRows and center where their derivative is wanted.",
    where: node.label,
  });
}

/** shaders/norm/batch_norm_grad_apply.wgsl; with a ReLU the masked cotangent is the addend's. */
export function batchNormVjp(node: Node, [dY, dMoments]: readonly (Tensor | undefined)[]) {
  refuseStatistics(node, dMoments);
  if (!dY) return [];
  const attributes = node.attributes as BatchNormAttributes;
  const { hasAffine, hasAddend, relu, isRunning } = attributes;
  const [x, weight] = [operand(node.inputs, 0), node.inputs[1]];
  const statistics = isRunning ? operand(node.inputs, node.inputs.length - 1) : operand(node.outputs, 1);
  const inputs = [
    dY,
    x,
    statistics,
    ...(hasAffine && weight ? [weight] : []),
    ...(relu ? [operand(node.outputs, 0)] : []),
  ];
  const gradients = dY.graph.add(batchNormGradOp, inputs, attributes);
  const [dX, dAffine, masked] = gradients;
  const channels = x.shape.at(-1) ?? 1;
  const affine =
    hasAffine && dAffine
      ? [dY.graph.view(dAffine, [channels], 0), dY.graph.view(dAffine, [channels], biasOffset(channels))]
      : [];
  return [dX, ...affine, ...(hasAddend ? [relu ? masked : dY] : [])];
}

export function layerNormVjp(node: Node, [dY, dStats]: readonly (Tensor | undefined)[]) {
  refuseStatistics(node, dStats);
  if (!dY) return [];
  const attributes = node.attributes as LayerNormAttributes;
  const [x, weight] = [operand(node.inputs, 0), node.inputs[1]];
  const inputs = [dY, x, operand(node.outputs, 1), ...(weight ? [weight] : [])];
  return dY.graph.add(layerNormGradOp, inputs, attributes);
}
