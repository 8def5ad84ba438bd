/** Elementwise ops: y = alpha·a ∘ beta·b with broadcasting, and y = alpha·x + beta with an optional ReLU. */
import { elementwiseBinary, elementwiseUnary } from "../kernels/library.ts";
import {
  elementCount,
  type OpDefinition,
  operand,
  requireF32,
  requireInputs,
  shapeError,
  type TensorSpec,
} from "./opDefinition.ts";

export type BinaryKind = "add" | "multiply" | "reluGrad";

export interface BinaryAttributes {
  readonly kind: BinaryKind;
  readonly alpha: number;
  readonly beta: number;
}

export interface AffineAttributes {
  readonly alpha: number;
  readonly beta: number;
  readonly relu: boolean;
}

/** How b spreads over a: the same shape, one row, one number per row, or one number. */
export type Broadcast = "none" | "row" | "column" | "scalar";

const BROADCAST_CODE: Readonly<Record<Broadcast, number>> = { none: 0, row: 1, column: 2, scalar: 3 };
const KIND_CODE: Readonly<Record<BinaryKind, number>> = { add: 0, multiply: 1, reluGrad: 2 };

/** The broadcast of b over a, or undefined when the shapes do not allow one. Ambiguous shapes take the earlier rule of the list. */
export function broadcastOf(a: TensorSpec, b: TensorSpec): Broadcast | undefined {
  const count = elementCount(b.shape);
  const columns = a.shape.at(-1) ?? 1;
  const isSame = a.shape.length === b.shape.length && a.shape.every((extent, axis) => extent === b.shape[axis]);
  if (isSame) return "none";
  if (count === 1) return "scalar";
  if (count === columns && b.shape.at(-1) === columns) return "row";
  if (b.shape.at(-1) === 1 && count * columns === elementCount(a.shape)) return "column";
  return undefined;
}

export const binaryOp: OpDefinition<BinaryAttributes> = {
  name: "binary",
  infer(inputs, { kind }) {
    requireInputs(kind, inputs, 2);
    requireF32(kind, inputs);
    const a = operand(inputs, 0);
    if (broadcastOf(a, operand(inputs, 1)) === undefined) {
      throw shapeError(
        kind,
        inputs,
        "the second operand does not broadcast over the first",
        "Give it the same shape, one row [n], one column [m, 1] or one number [1].",
      );
    }
    return [{ shape: a.shape, dtype: "f32" }];
  },
  flops: (_inputs, outputs) => 3 * elementCount(operand(outputs, 0).shape),
  lower({ inputs, attributes }) {
    const a = operand(inputs, 0);
    const broadcast = broadcastOf(a, operand(inputs, 1)) ?? "none";
    return [
      {
        kernel: elementwiseBinary,
        knobs: { OP: KIND_CODE[attributes.kind], BROADCAST: BROADCAST_CODE[broadcast] },
        params: {
          count: elementCount(a.shape),
          columns: a.shape.at(-1) ?? 1,
          alpha: attributes.alpha,
          beta: attributes.beta,
        },
        bindings: {
          a: { kind: "input", index: 0 },
          b: { kind: "input", index: 1 },
          y: { kind: "output", index: 0 },
        },
      },
    ];
  },
};

export const affineOp: OpDefinition<AffineAttributes> = {
  name: "affine",
  infer(inputs) {
    requireInputs("affine", inputs, 1);
    requireF32("affine", inputs);
    return [{ shape: operand(inputs, 0).shape, dtype: "f32" }];
  },
  flops: (_inputs, outputs) => 2 * elementCount(operand(outputs, 0).shape),
  lower: ({ inputs, attributes }) => [
    {
      kernel: elementwiseUnary,
      knobs: { RELU: attributes.relu },
      params: {
        count: elementCount(operand(inputs, 0).shape),
        alpha: attributes.alpha,
        beta: attributes.beta,
      },
      bindings: { x: { kind: "input", index: 0 }, y: { kind: "output", index: 0 } },
    },
  ],
};
