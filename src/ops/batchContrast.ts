/** Contrastive losses of mean squared distances over whole batches of triplets, a number for each trial. */
import { batchContrast, batchContrastGrad } from "../kernels/library.ts";
import {
  elementCount,
  type OpDefinition,
  operand,
  requireF32,
  requireInputs,
  shapeError,
  type TensorSpec,
} from "./opDefinition.ts";

export interface BatchContrastAttributes {
  /** loss = −σ((r₋ − r₊)/τ), otherwise r₊ − r₋. */
  readonly isSigmoid: boolean;
  readonly inverseTemperature: number;
}

function sizesOf(inputs: readonly TensorSpec[]) {
  const { shape } = operand(inputs, 0);
  return { trials: shape[1] ?? 0, count: elementCount(shape.slice(2)) };
}

/** Input: anchors, positives, negatives [3, trials, rows, d]. Outputs: losses [trials], slopes [trials] for the cotangent. */
export const batchContrastOp: OpDefinition<BatchContrastAttributes> = {
  name: "batchContrast",
  infer(inputs) {
    requireInputs("batchContrast", inputs, 1);
    requireF32("batchContrast", inputs);
    const { shape } = operand(inputs, 0);
    if (shape.length !== 4 || shape[0] !== 3) {
      throw shapeError(
        "batchContrast",
        inputs,
        "needs anchors, positives and negatives [3, trials, rows, d]",
        "Sample three views.",
      );
    }
    const perTrial = { shape: [shape[1] ?? 0], dtype: "f32" } as const;
    return [perTrial, perTrial];
  },
  flops: (inputs) => 2 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes, target }) {
    const lanes = target.isSoftware ? 4 : 64;
    return [
      {
        kernel: batchContrast,
        knobs: { WG: lanes, LANES: lanes, SIGMOID: attributes.isSigmoid },
        params: { ...sizesOf(inputs), inverse_temperature: attributes.inverseTemperature },
        bindings: {
          z: { kind: "input", index: 0 },
          losses: { kind: "output", index: 0 },
          slopes: { kind: "output", index: 1 },
        },
      },
    ];
  },
};

/** Inputs: the triplets, slopes, cotangents of the losses [trials]. Output: the cotangent of the triplets. */
export const batchContrastGradOp: OpDefinition<Record<never, never>> = {
  name: "batchContrastGrad",
  infer(inputs) {
    requireInputs("batchContrastGrad", inputs, 3);
    return [operand(inputs, 0)];
  },
  flops: (inputs) => 2 * elementCount(operand(inputs, 0).shape),
  lower: ({ inputs, target }) => [
    {
      kernel: batchContrastGrad,
      knobs: { WG: target.isSoftware ? 16 : 64 },
      params: sizesOf(inputs),
      bindings: {
        z: { kind: "input", index: 0 },
        slopes: { kind: "input", index: 1 },
        d_losses: { kind: "input", index: 2 },
        d_z: { kind: "output", index: 0 },
      },
    },
  ],
};
