/** Kernels that work row by row: l2_normalize, cosine_rows, distance_contrast and their cotangents. */
import { describe, expect, it } from "vitest";
import {
  cosineRows,
  cosineRowsGrad,
  distanceContrast,
  distanceContrastGrad,
  l2Normalize,
  l2NormalizeGrad,
} from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { absolute } from "../oracle/elementwise.ts";
import * as oracle from "../oracle/sslKernels.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { unwritten } from "./runF32.ts";

const engine = useEngine();
const maxOf = (values: ArrayLike<number>): number => Math.max(...Array.from(values, Math.abs));

describe("l2_normalize", () => {
  const run = async (x: Float32Array, size: oracle.RowSize, mode: number, epsilon: number, knobs = {}, offset = 0) => {
    const results = await runKernel(engine(), l2Normalize, {
      buffers: { x, y: unwritten(size.rows * size.stride), stats: unwritten(2 * size.rows) },
      params: { ...size, x_offset: offset, epsilon },
      knobs: { WG: 16, LANES: 1, MODE: mode, ...knobs },
      read: ["y", "stats"],
    });
    return results as { y: Float32Array; stats: Float32Array };
  };
  // Squares and their sum, halved by the root; root, quotient and product: header.
  const check = async (x: Float32Array, size: oracle.RowSize, mode: number, epsilon: number, knobs = {}) => {
    const results = await run(x, size, mode, Math.fround(epsilon), knobs);
    const reference = oracle.l2Normalize(x, size, mode, Math.fround(epsilon));
    const factor = gamma(size.columns / 2 + 11);
    expect(results.y).toMatchOracle(reference.y, { factor, scale: absolute(reference.y) });
    expect(results.stats).toMatchOracle(reference.stats, { factor, scale: absolute(reference.stats) });
  };

  for (const [mode, epsilon] of [
    [0, 1e-12],
    [0, 2],
    [1, 1e-8],
    [1, 3],
    [2, 1e-4],
    [2, 0.5],
    [3, 1],
    [3, 2.5],
  ] as const) {
    it(`mode ${mode}, ε = ${epsilon}`, async () => {
      const random = new TestRandom(mode + 1);
      for (const [rows, columns, stride] of [
        [1, 1, 4],
        [5, 3, 4],
        [17, 8, 8],
        [9, 13, 13],
      ] as const) {
        await check(random.normals(rows * columns), { rows, columns, stride }, mode, epsilon);
      }
    });
  }

  it("rows of very different length, and lanes of 1, 4 and 16 in workgroups of 16 and 64", async () => {
    const random = new TestRandom(5);
    const size = { rows: 21, columns: 19, stride: 20 };
    const x = random.normals(21 * 19).map((value, at) => value * 10 ** ((Math.floor(at / 19) % 13) - 6));
    for (const knobs of [{}, { LANES: 4 }, { LANES: 16 }, { WG: 64, LANES: 16 }]) await check(x, size, 0, 1e-12, knobs);
  });

  it("zero rows stay zero in all modes", async () => {
    for (const mode of [0, 1, 2, 3]) {
      const { y } = await run(new Float32Array(12), { rows: 3, columns: 4, stride: 4 }, mode, 0.5);
      expect([...y]).toEqual(Array(12).fill(0));
    }
  });

  it("starts at any element", async () => {
    const random = new TestRandom(6);
    const size = { rows: 5, columns: 3, stride: 4 };
    const x = random.normals(15);
    const plain = await run(x, size, 0, 1e-12);
    const shifted = await run(Float32Array.of(7, 8, 9, ...x, 5), size, 0, 1e-12, {}, 3);
    expect([...shifted.y]).toEqual([...plain.y]);
  });
});

describe("l2_normalize_grad", () => {
  for (const LANES of [1, 4, 16]) {
    it(`${LANES} lanes a row`, async () => {
      const random = new TestRandom(LANES);
      for (const [rows, columns, stride] of [
        [1, 1, 4],
        [6, 3, 4],
        [18, 16, 16],
        [7, 13, 16],
      ] as const) {
        const [dY, y] = [random.normals(rows * stride), random.normals(rows * stride)];
        const stats = random.normals(2 * rows);
        const { d_x } = await runKernel(engine(), l2NormalizeGrad, {
          buffers: { d_y: dY, y, stats, d_x: unwritten(rows * columns) },
          params: { rows, columns, stride },
          knobs: { WG: 16, LANES },
          read: ["d_x"],
        });
        const size = { rows, columns, stride };
        const scale = oracle.l2NormalizeGrad(
          absolute(dY),
          absolute(y),
          absolute(stats).map((value, at) => (at % 2 === 1 ? -value : value)),
          size,
        );
        expect(d_x as Float32Array).toMatchOracle(oracle.l2NormalizeGrad(dY, y, stats, size), {
          factor: gamma(columns + 6),
          scale,
        });
      }
    });
  }
});

describe("cosine_rows and cosine_rows_grad", () => {
  const check = async (p: Float32Array, z: Float32Array, size: oracle.CosineSize, knobs = { WG: 16, LANES: 1 }) => {
    const { rows, columns } = size;
    const [offset, slope] = [Math.fround(-0.3), Math.fround(0.7)];
    const shared = { rows, columns, shift: size.shift, p_offset: 1, z_offset: 2 };
    const [pShifted, zShifted] = [Float32Array.of(9, ...p), Float32Array.of(9, 9, ...z)];
    const results = await runKernel(engine(), cosineRows, {
      buffers: { p: pShifted, z: zShifted, stats: unwritten(4 * rows), terms: unwritten(rows) },
      params: { ...shared, epsilon: size.epsilon, offset, slope },
      knobs,
      read: ["stats", "terms"],
    });
    const reference = oracle.cosineRows(p, z, size);
    // Two norms, then products of units at most 1: header's bound with Σ|p̂ − ẑ|(|p̂| + |ẑ|) ≤ 2.
    const factor = gamma(2 * columns + 16);
    const terms = reference.distances.map((distance) => offset + slope * distance);
    expect(results.terms as Float32Array).toMatchOracle(terms, { factor, scale: 3 });
    expect(results.stats as Float32Array).toMatchOracle(reference.stats, {
      factor,
      scale: reference.stats.map((value) => Math.max(1, Math.abs(value))),
    });
    const gradients = await runKernel(engine(), cosineRowsGrad, {
      buffers: {
        p: pShifted,
        z: zShifted,
        stats: results.stats!,
        d_p: unwritten(rows * columns),
        d_z: unwritten(rows * columns),
      },
      params: { ...shared, factor: slope },
      knobs: { WG: 16, BOTH: true },
      read: ["d_p", "d_z"],
    });
    const exact = oracle.cosineRowsGrad(p, z, results.stats as Float32Array, size, slope);
    // Units at most 1 and |κ| ≤ 1: two terms over the norm.
    const bound = { factor: gamma(8), scale: 2 * slope * maxOf(results.stats as Float32Array) };
    expect(gradients.d_p as Float32Array).toMatchOracle(exact.dP, bound);
    expect(gradients.d_z as Float32Array).toMatchOracle(exact.dZ, bound);
  };

  for (const [rows, columns, shift] of [
    [1, 1, 0],
    [6, 3, 3],
    [10, 17, 5],
    [19, 8, 4],
  ] as const) {
    it(`[${rows}, ${columns}], shift ${shift}`, async () => {
      const random = new TestRandom(rows);
      const [p, z] = [random.normals(rows * columns), random.normals(rows * columns)];
      await check(p, z, { rows, columns, shift, epsilon: 1e-12 });
      await check(p, z, { rows, columns, shift, epsilon: 1e-12 }, { WG: 64, LANES: 16 });
      await check(p, z, { rows, columns, shift, epsilon: 1.5 });
    });
  }

  it("nearly parallel rows: the distance keeps its digits", async () => {
    const random = new TestRandom(2);
    const [rows, columns] = [8, 6];
    const p = random.normals(rows * columns);
    const z = p.map((value) => 3 * value + 1e-3 * random.normal());
    const { terms } = await runKernel(engine(), cosineRows, {
      buffers: { p, z, stats: unwritten(4 * rows), terms: unwritten(rows) },
      params: { rows, columns, shift: 0, p_offset: 0, z_offset: 0, epsilon: 1e-12, offset: 0, slope: 1 },
      knobs: { WG: 16, LANES: 1 },
      read: ["terms"],
    });
    // An error common to all of p̂ moves the distance in second order only; each entry's own rounding is u of |p̂| against |p̂ − ẑ| ≈ 3e-4.
    const { distances } = oracle.cosineRows(p, z, { rows, columns, shift: 0, epsilon: 1e-12 });
    expect(terms as Float32Array).toMatchOracle(distances, {
      factor: 0,
      scale: 0,
      absolute: 4 * maxOf(distances) ** 0.5 * 2 ** -23,
    });
    expect(maxOf(distances)).toBeLessThan(1e-5);
  });
});

describe("distance_contrast and distance_contrast_grad", () => {
  const losses: readonly oracle.DistanceLoss[] = [
    { isLinear: true, inverseTemperature: 1, margin: 0, height: 1, beta: 0.25 },
    { isLinear: false, inverseTemperature: 2, margin: 0.25, height: 0.5, beta: 0 },
    { isLinear: false, inverseTemperature: 0.5, margin: 0, height: 1, beta: -0.5 },
  ];
  for (const loss of losses) {
    for (const negatives of loss.isLinear ? [1] : [1, 4]) {
      it(`${JSON.stringify(loss)}, ${negatives} negatives`, async () => {
        const random = new TestRandom(negatives);
        for (const [rows, columns] of [
          [1, 1],
          [5, 3],
          [35, 6],
        ] as const) {
          const size = { rows, columns, negatives };
          const anchor = random.normals(rows * columns);
          const positive = anchor.map((value) => value + 0.3 * random.normal());
          const others = random.normals(rows * negatives * columns);
          const results = await runKernel(engine(), distanceContrast, {
            buffers: {
              anchor,
              positive,
              negatives: others,
              slopes: unwritten(rows * (1 + negatives)),
              terms: unwritten(rows),
            },
            params: {
              rows,
              columns,
              negatives,
              inverse_temperature: loss.inverseTemperature,
              margin: loss.margin,
              height: loss.height,
              beta: loss.beta,
            },
            knobs: { WG: 16, LINEAR: loss.isLinear },
            read: ["slopes", "terms"],
          });
          const reference = oracle.distanceContrast(anchor, positive, others, size, loss);
          // Distances of at most R; an exponent's error is γ·2R/τ, a term's as much times the height.
          const reach = 2 * maxOf([...anchor, ...positive, ...others]) ** 2 * columns + 1;
          const factor = gamma(columns + negatives + 12);
          const steep = reach * Math.max(1, loss.inverseTemperature);
          expect(results.terms as Float32Array).toMatchOracle(reference.terms, { factor, scale: 2 * steep });
          expect(results.slopes as Float32Array).toMatchOracle(reference.slopes, {
            factor,
            scale: 2 * steep * Math.max(1, maxOf(reference.slopes)),
          });
          const gradients = await runKernel(engine(), distanceContrastGrad, {
            buffers: {
              anchor,
              positive,
              negatives: others,
              slopes: results.slopes!,
              d_anchor: unwritten(rows * columns),
              d_positive: unwritten(rows * columns),
              d_negatives: unwritten(rows * negatives * columns),
            },
            params: { rows, columns, negatives, factor: 0.125 },
            knobs: { WG: 16 },
            read: ["d_anchor", "d_positive", "d_negatives"],
          });
          const exact = oracle.distanceContrastGrad(
            anchor,
            positive,
            others,
            results.slopes as Float32Array,
            size,
            0.125,
          );
          const bound = {
            factor: gamma(negatives + 4),
            scale:
              (negatives + 1) * maxOf(results.slopes as Float32Array) * 2 * maxOf([...anchor, ...positive, ...others]),
          };
          expect(gradients.d_anchor as Float32Array).toMatchOracle(exact.dAnchor, bound);
          expect(gradients.d_positive as Float32Array).toMatchOracle(exact.dPositive, bound);
          expect(gradients.d_negatives as Float32Array).toMatchOracle(exact.dNegatives, bound);
        }
      });
    }
  }

  it("distances far apart neither overflow nor lose the loss", async () => {
    const run = async (near: number, far: number) => {
      const { terms, slopes } = await runKernel(engine(), distanceContrast, {
        buffers: {
          anchor: Float32Array.of(0),
          positive: Float32Array.of(Math.sqrt(2 * near)),
          negatives: Float32Array.of(Math.sqrt(2 * far)),
          slopes: unwritten(2),
          terms: unwritten(1),
        },
        params: { rows: 1, columns: 1, negatives: 1, inverse_temperature: 1, margin: 0, height: 1, beta: 0 },
        knobs: { WG: 16, LINEAR: false },
        read: ["terms", "slopes"],
      });
      return [(terms as Float32Array)[0]!, (slopes as Float32Array)[0]!];
    };
    const [high, steep] = await run(5000, 1);
    expect(high).toBeCloseTo(4999, 2);
    expect(steep).toBe(1);
    const [low, flat] = await run(1, 31);
    // e^-30 = 9.36e-14, far below u: formed as ln(1 + x) of a small x.
    expect(low! / Math.exp(-30)).toBeCloseTo(1, 4);
    expect(flat! / Math.exp(-30)).toBeCloseTo(1, 4);
  });
});
