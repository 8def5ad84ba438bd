/** Centring and standardising the columns of each matrix of a batch, with the cotangent. */
import { columnStandardize, columnStandardizeGrad } from "../kernels/library.ts";
import {
  asMatrices,
  elementCount,
  type OpDefinition,
  operand,
  requireF32,
  requireInputs,
  shapeError,
} from "./opDefinition.ts";
import { columnKnobs } from "./reduce.ts";

export interface StandardizeAttributes {
  /** False: subtract the column's mean only. */
  readonly standardize: boolean;
  /** Added to the variance under the root. */
  readonly epsilon: number;
}

/** Outputs: y of the input's shape, and the inverse standard deviation of each column (1 when only centring). */
export const standardizeOp: OpDefinition<StandardizeAttributes> = {
  name: "standardize",
  infer(inputs) {
    requireInputs("standardize", inputs, 1);
    requireF32("standardize", inputs);
    const { shape } = operand(inputs, 0);
    if (shape.length < 2) throw shapeError("standardize", inputs, "needs a matrix", "Reshape to [rows, columns].");
    return [
      { shape, dtype: "f32" },
      { shape: [...shape.slice(0, -2), shape.at(-1) ?? 1], dtype: "f32" },
    ];
  },
  flops: (inputs) => 6 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes }) {
    const { batch, rows, columns } = asMatrices(operand(inputs, 0));
    return [
      {
        kernel: columnStandardize,
        knobs: { ...columnKnobs(columns), STANDARDIZE: attributes.standardize },
        params: { batch, rows, columns, epsilon: attributes.epsilon },
        bindings: {
          x: { kind: "input", index: 0 },
          y: { kind: "output", index: 0 },
          inverse_std: { kind: "output", index: 1 },
        },
      },
    ];
  },
};

/** Inputs: cotangent dY, output y, inverse standard deviation; output dX. */
export const standardizeGradOp: OpDefinition<Record<never, never>> = {
  name: "standardizeGrad",
  infer(inputs) {
    requireInputs("standardizeGrad", inputs, 3);
    requireF32("standardizeGrad", inputs);
    const [dY, y, inverseStd] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
    const { batch, columns } = asMatrices(dY);
    if (dY.shape.join() !== y.shape.join() || elementCount(inverseStd.shape) !== batch * columns) {
      throw shapeError(
        "standardizeGrad",
        inputs,
        "the three do not belong together",
        "Pass both outputs of standardize.",
      );
    }
    return [{ shape: operand(inputs, 0).shape, dtype: "f32" }];
  },
  flops: (inputs) => 8 * elementCount(operand(inputs, 0).shape),
  lower({ inputs }) {
    const { batch, rows, columns } = asMatrices(operand(inputs, 0));
    return [
      {
        kernel: columnStandardizeGrad,
        knobs: columnKnobs(columns),
        params: { batch, rows, columns },
        bindings: {
          d_y: { kind: "input", index: 0 },
          y: { kind: "input", index: 1 },
          inverse_std: { kind: "input", index: 2 },
          d_x: { kind: "output", index: 0 },
        },
      },
    ];
  },
};
