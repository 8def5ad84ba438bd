/** Must show: singular values over seven decades (eigenvalues over fourteen), and relative accuracy where columns are only scaled. */
import { describe, expect, it } from "vitest";
import { svd } from "../../src/linalg/svd.ts";
import { geometricValues, withScaledColumns, withSingularValues } from "../oracle/rectangularFamilies.ts";
import { svd as reference } from "../oracle/svd.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";
import { isThorough } from "../support/thorough.ts";

const engine = useEngine();
const ROWS = 512;
const show = (line: string): void => {
  if (process.env.EIGENSTEP_SHOW_ERRORS) console.log(line);
};

describe("svd against float64", () => {
  for (const d of isThorough ? [32, 64, 256] : [32, 129]) {
    it(`U·diag(σ)·Vᵀ, σ from 1 to 1e-7, d = ${d}: |σ̂ − σ| ≤ 1e-6·σ + 5e-8·σ_max`, async () => {
      const z = withSingularValues(geometricValues(d, 1e-7), ROWS, d);
      const { values: exact } = reference(z, ROWS, d);
      const { values, status } = await svd(engine(), z, { rows: ROWS, columns: d });
      expect(status).toEqual(["ok"]);
      expect(values.length).toBe(d);
      const worst = Math.max(
        ...exact.map((sigma, i) => Math.abs(values[i]! - sigma) / (1e-6 * sigma + 5e-8 * exact[0]!)),
      );
      show(
        `d = ${d}: ${worst.toFixed(3)} of the bound, largest absolute error ${Math.max(
          ...exact.map((sigma, i) => Math.abs(values[i]! - sigma)),
        ).toExponential(2)}`,
      );
      expect(worst).toBeLessThanOrEqual(1);
    });

    it(`G·D, D over ten decades, d = ${d}: every σ within 1e-5 relative`, async () => {
      // In an order that no pivoting or sorting is handed for free.
      const scale = geometricValues(d, 1e-10).map((_, i, all) => all[(i * 7 + 3) % d]!);
      const z = withScaledColumns(scale, ROWS, d);
      const { values: exact } = reference(z, ROWS, d);
      const { values, status } = await svd(engine(), z, { rows: ROWS, columns: d });
      expect(status).toEqual(["ok"]);
      const worst = Math.max(...exact.map((sigma, i) => Math.abs(values[i]! - sigma) / sigma));
      show(`d = ${d}: largest relative error ${worst.toExponential(2)}`);
      expect(worst).toBeLessThanOrEqual(1e-5);
    });
  }

  it("left and right vectors: Z = U·diag(σ)·Vᵀ and orthonormal columns, N = 512, d = 64", async () => {
    const d = 64;
    const z = withSingularValues(geometricValues(d, 1e-3), ROWS, 5);
    const { values, left, right } = await svd(engine(), z, { rows: ROWS, columns: d, left: true, right: true });
    let [residual, norm] = [0, 0];
    for (let i = 0; i < ROWS; i++) {
      for (let j = 0; j < d; j++) {
        let sum = 0;
        for (let k = 0; k < d; k++) sum += left[i * d + k]! * values[k]! * right[j * d + k]!;
        residual += (sum - z[i * d + j]!) ** 2;
        norm += z[i * d + j]! ** 2;
      }
    }
    const orthogonality = (u: Float32Array, rows: number): number => {
      let total = 0;
      for (let p = 0; p < d; p++) {
        for (let q = 0; q < d; q++) {
          let dot = 0;
          for (let i = 0; i < rows; i++) dot += u[i * d + p]! * u[i * d + q]!;
          total += (dot - (p === q ? 1 : 0)) ** 2;
        }
      }
      return Math.sqrt(total) / (d * U);
    };
    const measured = [Math.sqrt(residual / norm) / (d * U), orthogonality(left, ROWS), orthogonality(right, d)];
    show(`residual, orthogonality of U and V over d·u: ${measured.map((x) => x.toFixed(2)).join(", ")}`);
    expect(measured[0]).toBeLessThanOrEqual(2);
    expect(measured[1]).toBeLessThanOrEqual(8);
    expect(measured[2]).toBeLessThanOrEqual(4);
  });
});
