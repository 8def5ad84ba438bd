/** What the parts of the singular value decomposition share: sizes of a problem turned so that it has at least as many rows as columns. */
import type { Operand, Target } from "../kernels/call.ts";

export interface SvdGeometry {
  readonly batch: number;
  /** The longer side. */
  readonly rows: number;
  /** The shorter side; as many singular values. */
  readonly columns: number;
  /** Of the input, as (rows, columns) above. */
  readonly strides: { readonly row_stride: number; readonly column_stride: number };
  /** Rows of the triangle X: columns, padded where blocks of sixteen rotate. */
  readonly xCount: number;
  /** Units of four columns of X. */
  readonly xQuads: number;
  readonly orderWords: number;
  /** Whole rotation sweeps in one workgroup. */
  readonly isSmall: boolean;
  readonly target: Target;
}

/** Most columns whose sweeps one workgroup does. */
export const MAX_SMALL_COLUMNS = 128;

export const UNUSED: Operand = { kind: "unused" };
export const scratch = (name: string, elements: number): Operand => ({ kind: "scratch", name, elements });

export function svdGeometry(shape: { rows: number; columns: number; batch: number }, target: Target): SvdGeometry {
  const isWide = shape.rows < shape.columns;
  const rows = Math.max(shape.rows, shape.columns);
  const columns = Math.min(shape.rows, shape.columns);
  const isSmall = columns <= MAX_SMALL_COLUMNS;
  const xCount = isSmall ? columns : 32 * Math.ceil(columns / 32);
  const xQuads = isSmall ? Math.ceil(columns / 4) : xCount / 4;
  return {
    batch: shape.batch,
    rows,
    columns,
    strides: { row_stride: isWide ? 1 : columns, column_stride: isWide ? rows : 1 },
    xCount,
    xQuads,
    orderWords: 4 + 4 * xQuads,
    isSmall,
    target,
  };
}
