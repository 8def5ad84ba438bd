/** Evaluates graphs on the test device: fills the inputs, runs once, reads tensors back. */
import { CompiledPlan } from "../../src/autodiff/compiledPlan.ts";
import type { Graph, Tensor } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import type { Engine } from "../../src/device/engine.ts";
import type { Target } from "../../src/ops/opDefinition.ts";

export const REGISTER_TARGET: Target = { isSoftware: true, matmulFamily: "register" };

/**
 * @param feeds leaf contents by name
 * @param wanted tensors to read, by any name
 */
export async function evaluate<Name extends string>(
  engine: Engine,
  graph: Graph,
  feeds: Readonly<Record<string, Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>>,
  wanted: Readonly<Record<Name, Tensor>>,
  target: Target = REGISTER_TARGET,
): Promise<Record<Name, Float32Array>> {
  const outputs = Object.fromEntries(Object.entries<Tensor>(wanted).map(([name, tensor]) => [`want ${name}`, tensor]));
  const plan = planGraph({ graph, programs: { main: Object.values<Tensor>(wanted) }, outputs, target });
  const compiled = await CompiledPlan.compile(engine, plan);
  try {
    for (const leaf of graph.leaves) {
      const data = feeds[leaf.name];
      const isUsed = plan.persistent.some(({ name }) => name === leaf.leaf?.buffer);
      if (data && isUsed) compiled.write(leaf.leaf?.buffer ?? "", data, 4 * (leaf.leaf?.offset ?? 0));
    }
    compiled.run("main");
    const results = {} as Record<Name, Float32Array>;
    for (const [name, tensor] of Object.entries<Tensor>(wanted)) {
      const bytes = await engine.readBuffer(compiled.buffer(`want ${name}`), 0, 4 * tensor.elements);
      results[name as Name] = new Float32Array(bytes);
    }
    return results;
  } finally {
    compiled.destroy();
  }
}
