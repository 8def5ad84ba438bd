/** Ops that move or set elements without arithmetic: copy, concatenation, constant fill. */
import { copyRange, randomFill } from "../kernels/library.ts";
import {
  elementCount,
  type KernelCall,
  type OpDefinition,
  operand,
  type PlacedTensor,
  requireF32,
  requireInputs,
  shapeError,
} from "./opDefinition.ts";

function copyCall(x: PlacedTensor, inputIndex: number, yOffset: number): KernelCall {
  return {
    kernel: copyRange,
    knobs: {},
    params: { count: elementCount(x.shape), x_offset: x.offset, y_offset: yOffset },
    bindings: { x: { kind: "input", index: inputIndex }, y: { kind: "output", index: 0 } },
  };
}

export const copyOp: OpDefinition<Record<never, never>> = {
  name: "copy",
  acceptsOffsets: "all",
  infer(inputs) {
    requireInputs("copy", inputs, 1);
    requireF32("copy", inputs);
    return [operand(inputs, 0)];
  },
  flops: () => 0,
  lower: ({ inputs, outputs }) => [copyCall(operand(inputs, 0), 0, operand(outputs, 0).offset)],
};

/** Inputs: values, state of as many elements (written). Copies the values into the state. */
export const assignOp: OpDefinition<Record<never, never>> = {
  name: "assign",
  acceptsOffsets: "all",
  writes: [1],
  infer(inputs) {
    requireInputs("assign", inputs, 2);
    const [values, state] = [operand(inputs, 0), operand(inputs, 1)];
    if (elementCount(values.shape) !== elementCount(state.shape) || values.dtype !== state.dtype) {
      throw shapeError(
        "assign",
        inputs,
        "values and state differ in size or type",
        "Pass as many values as the state has.",
      );
    }
    return [];
  },
  flops: () => 0,
  lower({ inputs }) {
    const [values, state] = [operand(inputs, 0), operand(inputs, 1)];
    return [
      {
        kernel: copyRange,
        knobs: {},
        params: { count: elementCount(values.shape), x_offset: values.offset, y_offset: state.offset },
        bindings: { x: { kind: "input", index: 0 }, y: { kind: "input", index: 1 } },
      },
    ];
  },
};

export interface ConcatAttributes {
  /** Shape of the result; the parts follow each other in memory at `offsets`. */
  readonly shape: readonly number[];
  /** Element offset of each part. Gaps keep what the buffer holds (zeros, for a buffer of its own). */
  readonly offsets: readonly number[];
  /** Parts that their producers write in place; set by the planner, copied otherwise. */
  readonly inPlace: readonly boolean[];
}

/** Joins tensors in memory order; parts that the planner could place directly cost nothing. */
export const concatOp: OpDefinition<ConcatAttributes> = {
  name: "concat",
  acceptsOffsets: "all",
  infer(inputs, { shape, offsets }) {
    requireF32("concat", inputs);
    const total = elementCount(shape);
    inputs.forEach((input, index) => {
      const end = operand(offsets, index) + elementCount(input.shape);
      if (end > (offsets[index + 1] ?? total)) {
        throw shapeError(
          "concat",
          inputs,
          `part ${index} ends at element ${end}, beyond its place`,
          "Correct the offsets.",
        );
      }
    });
    return [{ shape, dtype: "f32" }];
  },
  flops: () => 0,
  lower({ inputs, outputs, attributes }) {
    // A concatenation inside another starts where the outer one puts it.
    const { offset } = operand(outputs, 0);
    return inputs.flatMap((input, index) =>
      attributes.inPlace[index] ? [] : [copyCall(input, index, offset + operand(attributes.offsets, index))],
    );
  },
};

export interface FillAttributes {
  readonly shape: readonly number[];
  readonly value: number;
}

/** A constant tensor: random_fill with scale 0. */
export const fillOp: OpDefinition<FillAttributes> = {
  name: "fill",
  acceptsOffsets: "all",
  infer(inputs, { shape }) {
    requireInputs("fill", inputs, 0);
    return [{ shape, dtype: "f32" }];
  },
  flops: () => 0,
  lower({ outputs, attributes }) {
    const y = operand(outputs, 0);
    return [
      {
        kernel: randomFill,
        knobs: { NORMAL: false },
        params: {
          count: elementCount(y.shape),
          y_offset: y.offset,
          seed: 0,
          stream: 0,
          scale: 0,
          offset: attributes.value,
        },
        bindings: { y: { kind: "output", index: 0 } },
      },
    ];
  },
};
