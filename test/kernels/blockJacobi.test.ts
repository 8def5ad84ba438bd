/** The four kernels of a round of block Jacobi, each by itself: block_pair_solve, block_tile_rotate, block_rows_rotate, block_sweep_end. */
import { describe, expect, it } from "vitest";
import { blockPairSolve, blockRowsRotate, blockSweepEnd, blockTileRotate } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { pairRows, rotateRows, solveTile, transpose } from "../oracle/blockJacobi.ts";
import { useEngine } from "../support/device.ts";
import { gamma, U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { bitsOf } from "./runF32.ts";

const engine = useEngine();
const TOLERANCE = 2 ** -25;
const UNTOUCHED = -12345;

function symmetric(n: number, seed: number): Float32Array {
  const source = new TestRandom(seed);
  const a = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = source.normal() + (i === j ? (i % 7) - 3 : 0);
  }
  return a;
}

/** Tile of a symmetric [n, n] matrix at some rows and columns. */
const tileOf = (a: ArrayLike<number>, n: number, rows: readonly number[], columns = rows): number[][] =>
  rows.map((r) => columns.map((c) => a[r * n + c]!));

const state = (batch: number, finished: readonly number[] = []) =>
  Uint32Array.from({ length: 4 * batch }, (_, at) => (at % 4 === 2 && finished.includes(at >> 2) ? 1 : 0));

interface Solve {
  readonly n: number;
  readonly batch?: number;
  readonly round?: number;
  readonly groups?: number;
  readonly knobs?: Record<string, number | boolean>;
  readonly finished?: readonly number[];
}

/** block_pair_solve on matrices, or on Gram tiles when `tiles` are given. */
async function pairSolve(data: Float32Array, { n, batch = 1, round = 0, groups, knobs = {}, finished = [] }: Solve) {
  const pairs = n / 32;
  const isGram = knobs.GRAM === true;
  const result = await runKernel(engine(), blockPairSolve, {
    buffers: {
      state: state(batch, finished),
      matrix: isGram ? new Float32Array(4) : data,
      tile: isGram ? data : new Float32Array(4),
      rotations: new Float32Array(batch * pairs * 1024).fill(UNTOUCHED),
      counters: new Uint32Array(batch * pairs * 2).fill(5),
    },
    params: { batch, n, blocks: n / 16, round, groups: groups ?? pairs },
    knobs,
    read: ["matrix", "rotations", "counters"],
  });
  return result as { matrix: Float32Array; rotations: Float32Array; counters: Uint32Array };
}

describe("block_pair_solve", () => {
  const VARIANTS = [
    { SHARED: true, WG: 64 },
    { SHARED: true, WG: 128 },
    { SHARED: false, WG: 8 },
    { SHARED: false, WG: 16 },
  ];
  for (const CROSS of [false, true]) {
    it(`turns the tiles as float64 does (CROSS ${CROSS}), the same bits in every memory and workgroup`, async () => {
      const n = 96;
      const a = symmetric(n, 1);
      const reference = await pairSolve(a, { n, round: 3, knobs: { CROSS, ...VARIANTS[0] } });
      const expected = Float64Array.from(a);
      for (let pair = 0; pair < 3; pair++) {
        const rows = pairRows(pair, 3, 6);
        const solved = solveTile(tileOf(a, n, rows).flat(), CROSS, TOLERANCE);
        const p = reference.rotations.subarray(1024 * pair, 1024 * (pair + 1));
        // At most 496 rotations, each of a few roundings relative to entries of at most 1; sums of about √31 of them meet an element.
        for (let at = 0; at < 1024; at++) {
          expect(Math.abs(p[at]! + (at % 33 === 0 ? 1 : 0) - solved.q[at]!)).toBeLessThanOrEqual(400 * U);
        }
        expect(reference.counters.slice(2 * pair, 2 * pair + 2)).toEqual(
          Uint32Array.of(5 + solved.count, solved.count),
        );
        rows.forEach((r, i) => {
          rows.forEach((c, j) => {
            expected[r * n + c] = solved.tile[i * 32 + j]!;
          });
        });
      }
      // Norm of a tile about 32·4.
      for (let at = 0; at < n * n; at++) {
        expect(Math.abs(reference.matrix[at]! - expected[at]!)).toBeLessThanOrEqual(400 * U * 30);
      }
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < i; j++) expect(reference.matrix[i * n + j]).toBe(reference.matrix[j * n + i]);
      }
      for (const knobs of VARIANTS.slice(1)) {
        for (const groups of [1, 3]) {
          const other = await pairSolve(a, { n, round: 3, groups, knobs: { CROSS, ...knobs } });
          expect(bitsOf(other.rotations), JSON.stringify(knobs)).toEqual(bitsOf(reference.rotations));
          expect(bitsOf(other.matrix), JSON.stringify(knobs)).toEqual(bitsOf(reference.matrix));
          expect(other.counters).toEqual(reference.counters);
        }
      }
    });
  }

  it("Gram tiles: the same rotations from tiles alone, lower triangle read", async () => {
    const n = 64;
    const a = symmetric(n, 2);
    const tiles = Float32Array.from(
      [0, 1].flatMap((pair) =>
        tileOf(a, n, pairRows(pair, 1, 4)).flatMap((row, r) => row.map((entry, c) => (c > r ? 1e30 : entry))),
      ),
    );
    const fromMatrix = await pairSolve(a, { n, round: 1, knobs: { SHARED: true } });
    for (const knobs of [
      { SHARED: true, WG: 64 },
      { SHARED: false, WG: 8 },
    ]) {
      const fromTiles = await pairSolve(tiles, { n, round: 1, knobs: { GRAM: true, ...knobs } });
      expect(bitsOf(fromTiles.rotations)).toEqual(bitsOf(fromMatrix.rotations));
      expect(fromTiles.counters).toEqual(fromMatrix.counters);
    }
  });

  it("small rotations keep their digits in P", async () => {
    // Diagonal far apart, entries of 1e-7 … 1e-6: cosines are 1 to the last bit, yet P's diagonal, −θ²/2, is not 0.
    const n = 32;
    const source = new TestRandom(3);
    const a = new Float32Array(n * n);
    for (let i = 0; i < n; i++) {
      a[i * n + i] = i + 1;
      for (let j = 0; j < i; j++) a[i * n + j] = a[j * n + i] = 1e-6 * source.normal();
    }
    const { q } = solveTile(a, false, TOLERANCE);
    for (const knobs of [{ SHARED: true }, { SHARED: false, WG: 8 }]) {
      const { rotations } = await pairSolve(a, { n, knobs });
      for (let at = 0; at < 1024; at++) {
        const exact = at % 33 === 0 ? -0.5 * rowSquares(q, at / 33) : q[at]!;
        expect(Math.abs(rotations[at]! - exact)).toBeLessThanOrEqual(1e-4 * Math.abs(exact) + 1e-18);
        if (at % 33 === 0) expect(rotations[at]).not.toBe(0);
      }
    }
  });

  it("below the threshold nothing turns; finished matrices are left alone; the others of the batch are not", async () => {
    const n = 32;
    const diagonal = Float32Array.from({ length: n * n }, (_, at) => (at % 33 === 0 ? 1 + at : 0));
    diagonal[33 * 5 + 1] = diagonal[33 * 6 - 1] = 2 ** -25 * 100;
    const a = Float32Array.from([...symmetric(n, 4), ...diagonal, ...symmetric(n, 5)]);
    for (const knobs of [{ SHARED: true }, { SHARED: false, WG: 8 }]) {
      const result = await pairSolve(a, { n, batch: 3, finished: [0], knobs });
      expect([...result.counters.slice(0, 4)]).toEqual([5, 5, 5, 0]);
      expect(result.counters[5]).toBeGreaterThan(400);
      expect(result.rotations.slice(0, 1024).every((entry) => entry === UNTOUCHED)).toBe(true);
      expect(bitsOf(result.matrix.slice(0, 2048))).toEqual(bitsOf(a.slice(0, 2048)));
      expect(bitsOf(result.matrix.slice(2048))).not.toEqual(bitsOf(a.slice(2048)));
    }
  });
});

/** Σ_{k≠j} q_kj², which is 2(1 − q_jj) to second order. */
function rowSquares(q: Float64Array, j: number): number {
  let sum = 0;
  for (let k = 0; k < 32; k++) sum += k === j ? 0 : q[k * 32 + j]! ** 2;
  return sum;
}

/** Orthogonal Q − I of each pair, and counters of which the given pairs did not turn. */
function someRotations(count: number, resting: readonly number[] = []) {
  const rotations = new Float32Array(count * 1024);
  for (let pair = 0; pair < count; pair++) {
    const { q } = solveTile(symmetric(32, 100 + pair), false, TOLERANCE);
    // What resting pairs hold is stale and must not be used.
    rotations.set(
      resting.includes(pair) ? q.map(() => 1e30) : q.map((x, at) => x - (at % 33 === 0 ? 1 : 0)),
      1024 * pair,
    );
  }
  return {
    rotations,
    counters: Uint32Array.from({ length: 2 * count }, (_, at) => (at % 2 && !resting.includes(at >> 1) ? 7 : 0)),
  };
}

const rotationsOf = ({ rotations }: { rotations: Float32Array }, pair: number, resting: readonly number[]) =>
  resting.includes(pair) ? new Float32Array(1024) : rotations.subarray(1024 * pair, 1024 * (pair + 1));

describe("block_tile_rotate", () => {
  for (const n of [64, 96, 128]) {
    it(`Q_iᵀ T Q_j on every tile off the diagonal, n = ${n}`, async () => {
      const [pairs, batch, round] = [n / 32, 2, 2];
      const resting = n === 64 ? [] : [1, 2, pairs];
      const matrices = [symmetric(n, 6), symmetric(n, 7)];
      const given = someRotations(batch * pairs, resting);
      const results: Float32Array[] = [];
      for (const [knobs, groups] of [
        [{ WG: 8, ROWS: 16, QUADS: 2 }, 1],
        [{ WG: 32, ROWS: 8, QUADS: 1 }, 99],
        [{ WG: 16, ROWS: 16, QUADS: 1 }, 2],
      ] as const) {
        const { matrix } = await runKernel(engine(), blockTileRotate, {
          buffers: { state: state(batch), ...given, matrix: Float32Array.from(matrices.flatMap((a) => [...a])) },
          params: { batch, n, blocks: n / 16, round, groups },
          knobs,
          read: ["matrix"],
        });
        results.push(matrix as Float32Array);
      }
      for (const other of results.slice(1)) expect(bitsOf(other)).toEqual(bitsOf(results[0]!));
      matrices.forEach((a, g) => {
        const result = results[0]!.subarray(g * n * n, (g + 1) * n * n);
        for (let i = 0; i < pairs; i++) {
          for (let j = 0; j < pairs; j++) {
            const [rows, columns] = [pairRows(i, round, 2 * pairs), pairRows(j, round, 2 * pairs)];
            const t = tileOf(a, n, rows, columns);
            const actual = tileOf(result, n, rows, columns);
            if (i === j) {
              expect(actual).toEqual(t);
              continue;
            }
            const left = rotateRows(rotationsOf(given, g * pairs + i, resting), t);
            const right = rotateRows(rotationsOf(given, g * pairs + j, resting), transpose(left.y));
            const leftSums = transpose(left.sums);
            // Errors of the first product, u·|T'| + γ_33·Σ|P||T|, go through the second one (row sums of |I + P| at most 7), which adds its own.
            for (let r = 0; r < 32; r++) {
              for (let c = 0; c < 32; c++) {
                const worst = Math.max(...leftSums.map((column) => column[r]!)) + Math.max(...t[r]!.map(Math.abs));
                const bound = gamma(33) * (right.sums[c]![r]! + Math.abs(right.y[c]![r]!) + 7 * worst);
                expect(Math.abs(actual[r]![c]! - right.y[c]![r]!)).toBeLessThanOrEqual(bound);
              }
            }
          }
        }
        for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) expect(result[i * n + j]).toBe(result[j * n + i]);
      });
    });
  }

  it("leaves a finished matrix alone", async () => {
    const a = symmetric(64, 8);
    const { matrix } = await runKernel(engine(), blockTileRotate, {
      buffers: { state: state(1, [0]), ...someRotations(2), matrix: a },
      params: { batch: 1, n: 64, blocks: 4, round: 0, groups: 1 },
      knobs: { WG: 16 },
      read: ["matrix"],
    });
    expect(bitsOf(matrix as Float32Array)).toEqual(bitsOf(a));
  });
});

describe("block_rows_rotate", () => {
  for (const length of [8, 64, 104]) {
    it(`X + PᵀX on the rows of every pair, rows of ${length}`, async () => {
      const [count, batch, round] = [96, 2, 4];
      const pairs = count / 32;
      const resting = [1, pairs + 2];
      const given = someRotations(batch * pairs, resting);
      const source = new TestRandom(length);
      const rows = source.normals(batch * count * length);
      const results: Float32Array[] = [];
      for (const [knobs, groups] of [
        [{ WG: 8, ROWS: 16, QUADS: 2 }, 1],
        [{ WG: 64, ROWS: 8, QUADS: 1 }, 5],
        [{ WG: 16, ROWS: 16, QUADS: 1 }, 99],
      ] as const) {
        const result = await runKernel(engine(), blockRowsRotate, {
          buffers: { state: state(batch), ...given, rows },
          params: { batch, row_quads: length / 4, blocks: count / 16, round, groups },
          knobs,
          read: ["rows"],
        });
        results.push(result.rows as Float32Array);
      }
      for (const other of results.slice(1)) expect(bitsOf(other)).toEqual(bitsOf(results[0]!));
      const rowOf = (x: Float32Array, g: number, r: number) => [
        ...x.subarray((g * count + r) * length).subarray(0, length),
      ];
      for (let g = 0; g < batch; g++) {
        for (let pair = 0; pair < pairs; pair++) {
          const indices = pairRows(pair, round, 2 * pairs);
          const { y, sums } = rotateRows(
            rotationsOf(given, g * pairs + pair, resting),
            indices.map((r) => rowOf(rows, g, r)),
          );
          indices.forEach((r, i) => {
            rowOf(results[0]!, g, r).forEach((value, c) => {
              const bound = 2 * U * Math.abs(y[i]![c]!) + gamma(33) * sums[i]![c]!;
              expect(Math.abs(value - y[i]![c]!)).toBeLessThanOrEqual(bound);
            });
          });
        }
      }
    });
  }

  it("leaves a finished matrix alone", async () => {
    const rows = new TestRandom(9).normals(32 * 8);
    const result = await runKernel(engine(), blockRowsRotate, {
      buffers: { state: state(1, [0]), ...someRotations(1), rows },
      params: { batch: 1, row_quads: 2, blocks: 2, round: 0, groups: 1 },
      read: ["rows"],
    });
    expect(bitsOf(result.rows as Float32Array)).toEqual(bitsOf(rows));
  });
});

describe("block_sweep_end", () => {
  it("sums and clears the counters; ends after a sweep without an entry above the threshold, or after max_sweeps", async () => {
    // Matrices: finished before; no entry left; entries left; entries left in the last sweep; non-finite flag kept.
    const states = [
      [3, 0, 1, 11],
      [4, 0, 0, 12],
      [4, 0, 0, 13],
      [9, 0, 0, 14],
      [9, 1, 0, 15],
    ];
    const counters = [
      [1, 2, 3, 4],
      [0, 2, 0, 4],
      [0, 0, 1, 0],
      [6, 0, 0, 0],
      [0, 1, 0, 0],
    ];
    const result = await runKernel(engine(), blockSweepEnd, {
      buffers: { counters: Uint32Array.from(counters.flat()), state: Uint32Array.from(states.flat()) },
      params: { batch: 5, pairs: 2, max_sweeps: 10 },
      read: ["counters", "state"],
    });
    expect([...result.state!]).toEqual(
      [
        [3, 0, 1, 11],
        [5, 0, 1, 12],
        [5, 0, 0, 13],
        [10, 2, 1, 14],
        [10, 1, 1, 15],
      ].flat(),
    );
    expect([...result.counters!]).toEqual(
      [
        [1, 2, 3, 4],
        [0, 2, 0, 4],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 1, 0, 0],
      ].flat(),
    );
  });
});
