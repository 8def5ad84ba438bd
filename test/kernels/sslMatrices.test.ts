/** Kernels over all pairs of rows and over second moments: similarity_*, matrix_penalty, barlow_columns, vicreg_*. */
import { describe, expect, it } from "vitest";
import {
  barlowColumns,
  matrixPenalty,
  similarityRows,
  similarityWeights,
  vicregColumns,
  vicregPull,
} from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { absolute } from "../oracle/elementwise.ts";
import * as oracle from "../oracle/sslKernels.ts";
import { useEngine } from "../support/device.ts";
import { gamma, U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { runF32, unwritten } from "./runF32.ts";

const engine = useEngine();

/** Unit rows [rows, stride], `columns` of them not zero. */
function unitRows(rows: number, columns: number, stride: number, random: TestRandom): Float32Array<ArrayBuffer> {
  const u = new Float32Array(rows * stride);
  for (let i = 0; i < rows; i++) {
    const x = random.normals(columns);
    const norm = Math.hypot(...x);
    x.forEach((value, j) => {
      u[i * stride + j] = value / norm;
    });
  }
  return u;
}

interface SimilarityCase {
  readonly name: string;
  readonly kind: number;
  readonly scale: number;
  readonly isAcross: boolean;
  readonly beta: number;
  readonly separate: boolean;
}
const SIMILARITIES: readonly SimilarityCase[] = [
  { name: "softmax, all pairs", kind: 0, scale: 2, isAcross: false, beta: 0, separate: false },
  { name: "softmax, all pairs, beta", kind: 0, scale: 10, isAcross: false, beta: 0.5, separate: false },
  { name: "softmax, across the views", kind: 0, scale: 5, isAcross: true, beta: 0, separate: false },
  { name: "covariance", kind: 1, scale: 1, isAcross: false, beta: 0.25, separate: false },
  { name: "covariance, weights of their own", kind: 1, scale: 1, isAcross: false, beta: 0, separate: true },
  { name: "spectral", kind: 2, scale: 1, isAcross: true, beta: 0, separate: false },
];

describe("similarity_rows and similarity_weights", () => {
  for (const testCase of SIMILARITIES) {
    const { name, kind, scale, isAcross, beta, separate } = testCase;
    for (const [pairs, d, rowKnobs, tileKnobs] of [
      [2, 3, { WG: 8, ROWS: 8 }, { WG_X: 2, WG_Y: 4, ROWS: 8 }],
      [13, 6, { WG: 4, ROWS: 2 }, { WG_X: 2, WG_Y: 2, ROWS: 2 }],
      [37, 9, { WG: 8, ROWS: 4 }, { WG_X: 4, WG_Y: 2, ROWS: 4 }],
    ] as const) {
      it(`${name}, ${pairs} pairs of ${d} dimensions`, async () => {
        const random = new TestRandom(pairs + kind);
        const stride = 4 * Math.ceil(d / 4);
        const weightStride = 4;
        const u = unitRows(2 * pairs, d, stride, random);
        const v = unitRows(pairs, 3, weightStride, random);
        const rows = isAcross ? pairs : 2 * pairs;
        const size: oracle.SimilaritySize = {
          pairs,
          columnStart: isAcross ? pairs : 0,
          columns: rows,
          stride,
          weightStride,
          scale,
          inverseTemperature: 3,
          negativeWeight: Math.fround(kind === 1 ? 3 / (2 * pairs - 2) : 1 / (pairs * (pairs - 1))),
          beta,
        };
        const params = {
          pairs,
          column_start: size.columnStart,
          columns: rows,
          quads: stride / 4,
          weight_quads: weightStride / 4,
          scale,
          inverse_temperature: size.inverseTemperature,
          negative_weight: size.negativeWeight,
          beta,
        };
        const results = await runKernel(engine(), similarityRows, {
          buffers: { u, v, stats: unwritten(4 * pairs), terms: unwritten(rows) },
          params: { ...params, rows },
          knobs: { ...rowKnobs, MODE: kind, SEPARATE_WEIGHTS: separate },
          read: ["stats", "terms"],
        });
        const reference = oracle.similarityRows(u, separate ? v : undefined, rows, kind, size);
        // Logits of at most `scale` with γ_{d+2}, in exponents and outside; then sums of `rows` terms over the lanes.
        const factor = gamma(d + 4 + rows / 4 + rowKnobs.WG + 12);
        const reach = 2 * Math.max(scale, size.inverseTemperature) + 2;
        expect(results.terms as Float32Array).toMatchOracle(reference.terms, { factor, scale: reach });
        expect((results.stats as Float32Array).subarray(0, 2 * rows)).toMatchOracle(reference.stats, {
          factor,
          scale: reach,
        });

        const stats = new Float32Array(4 * pairs);
        stats.set(Float32Array.from(reference.stats));
        const parts = isAcross
          ? [
              { rowStart: 0, columnStart: pairs, rowStat: true, columnStat: false },
              { rowStart: pairs, columnStart: 0, rowStat: false, columnStat: true },
            ]
          : [{ rowStart: 3, columnStart: 0, rowStat: true, columnStat: true }];
        for (const part of parts) {
          const height = isAcross ? pairs : 2 * pairs - part.rowStart;
          const weights = await runF32(
            engine(),
            similarityWeights,
            {
              buffers: { u, v, stats, w: unwritten(height * rows) },
              params: {
                ...params,
                column_start: part.columnStart,
                row_start: part.rowStart,
                rows: height,
                factor: 0.5,
              },
              knobs: {
                ...tileKnobs,
                MODE: kind,
                SEPARATE_WEIGHTS: separate,
                ROW_STAT: part.rowStat,
                COLUMN_STAT: part.columnStat,
              },
            },
            "w",
          );
          const exact = oracle.similarityWeights(
            u,
            separate ? v : undefined,
            stats,
            kind,
            { ...size, columnStart: part.columnStart },
            { ...part, rows: height, factor: 0.5 },
          );
          // An exponential's relative error is its argument's absolute one: γ_{d+2}·scale and u·|λ|.
          expect(weights).toMatchOracle(exact, {
            factor: gamma(d + 12) * (reach + 4),
            scale: absolute(exact).map((value) => value + (kind === 2 ? size.negativeWeight : 0)),
          });
        }
      });
    }
  }

  it("softmax of nearly equal views at a small temperature: the loss keeps its digits", async () => {
    const random = new TestRandom(4);
    const [pairs, d] = [6, 4];
    const first = unitRows(pairs, d, 4, random);
    const u = Float32Array.of(...first, ...first);
    const run = await runF32(
      engine(),
      similarityRows,
      {
        buffers: { u, v: new Float32Array(4), stats: unwritten(24), terms: unwritten(12) },
        params: {
          pairs,
          rows: 12,
          column_start: 0,
          columns: 12,
          quads: 1,
          weight_quads: 0,
          scale: 40,
          inverse_temperature: 0,
          negative_weight: 0,
          beta: 0,
        },
        knobs: { WG: 8, ROWS: 8, MODE: 0 },
      },
      "terms",
    );
    const { terms } = oracle.similarityRows(u, undefined, 12, 0, {
      pairs,
      columnStart: 0,
      columns: 12,
      stride: 4,
      weightStride: 0,
      scale: 40,
      inverseTemperature: 0,
      negativeWeight: 0,
      beta: 0,
    });
    expect(Math.min(...terms)).toBeLessThan(1e-4);
    // Relative: logits of 40 with γ_6 each in the exponents.
    expect(run).toMatchOracle(terms, { factor: 2 * 40 * gamma(6) + gamma(30), scale: terms });
  });
});

describe("matrix_penalty", () => {
  for (const [batch, n, span, WG] of [
    [1, 1, 64, 16],
    [1, 5, 64, 16],
    [2, 7, 32, 16],
    [3, 12, 100, 64],
  ] as const) {
    for (const withTerms of [false, true]) {
      it(`${batch} of ${n} × ${n} in parts of ${span}, terms: ${withTerms}`, async () => {
        const random = new TestRandom(n);
        const count = batch * n * n;
        const [c, terms, shortfall] = [random.normals(count), random.normals(9), random.normals(n)];
        const weights = { diagonal: Math.fround(0.7), target: 1, offDiagonal: Math.fround(0.03) };
        for (const withShortfall of batch === 1 ? [false, true] : [false]) {
          const results = await runKernel(engine(), matrixPenalty, {
            buffers: { c, terms, shortfall, residual: unwritten(count), partial: unwritten(Math.ceil(count / span)) },
            params: {
              n,
              count,
              span,
              term_count: 9,
              diagonal: weights.diagonal,
              target_value: weights.target,
              off_diagonal: weights.offDiagonal,
            },
            knobs: { WG, HAS_TERMS: withTerms, HAS_SHORTFALL: withShortfall },
            read: ["residual", "partial"],
          });
          const extra = { ...(withTerms ? { terms } : {}), ...(withShortfall ? { shortfall } : {}) };
          const reference = oracle.matrixPenalty(c, n, weights, extra);
          const loss = (results.partial as Float32Array).reduce((sum, value) => sum + value, 0);
          const absoluteTerms = Array.from(terms, Math.abs).reduce((sum, value) => sum + value, 0);
          expect(results.residual as Float32Array).toMatchOracle(reference.residual, {
            factor: gamma(2),
            scale: absolute(reference.residual).map((value) => value + weights.diagonal),
          });
          expect([loss]).toMatchOracle([reference.loss], {
            factor: gamma(Math.ceil(span / WG) + Math.log2(WG) + 5),
            scale: reference.loss + 2 * absoluteTerms,
          });
        }
      });
    }
  }
});

const SHAPES = [
  [2, 1],
  [5, 3],
  [37, 4],
  [20, 21],
] as const;
const COLUMN_KNOBS = [
  { WG: 16, COLUMNS: 4 },
  { WG: 64, COLUMNS: 16 },
];

describe("barlow_columns", () => {
  for (const knobs of COLUMN_KNOBS) {
    it(`workgroups ${JSON.stringify(knobs)}`, async () => {
      const random = new TestRandom(knobs.WG);
      for (const [rows, columns] of SHAPES) {
        const z = random.normals(2 * rows * columns);
        const results = await runKernel(engine(), barlowColumns, {
          buffers: {
            z,
            y: unwritten(2 * rows * columns),
            inverse_std: unwritten(2 * columns),
            shortfall: unwritten(columns),
          },
          params: { rows, columns, epsilon: 2 ** -10 },
          knobs,
          read: ["y", "inverse_std", "shortfall"],
        });
        const reference = oracle.barlowColumns(z, rows, columns, 2 ** -10);
        // The mean's error γ·mean|z| against deviations of about |z|; two columns of two rows may be close, hence the inverse deviation.
        const steep = Math.max(...reference.inverseStd, 1);
        const factor = gamma(Math.ceil(rows / (knobs.WG / knobs.COLUMNS)) + 20) * 4 * steep * steep;
        expect(results.y as Float32Array).toMatchOracle(reference.y, { factor, scale: 1 });
        expect(results.inverse_std as Float32Array).toMatchOracle(reference.inverseStd, { factor, scale: steep });
        expect(results.shortfall as Float32Array).toMatchOracle(reference.shortfall, { factor, scale: 4 });
      }
    });
  }

  it("nearly equal views: the shortfall keeps its digits", async () => {
    const random = new TestRandom(3);
    const [rows, columns] = [32, 5];
    const a = random.normals(rows * columns);
    const z = Float32Array.of(...a, ...a.map((value) => 2 * value + 1e-3 * random.normal()));
    const shortfall = await runF32(
      engine(),
      barlowColumns,
      {
        buffers: {
          z,
          y: unwritten(2 * rows * columns),
          inverse_std: unwritten(2 * columns),
          shortfall: unwritten(columns),
        },
        params: { rows, columns, epsilon: 2 ** -30 },
        knobs: { WG: 16, COLUMNS: 4 },
      },
      "shortfall",
    );
    const expected = oracle.barlowColumns(z, rows, columns, 2 ** -30).shortfall;
    expect(Math.max(...expected)).toBeLessThan(1e-6);
    // 1 − C by subtraction would be off by u; each y's own rounding moves Σ(y₀ − y₁)² by 2u·|y|·√(2·shortfall) at most.
    const scale = expected.map((value) => Math.sqrt(2 * value));
    expect(shortfall).toMatchOracle(expected, { factor: 8 * U, scale });
    expect(8 * U * Math.max(...scale)).toBeLessThan(0.01 * U);
  });
});

describe("vicreg_columns and vicreg_pull", () => {
  for (const knobs of COLUMN_KNOBS) {
    it(`workgroups ${JSON.stringify(knobs)}`, async () => {
      const random = new TestRandom(knobs.WG + 1);
      for (const [rows, columns] of SHAPES) {
        // Some columns beyond the hinge, some below.
        const z = random.normals(2 * rows * columns).map((value, at) => value * ((at % columns) % 2 === 0 ? 0.5 : 2.5));
        const weights = { epsilon: 2 ** -10, invariance: Math.fround(0.3), variance: Math.fround(1.7) };
        const results = await runKernel(engine(), vicregColumns, {
          buffers: {
            z,
            centered: unwritten(2 * rows * columns),
            slope: unwritten(2 * columns),
            terms: unwritten(columns),
          },
          params: { rows, columns, ...weights },
          knobs,
          read: ["centered", "slope", "terms"],
        });
        const reference = oracle.vicregColumns(z, rows, columns, weights);
        const largest = Math.max(...Array.from(z, Math.abs));
        const factor = gamma(Math.ceil(rows / (knobs.WG / knobs.COLUMNS)) + 20);
        expect(results.centered as Float32Array).toMatchOracle(reference.centered, { factor, scale: largest });
        // The slope is 1/std of at least √ε; deviations below √ε carry the mean's error.
        expect(results.slope as Float32Array).toMatchOracle(reference.slope, {
          factor: factor * 32,
          scale: absolute(reference.slope).map((value) => value * (1 + largest)),
        });
        expect(results.terms as Float32Array).toMatchOracle(reference.terms, {
          factor,
          scale: reference.terms.map((value) => value + 4 * weights.variance * (1 + largest)),
        });
        const pull = await runF32(
          engine(),
          vicregPull,
          {
            buffers: {
              z,
              centered: results.centered!,
              slope: results.slope!,
              e: unwritten(2 * rows * columns),
            },
            params: { count: rows * columns, columns, invariance: weights.invariance },
            knobs: { WG: 16 },
          },
          "e",
        );
        const slope = results.slope as Float32Array;
        const centered = results.centered as Float32Array;
        expect(pull).toMatchOracle(oracle.vicregPull(z, centered, slope, columns, weights.invariance), {
          factor: gamma(4),
          scale: 4 * weights.invariance * largest + Math.max(...absolute(slope)) * Math.max(...absolute(centered)),
        });
      }
    });
  }

  it("a constant output: the hinge at its steepest, no division by zero", async () => {
    const { slope, terms } = await runKernel(engine(), vicregColumns, {
      buffers: { z: new Float32Array(16).fill(3), centered: unwritten(16), slope: unwritten(4), terms: unwritten(2) },
      params: { rows: 4, columns: 2, epsilon: 1e-4, invariance: 1, variance: 1 },
      knobs: { WG: 16, COLUMNS: 4 },
      read: ["slope", "terms"],
    });
    expect(slope as Float32Array).toMatchOracle(Array(4).fill(-1 / (3 * 0.01)), { factor: 1e-6, scale: 34 });
    expect(terms as Float32Array).toMatchOracle([1.98, 1.98], { factor: 1e-6, scale: 2 });
  });
});
