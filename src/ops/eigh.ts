/** Eigen-decomposition of symmetric matrices inside a graph; up to order 163 the eigenvalues take one dispatch. */
import { eighCalls, MAX_EIGH_ORDER, STATUS_WORDS } from "../linalg/eighCalls.ts";
import { asMatrices, type OpDefinition, operand, requireF32, requireInputs, shapeError } from "./opDefinition.ts";

export interface EighAttributes {
  readonly vectors: boolean;
}

/**
 * Inputs: a [..., n, n], lower triangle read. Outputs: eigenvalues [..., n] descending, status u32 [batch, 4] (sweeps, flags, off-norm, residual), and with
 * `vectors` the eigenvectors [..., n, n] as columns.
 */
export const eighOp: OpDefinition<EighAttributes> = {
  name: "eigh",
  infer(inputs, { vectors }) {
    requireInputs("eigh", inputs, 1);
    requireF32("eigh", inputs);
    const { shape } = operand(inputs, 0);
    const { batch, rows, columns } = asMatrices(operand(inputs, 0));
    if (shape.length < 2 || rows !== columns || rows > MAX_EIGH_ORDER) {
      throw shapeError(
        "eigh",
        inputs,
        `needs square matrices of order at most ${MAX_EIGH_ORDER}`,
        "Use a smaller embedding dimension.",
      );
    }
    return [
      { shape: shape.slice(0, -1), dtype: "f32" },
      { shape: [batch, STATUS_WORDS], dtype: "u32" },
      ...(vectors ? [{ shape, dtype: "f32" as const }] : []),
    ];
  },
  /** About eight sweeps of n²/2 rotations on 4n numbers, six operations each. */
  flops(inputs) {
    const { batch, rows } = asMatrices(operand(inputs, 0));
    return 8 * 6 * 2 * batch * rows ** 3;
  },
  lower({ inputs, attributes, target }) {
    const { batch, rows: n } = asMatrices(operand(inputs, 0));
    return eighCalls({ n, batch, vectors: attributes.vectors }, target);
  },
};
