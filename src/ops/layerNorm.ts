/** Layer normalisation over the last dimension and its cotangents. */
import { layerNorm, layerNormGrad, layerNormGradAffine } from "../kernels/library.ts";
import {
  elementCount,
  type OpDefinition,
  type Operand,
  operand,
  requireF32,
  requireInputs,
  shapeError,
  type Target,
  type TensorSpec,
} from "./opDefinition.ts";

export interface LayerNormAttributes {
  /** Added to the variance under the root. */
  readonly epsilon: number;
  readonly hasAffine: boolean;
}

const UNUSED: Operand = { kind: "unused" };
const input = (index: number): Operand => ({ kind: "input", index });
const output = (index: number): Operand => ({ kind: "output", index });

function rowsOf(x: TensorSpec): { readonly rows: number; readonly quads: number } {
  const columns = x.shape.at(-1) ?? 1;
  return { rows: elementCount(x.shape) / columns, quads: columns / 4 };
}

/** Software adapters give a row to one lane (no barrier); GPUs as many lanes as the row has quads, up to 64. */
function rowKnobs(quads: number, { isSoftware }: Target): { readonly WG: number; readonly LANES: number } {
  if (isSoftware) return { WG: 16, LANES: 1 };
  let LANES = 1;
  while (LANES < quads && LANES < 64) LANES *= 2;
  return { WG: 64, LANES };
}

/** Inputs: x [.., C]; weight [C] and bias [C] with hasAffine. Outputs: y of x's shape; (mean, 1/deviation) of each row [rows, 2]. */
export const layerNormOp: OpDefinition<LayerNormAttributes> = {
  name: "layerNorm",
  infer(inputs, { hasAffine }) {
    requireInputs("layerNorm", inputs, hasAffine ? 3 : 1);
    requireF32("layerNorm", inputs);
    const x = operand(inputs, 0);
    const columns = x.shape.at(-1) ?? 1;
    if (columns % 4 !== 0) {
      throw shapeError("layerNorm", inputs, "needs rows of a multiple of 4", "Pad the channels with zeros.");
    }
    if (inputs.slice(1).some(({ shape }) => elementCount(shape) !== columns)) {
      throw shapeError(
        "layerNorm",
        inputs,
        "weight and bias need one number per column",
        `Give them ${columns} elements.`,
      );
    }
    return [
      { shape: x.shape, dtype: "f32" },
      { shape: [rowsOf(x).rows, 2], dtype: "f32" },
    ];
  },
  flops: (inputs) => 8 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes, target }) {
    const { rows, quads } = rowsOf(operand(inputs, 0));
    const { epsilon, hasAffine } = attributes;
    return [
      {
        kernel: layerNorm,
        knobs: { ...rowKnobs(quads, target), AFFINE: hasAffine },
        params: { rows, quads, epsilon },
        bindings: {
          x: input(0),
          weight: hasAffine ? input(1) : UNUSED,
          bias: hasAffine ? input(2) : UNUSED,
          y: output(0),
          stats: output(1),
        },
      },
    ];
  },
};

/** Inputs: dY, x [.., C], stats [rows, 2]; weight [C] with hasAffine. Outputs: dX; with hasAffine dWeight [C] and dBias [C]. */
export const layerNormGradOp: OpDefinition<LayerNormAttributes> = {
  name: "layerNormGrad",
  infer(inputs, { hasAffine }) {
    requireInputs("layerNormGrad", inputs, hasAffine ? 4 : 3);
    const { shape } = operand(inputs, 0);
    const vector = { shape: [shape.at(-1) ?? 1], dtype: "f32" } as const;
    return [{ shape, dtype: "f32" }, ...(hasAffine ? [vector, vector] : [])];
  },
  flops: (inputs) => 14 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes, target }) {
    const { rows, quads } = rowsOf(operand(inputs, 0));
    const { hasAffine } = attributes;
    const [dY, x, stats] = [input(0), input(1), input(2)];
    const gradient = {
      kernel: layerNormGrad,
      knobs: { ...rowKnobs(quads, target), AFFINE: hasAffine },
      params: { rows, quads },
      bindings: { d_y: dY, x, stats, weight: hasAffine ? input(3) : UNUSED, d_x: output(0) },
    };
    const affine = {
      kernel: layerNormGradAffine,
      knobs: { WG: target.isSoftware ? 16 : 256, QUADS: 4 },
      params: { rows, quads },
      bindings: { d_y: dY, x, stats, d_weight: output(1), d_bias: output(2) },
    };
    return hasAffine ? [gradient, affine] : [gradient];
  },
};
