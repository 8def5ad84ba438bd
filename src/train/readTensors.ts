/** Any tensors of a training step's graph, computed from its current state and read back: for embeddings, files and post-mortems. */
import { CompiledPlan } from "../autodiff/compiledPlan.ts";
import type { Graph, Tensor } from "../autodiff/graph.ts";
import { planGraph } from "../autodiff/planner.ts";
import type { Engine } from "../device/engine.ts";
import type { Target } from "../ops/opDefinition.ts";

/**
 * Compiles the part of the graph that the tensors need, on the buffers of the compiled step, and runs it once. Nothing of the step's state
 * changes.
 *
 * @param tensors f32 tensors by name
 * @returns their values by name, row-major
 * @throws EngineError LIMIT-…, DEVICE-…
 */
export async function readTensors(
  engine: Engine,
  compiled: CompiledPlan,
  graph: Graph,
  tensors: Readonly<Record<string, Tensor>>,
  target: Target,
): Promise<Record<string, Float32Array<ArrayBuffer>>> {
  const bases = new Map(Object.entries(tensors).map(([name, tensor]) => [name, tensor.view?.base ?? tensor] as const));
  // Names that share memory share its buffer.
  const outputs: Record<string, Tensor> = {};
  for (const base of new Set(bases.values())) outputs[`read-back ${base.id}`] = base;
  const plan = planGraph({ graph, programs: { read: Object.values(outputs) }, outputs, target });
  const shared = plan.persistent.filter(({ name }) => !Object.hasOwn(outputs, name));
  const external = Object.fromEntries(shared.map(({ name }) => [name, compiled.buffer(name)]));
  const reader = await CompiledPlan.compile(engine, plan, external);
  try {
    reader.run("read");
    const values: Record<string, Float32Array<ArrayBuffer>> = {};
    for (const [name, tensor] of Object.entries(tensors)) {
      const buffer = reader.buffer(`read-back ${bases.get(name)?.id}`);
      const offset = tensor.view?.offset ?? 0;
      values[name] = new Float32Array(await engine.readBuffer(buffer, 4 * offset, 4 * tensor.elements));
    }
    return values;
  } finally {
    reader.destroy();
  }
}
