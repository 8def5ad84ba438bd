/** Order and triangle before one-sided Jacobi: svd_range, svd_order, svd_prepare, qr_reduce; qr_panel, qr_project and qr_update. */
import { describe, expect, it } from "vitest";
import type { KernelCall } from "../../src/kernels/call.ts";
import { svdCalls } from "../../src/linalg/svdCalls.ts";
import { svdGeometry } from "../../src/linalg/svdGeometry.ts";
import { order, triangle } from "../oracle/qr.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { runCalls } from "./runCalls.ts";
import { bitsOf } from "./runF32.ts";

const engine = useEngine();
const TARGETS = {
  software: { isSoftware: true, matmulFamily: "register" },
  gpu: { isSoftware: false, matmulFamily: "register" },
} as const;

/** Runs what comes before the first rotation; with `left` the QR is the blocked one. */
async function factor(
  z: Float32Array<ArrayBuffer>,
  rows: number,
  columns: number,
  left: boolean,
  target: keyof typeof TARGETS,
) {
  const shape = { rows, columns, batch: 1, left, right: false };
  const all = svdCalls(shape, TARGETS[target]);
  const end = all.findIndex(({ kernel }) => /jacobi|gram/.test(kernel.name));
  const x = (all[end] as KernelCall).bindings.x;
  if (x?.kind !== "scratch") throw new Error("the rotations read scratch");
  const run = await runCalls(engine(), all.slice(0, end), z, [1, 4, rows * columns], { read: ["order", x.name] });
  const words = new Uint32Array(run.scratch.order!);
  const { xQuads } = svdGeometry(shape, TARGETS[target]);
  const stored = new Float32Array(run.scratch[x.name]!);
  const r = new Float32Array(columns * columns);
  for (let i = 0; i < columns; i++) for (let j = 0; j < columns; j++) r[i * columns + j] = stored[i * 4 * xQuads + j]!;
  return {
    shrink: new Float32Array(words.buffer)[0]!,
    flags: words[2]!,
    columns: [...words.slice(4, 4 + columns)],
    r,
    kernels: all.slice(0, end).map(({ kernel }) => kernel.name),
  };
}

/** Largest error of a column of R relative to the column, rows up to sign. */
function columnError(r: Float32Array, exact: Float64Array, n: number): number {
  let worst = 0;
  for (let j = 0; j < n; j++) {
    let error = 0;
    let norm = 0;
    for (let i = 0; i < n; i++) {
      const sign = r[i * n + i]! < 0 ? -1 : 1;
      error += (sign * r[i * n + j]! - exact[i * n + j]!) ** 2;
      norm += exact[i * n + j]! ** 2;
    }
    if (norm > 0) worst = Math.max(worst, Math.sqrt(error / norm));
  }
  return worst;
}

/**
 * Householder QR gives R of a matrix whose every column is off by γ of its own norm (Higham 2002, theorem 19.4), whatever the columns'
 * scales; R's columns then differ by that times about the condition of the matrix with columns of norm 1. The theorem's constant is far
 * from sharp: the error is asserted at 16·u and was at most 6.5·u (40 × 33).
 */
const COLUMN_BOUND = 16 * U;

const CASES: readonly (readonly [rows: number, columns: number, left: boolean])[] = [
  [1, 1, false],
  [9, 1, false],
  [5, 5, false],
  [40, 33, false],
  [256, 64, false],
  [3000, 12, false],
  [1500, 64, false],
  [1, 1, true],
  [5, 3, true],
  [40, 16, true],
  [40, 33, true],
  [700, 37, true],
  [300, 129, false],
];

describe("order and triangle", () => {
  for (const target of ["software", "gpu"] as const) {
    for (const [rows, columns, left] of CASES) {
      // Each shape compiles its own pipelines; the GPU's lanes are tried on the ones with several strips, levels or panels.
      if (target === "gpu" && ![33, 37, 64].includes(columns)) continue;
      it(`${rows} × ${columns}, ${left ? "blocked" : "reduced"}, ${target}`, async () => {
        const random = new TestRandom(rows + columns);
        // Columns over seven decades, out of order.
        const scale = Array.from({ length: columns }, (_, j) => 10 ** ((-7 * ((17 * j) % columns)) / columns));
        const z = Float32Array.from({ length: rows * columns }, (_, at) => random.normal() * scale[at % columns]!);
        const result = await factor(z, rows, columns, left, target);
        const exact = order(z, rows, columns);
        expect(result.shrink).toBe(exact.shrink);
        expect(result.columns).toEqual(exact.columns);
        expect(result.flags).toBe(0);
        const sorted = Float64Array.from(z, (_, at) => {
          const i = Math.floor(at / columns);
          return z[i * columns + exact.columns[at % columns]!]! * exact.shrink;
        });
        expect(columnError(result.r, triangle(sorted, rows, columns), columns)).toBeLessThanOrEqual(COLUMN_BOUND);
        for (let i = 0; i < columns; i++) for (let j = 0; j < i; j++) expect(result.r[i * columns + j]).toBe(0);
        const names = result.kernels.join(" ");
        expect(names.includes("svd_range")).toBe(rows > 1024);
        expect(names.includes("qr_panel")).toBe(left || columns > 128);
        expect(names.includes("qr_reduce")).toBe(!(left || columns > 128));
      });
    }
  }

  it("lanes side by side and lanes that share rows give the same triangle, within rounding", async () => {
    const z = new TestRandom(1).normals(100 * 20);
    const one = await factor(z, 100, 20, false, "software");
    const other = await factor(z, 100, 20, false, "gpu");
    expect(columnError(one.r, triangle(one.r, 20, 20), 20)).toBeLessThanOrEqual(COLUMN_BOUND);
    const difference = one.r.map((entry, at) => Math.abs(entry - other.r[at]!));
    expect(Math.max(...difference)).toBeLessThanOrEqual(COLUMN_BOUND * Math.sqrt(100) * 4);
  });

  it("a wide matrix is read transposed: the same bits as its transpose", async () => {
    const [rows, columns] = [50, 21];
    const z = new TestRandom(2).normals(rows * columns);
    const transposed = Float32Array.from(z, (_, at) => z[(at % rows) * columns + Math.floor(at / rows)]!);
    const end = (calls: readonly KernelCall[]) => calls.filter(({ kernel }) => /order|reduce/.test(kernel.name));
    const read = { read: ["triangles0"] };
    const shape = { batch: 1, left: false, right: false };
    const tall = await runCalls(engine(), end(svdCalls({ ...shape, rows, columns }, TARGETS.software)), z, [], read);
    const wide = await runCalls(
      engine(),
      end(svdCalls({ ...shape, rows: columns, columns: rows }, TARGETS.software)),
      transposed,
      [],
      read,
    );
    expect(bitsOf(new Float32Array(wide.scratch.triangles0!))).toEqual(
      bitsOf(new Float32Array(tall.scratch.triangles0!)),
    );
  });
});
