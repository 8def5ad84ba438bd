/** Functions of symmetric matrices and derivatives of their decompositions, from eigenvalues and eigenvectors already at hand. */
import { eighGrad, symmetricPowerGrad } from "../kernels/library.ts";
import { POWER_CODE, type SymmetricExponent, symmetricPowerCall } from "../linalg/powSym.ts";
import {
  asMatrices,
  type OpDefinition,
  type Operand,
  operand,
  requireF32,
  shapeError,
  type TensorSpec,
} from "./opDefinition.ts";

export interface SymmetricPowerAttributes {
  readonly exponent: SymmetricExponent;
  /** Eigenvalues up to cutoff·max|λ| count as zero, and so does their power. */
  readonly cutoff: number;
}

export interface EighGradAttributes {
  readonly hasValues: boolean;
  readonly hasVectors: boolean;
  /** Relative gap below which two eigenvalues count as one. */
  readonly gap: number;
}

/** @throws EngineError GRAPH-SHAPE unless the square matrices and the eigenvalues belong together */
function requireDecomposition(op: string, inputs: readonly TensorSpec[], values: TensorSpec, squares: TensorSpec[]) {
  requireF32(op, inputs);
  const shape = [...values.shape, values.shape.at(-1) ?? 1].join();
  if (squares.every((square) => square.shape.join() === shape)) return;
  throw shapeError(
    op,
    inputs,
    "the eigenvalues and matrices do not belong together",
    "Pass the outputs of one eigh, [..., n] and [..., n, n].",
  );
}

/** Inputs: values [..., n]; then d_values [..., n] and C = Vᵀ·dV [..., n, n] as the attributes say. Output: M [..., n, n] with dA = V·M·Vᵀ. */
export const eighGradOp: OpDefinition<EighGradAttributes> = {
  name: "eighGrad",
  infer(inputs, { hasVectors }) {
    const values = operand(inputs, 0);
    requireDecomposition("eighGrad", inputs, values, hasVectors ? [operand(inputs, inputs.length - 1)] : []);
    return [{ shape: [...values.shape, values.shape.at(-1) ?? 1], dtype: "f32" }];
  },
  flops: (_inputs, outputs) => 6 * asMatrices(operand(outputs, 0)).batch * asMatrices(operand(outputs, 0)).rows ** 2,
  lower({ outputs, attributes }) {
    const { hasValues, hasVectors, gap } = attributes;
    const { batch, rows: n } = asMatrices(operand(outputs, 0));
    const unused: Operand = { kind: "unused" };
    return [
      {
        kernel: eighGrad,
        knobs: { HAS_VALUES: hasValues, HAS_VECTORS: hasVectors },
        params: { batch, n, gap },
        bindings: {
          values: { kind: "input", index: 0 },
          d_values: hasValues ? { kind: "input", index: 1 } : unused,
          c: hasVectors ? { kind: "input", index: hasValues ? 2 : 1 } : unused,
          m: { kind: "output", index: 0 },
        },
      },
    ];
  },
};

/** Inputs: a [..., n, n] (what is differentiated; not read), values [..., n], vectors [..., n, n]. Output: A^exponent [..., n, n]. */
export const symmetricPowerOp: OpDefinition<SymmetricPowerAttributes> = {
  name: "symmetricPower",
  infer(inputs) {
    const [a, values, vectors] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
    requireDecomposition("symmetricPower", inputs, values, [a, vectors]);
    return [{ shape: a.shape, dtype: "f32" }];
  },
  flops(inputs) {
    const { batch, rows: n } = asMatrices(operand(inputs, 0));
    return 3 * batch * n ** 3;
  },
  lower({ inputs, attributes }) {
    const { batch, rows: n } = asMatrices(operand(inputs, 0));
    const bindings = {
      values: { kind: "input", index: 1 },
      vectors: { kind: "input", index: 2 },
      y: { kind: "output", index: 0 },
    } as const;
    return [symmetricPowerCall({ n, batch, ...attributes }, bindings)];
  },
};

/** Inputs: values [..., n], g = Vᵀ·dY·V [..., n, n]. Output: M [..., n, n] with dA = V·M·Vᵀ. */
export const symmetricPowerGradOp: OpDefinition<SymmetricPowerAttributes> = {
  name: "symmetricPowerGrad",
  infer(inputs) {
    const [values, g] = [operand(inputs, 0), operand(inputs, 1)];
    requireDecomposition("symmetricPowerGrad", inputs, values, [g]);
    return [{ shape: g.shape, dtype: "f32" }];
  },
  flops: (_inputs, outputs) => 8 * asMatrices(operand(outputs, 0)).batch * asMatrices(operand(outputs, 0)).rows ** 2,
  lower({ outputs, attributes }) {
    const { batch, rows: n } = asMatrices(operand(outputs, 0));
    return [
      {
        kernel: symmetricPowerGrad,
        knobs: { POWER: POWER_CODE[attributes.exponent] },
        params: { batch, n, cutoff: attributes.cutoff },
        bindings: {
          values: { kind: "input", index: 0 },
          g: { kind: "input", index: 1 },
          m: { kind: "output", index: 0 },
        },
      },
    ];
  },
};
