/** Must show: eigenvalues and vectors of every family at every order up to 128 against float64; larger orders in test/long. */
import { describe, expect, it } from "vitest";
import { useEngine } from "../support/device.ts";
import { thinned } from "../support/thorough.ts";
import { familyBounds, largestErrors, solveFamilies } from "./familyRuns.ts";

const engine = useEngine();

describe("eigh against float64", () => {
  for (const n of [1, 2, 3, 5, 17, 31, 32, 33, 64, 65, ...thinned([128, 127], 2)]) {
    it(`every family, n = ${n}`, async () => {
      const runs = await solveFamilies(engine(), n);
      const bounds = familyBounds(n);
      const faults = runs.filter(
        (run) =>
          run.status !== "ok" ||
          !run.isDescending ||
          !(run.eigenvalue <= bounds.eigenvalue) ||
          !(run.residual <= bounds.residual) ||
          !(run.orthogonality <= bounds.orthogonality),
      );
      if (process.env.EIGENSTEP_SHOW_ERRORS) console.log(largestErrors(runs));
      expect(faults).toEqual([]);
      // Diagonal matrices take no rotation: exact.
      for (const family of ["identity", "zero"]) {
        expect(runs.find((run) => run.family === family)).toMatchObject({
          eigenvalue: 0,
          residual: 0,
          orthogonality: 0,
        });
      }
    });
  }
});
