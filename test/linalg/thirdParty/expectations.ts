/** What must hold of the application, wherever it ran. */
import { expect } from "vitest";
import type { Outcome } from "./application.ts";

export function expectUntouched(outcome: Outcome): void {
  expect(outcome.gpuErrors).toEqual([]);
  expect(outcome.status).toEqual(["ok", "ok", "ok"]);
  outcome.traces.forEach((trace, g) => {
    // 24 eigenvalues, each within 4·√24·u·|λ|_max, and |λ|_max below 8 for entries of at most 3: 24·20·8·2⁻²⁴.
    expect(Math.abs((outcome.sums[g] ?? Number.NaN) - trace)).toBeLessThan(24 * 20 * 8 * 2 ** -24);
  });
  expect({
    created: outcome.createdWhileEncoding,
    submits: outcome.submitsByLibrary,
    isLost: outcome.isLost,
    sums: outcome.sumsAfterwards,
  }).toEqual({ created: 0, submits: 0, isLost: false, sums: outcome.sums });
}
