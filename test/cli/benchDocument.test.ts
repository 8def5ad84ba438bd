/** One benchmark from start to end on Dawn: the ceiling, a suite, what is said of its rows, and its targets. */
import { expect, it } from "vitest";
import type { BenchTask } from "../../src/cli/bench/contract.ts";
import { GpuCalls } from "../../src/cli/bench/gpuCalls.ts";
import { executeBench } from "../../src/cli/bench/suites.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();

async function execute(changes: Partial<BenchTask>) {
  using calls = GpuCalls.install();
  const task: BenchTask = { kind: "bench", suites: ["matmul", "conv"], peers: false, versions: { x: "1" }, ...changes };
  const signal = new AbortController().signal;
  return await executeBench(task, { engine: engine(), signal, progress() {}, calls, peers: [] });
}

it("a document has the ceiling of its run, rows measured against it, and the targets of its suites", {
  timeout: 120_000,
}, async () => {
  const document = await execute({ only: "NN 128×128×128" });
  expect(document).toMatchObject({ adapter: engine().adapter, versions: { x: "1" } });
  const { gflops, gbps, usPerDispatch } = document.ceiling;
  expect([gflops > 0, gbps > 0, usPerDispatch > 0]).toEqual([true, true, true]);
  expect(document.rows).toHaveLength(1);
  const [row] = document.rows;
  expect(row).toMatchObject({ suite: "matmul", name: "NN 128×128×128", verified: true });
  expect(row!.gflops).toBeCloseTo((2 * 128 ** 3) / (1e6 * row!.medianMs!), 12);
  expect(row!.percentOfCeiling).toBeCloseTo((100 * row!.gflops!) / gflops, 10);
  // A product from memory cannot be faster than multiply-adds from registers.
  expect(row!.percentOfCeiling).toBeLessThan(100);
  expect(document.targets.map(({ name, met }) => [name.split(":")[0], met])).toEqual([
    ["matmul", null],
    ["matmul", null],
    ["matmul 512³", null],
    ["conv", null],
    ["conv", null],
  ]);
});

it("a filter that leaves nothing is an error that names the rows, before anything is measured", async () => {
  const before = engine().calls.submits;
  for (const suites of [["matmul", "conv"], ["step"], ["eigh"]] as const) {
    const names = { matmul: "NN 128×128×128, NT", step: "golden step, golden step", eigh: "n=16 scale=1, n=16" }[
      suites[0]
    ];
    const refusal = { code: "BENCH-NOTHING", fix: expect.stringContaining(names) };
    await expect(execute({ suites, only: "no such row" })).rejects.toMatchObject(refusal);
  }
  expect(engine().calls.submits).toBe(before);
});
