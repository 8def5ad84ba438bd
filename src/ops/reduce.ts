/** Sums over rows or columns of each matrix of a batch. */
import { reduceColumns, reduceRows } from "../kernels/library.ts";
import {
  asMatrices,
  elementCount,
  type OpDefinition,
  operand,
  requireF32,
  requireInputs,
  shapeError,
} from "./opDefinition.ts";

export interface ReduceAttributes {
  readonly scale: number;
}

export interface ReduceRowsAttributes extends ReduceAttributes {
  /** Sum squares instead of values. */
  readonly square: boolean;
}

/** Columns that one workgroup of 64 owns: narrow matrices leave more invocations for their rows. */
export function columnKnobs(columns: number): { readonly WG: number; readonly COLUMNS: number } {
  return { WG: 64, COLUMNS: columns >= 64 ? 16 : 4 };
}

/** [..., rows, columns] → [..., columns]: scale · Σ over rows. */
export const sumOverRowsOp: OpDefinition<ReduceAttributes> = {
  name: "sumOverRows",
  infer(inputs) {
    requireInputs("sumOverRows", inputs, 1);
    requireF32("sumOverRows", inputs);
    const { shape } = operand(inputs, 0);
    if (shape.length < 2) throw shapeError("sumOverRows", inputs, "needs a matrix", "Reshape to [rows, columns].");
    return [{ shape: [...shape.slice(0, -2), shape.at(-1) ?? 1], dtype: "f32" }];
  },
  flops: (inputs) => elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes }) {
    const { batch, rows, columns } = asMatrices(operand(inputs, 0));
    return [
      {
        kernel: reduceColumns,
        knobs: columnKnobs(columns),
        params: { batch, rows, columns, scale: attributes.scale },
        bindings: { x: { kind: "input", index: 0 }, y: { kind: "output", index: 0 } },
      },
    ];
  },
};

/** Longest row that one workgroup sums alone; longer ones are summed in two stages. */
const LONGEST_ROW = 16_384;

/** [..., columns] → [..., 1]: scale · Σ over columns, or of squares. */
export const sumOverColumnsOp: OpDefinition<ReduceRowsAttributes> = {
  name: "sumOverColumns",
  infer(inputs) {
    requireInputs("sumOverColumns", inputs, 1);
    requireF32("sumOverColumns", inputs);
    return [{ shape: [...operand(inputs, 0).shape.slice(0, -1), 1], dtype: "f32" }];
  },
  flops: (inputs) => 2 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes }) {
    const { shape } = operand(inputs, 0);
    const columns = shape.at(-1) ?? 1;
    const rows = elementCount(shape) / columns;
    const parts = columns > LONGEST_ROW ? largestDivisorUpTo(columns, Math.ceil(Math.sqrt(columns))) : 1;
    const input = { kind: "input", index: 0 } as const;
    const output = { kind: "output", index: 0 } as const;
    if (parts === 1) {
      return [
        {
          kernel: reduceRows,
          knobs: { WG: 64, SQUARE: attributes.square },
          params: { rows, columns, scale: attributes.scale },
          bindings: { x: input, y: output },
        },
      ];
    }
    const partial = { kind: "scratch", name: "partial", elements: rows * parts } as const;
    return [
      {
        kernel: reduceRows,
        knobs: { WG: 64, SQUARE: attributes.square },
        params: { rows: rows * parts, columns: columns / parts, scale: 1 },
        bindings: { x: input, y: partial },
      },
      {
        kernel: reduceRows,
        knobs: { WG: 64, SQUARE: false },
        params: { rows, columns: parts, scale: attributes.scale },
        bindings: { x: partial, y: output },
      },
    ];
  },
};

function largestDivisorUpTo(value: number, limit: number): number {
  for (let divisor = limit; divisor > 1; divisor--) if (value % divisor === 0) return divisor;
  return 1;
}
