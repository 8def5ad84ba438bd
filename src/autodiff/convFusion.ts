/** Rows of the fusion table that put what follows a convolution into its epilogue, in the order scale, bias, addend, ReLU. */
import { type ConvAttributes, type ConvDataGradAttributes, conv2dDataGradOp, conv2dOp } from "../ops/conv.ts";
import { type AffineAttributes, affineOp, type BinaryAttributes, broadcastOf } from "../ops/elementwise.ts";
import { operand } from "../ops/opDefinition.ts";
import type { Fusion, FusionContext } from "./fusion.ts";
import type { Node, Tensor } from "./graph.ts";

/** The convolution with one more step in its epilogue, producing what the outer node did. */
function extended(
  inner: Node,
  outer: Node,
  attributes: Partial<ConvAttributes>,
  extra: readonly Tensor[] = [],
): Fusion {
  return {
    result: {
      ...inner,
      inputs: [...inner.inputs, ...extra],
      outputs: outer.outputs,
      label: outer.label,
      attributes: { ...(inner.attributes as ConvAttributes), ...attributes },
    },
    inner,
    isAbsorbed: true,
  };
}

/** relu(conv2d). */
export function reluOfConv(node: Node, context: FusionContext): Fusion | undefined {
  if (node.op !== (affineOp as unknown)) return undefined;
  const { alpha, beta, relu } = node.attributes as AffineAttributes;
  if (alpha !== 1 || beta !== 0 || !relu) return undefined;
  const inner = context.soleProducer(operand(node.inputs, 0), conv2dOp.name);
  return inner && extended(inner, node, { relu: true });
}

/** conv2d · row, conv2d + row, and conv2d + tensor of its shape, each where the epilogue has nothing later yet. */
export function binaryOfConv(node: Node, context: FusionContext): Fusion | undefined {
  if (node.op.name !== "binary") return undefined;
  const { kind, alpha, beta } = node.attributes as BinaryAttributes;
  if (alpha !== 1 || beta !== 1) return undefined;
  const sides = [operand(node.inputs, 0), operand(node.inputs, 1)] as const;
  const broadcast = broadcastOf(...sides);
  if (broadcast === "row") {
    const inner = context.soleProducer(sides[0], conv2dOp.name);
    if (!inner) return undefined;
    const { hasScale, hasBias, hasAddend, relu } = inner.attributes as ConvAttributes;
    if (hasBias || hasAddend || relu) return undefined;
    if (kind === "add") return extended(inner, node, { hasBias: true }, [sides[1]]);
    return kind === "multiply" && !hasScale ? extended(inner, node, { hasScale: true }, [sides[1]]) : undefined;
  }
  if (broadcast !== "none" || kind !== "add" || sides[0].shape.join() !== sides[1].shape.join()) return undefined;
  // The later convolution takes the earlier result as its addend.
  const candidates = sides
    .map((side, index) => ({ index, inner: context.soleProducer(side, conv2dOp.name) }))
    .sort((a, b) => (b.inner?.id ?? -1) - (a.inner?.id ?? -1));
  for (const { index, inner } of candidates) {
    if (!inner) continue;
    const { hasAddend, relu } = inner.attributes as ConvAttributes;
    // A view of the same elements under another shape has another result than this node's.
    if (hasAddend || relu || operand(inner.outputs, 0).shape.join() !== operand(sides, index).shape.join()) continue;
    return extended(inner, node, { hasAddend: true }, [operand(sides, 1 - index)]);
  }
  return undefined;
}

/** conv2dDataGrad + tensor of its shape: the cotangent of an activation that a shortcut reads, too. */
export function addToDataGrad(node: Node, context: FusionContext): Fusion | undefined {
  if (node.op.name !== "binary") return undefined;
  const { kind, alpha, beta } = node.attributes as BinaryAttributes;
  const sides = [operand(node.inputs, 0), operand(node.inputs, 1)] as const;
  if (kind !== "add" || alpha !== 1 || beta !== 1 || sides[0].shape.join() !== sides[1].shape.join()) return undefined;
  // The later product takes the earlier result as its addend.
  const candidates = sides
    .map((side, index) => ({ index, inner: context.soleProducer(side, conv2dDataGradOp.name) }))
    .sort((a, b) => (b.inner?.id ?? -1) - (a.inner?.id ?? -1));
  for (const { index, inner } of candidates) {
    if (!inner || operand(inner.outputs, 0).shape.join() !== operand(sides, index).shape.join()) continue;
    const attributes = inner.attributes as ConvDataGradAttributes;
    if (attributes.hasAddend) continue;
    return {
      result: {
        ...inner,
        inputs: [...inner.inputs, operand(sides, 1 - index)],
        outputs: node.outputs,
        label: node.label,
        attributes: { ...attributes, hasAddend: true },
      },
      inner,
      isAbsorbed: true,
    };
  }
  return undefined;
}
