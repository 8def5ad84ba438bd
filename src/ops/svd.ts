/** Singular value decomposition inside a graph. */
import { STATUS_WORDS } from "../linalg/eighCalls.ts";
import { svdCalls } from "../linalg/svdCalls.ts";
import { asMatrices, type OpDefinition, operand, requireF32, requireInputs, shapeError } from "./opDefinition.ts";

export interface SvdAttributes {
  readonly left: boolean;
  readonly right: boolean;
}

/** Largest shorter and longer side. */
const MAX_SIDES = [1024, 65_536] as const;

/**
 * Input: z [..., rows, columns]. Outputs, k = min(rows, columns): singular values [..., k] descending, status u32 [batch, 4]
 * (sweeps, flags, off-norm, residual), with `right` [..., columns, k], with `left` [..., rows, k].
 */
export const svdOp: OpDefinition<SvdAttributes> = {
  name: "svd",
  infer(inputs, { left, right }) {
    requireInputs("svd", inputs, 1);
    requireF32("svd", inputs);
    const { shape } = operand(inputs, 0);
    const { batch, rows, columns } = asMatrices(operand(inputs, 0));
    const k = Math.min(rows, columns);
    if (shape.length < 2 || k > MAX_SIDES[0] || Math.max(rows, columns) > MAX_SIDES[1]) {
      throw shapeError(
        "svd",
        inputs,
        `needs matrices of at most ${MAX_SIDES[1]} × ${MAX_SIDES[0]}`,
        "Use fewer rows or a smaller embedding dimension.",
      );
    }
    const outer = shape.slice(0, -2);
    return [
      { shape: [...outer, k], dtype: "f32" },
      { shape: [batch, STATUS_WORDS], dtype: "u32" },
      ...(right ? [{ shape: [...outer, columns, k], dtype: "f32" as const }] : []),
      ...(left ? [{ shape: [...outer, rows, k], dtype: "f32" as const }] : []),
    ];
  },
  /** QR by reflections, then about eight sweeps of k²/2 rotations on pairs of k numbers: dot products, and a rotation of X (and V). */
  flops(inputs, _outputs, { right }) {
    const { batch, rows, columns } = asMatrices(operand(inputs, 0));
    const k = Math.min(rows, columns);
    const qr = 2 * Math.max(rows, columns) * k ** 2;
    return batch * (qr + 8 * (k ** 2 / 2) * k * (right ? 18 : 12));
  },
  lower({ inputs, attributes, target }) {
    const { batch, rows, columns } = asMatrices(operand(inputs, 0));
    return svdCalls({ rows, columns, batch, ...attributes }, target);
  },
};
