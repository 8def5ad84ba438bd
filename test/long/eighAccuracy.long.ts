/** Must show: every family at orders 200 … 1024 against float64, with vectors; the table that is committed is written here. */
import { mkdirSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { adapterLine } from "../../src/device/adapter.ts";
import { type FamilyRun, familyBounds, solveFamilies } from "../linalg/familyRuns.ts";
import { FAMILY_NAMES } from "../oracle/symmetricFamilies.ts";
import { useEngine } from "../support/device.ts";

/** All families in one call: these run in `npm test`, too. */
const SMALL = [1, 2, 3, 5, 17, 31, 32, 33, 64, 65, 127, 128];
/** One matrix a call. */
const LARGE = [200, 256, 512, 1024];
const ORDERS = [...SMALL, ...LARGE];
const REPORT = "docs/reports/eigh-accuracy.md";

const engine = useEngine();
const runs: FamilyRun[] = [];
let adapter = "";

function check(run: FamilyRun): void {
  const bounds = familyBounds(run.n);
  expect(run).toMatchObject({ status: "ok", isDescending: true });
  expect(run.eigenvalue).toBeLessThanOrEqual(bounds.eigenvalue);
  expect(run.residual).toBeLessThanOrEqual(bounds.residual);
  expect(run.orthogonality).toBeLessThanOrEqual(bounds.orthogonality);
}

describe("eigh against float64", () => {
  it.each(SMALL)("every family, n = %i", async (n) => {
    const solved = await solveFamilies(engine(), n);
    runs.push(...solved);
    solved.forEach(check);
  });
  for (const n of LARGE) {
    it.each(FAMILY_NAMES)(`%s, n = ${n}`, async (family) => {
      adapter = adapterLine(engine().adapter);
      const solved = await solveFamilies(engine(), n, { families: [family] });
      runs.push(...solved);
      solved.forEach(check);
    });
  }
});

// A part of the table (`-t`) is no report.
afterAll(() => {
  if (runs.length < ORDERS.length * FAMILY_NAMES.length) return;
  mkdirSync("docs/reports", { recursive: true });
  writeFileSync(REPORT, report());
});

function report(): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rows = runs.map((run) =>
    line([
      run.family,
      String(run.n),
      run.eigenvalue.toFixed(2),
      run.residual.toFixed(2),
      run.orthogonality.toFixed(2),
      String(run.sweeps),
      (run.ms / 1000).toFixed(3),
      run.status,
    ]),
  );
  const largest = ORDERS.map((n) => {
    const of = (kind: "eigenvalue" | "residual" | "orthogonality" | "sweeps") =>
      Math.max(...runs.filter((run) => run.n === n).map((run) => run[kind]));
    const bounds = familyBounds(n);
    return line([
      String(n),
      `${of("eigenvalue").toFixed(2)} (${bounds.eigenvalue})`,
      `${of("residual").toFixed(2)} (${bounds.residual})`,
      `${of("orthogonality").toFixed(2)} (${bounds.orthogonality})`,
      String(of("sweeps")),
    ]);
  });
  return `# Accuracy of eigh

Written by \`npm run test:long\` on ${adapter} (Dawn in Node ${process.versions.node}). Families: \`test/oracle/symmetricFamilies.ts\`; reference: float64
Householder tridiagonalisation and QL of the matrix as rounded to f32. u = 2⁻²⁴. Times are a matrix's, with vectors, upload,
compilation and read-back included (up to n = 128 the mean over one call for all families), on a machine that does other work, too.

- eigenvalue: max abs(λ̂ − λ) / (√n·u·max abs(λ))
- residual: ‖AV − V·diag(λ̂)‖_F / (n·u·‖A‖_F)
- orthogonality: ‖VᵀV − I‖_F / (n·u)

## Largest, and in brackets what is asserted

| n | eigenvalue | residual | orthogonality | sweeps |
|---|---|---|---|---|
${largest.join("\n")}

## All

| family | n | eigenvalue | residual | orthogonality | sweeps | s | status |
|---|---|---|---|---|---|---|---|
${rows.join("\n")}
`;
}
