/** `eigenstep bench` around a double of the measurement, and the arithmetic of its documents. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BenchDocument, BenchRow, BenchTask } from "../../src/cli/bench/contract.ts";
import { promisedError, relativeError } from "../../src/cli/bench/eighProblem.ts";
import { eighTargets } from "../../src/cli/bench/eighTargets.ts";
import { peerVersions } from "../../src/cli/bench/peerBundle.ts";
import { benchTable } from "../../src/cli/bench/table.ts";
import { fittedExponent, median, timed } from "../../src/cli/bench/timing.ts";
import type { Runtime } from "../../src/cli/runtimes/runtime.ts";
import { adapter, command, fakeRuntime, root, temporaryFolder } from "./support.ts";

const row = (name: string, engine: string, medianMs: number | null, more: Partial<BenchRow> = {}): BenchRow => ({
  suite: "eigh",
  name,
  engine,
  medianMs,
  fastestMs: medianMs,
  slowestMs: medianMs,
  runs: medianMs === null ? 0 : 5,
  verified: medianMs !== null,
  error: 1e-7,
  ...more,
});

const document: BenchDocument = {
  adapter,
  versions: { eigenstep: "1.2.3" },
  ceiling: { gflops: 3.21, gbps: 20, usPerDispatch: 12 },
  rows: [
    row("n=64 scale=1", "eigenstep", 20, { sweeps: 8 }),
    row("n=128 scale=1", "eigenstep", 150),
    row("n=64 scale=1", "jax-js webgpu", 200, { verified: false, note: "a note" }),
  ],
  targets: [
    { name: "first", value: 10, atLeast: 8, met: true },
    { name: "second", value: 10, atMost: 8, met: false },
    { name: "third", value: null, atMost: 8, met: null },
  ],
};

const measuring = (result: BenchDocument, seen: BenchTask[] = []): { openRuntime: () => Runtime } => ({
  openRuntime: () => ({
    ...fakeRuntime,
    async bench(task, _signal, onPhase) {
      seen.push(task);
      onPhase("measuring");
      return result;
    },
  }),
});

describe("eigenstep bench", () => {
  it("--json prints the document and nothing else; --out writes the same; progress goes to stderr", async () => {
    const seen: BenchTask[] = [];
    const ran = await command(["bench", "eigh", "--json", "--out", "b.json"], measuring(document, seen));
    expect(ran.code).toBe(0);
    expect(JSON.parse(ran.stdout)).toEqual(document);
    expect(await readFile(join(ran.cwd, "b.json"), "utf8")).toBe(ran.stdout);
    expect(ran.stderr).toBe("measuring\n");
    expect(seen).toEqual([{ kind: "bench", suites: ["eigh"], peers: false, versions: { eigenstep: "1.2.3" } }]);
  });

  it("prints a table: engines side by side under one name, and whether targets are met", async () => {
    const { stdout } = await command(["bench"], measuring(document));
    expect(stdout).toBe(benchTable(document));
    const lines = stdout.split("\n").map((line) => line.replace(/\s+/g, " ").trim());
    const first = lines.findIndex((line) => line.startsWith("n=64"));
    expect(lines[first]).toBe("n=64 scale=1 eigenstep 20 20 5 1.0e-7 8 yes");
    expect(lines[first + 1]).toBe("jax-js webgpu 200 200 5 1.0e-7 - NO a note");
    expect(lines).toContain("first 10 ≥ 8 met");
    expect(lines).toContain("second 10 ≤ 8 MISSED");
    expect(lines).toContain("third - ≤ 8 not judged");
  });

  it("fails when a result of ours is wrong, not when a peer's is", async () => {
    const wrong = { ...document, rows: [row("n=64 scale=1", "eigenstep", 20, { verified: false })] };
    expect((await command(["bench", "--json"], measuring(wrong))).code).toBe(1);
    expect((await command(["bench", "--json"], measuring(document))).code).toBe(0);
  });

  it("names what to install when a peer is missing, and refuses what cannot be", async () => {
    const packageRoot = await temporaryFolder();
    const ran = await command(["bench", "eigh", "--peers"], { ...measuring(document), packageRoot });
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/error BENCH-PEER-MISSING: .*ml-matrix, @jax-js\/jax, vite/);
    expect(ran.stderr).toMatch(/npm install --no-save ml-matrix@6\.15\.1 @jax-js\/jax@0\.1\.25 vite@8/);
    const node = await command(["bench", "--peers", "--runtime", "node"], measuring(document));
    expect([node.code, node.stderr]).toEqual([2, expect.stringMatching(/CLI-USAGE.*--peers needs a browser/)]);
    expect((await command(["bench", "nothing"], measuring(document))).code).toBe(2);
    const unwritable = await command(["bench", "--out", "no/such/folder.json"], measuring(document));
    expect(unwritable.stderr).toMatch(/error BENCH-WRITE/);
  });

  it("here the peers are installed in the versions that the benchmark is written for", () => {
    expect(peerVersions(root)).toEqual({ "ml-matrix": "6.15.1", "@jax-js/jax": "0.1.25" });
  });
});

describe("measurements", () => {
  it("median and fitted exponent", () => {
    expect([median([3]), median([4, 1]), median([9, 1, 2])]).toEqual([3, 2.5, 2]);
    expect(fittedExponent([64, 128, 256].map((n) => [n, 7e-5 * n ** 2.5] as const))).toBeCloseTo(2.5, 12);
    expect(fittedExponent([[64, 1]])).toBeNaN();
  });

  it("timed: warm-ups are not counted, at least as many runs as asked, no more than five times as many", async () => {
    let calls = 0;
    const work = async () => {
      calls++;
    };
    const few = await timed(work, { runs: 3, budgetMs: 0, warmUps: 2 });
    expect([calls, few.runs]).toEqual([5, 3]);
    const many = await timed(work, { runs: 3, budgetMs: 1e6, warmUps: 0 });
    expect(many.runs).toBe(15);
    expect(many.fastestMs).toBeLessThanOrEqual(many.medianMs);
  });

  it("errors are relative to the largest magnitude, whatever the order; NaN and missing values are no match", () => {
    expect(relativeError([1, -4, 2], [2, 1, -4])).toBe(0);
    expect(relativeError([1, -4, 2.2], [2, 1, -4])).toBeCloseTo(0.05, 12);
    expect(relativeError([1, Number.NaN], [2, 1])).toBeNaN();
    expect(relativeError([2], [2, 1])).toBeNaN();
    expect(promisedError(64)).toBe(32 * 2 ** -24);
    expect(promisedError(256)).toBe(128 * 2 ** -24);
  });

  it("targets: ratios of rows of one run; unverified rows of ours count for nothing", () => {
    const orders = [64, 128, 256, 512, 1024];
    const ours = orders.map((n) => row(`n=${n} scale=1`, "eigenstep", 1e-5 * n ** 3));
    const peers = [64, 128].map((n) => row(`n=${n} scale=1`, "jax-js webgpu", 9e-5 * n ** 3, { verified: false }));
    const rows = [...ours, ...peers, row("one skipped dispatch", "eigenstep", 0.02)];
    const value = (name: string, all = rows) => eighTargets(all, true).find((target) => target.name.startsWith(name));
    expect(value("eigenvalues, n=64")).toMatchObject({ atLeast: 8, met: true });
    expect(value("eigenvalues, n=64")?.value).toBeCloseTo(9, 10);
    expect(value("exponent")?.value).toBeCloseTo(3, 10);
    expect(value("exponent")).toMatchObject({ atMost: 3.2, met: true });
    expect(value("a skipped dispatch")).toMatchObject({ value: 20, atMost: 50, met: true });
    expect(value("spectrum")).toMatchObject({ value: null, met: null });
    const spoilt = rows.map((r) =>
      r.name === "n=64 scale=1" && r.engine === "eigenstep" ? { ...r, verified: false } : r,
    );
    expect(value("eigenvalues, n=64", spoilt)).toMatchObject({ value: null, met: null });
    expect(value("exponent", spoilt)).toMatchObject({ value: null, met: null });
    // Times are promised for software adapters, ratios everywhere.
    const hardware = eighTargets(rows, false);
    expect(hardware.find(({ name }) => name.startsWith("a skipped"))).toMatchObject({ value: 20, met: null });
    expect(hardware.find(({ name }) => name.startsWith("exponent"))).toMatchObject({ met: true });
  });
});
