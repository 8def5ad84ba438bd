/** eigh_grad, symmetric_power and symmetric_power_grad against float64, for given decompositions. */
import { describe, expect, it } from "vitest";
import { eighGrad, symmetricPower, symmetricPowerGrad } from "../../src/kernels/library.ts";
import * as gradOracle from "../oracle/eighGrad.ts";
import { absolute } from "../oracle/elementwise.ts";
import * as powerOracle from "../oracle/symmetricPower.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { runF32, unwritten } from "./runF32.ts";

const engine = useEngine();
const SIZES = [1, 2, 3, 4, 5, 9, 33];

/** Descending, over four decades, the first two equal. */
function eigenvalues(n: number, random: TestRandom): Float32Array {
  const values = Float32Array.from({ length: n }, () => 10 ** (-4 * random.uniform()))
    .sort()
    .reverse();
  if (n > 2) values[1] = values[0]!;
  return values;
}

function slice(array: Float32Array, index: number, size: number): Float32Array {
  return array.subarray(index * size, (index + 1) * size);
}

describe("eigh_grad", () => {
  const GAP = Math.fround(1e-3);
  for (const [hasValues, hasVectors] of [
    [true, true],
    [true, false],
    [false, true],
  ] as const) {
    it(`values ${hasValues}, vectors ${hasVectors}`, async () => {
      for (const n of SIZES) {
        const random = new TestRandom(n);
        const batch = 2;
        const values = Float32Array.of(
          ...eigenvalues(n, random),
          ...eigenvalues(n, random)
            .map((x) => -x)
            .reverse(),
        );
        const [dValues, c] = [random.normals(batch * n), random.normals(batch * n * n)];
        const m = await runF32(
          engine(),
          eighGrad,
          {
            buffers: { values, d_values: dValues, c, m: unwritten(batch * n * n) },
            params: { batch, n, gap: GAP },
            knobs: { HAS_VALUES: hasValues, HAS_VECTORS: hasVectors },
          },
          "m",
        );
        for (let g = 0; g < batch; g++) {
          const of = (sign: (x: Float32Array) => ArrayLike<number>) => ({
            values: slice(values, g, n),
            ...(hasValues ? { dValues: sign(slice(dValues, g, n)) } : {}),
            ...(hasVectors ? { c: sign(slice(c, g, n * n)) } : {}),
          });
          const exact = gradOracle.eighGrad(
            of((x) => x),
            n,
            GAP,
          );
          // Magnitudes: c antisymmetrised adds absolute terms when its mirror image has the other sign.
          const scale = Float64Array.from({ length: n * n }, (_, at) => {
            const [i, j] = [Math.floor(at / n), at % n];
            const here = slice(c, g, n * n);
            const distance = Math.abs(values[g * n + j]! - values[g * n + i]!);
            const pair =
              hasVectors && distance > 0 ? (Math.abs(here[at]!) + Math.abs(here[j * n + i]!)) / 2 / distance : 0;
            return pair + (hasValues && i === j ? Math.abs(dValues[g * n + i]!) : 0);
          });
          // Difference of c, halving (exact), difference of λ, quotient, sum; a quotient is good to 2.5 ulp in WGSL.
          expect(slice(m, g, n * n)).toMatchOracle(exact, { factor: gamma(8), scale });
        }
      }
    });
  }
});

for (const [POWER, exponent] of [
  [0, 0.5],
  [1, -0.5],
  [2, -1],
] as const) {
  const cutoff = Math.fround(1e-3);

  describe(`symmetric_power, exponent ${exponent}`, () => {
    it("batches of every size, eigenvalues on both sides of the cut-off, and negative ones", async () => {
      for (const n of SIZES) {
        const random = new TestRandom(n + 100);
        const batch = 2;
        const values = Float32Array.of(
          ...eigenvalues(n, random),
          ...eigenvalues(n, random).map((x, i) => x - 0.01 * i),
        );
        const vectors = random.normals(batch * n * n);
        const y = await runF32(engine(), symmetricPower, {
          buffers: { values, vectors, y: unwritten(batch * n * n) },
          params: { batch, n, cutoff },
          knobs: { POWER, WG_X: 2, WG_Y: 4 },
        });
        for (let g = 0; g < batch; g++) {
          const [l, v, result] = [slice(values, g, n), slice(vectors, g, n * n), slice(y, g, n * n)];
          const exact = powerOracle.symmetricPower(l, v, n, exponent, cutoff);
          const scale = powerOracle.symmetricPower(l, v, n, exponent, cutoff, true);
          // n products of three factors and n − 1 sums; root (inherited from 1/inverseSqrt: 4.5 ulp) and quotient (2.5 ulp) in f.
          expect(result).toMatchOracle(exact, { factor: gamma(n + 2 + 14), scale });
          for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) expect(result[i * n + j]).toBe(result[j * n + i]);
        }
      }
    });
  });

  describe(`symmetric_power_grad, exponent ${exponent}`, () => {
    it("equal, separate and cut-off eigenvalues", async () => {
      for (const n of SIZES) {
        const random = new TestRandom(n + 200);
        const values = eigenvalues(n, random);
        const g = random.normals(n * n);
        const m = await runF32(
          engine(),
          symmetricPowerGrad,
          { buffers: { values, g, m: unwritten(n * n) }, params: { batch: 1, n, cutoff }, knobs: { POWER } },
          "m",
        );
        const exact = powerOracle.symmetricPowerGrad(values, g, n, exponent, cutoff);
        const symmetric = (array: ArrayLike<number>) =>
          Float64Array.from({ length: n * n }, (_, at) => array[at]! + array[(at % n) * n + Math.floor(at / n)]!);
        const magnitudes = symmetric(absolute(g));
        const limit = cutoff * values[0]!;
        const scale = magnitudes.map(
          (value, at) =>
            (value / 2) *
            Math.abs(powerOracle.dividedDifference(values[Math.floor(at / n)]!, values[at % n]!, exponent, limit)),
        );
        // Two roots (4.5 ulp each, i.e. 9 u), two products, a quotient (2.5 ulp), two sums, two products.
        expect(m).toMatchOracle(exact, { factor: gamma(24), scale });
      }
    });
  });
}
