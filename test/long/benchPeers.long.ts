/** The whole of `eigenstep bench conv|step --peers`: every engine's results are right, and the structure of our step is what it should be. */
import { expect, it } from "vitest";
import type { BenchDocument } from "../../src/cli/bench/contract.ts";
import { dist, eigenstep, temporaryFolder } from "../cli/support.ts";

async function bench(...parameters: readonly string[]): Promise<BenchDocument> {
  const ran = await eigenstep(["bench", ...parameters, "--json"], {
    cwd: await temporaryFolder(),
    distPath: await dist(),
  });
  expect(ran.code, ran.stderr).toBe(0);
  return JSON.parse(ran.stdout) as BenchDocument;
}

const HOUR = { timeout: 3_600_000 };

it("convolutions by three engines are all verified", HOUR, async () => {
  const { rows } = await bench("conv", "--peers");
  expect(rows).toHaveLength(3 * 33);
  expect(rows.filter(({ verified }) => !verified)).toEqual([]);
});

it("the golden step by three engines has the golden losses; ours one submit and no object", HOUR, async () => {
  const { rows, targets } = await bench("step", "--peers");
  expect(rows.map(({ engine, verified }) => [engine, verified])).toEqual(
    ["eigenstep", "eigenstep", "jax-js webgpu", "TensorFlow.js webgpu"].map((engine) => [engine, true]),
  );
  const structural = targets.filter(({ atMost }) => atMost !== undefined);
  expect(structural).toHaveLength(5);
  expect(structural.filter(({ met }) => !met)).toEqual([]);
});

it("a thousand steps create no object, grow no memory and keep their speed", HOUR, async () => {
  const { rows, targets } = await bench("step", "--only", "soak", "--soak", "1000");
  expect(rows).toMatchObject([{ name: "soak", verified: true, runs: 999, objectsCreated: 0, writeBuffers: 0 }]);
  expect(targets.filter(({ name }) => name.startsWith("soak")).map(({ met }) => met)).toEqual([true, true, true]);
});
