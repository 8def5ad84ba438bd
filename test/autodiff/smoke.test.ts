import { expect, it } from "vitest";
import { crossCorrelation, eigenvalues, frobeniusIdentity, matmul, slice } from "../../src/autodiff/functions.ts";
import { grad } from "../../src/autodiff/grad.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { useEngine } from "../support/device.ts";
import { evaluate, REGISTER_TARGET } from "../support/graphs.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine();

it("runs a linear step", async () => {
  const graph = new Graph();
  const [n, m, d] = [10, 12, 3];
  const x = graph.input("x", [2 * n, m]);
  const w = graph.parameter("w", [d, m]);
  const z = matmul(x, w, { transposeB: true });
  const c = crossCorrelation(slice(z, 0, n), slice(z, n, 2 * n), { symmetric: true });
  const loss = frobeniusIdentity(c);
  const [dW] = grad(loss, [w]);
  const plan = planGraph({ graph, programs: { main: [loss, dW!] }, target: REGISTER_TARGET });
  console.log(plan.calls.map((call) => `${call.node} ${call.kernel.name} ${JSON.stringify(call.bindings)}`).join("\n"));
  const random = new TestRandom(1);
  const r = await evaluate(
    engine(),
    graph,
    { x: random.normals(2 * n * m), w: random.normals(d * m, 0.1) },
    { loss, dW: dW!, l: eigenvalues(c) },
  );
  console.log(r);
  expect(r.loss[0]).toBeGreaterThan(0);
});
