/** Rows to unit length, and the cosine between rows of two tensors, with their cotangents. */
import { ceilDiv } from "../kernels/grid.ts";
import { cosineRows, cosineRowsGrad, l2Normalize, l2NormalizeGrad, reduceRows } from "../kernels/library.ts";
import {
  elementCount,
  type KernelCall,
  type OpDefinition,
  type Operand,
  operand,
  requireF32,
  requireInputs,
  shapeError,
  type Target,
  type TensorSpec,
} from "./opDefinition.ts";

/** x / max(‖x‖, ε), x / √(‖x‖² + ε), x / (‖x‖ + ε), x · min(1, ε/‖x‖). */
export type NormForm = "max" | "inside" | "outside" | "clip";

const FORM_CODE: Readonly<Record<NormForm, number>> = { max: 0, inside: 1, outside: 2, clip: 3 };

export interface L2NormalizeAttributes {
  readonly form: NormForm;
  readonly epsilon: number;
  /** Rows of the result are padded with zeros to a multiple of 4, as kernels of similarities read them. */
  readonly padded: boolean;
}

export interface CosineAttributes {
  /** Row i of p meets row (i + shift) mod rows of z. */
  readonly shift: number;
  readonly epsilon: number;
  /** loss = Σ_i (offset + slope·(1 − cos_i)). */
  readonly offset: number;
  readonly slope: number;
}

/** A row to one invocation where barriers are dear, to 16 elsewhere. */
function rowKnobs(target: Target): { readonly WG: number; readonly LANES: number } {
  return target.isSoftware ? { WG: 16, LANES: 1 } : { WG: 64, LANES: 16 };
}

/** loss = scale · Σ terms, from a scratch vector to output 0. */
export function sumCall(terms: Operand, columns: number, scale: number): KernelCall {
  return {
    kernel: reduceRows,
    knobs: { WG: 64, SQUARE: false },
    params: { rows: 1, columns, scale },
    bindings: { x: terms, y: { kind: "output", index: 0 } },
  };
}

function rowsOf({ shape }: TensorSpec): { readonly rows: number; readonly columns: number } {
  const columns = shape.at(-1) ?? 1;
  return { rows: elementCount(shape) / columns, columns };
}

/** Outputs: y [.., columns or padded], stats [rows, 2] for the cotangent. */
export const l2NormalizeOp: OpDefinition<L2NormalizeAttributes> = {
  name: "l2Normalize",
  acceptsOffsets: "operands",
  infer(inputs, { padded }) {
    requireInputs("l2Normalize", inputs, 1);
    requireF32("l2Normalize", inputs);
    const x = operand(inputs, 0);
    const { rows, columns } = rowsOf(x);
    const stride = padded ? 4 * ceilDiv(columns, 4) : columns;
    return [
      { shape: [...x.shape.slice(0, -1), stride], dtype: "f32" },
      { shape: [rows, 2], dtype: "f32" },
    ];
  },
  flops: (inputs) => 3 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, outputs, attributes, target }) {
    const x = operand(inputs, 0);
    const { rows, columns } = rowsOf(x);
    return [
      {
        kernel: l2Normalize,
        knobs: { ...rowKnobs(target), MODE: FORM_CODE[attributes.form] },
        params: {
          rows,
          columns,
          stride: rowsOf(operand(outputs, 0)).columns,
          x_offset: x.offset,
          epsilon: attributes.epsilon,
        },
        bindings: {
          x: { kind: "input", index: 0 },
          y: { kind: "output", index: 0 },
          stats: { kind: "output", index: 1 },
        },
      },
    ];
  },
};

export interface L2NormalizeGradAttributes {
  /** Shape of the normalised operand. */
  readonly shape: readonly number[];
}

/** Inputs: dY, y, stats. Output: dX. */
export const l2NormalizeGradOp: OpDefinition<L2NormalizeGradAttributes> = {
  name: "l2NormalizeGrad",
  infer(inputs, { shape }) {
    requireInputs("l2NormalizeGrad", inputs, 3);
    requireF32("l2NormalizeGrad", inputs);
    return [{ shape, dtype: "f32" }];
  },
  flops: (inputs) => 5 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes, target }) {
    const columns = attributes.shape.at(-1) ?? 1;
    const rows = elementCount(attributes.shape) / columns;
    return [
      {
        kernel: l2NormalizeGrad,
        knobs: rowKnobs(target),
        params: { rows, columns, stride: rowsOf(operand(inputs, 0)).columns },
        bindings: {
          d_y: { kind: "input", index: 0 },
          y: { kind: "input", index: 1 },
          stats: { kind: "input", index: 2 },
          d_x: { kind: "output", index: 0 },
        },
      },
    ];
  },
};

/** Inputs: p, z [rows, columns]. Outputs: loss [1], stats [rows, 4] for the cotangent. */
export const cosineOp: OpDefinition<CosineAttributes> = {
  name: "cosine",
  acceptsOffsets: "operands",
  infer(inputs) {
    requireInputs("cosine", inputs, 2);
    requireF32("cosine", inputs);
    const [p, z] = [operand(inputs, 0), operand(inputs, 1)];
    if (p.shape.join() !== z.shape.join() || p.shape.length !== 2) {
      throw shapeError("cosine", inputs, "both must be [rows, columns] alike", "Give them the same shape.");
    }
    return [
      { shape: [1], dtype: "f32" },
      { shape: [operand(p.shape, 0), 4], dtype: "f32" },
    ];
  },
  flops: (inputs) => 10 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes, target }) {
    const [p, z] = [operand(inputs, 0), operand(inputs, 1)];
    const { rows, columns } = rowsOf(p);
    const { shift, epsilon, offset, slope } = attributes;
    const terms: Operand = { kind: "scratch", name: "terms", elements: rows };
    return [
      {
        kernel: cosineRows,
        knobs: rowKnobs(target),
        params: { rows, columns, shift, p_offset: p.offset, z_offset: z.offset, epsilon, offset, slope },
        bindings: {
          p: { kind: "input", index: 0 },
          z: { kind: "input", index: 1 },
          stats: { kind: "output", index: 1 },
          terms,
        },
      },
      sumCall(terms, rows, 1),
    ];
  },
};

export interface CosineGradAttributes extends CosineAttributes {
  /** Whether z's cotangent is wanted too. */
  readonly both: boolean;
}

/** Inputs: p, z, stats. Outputs: dP and, with `both`, dZ. */
export const cosineGradOp: OpDefinition<CosineGradAttributes> = {
  name: "cosineGrad",
  acceptsOffsets: "operands",
  infer(inputs, { both }) {
    requireInputs("cosineGrad", inputs, 3);
    const { shape } = operand(inputs, 0);
    return Array.from({ length: both ? 2 : 1 }, () => ({ shape, dtype: "f32" as const }));
  },
  flops: (_inputs, outputs) => 7 * outputs.length * elementCount(operand(outputs, 0).shape),
  lower({ inputs, attributes }) {
    const [p, z, stats] = [operand(inputs, 0), operand(inputs, 1), operand(inputs, 2)];
    if (stats.offset !== 0) throw new Error("the stats of a cosine are a tensor of their own");
    const { rows, columns } = rowsOf(p);
    return [
      {
        kernel: cosineRowsGrad,
        knobs: { WG: 64, BOTH: attributes.both },
        params: {
          rows,
          columns,
          shift: attributes.shift,
          p_offset: p.offset,
          z_offset: z.offset,
          factor: attributes.slope,
        },
        bindings: {
          p: { kind: "input", index: 0 },
          z: { kind: "input", index: 1 },
          stats: { kind: "input", index: 2 },
          d_p: { kind: "output", index: 0 },
          d_z: attributes.both ? { kind: "output", index: 1 } : { kind: "unused" },
        },
      },
    ];
  },
};
