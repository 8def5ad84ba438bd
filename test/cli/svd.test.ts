/** `eigenstep svd` with the real solver on the test device: files in, files and documents out, and what it refuses. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { executeSvd } from "../../src/cli/runner/svdTask.ts";
import { encodeNpy, parseNpy } from "../../src/data/index.ts";
import * as oracle from "../oracle/svd.ts";
import { useEngine } from "../support/device.ts";
import { TestRandom } from "../support/random.ts";
import { command, fakeRuntime, type Ran, temporaryFolder } from "./support.ts";

const engine = useEngine();
const U = 2 ** -24;

async function svd(data: Float32Array | Float64Array, shape: readonly number[], ...flags: string[]): Promise<Ran> {
  const cwd = await temporaryFolder();
  await writeFile(join(cwd, "z.npy"), encodeNpy(data, shape));
  const onFile = { phase() {}, begin() {}, records() {}, checkpoint() {} };
  return command(["svd", "z.npy", ...flags], {
    cwd,
    openRuntime: () => ({
      ...fakeRuntime,
      svd: (task, _signal, file) => executeSvd(engine(), task, { ...onFile, file }),
    }),
  });
}

describe("eigenstep svd", () => {
  it.each([
    [30, 9],
    [6, 17],
  ])(
    "solves a batch of %i × %i in f64, notes the rounding, writes all files, and measures itself",
    async (rows, columns) => {
      const k = Math.min(rows, columns);
      const both = Float64Array.from(new TestRandom(3).normals(2 * rows * columns), (x) => x * (1 + 2 ** -30));
      const { code, stdout, stderr, cwd } = await svd(both, [2, rows, columns], "--vectors", "--json");
      expect([code, stderr]).toEqual([0, expect.stringMatching(/note: .*work is in float32[\s\S]*note: .*rounded/)]);
      const document = JSON.parse(stdout);
      expect(document).toMatchObject({ n: k, rows, columns, batch: 2, status: ["ok", "ok"], measured: "all" });
      for (let g = 0; g < 2; g++) {
        const z = both.subarray(g * rows * columns, (g + 1) * rows * columns);
        const exact = oracle.svd(z, rows, columns).values;
        const norm = Math.sqrt(z.reduce((sum, x) => sum + x * x, 0));
        // Weyl: rounding the input moves a singular value by at most u·‖Z‖_F; the solver's share is of that size, too (docs/numerics.md).
        expect(document.values[g]).toHaveLength(k);
        for (let j = 0; j < k; j++) {
          expect(Math.abs(document.values[g][j] - exact[j]!)).toBeLessThan(8 * Math.sqrt(k) * U * norm);
        }
        expect(document.residual[g]).toBeLessThan(8 * k * U);
        expect(document.orthogonality[g]).toBeLessThan(16 * k * U);
        expect(document.residual[g]).toBeGreaterThan(0);
      }
      const files = await Promise.all(
        ["z.values.npy", "z.left.npy", "z.right.npy"].map(async (name) =>
          parseNpy(await readFile(join(cwd, name)), name),
        ),
      );
      expect(files.map(({ shape }) => shape)).toEqual([
        [2, k],
        [2, rows, k],
        [2, columns, k],
      ]);
      expect([...files[0]!.data]).toEqual(document.values.flat());
    },
  );

  it("prints singular values and quality for people, writes no vectors unasked, and takes --out", async () => {
    const ran = await svd(Float32Array.of(0, 2, 1, 0, 0, 0), [3, 2], "--out", "result");
    expect([ran.code, ran.stdout]).toEqual([0, expect.stringMatching(/matrix 0: 2 {2}1\n.* sweeps, residual/)]);
    expect([...parseNpy(await readFile(join(ran.cwd, "result.values.npy")), "values").data]).toEqual([2, 1]);
    await expect(readFile(join(ran.cwd, "result.left.npy"))).rejects.toThrow();
  });

  it("flags a matrix with infinity, solves the others, and ends with exit code 1", async () => {
    const { code, stdout } = await svd(
      Float32Array.of(Number.POSITIVE_INFINITY, 0, 0, 1, 3, 0, 0, -4),
      [2, 2, 2],
      "--json",
    );
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      values: [
        [null, null],
        [4, 3],
      ],
      residual: [null, 0],
      status: ["nonfinite", "ok"],
    });
  });

  it.each([
    ["a vector", new Float32Array(6), [6], "DATA-NPY-SHAPE", /\[6\]/],
    ["an empty batch", new Float32Array(0), [0, 2, 2], "DATA-NPY-SHAPE", /at least one/],
    ["sides beyond the solver's", new Float32Array(65_537), [65_537, 1], "LINALG-SHAPE", /65537 × 1/],
  ])("refuses %s", async (_what, data, shape, code, message) => {
    const ran = await svd(data, shape);
    expect([ran.code, ran.stdout, ran.stderr]).toEqual([1, "", expect.stringMatching(message)]);
    expect(ran.stderr).toMatch(new RegExp(`^error ${code}: .*\nfix: `));
  });
});
