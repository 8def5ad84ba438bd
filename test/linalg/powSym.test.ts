import { describe, expect, it } from "vitest";
import { powSym } from "../../src/linalg/powSym.ts";
import * as oracle from "../oracle/eigh.ts";
import { symmetricPower } from "../oracle/symmetricPower.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine();

/** XᵀX/rows + ridge: condition about 10. */
function positive(n: number, seed: number): Float32Array {
  const rows = 4 * n;
  const x = new TestRandom(seed).normals(rows * n);
  return Float32Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = i === j ? 0.1 : 0;
    for (let r = 0; r < rows; r++) sum += (x[r * n + i]! * x[r * n + j]!) / rows;
    return sum;
  });
}

describe("powSym", () => {
  for (const exponent of [0.5, -0.5, -1] as const) {
    it(`exponent ${exponent}: batches, one workgroup and blocked`, async () => {
      for (const [n, batch] of [
        [1, 1],
        [7, 3],
        [33, 2],
        [170, 1],
      ] as const) {
        const matrices = Array.from({ length: batch }, (_, g) => positive(n, g + 1));
        const all = Float32Array.from(matrices.flatMap((matrix) => [...matrix]));
        const { powers, status } = await powSym(engine(), all, { n, batch, exponent });
        expect(status).toEqual(new Array(batch).fill("ok"));
        matrices.forEach((matrix, g) => {
          const { values, vectors } = oracle.eigh(matrix, n);
          const expected = symmetricPower(values, vectors, n, exponent, 0);
          const condition = values[0]! / values[n - 1]!;
          const size = exponent > 0 ? values[0]! ** exponent : values[n - 1]! ** exponent;
          // Residual 2·n·u·‖A‖_F and orthogonality 4·n·u of the solver, carried by f with at most its condition.
          const bound = 8 * n * U * Math.sqrt(n) * condition * size;
          expect(powers.subarray(g * n * n, (g + 1) * n * n)).toMatchOracle(expected, { factor: 1, scale: bound });
        });
      }
    });
  }

  it("the square root squared is the matrix", async () => {
    const n = 20;
    const a = positive(n, 9);
    const { powers } = await powSym(engine(), a, { n, exponent: 0.5 });
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let k = 0; k < n; k++) sum += powers[i * n + k]! * powers[k * n + j]!;
        expect(Math.abs(sum - a[i * n + j]!)).toBeLessThan(40 * n * U);
      }
    }
  });

  it("a matrix with NaN gives zeros and a status; shapes and cut-offs that do not fit are refused", async () => {
    const good = positive(3, 1);
    const spoilt = Float32Array.of(...good, ...good);
    spoilt[9] = Number.NaN;
    const { powers, status } = await powSym(engine(), spoilt, { n: 3, batch: 2, exponent: -1 });
    expect(status).toEqual(["ok", "nonfinite"]);
    expect([...powers.subarray(9)]).toEqual(new Array(9).fill(0));
    await expect(powSym(engine(), good, { n: 4, exponent: 0.5 })).rejects.toThrow(/16 numbers; given 9/);
    await expect(powSym(engine(), good, { n: 3, exponent: 0.5, cutoff: 1 })).rejects.toThrow(/cut-off is 1/);
  });
});
