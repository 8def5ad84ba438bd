/**
 * Householder QR of the sorted, scaled matrix, two ways: in one workgroup per chunk of rows (few dispatches, R alone), or blocked by
 * sixteen columns (any size, Q can be applied afterwards).
 */
import type { KernelCall, Operand } from "../kernels/call.ts";
import { qrPanel, qrProject, qrReduce, qrUpdate, svdPrepare } from "../kernels/library.ts";
import { type SvdGeometry, scratch, UNUSED } from "./svdGeometry.ts";

/** Most elements, and rows, whose QR one workgroup does in one dispatch: at most 17 MFLOP with 128 columns. */
const WHOLE_ELEMENTS = 65_536;
const WHOLE_ROWS = 1024;
/** Fewest rows of a chunk of a tall matrix: short sums are accurate, and a level leaves at most a quarter of the rows. */
const CHUNK_ROWS = 256;
/** Columns of a panel of the blocked QR. */
const PANEL = 16;
/** Parts that the rows of a product are split into, and rows that make a part worth its while. */
const MAX_SPLITS = 32;
const MIN_SPLIT_ROWS = 128;

/** R alone, by a tree over chunks of rows. @returns the calls and the buffer that holds the triangle */
export function reduceToTriangle(
  { batch, rows, columns, strides, xQuads: quads, target }: SvdGeometry,
  input: Operand,
  order: Operand,
): { readonly calls: readonly KernelCall[]; readonly triangle: Operand } {
  const length = 4 * quads;
  const plan = (levelRows: number) => {
    const isWhole = levelRows <= WHOLE_ROWS && levelRows * length <= WHOLE_ELEMENTS;
    const chunks = isWhole ? 1 : Math.ceil(levelRows / Math.max(CHUNK_ROWS, 4 * length));
    const chunkRows = Math.ceil(levelRows / chunks);
    return { chunks, chunkRows, workRows: Math.max(chunkRows, length) };
  };
  const first = plan(rows);
  const work = scratch("work", batch * first.chunks * first.workRows * length);
  const GROUPS = quads <= 8 ? 8 : 16;
  // Barriers cost by the lane on software adapters.
  const lanes = target.isSoftware ? { WG: 16, GROUPS: 16, STRIPES: 1 } : { WG: 128, GROUPS, STRIPES: 128 / GROUPS };
  const calls: KernelCall[] = [];
  let source = input;
  for (let level = 0, levelRows = rows; ; level++) {
    const { chunks, chunkRows, workRows } = plan(levelRows);
    // The first level's triangles are the most; every other level writes to the other buffer.
    const r = scratch(`triangles${level % 2}`, batch * chunks * columns * length);
    calls.push({
      kernel: qrReduce,
      knobs: { ...lanes, ORDERED: level === 0 },
      params: {
        batch,
        rows: levelRows,
        columns,
        quads,
        chunks,
        chunk_rows: chunkRows,
        work_rows: workRows,
        ...(level === 0 ? strides : { row_stride: length, column_stride: 1 }),
        matrix_stride: level === 0 ? rows * columns : levelRows * length,
      },
      bindings: { source, order: level === 0 ? order : UNUSED, work, r },
    });
    if (chunks === 1) return { calls: calls.map((call) => sameSizes(call, calls)), triangle: sameSize(r, calls) };
    source = r;
    levelRows = chunks * columns;
  }
}

/** One size for every mention of a scratch buffer. */
function sameSize(operand: Operand, calls: readonly KernelCall[]): Operand {
  if (operand.kind !== "scratch") return operand;
  const sizes = calls
    .flatMap(({ bindings }) => Object.values(bindings))
    .map((other) => (other.kind === "scratch" && other.name === operand.name ? other.elements : 0));
  return { ...operand, elements: Math.max(...sizes) };
}

function sameSizes(call: KernelCall, calls: readonly KernelCall[]): KernelCall {
  const bindings = Object.entries(call.bindings).map(([name, operand]) => [name, sameSize(operand, calls)] as const);
  return { ...call, bindings: Object.fromEntries(bindings) };
}

/** Blocked QR: calls that leave R in `triangle` and reflections in scratch, and the calls that apply Q to a factor [rows, columns]. */
export function blockedQr(
  geometry: SvdGeometry,
  input: Operand,
  { order, state, counters, basis }: Readonly<Record<"order" | "state" | "counters" | "basis", Operand>>,
  hasBasis: boolean,
): {
  readonly calls: readonly KernelCall[];
  readonly triangle: Operand;
  readonly applyQ: (factor: Operand) => readonly KernelCall[];
} {
  const { batch, rows, columns, strides, xCount, xQuads, orderWords, isSmall, target } = geometry;
  const panels = isSmall ? Math.ceil(columns / PANEL) : xCount / PANEL;
  const quads = panels * 4;
  const workRows = Math.max(rows, 4 * quads);
  const work = scratch("work", batch * workRows * 4 * quads);
  const t = scratch("reflections", batch * panels * PANEL * PANEL);
  const triangle = scratch("triangles0", batch * xCount * 4 * xQuads);
  const WG = target.isSoftware ? 16 : 64;
  const split = (span: number) => {
    const splitRows = Math.max(MIN_SPLIT_ROWS, Math.ceil(span / MAX_SPLITS));
    return { splits: Math.ceil(span / splitRows), split_rows: splitRows };
  };
  const partialElements = batch * split(workRows).splits * PANEL * 4 * Math.max(quads, Math.ceil(columns / 4));
  const partial = scratch("partial", partialElements);
  const onTriangle = { count: isSmall ? columns : xCount, x_count: xCount, x_quads: xQuads };
  const calls: KernelCall[] = [
    {
      kernel: svdPrepare,
      knobs: {},
      params: {
        batch,
        rows,
        columns,
        work_rows: workRows,
        quads,
        ...strides,
        order_words: orderWords,
        pairs: isSmall ? 0 : xCount / 32,
        basis_quads: !isSmall && hasBasis ? xQuads : 0,
      },
      bindings: { z: input, order, work, state, counters, basis },
    },
  ];
  for (let panel = 0; panel < panels; panel++) {
    const first = panel * PANEL;
    calls.push({
      kernel: qrPanel,
      knobs: target.isSoftware ? { WG: 16, GROUPS: 4, STRIPES: 4 } : { WG: 64, GROUPS: 4, STRIPES: 16 },
      params: { batch, rows: workRows, quads, first, panels, ...onTriangle },
      bindings: { work, t, x: triangle },
    });
    const targetQuads = quads - 4 * (panel + 1);
    if (targetQuads === 0) break;
    const shared = {
      batch,
      rows: workRows,
      quads,
      first,
      target_rows: workRows,
      target_quads: targetQuads,
      columns: 4 * targetQuads,
      ...split(workRows - first),
    };
    calls.push(
      {
        kernel: qrProject,
        knobs: { WG, APPLY: false },
        params: shared,
        bindings: { work, factor: UNUSED, partial },
      },
      {
        kernel: qrUpdate,
        knobs: { WG, APPLY: false },
        params: { ...shared, panels, ...onTriangle },
        bindings: { partial, t, work, factor: scratch("nothing", 4), x: triangle },
      },
    );
  }
  const applyQ = (factor: Operand): readonly KernelCall[] =>
    Array.from({ length: panels }, (_, i) => PANEL * (panels - 1 - i)).flatMap((first) => {
      // Reflections of the padding, if any, touch no row of the factor.
      if (first >= rows) return [];
      const shared = {
        batch,
        rows: workRows,
        quads,
        first,
        target_rows: rows,
        target_quads: Math.ceil(columns / 4),
        columns,
        ...split(rows - first),
      };
      return [
        { kernel: qrProject, knobs: { WG, APPLY: true }, params: shared, bindings: { work, factor, partial } },
        {
          kernel: qrUpdate,
          knobs: { WG, APPLY: true },
          params: { ...shared, panels, ...onTriangle },
          bindings: { partial, t, work, factor, x: scratch("nothing2", 4) },
        },
      ];
    });
  return { calls, triangle, applyQ };
}
