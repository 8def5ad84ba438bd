/** Singular values over seven decades at more columns than `npm test` has time for. */
import { describe, expect, it } from "vitest";
import { svd } from "../../src/linalg/svd.ts";
import { geometricValues, withScaledColumns, withSingularValues } from "../oracle/rectangularFamilies.ts";
import { svd as reference } from "../oracle/svd.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();

describe("svd against float64", () => {
  for (const [rows, columns] of [
    [512, 512],
    [1024, 512],
    [4096, 128],
  ] as const) {
    it(`${rows} × ${columns}, σ from 1 to 1e-7: |σ̂ − σ| ≤ 1e-6·σ + 5e-8·√(d/256)·σ_max`, async () => {
      const z = withSingularValues(geometricValues(columns, 1e-7), rows, columns);
      const { values: exact } = reference(z, rows, columns);
      const { values, status } = await svd(engine(), z, { rows, columns });
      expect(status).toEqual(["ok"]);
      const floor = 5e-8 * Math.max(1, Math.sqrt(columns / 256)) * exact[0]!;
      const worst = Math.max(...exact.map((sigma, i) => Math.abs(values[i]! - sigma) / (1e-6 * sigma + floor)));
      console.log(`${rows} × ${columns}: ${worst.toFixed(3)} of the bound`);
      expect(worst).toBeLessThanOrEqual(1);
    });

    it(`${rows} × ${columns}, G·D: every σ within 1e-5·κ(G) relative`, async () => {
      const scale = geometricValues(columns, 1e-10).map((_, i, all) => all[(i * 7 + 3) % columns]!);
      const z = withScaledColumns(scale, rows, columns);
      const { values: exact } = reference(z, rows, columns);
      const { values, status } = await svd(engine(), z, { rows, columns });
      expect(status).toEqual(["ok"]);
      const worst = Math.max(...exact.map((sigma, i) => Math.abs(values[i]! - sigma) / sigma));
      console.log(`${rows} × ${columns}: largest relative error ${worst.toExponential(2)}`);
      // A square Gaussian G is as ill-conditioned as its order; a tall one is not.
      expect(worst).toBeLessThanOrEqual(rows === columns ? 1e-5 * columns : 1e-5);
    });
  }
});
