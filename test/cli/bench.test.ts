/** `eigenstep bench` around a double of the measurement, and the arithmetic of its documents. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type BenchDocument, type BenchRow, type BenchTask, MULTIPLY_ADDS } from "../../src/cli/bench/contract.ts";
import { promisedError, relativeError } from "../../src/cli/bench/eighProblem.ts";
import { eighTargets } from "../../src/cli/bench/eighTargets.ts";
import { matmulSuite } from "../../src/cli/bench/matmulSuite.ts";
import { peerVersions } from "../../src/cli/bench/peerBundle.ts";
import { GOLDEN, SOAK, stepTargets } from "../../src/cli/bench/stepTargets.ts";
import { annotated } from "../../src/cli/bench/suites.ts";
import { benchTable } from "../../src/cli/bench/table.ts";
import { speedTargets } from "../../src/cli/bench/targets.ts";
import { fittedExponent, median, summarize, timed } from "../../src/cli/bench/timing.ts";
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
    { name: "first", value: 10, atLeast: 8, aim: 12, met: true, where: "n=64" },
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
    expect(lines[first - 1]).toBe("what engine median ms fastest slowest runs error/max sweeps verified");
    expect(lines[first]).toBe("n=64 scale=1 eigenstep 20 20 20 5 1.0e-7 8 yes");
    expect(lines[first + 1]).toBe("jax-js webgpu 200 200 200 5 1.0e-7 - NO a note");
    expect(lines).toContain("first 10 ≥ 8 12 met (n=64)");
    expect(lines).toContain("second 10 ≤ 8 MISSED");
    expect(lines).toContain("third - ≤ 8 not judged");
  });

  it("prints a table for each suite, with the columns that it has", () => {
    const counts = { dispatches: 1, submits: 2, objectsCreated: 0, writeBuffers: 3 };
    const product = row("NN 8×8×8", "eigenstep", 2, { suite: "matmul", gflops: 1.5, percentOfCeiling: 30, ...counts });
    const lines = benchTable({ ...document, rows: [...document.rows, product] })
      .split("\n")
      .map((line) => line.replace(/\s+/g, " ").trim());
    const at = lines.findIndex((line) => line.startsWith("NN 8×8×8"));
    expect(lines[at - 1]).toBe(
      "what engine median ms fastest slowest runs GFLOP/s % ceiling dispatches submits objects writes error/max verified",
    );
    expect(lines[at]).toBe("NN 8×8×8 eigenstep 2 2 2 5 1.5 30 1 2 0 3 1.0e-7 yes");
    expect(lines[at - 2]).toBe("");
  });

  it("passes on which rows are wanted and how long a soak is; refuses a soak that says nothing", async () => {
    const seen: BenchTask[] = [];
    const soak = ["bench", "step", "--only", "soak", "--soak", "1000"];
    expect((await command(soak, measuring(document, seen))).code).toBe(0);
    expect(seen).toMatchObject([{ suites: ["step"], only: "soak", soakSteps: 1000 }]);
    expect((await command(["bench", "--soak", "200"], measuring(document, seen))).code).toBe(0);
    const short = await command(["bench", "step", "--soak", "199"], measuring(document));
    expect([short.code, short.stderr]).toEqual([
      2,
      expect.stringMatching(/CLI-USAGE: a soak of 199 steps.*\n.*200 steps/),
    ]);
    const other = await command(["bench", "conv", "--soak", "1000"], measuring(document));
    expect([other.code, other.stderr]).toEqual([
      2,
      expect.stringMatching(/CLI-USAGE: --soak belongs to the suite step/),
    ]);
    expect((await command(["bench", "step", "--soak", "many"], measuring(document))).code).toBe(2);
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
    const step = await command(["bench", "step", "--peers"], { ...measuring(document), packageRoot });
    expect(step.stderr).toMatch(
      /not installed: @jax-js\/jax, @tensorflow\/tfjs-core, @tensorflow\/tfjs-backend-webgpu, vite/,
    );
    const node = await command(["bench", "--peers", "--runtime", "node"], measuring(document));
    expect([node.code, node.stderr]).toEqual([2, expect.stringMatching(/CLI-USAGE.*--peers needs a browser/)]);
    expect((await command(["bench", "nothing"], measuring(document))).code).toBe(2);
    const unwritable = await command(["bench", "--out", "no/such/folder.json"], measuring(document));
    expect(unwritable.stderr).toMatch(/error BENCH-WRITE/);
  });

  it("here the peers are installed in the versions that the benchmark is written for", () => {
    expect(peerVersions(root, ["eigh"])).toEqual({ "ml-matrix": "6.15.1", "@jax-js/jax": "0.1.25" });
    expect(peerVersions(root, ["conv"])).toEqual({
      "@jax-js/jax": "0.1.25",
      "@tensorflow/tfjs-core": "4.22.0",
      "@tensorflow/tfjs-backend-webgpu": "4.22.0",
    });
  });
});

describe("measurements", () => {
  it("median and fitted exponent", () => {
    expect([median([3]), median([4, 1]), median([9, 1, 2])]).toEqual([3, 2.5, 2]);
    expect(fittedExponent([64, 128, 256].map((n) => [n, 7e-5 * n ** 2.5] as const))).toBeCloseTo(2.5, 12);
    expect(fittedExponent([[64, 1]])).toBeNaN();
  });

  it("summarize: median and range", () => {
    expect(summarize([5, 1, 4])).toEqual({ medianMs: 4, fastestMs: 1, slowestMs: 5, runs: 3 });
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

  const ceiling = { gflops: 10, gbps: 1, usPerDispatch: 1 };
  const product = (name: string, engine: string, medianMs: number | null, more: Partial<BenchRow> = {}) =>
    row(name, engine, medianMs, { suite: "matmul", ...more });

  it("annotated: times as long as ours under the same name, percent of the ceiling", () => {
    const rows = annotated(
      [
        product("a", "eigenstep", 2, { gflops: 4 }),
        product("a", "peer", 5, { gflops: 1.6 }),
        product("a", "failed", null),
        product("b", "peer", 5),
        { ...product("a", "peer", 8), suite: "conv" },
      ],
      ceiling,
    );
    expect(rows.map(({ ratio }) => ratio)).toEqual([undefined, 2.5, undefined, undefined, undefined]);
    expect(rows.map(({ percentOfCeiling }) => percentOfCeiling)).toEqual([40, 16, ...Array(3).fill(undefined)]);
  });

  it("speed targets: the least ratio of a suite's rows and where it is; a row of ours that is wrong is worth nothing", () => {
    const rows = annotated(
      [
        product("a", "eigenstep", 2),
        product("a", "peer", 10),
        product("b", "eigenstep", 2),
        product("b", "peer", 5, { verified: false }),
        product("c", "eigenstep", 2),
        product("c", "peer", null),
      ],
      ceiling,
    );
    const [target] = speedTargets("matmul", rows, { peer: { least: 2, aim: 4 } });
    expect(target).toEqual({
      name: "matmul: times as fast as peer, least of 2 rows",
      value: 2.5,
      atLeast: 2,
      aim: 4,
      met: true,
      where: "b",
    });
    const wrong = rows.map((r) => (r.name === "a" && r.engine === "eigenstep" ? { ...r, verified: false } : r));
    expect(speedTargets("matmul", wrong, { peer: { least: 2 } })[0]).toMatchObject({
      value: 0,
      met: false,
      where: "a",
    });
    expect(speedTargets("matmul", [], { peer: { least: 2 } })[0]).toMatchObject({ value: null, met: null });
  });

  it("matmul targets: the worst orientation of order 512 against multiply-adds in the same turns", () => {
    const rows = ["NN", "NT", "TN"].flatMap((orientation, at) => [
      product(`${orientation} 512×512×512`, "eigenstep", 1, { gflops: 4 - at }),
      product(`${orientation} 512×512×512`, MULTIPLY_ADDS, 1, { gflops: 8 - 2 * at }),
    ]);
    const last = (of: readonly BenchRow[]) => matmulSuite.targets(of, { isSoftware: true }).at(-1);
    expect(last(rows)).toMatchObject({ value: 50, atLeast: 40, aim: 50, met: true, where: "NN 512×512×512" });
    const slow = rows.with(4, { ...rows[4]!, gflops: 1 });
    expect(last(slow)).toMatchObject({ value: 25, met: false, where: "TN 512×512×512" });
    // Without a verified pair there is nothing to say.
    expect(last(rows.map((each) => ({ ...each, verified: false })))).toMatchObject({ value: null, met: null });
    expect(last(rows.filter(({ engine }) => engine === "eigenstep"))).toMatchObject({ value: null, met: null });
  });

  it("step targets: speed, counts, memory against what TensorFlow.js says; a soak only where there was one", () => {
    const step = (engine: string, medianMs: number, more: Partial<BenchRow>) =>
      row(GOLDEN, engine, medianMs, { suite: "step", ...more });
    const counts = { dispatches: 83, submits: 1, objectsCreated: 0, writeBuffers: 0 };
    const rows = annotated(
      [
        step("eigenstep", 100, { ...counts, peakGpuBytes: 40 }),
        step("jax-js webgpu", 390, {}),
        step("TensorFlow.js webgpu", 1700, { peakGpuBytes: 500, reportedGpuBytes: 80 }),
      ],
      ceiling,
    );
    expect(stepTargets(rows).map(({ value, met }) => [value, met])).toEqual([
      [3.9, true],
      [17, true],
      [83, true],
      [1, true],
      [0, true],
      [0, true],
      [50, true],
    ]);
    const wrong = rows.map((r) => (r.engine === "eigenstep" ? { ...r, verified: false } : r));
    expect(stepTargets(wrong).map(({ met }) => met)).toEqual([false, false, null, null, null, null, null]);
    const soak = row(SOAK, "eigenstep", 100, {
      suite: "step",
      speedKept: 0.8,
      memoryGrowthBytes: 16,
      objectsCreated: 0,
    });
    expect(stepTargets([...rows, soak]).slice(7)).toMatchObject([{ met: false }, { met: false }, { met: true }]);
  });
});
