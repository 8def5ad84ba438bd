/** `eigenstep eigh` with the real solver on the test device: files in, files and documents out, and what it refuses. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { executeEigh } from "../../src/cli/runner/eighTask.ts";
import { solveDocument } from "../../src/cli/runner/solveDocument.ts";
import { encodeNpy, parseNpy } from "../../src/data/index.ts";
import { decompositionErrors, MAX_EIGH_ORDER } from "../../src/linalg/index.ts";
import * as oracle from "../oracle/eigh.ts";
import { useEngine } from "../support/device.ts";
import { TestRandom } from "../support/random.ts";
import { command, fakeRuntime, type Ran, temporaryFolder } from "./support.ts";

const engine = useEngine();
const BEYOND = MAX_EIGH_ORDER + 1;

async function eigh(data: Float32Array | Float64Array, shape: readonly number[], ...flags: string[]): Promise<Ran> {
  const cwd = await temporaryFolder();
  await writeFile(join(cwd, "a.npy"), encodeNpy(data, shape));
  const onFile = { phase() {}, begin() {}, records() {}, checkpoint() {} };
  return command(["eigh", "a.npy", ...flags], {
    cwd,
    openRuntime: () => ({
      ...fakeRuntime,
      eigh: (task, _signal, file) => executeEigh(engine(), task, { ...onFile, file }),
    }),
  });
}

function symmetric(n: number, seed: number): Float64Array {
  const random = new TestRandom(seed);
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = random.normal();
  return a;
}

describe("eigenstep eigh", () => {
  it("solves a batch of f64 matrices, notes the rounding, writes both files, and measures itself", async () => {
    const n = 7;
    const matrices = [symmetric(n, 1), symmetric(n, 2)];
    const both = new Float64Array([...matrices[0]!, ...matrices[1]!]);
    const { code, stdout, stderr, cwd } = await eigh(both, [2, n, n], "--vectors", "--json");
    expect([code, stderr]).toEqual([0, expect.stringContaining("note: ")]);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ n, batch: 2, status: ["ok", "ok"], measured: "all" });
    matrices.forEach((a, g) => {
      const { values } = oracle.eigh(a, n);
      // Rounding the input to f32 moves an eigenvalue by at most ‖E‖ ≤ u·‖A‖_F, the solver by 4√n·u·|λ|_max.
      const bound =
        2 ** -24 * (Math.sqrt(a.reduce((t, x) => t + x * x, 0)) + 4 * Math.sqrt(n) * Math.abs(values[0]!) * 2);
      values.forEach((value, j) => {
        expect(Math.abs(document.values[g][j] - value)).toBeLessThan(bound);
      });
      expect(document.residual[g]).toBeLessThan(2 * n * 2 ** -24);
      expect(document.orthogonality[g]).toBeLessThan(4 * n * 2 ** -24);
    });
    const [values, vectors] = await Promise.all(
      ["a.values.npy", "a.vectors.npy"].map(async (name) => parseNpy(await readFile(join(cwd, name)), name)),
    );
    expect([values!.shape, vectors!.shape]).toEqual([
      [2, n],
      [2, n, n],
    ]);
    expect([...values!.data]).toEqual(document.values.flat());
  });

  it("prints eigenvalues and quality for people, and takes --out", async () => {
    const { code, stdout, cwd } = await eigh(Float32Array.of(2, 1, 1, 2), [2, 2], "--out", "result");
    expect([code, stdout]).toEqual([0, expect.stringMatching(/matrix 0: 3 {2}1\n.* sweeps, residual/)]);
    expect([...parseNpy(await readFile(join(cwd, "result.values.npy")), "values").data]).toEqual([3, 1]);
  });

  it("flags a matrix with NaN, solves the others, and ends with exit code 1", async () => {
    const { code, stdout } = await eigh(Float32Array.of(Number.NaN, 0, 0, 1, 5, 0, 0, 4), [2, 2, 2], "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      values: [
        [null, null],
        [5, 4],
      ],
      residual: [null, 0],
      status: ["nonfinite", "ok"],
    });
  });

  it.each([
    [
      "a matrix that is not symmetric, naming the largest asymmetry",
      Float32Array.of(1, 2, 2.5, 1),
      [2, 2],
      "DATA-ASYMMETRIC",
      /\(1, 0\) and \(0, 1\) differ by 0\.5/,
    ],
    ["a matrix that is not square", new Float32Array(6), [2, 3], "DATA-NPY-SHAPE", /\[2, 3\]/],
    ["a vector", new Float32Array(6), [6], "DATA-NPY-SHAPE", /\[6\]/],
    ["an empty batch", new Float32Array(0), [0, 2, 2], "DATA-NPY-SHAPE", /at least one/],
    [
      "an order beyond the solver's",
      new Float32Array(BEYOND ** 2),
      [BEYOND, BEYOND],
      "LINALG-ORDER",
      new RegExp(`order ${BEYOND}`),
    ],
  ])("refuses %s", async (_what, data, shape, code, message) => {
    const ran = await eigh(data, shape);
    expect([ran.code, ran.stdout, ran.stderr]).toEqual([1, "", expect.stringMatching(message)]);
    expect(ran.stderr).toMatch(new RegExp(`^error ${code}: .*\nfix: `));
  });

  it("notes that f64 is solved in f32, even where nothing is lost, and says nothing of f32", async () => {
    expect((await eigh(Float64Array.of(2), [1, 1])).stderr).toMatch(
      /^note: .*a\.npy holds float64; the work is in float32\.\n$/,
    );
    expect((await eigh(Float32Array.of(2), [1, 1])).stderr).toBe("");
  });

  it("errors of a sample of the vectors estimate those of all", () => {
    const n = 60;
    const { values, vectors } = oracle.eigh(symmetric(n, 4), n);
    const rough = vectors.map((x, at) => x + 1e-4 * Math.sin(at * at));
    const [all, some] = [n, 15].map((columns) => decompositionErrors(symmetric(n, 4), values, rough, n, columns));
    expect([all!.columns, some!.columns]).toEqual([n, 15]);
    for (const name of ["residual", "orthogonality"] as const) {
      expect(all![name]).toBeGreaterThan(1e-4);
      expect(some![name] / all![name]).toBeGreaterThan(0.7);
      expect(some![name] / all![name]).toBeLessThan(1.4);
    }
  });

  it("says of what the GPU alone knows that the GPU says so", () => {
    const solved = { values: new Float32Array(2), sweeps: [3], status: ["ok" as const], offNorm: [1e-7] };
    expect(solveDocument(2, solved, undefined)).toMatchObject({
      residual: [1e-7],
      orthogonality: [null],
      measured: "gpu",
    });
    const measured = solveDocument(2, solved, () => ({ residual: 1, orthogonality: 2, columns: 1 }));
    expect(measured).toMatchObject({ residual: [1], orthogonality: [2], measured: "sample" });
  });

  it("names a file that is missing, and a place that cannot be written", async () => {
    expect((await command(["eigh", "none.npy"])).stderr).toMatch(/^error DATA-NOT-FOUND/);
    expect((await eigh(Float32Array.of(1), [1, 1], "--out", "missing/folder/r")).stderr).toMatch(/^error RUN-WRITE/);
  });
});
