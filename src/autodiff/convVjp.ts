/** Cotangents of convolutions: each of the three products is linear in both operands, and the adjoints are the other two. */
import {
  type ConvAttributes,
  type ConvDataGradAttributes,
  type ConvWeightGradAttributes,
  conv2dDataGradOp,
  conv2dOp,
  conv2dWeightGradOp,
} from "../ops/conv.ts";
import type { Pair } from "../ops/convGeometry.ts";
import { operand } from "../ops/opDefinition.ts";
import type { Node, Tensor } from "./graph.ts";

interface Placement {
  readonly stride: Pair;
  readonly padding: Pair;
}

const NO_EPILOGUE = { hasScale: false, hasBias: false, hasAddend: false, relu: false };

/** Height and width of an image [N, H, W, C]. */
function sizeOfImage({ shape }: Tensor): Pair {
  return [operand(shape, 1), operand(shape, 2)];
}

/** Height and width of a filter [KH, KW, Ci, Co]. */
function sizeOfFilter({ shape }: Tensor): Pair {
  return [operand(shape, 0), operand(shape, 1)];
}

function forward(x: Tensor, filter: Tensor, { stride, padding }: Placement): Tensor {
  return operand(x.graph.add(conv2dOp, [x, filter], { stride, padding, ...NO_EPILOGUE }), 0);
}

function dataGrad(dY: Tensor, filter: Tensor, { stride, padding }: Placement, input: Pair): Tensor {
  return operand(dY.graph.add(conv2dDataGradOp, [dY, filter], { stride, padding, input }), 0);
}

function weightGrad(x: Tensor, dY: Tensor, { stride, padding }: Placement, kernel: Pair): Tensor {
  return operand(x.graph.add(conv2dWeightGradOp, [x, dY], { stride, padding, kernel }), 0);
}

type Cotangents = readonly (Tensor | undefined)[];

/** Rules see no epilogue: the planner fuses it after differentiation. */
export function conv2dVjp(node: Node, [dY]: Cotangents, needs: readonly boolean[]): Cotangents {
  if (!dY) return [];
  const attributes = node.attributes as ConvAttributes;
  const [x, filter] = [operand(node.inputs, 0), operand(node.inputs, 1)];
  return [
    needs[0] ? dataGrad(dY, filter, attributes, sizeOfImage(x)) : undefined,
    needs[1] ? weightGrad(x, dY, attributes, sizeOfFilter(filter)) : undefined,
  ];
}

/** dx is the adjoint of the convolution in x. */
export function conv2dDataGradVjp(node: Node, [dOut]: Cotangents, needs: readonly boolean[]): Cotangents {
  if (!dOut) return [];
  const attributes = node.attributes as ConvDataGradAttributes;
  const [dY, filter] = [operand(node.inputs, 0), operand(node.inputs, 1)];
  return [
    needs[0] ? forward(dOut, filter, attributes) : undefined,
    needs[1] ? weightGrad(dOut, dY, attributes, sizeOfFilter(filter)) : undefined,
  ];
}

/** The filter's cotangent is the adjoint of the convolution in the filter. */
export function conv2dWeightGradVjp(node: Node, [dOut]: Cotangents, needs: readonly boolean[]): Cotangents {
  if (!dOut) return [];
  const attributes = node.attributes as ConvWeightGradAttributes;
  const [x, dY] = [operand(node.inputs, 0), operand(node.inputs, 1)];
  return [
    needs[0] ? dataGrad(dY, dOut, attributes, sizeOfImage(x)) : undefined,
    needs[1] ? forward(x, dOut, attributes) : undefined,
  ];
}
