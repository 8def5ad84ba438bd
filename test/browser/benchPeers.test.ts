/** `eigenstep bench --peers` in Chrome: the other libraries' modules are bundled, run in our page, are right and counted alike. */
import { beforeAll, expect, it } from "vitest";
import type { BenchDocument } from "../../src/cli/bench/contract.ts";
import { dist, eigenstep, temporaryFolder } from "../cli/support.ts";

const ENGINES = ["eigenstep", "jax-js webgpu", "TensorFlow.js webgpu"];

beforeAll(async () => {
  await dist();
});

it("a matrix product by three engines", { timeout: 240_000 }, async () => {
  const ran = await eigenstep(["bench", "matmul", "--peers", "--only", "TN 128×128×128", "--json"], {
    cwd: await temporaryFolder(),
    distPath: await dist(),
  });
  expect(ran.stderr).not.toContain("error");
  expect(ran.code).toBe(0);
  const { rows, versions, targets } = JSON.parse(ran.stdout) as BenchDocument;
  expect(Object.keys(versions)).toEqual([
    "eigenstep",
    "@jax-js/jax",
    "@tensorflow/tfjs-core",
    "@tensorflow/tfjs-backend-webgpu",
  ]);
  expect(rows.map(({ engine, verified, dispatches }) => [engine, verified, dispatches])).toEqual(
    ENGINES.map((engine) => [engine, true, 1]),
  );
  const [ours, jaxJs, tensorflow] = rows;
  expect(ours).toMatchObject({ submits: 1, objectsCreated: 0, writeBuffers: 0 });
  // jax-js submits each kernel and its wait apart, with a bind group each; TensorFlow.js writes a uniform buffer for each kernel.
  expect(jaxJs).toMatchObject({ submits: 2, bindGroupsCreated: 1, writeBuffers: 0 });
  expect(tensorflow).toMatchObject({ submits: 1, bindGroupsCreated: 1, writeBuffers: 1 });
  expect(rows.map(({ ratio }) => ratio !== undefined && ratio > 0)).toEqual([false, true, true]);
  expect(targets.slice(0, 2).every(({ value }) => value !== null)).toBe(true);
});
