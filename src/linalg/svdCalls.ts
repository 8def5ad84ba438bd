/**
 * The dispatches that find the singular values (and vectors) of a batch of matrices: one list, used by graphs and by stand-alone plans.
 *
 * Columns are sorted by size, a QR leaves a triangle, one-sided Jacobi makes its rows orthogonal: J·R = diag(σ)·Yᵀ. So the columns' side of
 * the vectors is Y, unsorted, and the rows' side is Q·Jᵀ. A wide matrix is read transposed and the sides change places.
 */
import type { KernelCall, Operand, Target } from "../kernels/call.ts";
import {
  blockPairSolve,
  blockRowsRotate,
  blockSweepEnd,
  svdGram,
  svdJacobi,
  svdOrder,
  svdRange,
  svdValues,
  svdVectors,
} from "../kernels/library.ts";
import { STATUS_WORDS } from "./eighCalls.ts";
import { blockedQr, reduceToTriangle } from "./qrCalls.ts";
import { type SvdGeometry, scratch, svdGeometry } from "./svdGeometry.ts";

export interface SvdShape {
  readonly rows: number;
  readonly columns: number;
  readonly batch: number;
  /** Left singular vectors, too. */
  readonly left: boolean;
  /** Right singular vectors, too. */
  readonly right: boolean;
}

const INPUT: Operand = { kind: "input", index: 0 };
const output = (index: number): Operand => ({ kind: "output", index });

/** Rows that one invocation looks through for the largest magnitude of a column. */
const RANGE_ROWS = 1024;
/** Cosine below which two rows count as orthogonal: 2⁻²², four units of rounding. As in svd_jacobi. */
const TOLERANCE = 2 ** -22;
/** Sweeps recorded for more than 128 columns; 512 × 256 needed 12. */
const MAX_BLOCK_SWEEPS = 20;

/**
 * Z = U diag(σ) Vᵀ with k = min(rows, columns) values; 1 ≤ k ≤ 1024, the longer side at most 65,536. Input 0: z f32[batch, rows, columns].
 *
 * Outputs: 0 values f32[batch, k] descending; 1 status u32[batch, STATUS_WORDS], whose third word is the largest remaining cosine of two
 * rows and whose fourth is 0; then with `right` f32[batch, columns, k] and with `left` f32[batch, rows, k], vectors as columns. Vectors of
 * the shorter side are zero where σ is below about 1e-17 of the largest entry; those of the longer side are always orthonormal.
 *
 * Accuracy |σ̂ − σ| ≤ 1e-6·σ + 5e-8·σ_max, and 1e-5·σ where only columns are scaled (test/kernels/svd.test.ts)
 * Source   Drmač & Veselić 2008; Demmel & Veselić 1992
 */
export function svdCalls(shape: SvdShape, target: Target): readonly KernelCall[] {
  const geometry = svdGeometry(shape, target);
  const { batch, rows, columns, xCount, xQuads, orderWords } = geometry;
  const isWide = shape.rows < shape.columns;
  const [onShortSide, onLongSide] = isWide ? [shape.left, shape.right] : [shape.right, shape.left];
  const rightAt = output(2);
  const leftAt = output(shape.right ? 3 : 2);
  const [shortAt, longAt] = isWide ? [leftAt, rightAt] : [rightAt, leftAt];

  const order = scratch("order", batch * orderWords);
  const state = scratch("state", batch * STATUS_WORDS);
  const ranking = scratch("ranking", 2 * batch * columns);
  const basis = onLongSide ? scratch("basis", batch * xCount * 4 * xQuads) : scratch("basis", 4);
  const pairs = geometry.isSmall ? 0 : xCount / 32;
  const counters = scratch("counters", Math.max(4, 2 * batch * pairs));
  const cosines = scratch("cosines", Math.max(4, batch * pairs));
  const buffers = { order, state, counters, basis };
  const blocked = onLongSide || !geometry.isSmall ? blockedQr(geometry, INPUT, buffers, onLongSide) : undefined;
  const { calls: qr, triangle } = blocked ?? reduceToTriangle(geometry, INPUT, order);
  return [
    ...orderCalls(geometry, order),
    ...qr,
    ...(geometry.isSmall
      ? smallRotations(geometry, { triangle, basis, state }, onLongSide)
      : blockRotations(geometry, { triangle, basis, state, counters, cosines }, onLongSide)),
    {
      kernel: svdValues,
      knobs: { COUNT: roundUp(columns, 32) },
      params: { batch, count: columns, x_count: xCount, quads: xQuads, order_words: orderWords, pairs },
      bindings: { x: triangle, order, state, cosines, values: output(0), ranking, status: output(1) },
    },
    ...(onShortSide ? [vectorsCall(triangle, true, shortAt)] : []),
    ...(onLongSide ? [vectorsCall(basis, false, longAt)] : []),
    ...(onLongSide && blocked ? blocked.applyQ(longAt) : []),
  ];

  function vectorsCall(source: Operand, isNormalized: boolean, vectors: Operand): KernelCall {
    return {
      kernel: svdVectors,
      knobs: { NORMALIZED: isNormalized },
      params: {
        batch,
        length: isNormalized ? columns : rows,
        count: columns,
        row_count: xCount,
        row_length: 4 * xQuads,
        order_words: orderWords,
      },
      bindings: { rows: source, ranking, order, vectors },
    };
  }
}

/** Scale, flags and order of the columns. */
function orderCalls({ batch, rows, columns, strides, xQuads }: SvdGeometry, order: Operand): readonly KernelCall[] {
  const parts = Math.ceil(rows / RANGE_ROWS);
  const maxima = scratch("maxima", batch * parts * columns);
  const orderCall = (params: Record<string, number>, z: Operand): KernelCall => ({
    kernel: svdOrder,
    knobs: { COLUMNS: roundUp(columns, 32) },
    params: { batch, columns, quads: xQuads, ...params },
    bindings: { z, order },
  });
  if (parts === 1) return [orderCall({ rows, ...strides }, INPUT)];
  return [
    {
      kernel: svdRange,
      knobs: {},
      params: { batch, rows, columns, parts, part_rows: RANGE_ROWS, ...strides },
      bindings: { z: INPUT, partial: maxima },
    },
    orderCall({ rows: parts, row_stride: columns, column_stride: 1 }, maxima),
  ];
}

/** Sweeps until the rows of the triangle are orthogonal, in one dispatch. */
function smallRotations(
  { batch, columns, xQuads, target }: SvdGeometry,
  { triangle, basis, state }: Readonly<Record<"triangle" | "basis" | "state", Operand>>,
  hasBasis: boolean,
): readonly KernelCall[] {
  // Two blocks of two rows meet.
  const pairs = Math.ceil(columns / 4);
  // On a GPU up to 128 lanes share the pairs of a round; a software adapter works best with a lane a pair.
  const TEAM = target.isSoftware ? 1 : Math.min(8, 2 ** Math.floor(Math.log2(128 / pairs)));
  return [
    {
      kernel: svdJacobi,
      knobs: { WG: roundUp(pairs * TEAM, target.isSoftware ? 8 : 32), TEAM, BASIS: hasBasis },
      params: { batch, count: columns, quads: xQuads },
      bindings: { x: triangle, basis, state },
    },
  ];
}

/** Sweeps over pairs of blocks of sixteen rows: Gram matrices, rotations from them, rows turned. Finished matrices are skipped. */
function blockRotations(
  { batch, xCount, xQuads, target }: SvdGeometry,
  buffers: Readonly<Record<"triangle" | "basis" | "state" | "counters" | "cosines", Operand>>,
  hasBasis: boolean,
): readonly KernelCall[] {
  const { triangle, basis, state, counters, cosines } = buffers;
  const blocks = xCount / 16;
  const pairs = blocks / 2;
  const gram = scratch("gram", batch * pairs * 1024);
  const rotations = scratch("rotations", batch * pairs * 1024);
  const software = target.isSoftware;
  const turn = (rows: Operand, rowQuads: number, round: number): KernelCall => {
    const ROWS = 16;
    const WG = software ? 16 : 64;
    const strips = Math.ceil(rowQuads / (WG / (32 / ROWS)));
    return {
      kernel: blockRowsRotate,
      knobs: { WG, ROWS },
      // Few workgroups on software adapters, where each costs microseconds even when the matrix is finished.
      params: {
        batch,
        row_quads: rowQuads,
        blocks,
        round,
        groups: software ? Math.min(pairs * strips, 4) : pairs * strips,
      },
      bindings: { state, counters, rotations, rows },
    };
  };
  const round = (index: number): readonly KernelCall[] => [
    {
      kernel: svdGram,
      knobs: { WG: software ? 40 : 64 },
      params: { batch, blocks, quads: xQuads, round: index },
      bindings: { state, x: triangle, gram, cosines },
    },
    {
      kernel: blockPairSolve,
      knobs: {
        WG: software ? 16 : 64,
        GRAM: true,
        CROSS: index > 0,
        SHARED: !software,
        TOLERANCE,
        NEGLIGIBLE: 1e-37,
      },
      params: { batch, n: xCount, blocks, round: index, groups: software ? Math.min(pairs, 4) : pairs },
      bindings: { state, matrix: scratch("no matrix", 4), tile: gram, rotations, counters },
    },
    turn(triangle, xQuads, index),
    ...(hasBasis ? [turn(basis, xQuads, index)] : []),
  ];
  const sweep = [
    ...Array.from({ length: blocks - 1 }, (_, index) => round(index)).flat(),
    {
      kernel: blockSweepEnd,
      knobs: {},
      params: { batch, pairs, max_sweeps: MAX_BLOCK_SWEEPS },
      bindings: { counters, state },
    },
  ];
  return Array.from({ length: MAX_BLOCK_SWEEPS }, () => sweep).flat();
}

function roundUp(value: number, multiple: number): number {
  return multiple * Math.ceil(value / multiple);
}
