/** Contrastive losses of half squared distances between an anchor, its positive and its negatives. */
import { distanceContrast, distanceContrastGrad } from "../kernels/library.ts";
import {
  elementCount,
  type OpDefinition,
  type Operand,
  operand,
  requireF32,
  requireInputs,
  shapeError,
  type TensorSpec,
} from "./opDefinition.ts";
import { sumCall } from "./sslNormalize.ts";

export interface DistanceContrastAttributes {
  /** term = r₊ − r₋ + beta·r₊; otherwise height·ln(1 + Σ e^{(r₊ − r_k + margin)/τ}) + beta·r₊. */
  readonly isLinear: boolean;
  readonly inverseTemperature: number;
  readonly margin: number;
  readonly height: number;
  readonly beta: number;
  /** The anchors are this many equal groups one after another, and the loss is the sum of the groups' means. */
  readonly groups: number;
}

function sizesOf(inputs: readonly TensorSpec[]) {
  const [rows = 0, columns = 0] = operand(inputs, 0).shape;
  return { rows, columns, negatives: elementCount(operand(inputs, 2).shape) / (rows * columns) };
}

/** Inputs: anchors and positives [rows, d], negatives [rows, H, d]. Outputs: the loss [1], slopes [rows, 1 + H] for the cotangent. */
export const distanceContrastOp: OpDefinition<DistanceContrastAttributes> = {
  name: "distanceContrast",
  infer(inputs, { isLinear, groups }) {
    requireInputs("distanceContrast", inputs, 3);
    requireF32("distanceContrast", inputs);
    const [a, p, n] = [operand(inputs, 0).shape, operand(inputs, 1).shape, operand(inputs, 2).shape];
    const fits =
      (a[0] ?? 0) % groups === 0 &&
      a.length === 2 &&
      p.join() === a.join() &&
      n.length === 3 &&
      n[0] === a[0] &&
      n[2] === a[1];
    if (!fits || (isLinear && n[1] !== 1)) {
      throw shapeError(
        "distanceContrast",
        inputs,
        "needs anchors and positives [rows, d] and negatives [rows, H, d], H = 1 for the linear form",
        "Reshape the negatives.",
      );
    }
    return [
      { shape: [1], dtype: "f32" },
      { shape: [operand(a, 0), 1 + operand(n, 1)], dtype: "f32" },
    ];
  },
  flops: (inputs) => 3 * inputs.slice(1).reduce((total, { shape }) => total + elementCount(shape), 0),
  lower({ inputs, attributes, target }) {
    const sizes = sizesOf(inputs);
    const terms: Operand = { kind: "scratch", name: "terms", elements: sizes.rows };
    return [
      {
        kernel: distanceContrast,
        knobs: { WG: target.isSoftware ? 16 : 64, LINEAR: attributes.isLinear },
        params: {
          ...sizes,
          inverse_temperature: attributes.isLinear ? 1 : attributes.inverseTemperature,
          margin: attributes.isLinear ? 0 : attributes.margin,
          height: attributes.height,
          beta: attributes.beta,
        },
        bindings: {
          anchor: { kind: "input", index: 0 },
          positive: { kind: "input", index: 1 },
          negatives: { kind: "input", index: 2 },
          slopes: { kind: "output", index: 1 },
          terms,
        },
      },
      sumCall(terms, sizes.rows, attributes.groups / sizes.rows),
    ];
  },
};

/** Inputs: anchors, positives, negatives, slopes. Outputs: their three cotangents. */
export const distanceContrastGradOp: OpDefinition<Pick<DistanceContrastAttributes, "groups">> = {
  name: "distanceContrastGrad",
  infer(inputs) {
    requireInputs("distanceContrastGrad", inputs, 4);
    return inputs.slice(0, 3).map(({ shape }) => ({ shape, dtype: "f32" as const }));
  },
  flops: (inputs) => 4 * elementCount(operand(inputs, 2).shape),
  lower({ inputs, attributes }) {
    const sizes = sizesOf(inputs);
    return [
      {
        kernel: distanceContrastGrad,
        knobs: { WG: 64 },
        params: { ...sizes, factor: attributes.groups / sizes.rows },
        bindings: {
          anchor: { kind: "input", index: 0 },
          positive: { kind: "input", index: 1 },
          negatives: { kind: "input", index: 2 },
          slopes: { kind: "input", index: 3 },
          d_anchor: { kind: "output", index: 0 },
          d_positive: { kind: "output", index: 1 },
          d_negatives: { kind: "output", index: 2 },
        },
      },
    ];
  },
};
