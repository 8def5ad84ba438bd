/** The dispatches that solve a batch of symmetric eigenproblems: one list, used by graphs (ops/eigh.ts) and by stand-alone plans. */
import type { KernelCall, Operand, Target } from "../kernels/call.ts";
import { ceilDiv } from "../kernels/grid.ts";
import {
  blockPairSolve,
  blockRowsRotate,
  blockSweepEnd,
  blockTileRotate,
  eighOffNorm,
  eighOrder,
  eighPrepare,
  eighRange,
  eighResidual,
  eighResidualEnd,
  eighVectors,
  jacobiEigh,
} from "../kernels/library.ts";

export interface EighShape {
  /** Order of the matrices, 1 … MAX_EIGH_ORDER. */
  readonly n: number;
  readonly batch: number;
  readonly vectors: boolean;
  /** Of the eigenvalues and their vectors; descending unless given. */
  readonly order?: "descending" | "ascending";
}

/** Words of a matrix's status: sweeps, flags, and as bits of f32 the off-norm and the residual. */
export const STATUS_WORDS = 4;

/** Largest order that is solved. */
export const MAX_EIGH_ORDER = 2048;

/** Largest order that one workgroup solves in one short dispatch; beyond it padded blocks fit in 3n² floats of scratch. */
export const ONE_WORKGROUP_ORDER = 163;

/** Sweeps before a matrix is flagged as not converged; the hardest seen needs 23 (docs/numerics.md). */
const MAX_SWEEPS = 30;

/** Loop iterations of a lane of block_pair_solve for a pair: 31 rounds of 3 rotations and 17 blocks, and 5 copies of a tile. */
const PAIR_ITERATIONS = 31 * 20 + 5 * 128;

/** Workgroups that keep the cores of a software adapter busy. */
const SOFTWARE_GROUPS = 4;

/** Orders are cut into blocks of 16; two of them make a tile. */
const TILE = 32;

/** Most floating-point operations of a dispatch. */
const DISPATCH_FLOPS = 2e9;

const INPUT: Operand = { kind: "input", index: 0 };
const VALUES: Operand = { kind: "output", index: 0 };
const STATUS: Operand = { kind: "output", index: 1 };
const VECTORS: Operand = { kind: "output", index: 2 };
const UNUSED: Operand = { kind: "unused" };
const scratch = (name: string, elements: number): Operand => ({ kind: "scratch", name, elements });

/**
 * Loop iterations that a lane may make, all loops together, over a solve of TYPICAL_SWEEPS: Mesa's llvmpipe ends an invocation's loops
 * after 65,535 (docs/portability.md).
 */
const LANE_ITERATIONS = 60_000;
const TYPICAL_SWEEPS = 12;

/**
 * Knobs of jacobi_eigh. On software adapters a lane is cheap only when it has work, so lanes are few: each takes whole rows of blocks as long
 * as its loops stay within their limit. On GPUs several lanes share a row.
 */
export function eighKnobs(n: number, vectors: boolean, isSoftware = true) {
  const pairs = Math.ceil(n / 2);
  // Rows of blocks that lanes share out, in pairs of a short and a long one.
  const rows = Math.max(1, Math.ceil((pairs - 1) / 2));
  let WG = n <= 32 ? 64 : n <= 64 ? 128 : 256;
  let STRIPES = 2 ** Math.floor(Math.log2(WG / rows));
  if (isSoftware) {
    const lanes = (stripes: number): number => Math.max(16, Math.ceil((rows * stripes) / 16) * 16);
    STRIPES = Math.max(1, 2 ** Math.floor(Math.log2(16 / rows)));
    while (iterationsPerRound(n, lanes(STRIPES), STRIPES, vectors) * n * TYPICAL_SWEEPS > LANE_ITERATIONS) STRIPES *= 2;
    WG = Math.min(256, lanes(STRIPES));
  }
  return { WG, STRIPES, N_MAX: Math.ceil(n / 8) * 8, VECTORS: vectors } as const;
}

/** Turns of all loops of the busiest lane of jacobi_eigh in one round: rotations, blocks, and rows of the basis. */
function iterationsPerRound(n: number, lanes: number, stripes: number, vectors: boolean): number {
  const pairs = Math.ceil(n / 2);
  const blocks = 3 + ceilDiv(pairs, stripes);
  const basis = vectors ? ceilDiv(pairs, lanes / stripes) * (1 + ceilDiv(ceilDiv(n, 4), stripes)) : 0;
  return 1 + ceilDiv(pairs, lanes) + blocks + basis;
}

/**
 * Input 0: a f32[batch, n, n], lower triangle read. Outputs: 0 values f32[batch, n]; 1 status u32[batch, STATUS_WORDS]; 2 with `vectors`
 * f32[batch, n, n], eigenvectors as columns; status word 3 is then the residual ‖AV − V·diag(λ)‖_F/‖A‖_F, otherwise 0.
 */
export function eighCalls(shape: EighShape, target: Target): readonly KernelCall[] {
  const solve = shape.n <= ONE_WORKGROUP_ORDER ? oneWorkgroup(shape, target) : blocked(shape, target);
  return shape.vectors ? [...solve, ...residual(shape)] : solve;
}

function oneWorkgroup({ n, batch, vectors, order }: EighShape, { isSoftware }: Target): readonly KernelCall[] {
  const even = n + (n % 2);
  return [
    {
      kernel: jacobiEigh,
      knobs: { ...eighKnobs(n, vectors, isSoftware), ASCENDING: order === "ascending" },
      params: { batch, n },
      bindings: {
        a: INPUT,
        work: scratch("work", batch * even * even),
        basis: vectors ? scratch("basis", batch * n * 4 * ceilDiv(n, 4)) : UNUSED,
        values: VALUES,
        // Two bindings that are written may not share the unused buffer.
        vectors: vectors ? VECTORS : scratch("none", 4),
        status: STATUS,
      },
    },
  ];
}

function blocked({ n, batch, vectors, order }: EighShape, target: Target): readonly KernelCall[] {
  const padded = ceilDiv(n, TILE) * TILE;
  const pairs = padded / TILE;
  const blocks = 2 * pairs;
  const quads = padded / 4;
  const parts = Math.min(16, ceilDiv(n, TILE));
  const work = scratch("work", batch * padded * padded);
  const basis = vectors ? scratch("basis", batch * padded * padded) : UNUSED;
  const state = scratch("state", batch * STATUS_WORDS);
  const counters = scratch("counters", batch * pairs * 2);
  const rotations = scratch("rotations", batch * pairs * TILE * TILE);
  const partial = scratch("partial", batch * parts * 2);
  const source = scratch("source", batch * n);
  const isShared = !target.isSoftware;
  const tileKnobs = target.isSoftware ? { ROWS: 16, QUADS: 2, WG: 8 } : { ROWS: 8, QUADS: 1, WG: 32 };
  const rowKnobs = target.isSoftware ? { ROWS: 16, QUADS: 2, WG: 8 } : { ROWS: 8, QUADS: 1, WG: 64 };
  // Skipped dispatches are to be short on software adapters, where a workgroup with barriers costs by the registers that live across
  // them: 9 µs (block_rows_rotate), 12 (block_pair_solve), 17 (block_tile_rotate, of which there are fewer).
  const groupsFor = (items: number, iterations: number, wanted: number): number =>
    target.isSoftware
      ? Math.min(items, Math.max(ceilDiv(wanted, batch), ceilDiv(items * iterations, LANE_ITERATIONS)))
      : Math.min(items, 4096);
  const strips = ceilDiv(quads, (rowKnobs.WG * rowKnobs.ROWS * rowKnobs.QUADS) / TILE);
  const pairGroups = groupsFor(pairs, PAIR_ITERATIONS, SOFTWARE_GROUPS);
  const tileGroups = groupsFor((pairs * (pairs - 1)) / 2, TILE + 8 + 1, SOFTWARE_GROUPS / 2);
  const stripGroups = groupsFor(pairs * strips, TILE + 1, SOFTWARE_GROUPS);
  const calls: KernelCall[] = [
    { kernel: eighRange, knobs: {}, params: { batch, n, parts }, bindings: { a: INPUT, partial } },
    {
      kernel: eighPrepare,
      knobs: { VECTORS: vectors },
      params: { batch, n, quads, parts, counter_words: pairs * 2 },
      bindings: { a: INPUT, partial, work, basis, counters, state },
    },
  ];
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    for (let round = 0; round + 1 < blocks; round++) {
      calls.push(
        {
          kernel: blockPairSolve,
          // Pairs within a block are visited once a sweep, in its first round.
          knobs: { WG: isShared ? 128 : 8, SHARED: isShared, CROSS: round > 0 },
          params: { batch, n: padded, blocks, round, groups: pairGroups },
          bindings: {
            state,
            matrix: work,
            tile: UNUSED,
            rotations,
            counters,
          },
        },
        {
          kernel: blockTileRotate,
          knobs: tileKnobs,
          params: { batch, n: padded, blocks, round, groups: tileGroups },
          bindings: { state, counters, rotations, matrix: work },
        },
      );
      if (vectors) {
        calls.push({
          kernel: blockRowsRotate,
          knobs: rowKnobs,
          params: { batch, row_quads: quads, blocks, round, groups: stripGroups },
          bindings: { state, counters, rotations, rows: basis },
        });
      }
    }
    calls.push({
      kernel: blockSweepEnd,
      knobs: {},
      params: { batch, pairs, max_sweeps: MAX_SWEEPS },
      bindings: { counters, state },
    });
  }
  calls.push(
    { kernel: eighOffNorm, knobs: {}, params: { batch, n: padded, parts }, bindings: { work, partial } },
    {
      kernel: eighOrder,
      knobs: {},
      params: { batch, n, stride: padded, parts, ascending: order === "ascending" ? 1 : 0 },
      bindings: { work, state, partial, values: VALUES, source, status: STATUS },
    },
  );
  if (vectors) {
    calls.push({
      kernel: eighVectors,
      knobs: {},
      params: { batch, n, stride: padded },
      bindings: { basis, source, vectors: VECTORS },
    });
  }
  return calls;
}

/** ‖AV − V·diag(λ)‖_F/‖A‖_F into the status, in dispatches of bounded length. */
function residual({ n, batch }: EighShape): readonly KernelCall[] {
  const step = 64 * Math.max(1, Math.floor(DISPATCH_FLOPS / (2 * n * n * batch * 64)));
  const chunks = ceilDiv(n, step);
  const across = ceilDiv(n, 32);
  const parts = across * ceilDiv(n, 64);
  const partial = scratch("residuals", batch * parts);
  const sums = Array.from(
    { length: chunks },
    (_, chunk): KernelCall => ({
      kernel: eighResidual,
      knobs: {},
      params: {
        batch,
        n,
        rows: Math.min(step, n - chunk * step),
        row_start: chunk * step,
        part_start: (chunk * step * across) / 64,
        parts,
      },
      bindings: { a: INPUT, values: VALUES, vectors: VECTORS, partial },
    }),
  );
  return [
    ...sums,
    {
      kernel: eighResidualEnd,
      knobs: {},
      params: { batch, n, parts },
      bindings: { partial, values: VALUES, status: STATUS },
    },
  ];
}
