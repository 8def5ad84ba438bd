/** Cross-correlation matrix of two views' embeddings, and the weighted distance of a square matrix from the identity. */
import { crossCorrelation, frobeniusIdentity } from "../kernels/library.ts";
import { elementCount, type OpDefinition, operand, requireF32, requireInputs, shapeError } from "./opDefinition.ts";

export interface CrossCorrelationAttributes {
  readonly scale: number;
  /** Average with the transpose, i.e. with the views exchanged. */
  readonly symmetric: boolean;
}

export const crossCorrelationOp: OpDefinition<CrossCorrelationAttributes> = {
  name: "crossCorrelation",
  acceptsOffsets: "operands",
  infer(inputs) {
    requireInputs("crossCorrelation", inputs, 2);
    requireF32("crossCorrelation", inputs);
    const [a, b] = [operand(inputs, 0).shape, operand(inputs, 1).shape];
    if (a.length !== 2 || b.length !== 2 || a[0] !== b[0] || a[1] !== b[1]) {
      throw shapeError(
        "crossCorrelation",
        inputs,
        "both views must be [rows, d] alike",
        "Slice the two views out of the batch.",
      );
    }
    const d = a[1] ?? 1;
    return [{ shape: [d, d], dtype: "f32" }];
  },
  flops(inputs, outputs, { symmetric }) {
    return (symmetric ? 4 : 2) * (operand(inputs, 0).shape[0] ?? 0) * elementCount(operand(outputs, 0).shape);
  },
  lower({ inputs, attributes, target }) {
    const [a, b] = [operand(inputs, 0), operand(inputs, 1)];
    return [
      {
        kernel: crossCorrelation,
        knobs: { SYMMETRIC: attributes.symmetric, WG: target.isSoftware ? 16 : 64 },
        params: {
          rows: a.shape[0] ?? 0,
          columns: a.shape[1] ?? 0,
          a_offset: a.offset,
          b_offset: b.offset,
          scale: attributes.scale,
        },
        bindings: {
          a: { kind: "input", index: 0 },
          b: { kind: "input", index: 1 },
          c: { kind: "output", index: 0 },
        },
      },
    ];
  },
};

export interface FrobeniusAttributes {
  /** Weight of the off-diagonal terms (Barlow Twins' λ); 1 gives ‖C − I‖_F². */
  readonly offDiagonal: number;
}

/** Outputs: the loss [1], and the residual, half the loss's derivative with respect to C. */
export const frobeniusIdentityOp: OpDefinition<FrobeniusAttributes> = {
  name: "frobeniusIdentity",
  infer(inputs) {
    requireInputs("frobeniusIdentity", inputs, 1);
    requireF32("frobeniusIdentity", inputs);
    const { shape } = operand(inputs, 0);
    if (shape.length !== 2 || shape[0] !== shape[1]) {
      throw shapeError("frobeniusIdentity", inputs, "needs a square matrix", "Pass a cross-correlation matrix [d, d].");
    }
    return [
      { shape: [1], dtype: "f32" },
      { shape, dtype: "f32" },
    ];
  },
  flops: (inputs) => 4 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes }) {
    return [
      {
        kernel: frobeniusIdentity,
        knobs: { WG: 64 },
        params: { n: operand(inputs, 0).shape[0] ?? 0, off_diagonal: attributes.offDiagonal },
        bindings: {
          c: { kind: "input", index: 0 },
          loss: { kind: "output", index: 0 },
          residual: { kind: "output", index: 1 },
        },
      },
    ];
  },
};
