/** Two-dimensional convolution, NHWC by HWIO, and its cotangents. Variants: convTable.ts; dispatches: convCalls.ts. */
import { type ConvEpilogue, dataGradCalls, forwardCalls, weightGradCalls } from "./convCalls.ts";
import { type ConvGeometry, convFlops, convGeometry, type Pair } from "./convGeometry.ts";
import { chooseConv } from "./convTable.ts";
import {
  elementCount,
  type OpDefinition,
  operand,
  requireF32,
  requireInputs,
  shapeError,
  shapeText,
  type TensorSpec,
} from "./opDefinition.ts";

export interface ConvPlacement {
  readonly stride: Pair;
  readonly padding: Pair;
}

/** Epilogue operands follow x and filter in the order scale [Co], bias [Co], addend (y's shape). */
export interface ConvAttributes extends ConvPlacement, ConvEpilogue {}

export interface ConvDataGradAttributes extends ConvPlacement {
  /** Height and width of x, which the strides leave open. */
  readonly input: Pair;
  /** A third operand of x's shape is added; false unless given. */
  readonly hasAddend?: boolean;
}

export interface ConvWeightGradAttributes extends ConvPlacement {
  /** Height and width of the filter, which the strides leave open. */
  readonly kernel: Pair;
}

function forwardGeometry(inputs: readonly TensorSpec[], { stride, padding }: ConvPlacement): ConvGeometry {
  return convGeometry("conv2d", [operand(inputs, 0), operand(inputs, 1)], stride, padding);
}

function outputShape({ batch, output, outChannels }: ConvGeometry): number[] {
  return [batch, ...output, outChannels];
}

/** x [N, H, W, Ci], filter [KH, KW, Ci, Co], then the epilogue's operands → [N, OH, OW, Co]. */
export const conv2dOp: OpDefinition<ConvAttributes> = {
  name: "conv2d",
  infer(inputs, attributes) {
    const { hasScale, hasBias, hasAddend } = attributes;
    requireInputs("conv2d", inputs, 2 + Number(hasScale) + Number(hasBias) + Number(hasAddend));
    requireF32("conv2d", inputs);
    const geometry = forwardGeometry(inputs, attributes);
    const shape = outputShape(geometry);
    const rows = inputs.slice(2, 2 + Number(hasScale) + Number(hasBias));
    if (rows.some((row) => elementCount(row.shape) !== geometry.outChannels)) {
      throw shapeError(
        "conv2d",
        inputs,
        `scale or bias has not ${geometry.outChannels} entries`,
        "Give it one entry per output channel.",
      );
    }
    if (hasAddend) requireAddend("conv2d", inputs, shape);
    return [{ shape, dtype: "f32" }];
  },
  flops: (inputs, _outputs, attributes) => convFlops(forwardGeometry(inputs, attributes)),
  lower({ inputs, attributes, target }) {
    const geometry = forwardGeometry(inputs, attributes);
    return forwardCalls(geometry, chooseConv(geometry, "forward", target).variant, attributes);
  },
};

/** The addend is the last operand. */
function requireAddend(op: string, inputs: readonly TensorSpec[], shape: readonly number[]): void {
  if (operand(inputs, inputs.length - 1).shape.join() === shape.join()) return;
  const why = `the addend has not the result's shape ${shapeText(shape)}`;
  throw shapeError(op, inputs, why, "Add a tensor of the result's shape.");
}

/** Geometry of dy and the filter, checked against the output that the attributes' input size gives. */
function dataGradGeometry(inputs: readonly TensorSpec[], attributes: ConvDataGradAttributes): ConvGeometry {
  const [dY, filter] = [operand(inputs, 0), operand(inputs, 1)];
  const [batch = 0] = dY.shape;
  const x: TensorSpec = { shape: [batch, ...attributes.input, filter.shape[2] ?? 0], dtype: "f32" };
  const geometry = convGeometry("conv2dDataGrad", [x, filter], attributes.stride, attributes.padding);
  requireCotangent("conv2dDataGrad", inputs, dY, geometry);
  return geometry;
}

function weightGradGeometry(inputs: readonly TensorSpec[], attributes: ConvWeightGradAttributes): ConvGeometry {
  const [x, dY] = [operand(inputs, 0), operand(inputs, 1)];
  const filter: TensorSpec = { shape: [...attributes.kernel, x.shape[3] ?? 0, dY.shape[3] ?? 0], dtype: "f32" };
  const geometry = convGeometry("conv2dWeightGrad", [x, filter], attributes.stride, attributes.padding);
  requireCotangent("conv2dWeightGrad", inputs, dY, geometry);
  return geometry;
}

function requireCotangent(op: string, inputs: readonly TensorSpec[], dY: TensorSpec, geometry: ConvGeometry): void {
  const expected = outputShape(geometry);
  if (dY.shape.join() === expected.join()) return;
  throw shapeError(
    op,
    inputs,
    `the cotangent is not of the result's shape ${shapeText(expected)}`,
    "Pass the cotangent of the convolution's result.",
  );
}

/** dy [N, OH, OW, Co], filter [KH, KW, Ci, Co], with hasAddend a tensor of x's shape → dx [N, H, W, Ci]. */
export const conv2dDataGradOp: OpDefinition<ConvDataGradAttributes> = {
  name: "conv2dDataGrad",
  infer(inputs, attributes) {
    const { hasAddend = false } = attributes;
    requireInputs("conv2dDataGrad", inputs, hasAddend ? 3 : 2);
    requireF32("conv2dDataGrad", inputs);
    const { batch, input, inChannels } = dataGradGeometry(inputs, attributes);
    const shape = [batch, ...input, inChannels];
    if (hasAddend) requireAddend("conv2dDataGrad", inputs, shape);
    return [{ shape, dtype: "f32" }];
  },
  flops: (inputs, _outputs, attributes) => convFlops(dataGradGeometry(inputs, attributes)),
  lower({ inputs, attributes, target }) {
    const geometry = dataGradGeometry(inputs, attributes);
    return dataGradCalls(geometry, chooseConv(geometry, "dataGrad", target).variant, attributes.hasAddend);
  },
};

/** x [N, H, W, Ci], dy [N, OH, OW, Co] → cotangent of the filter [KH, KW, Ci, Co]. */
export const conv2dWeightGradOp: OpDefinition<ConvWeightGradAttributes> = {
  name: "conv2dWeightGrad",
  infer(inputs, attributes) {
    requireInputs("conv2dWeightGrad", inputs, 2);
    requireF32("conv2dWeightGrad", inputs);
    const { kernel, inChannels, outChannels } = weightGradGeometry(inputs, attributes);
    return [{ shape: [...kernel, inChannels, outChannels], dtype: "f32" }];
  },
  flops: (inputs, _outputs, attributes) => convFlops(weightGradGeometry(inputs, attributes)),
  lower({ inputs, attributes, target }) {
    const geometry = weightGradGeometry(inputs, attributes);
    const { variant, splits } = chooseConv(geometry, "weightGrad", target);
    return weightGradCalls(geometry, variant, splits);
  },
};
