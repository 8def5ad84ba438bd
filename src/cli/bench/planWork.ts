/** One op as our planner runs it: a graph of one result, compiled once, submitted as often as it is timed. */
import { CompiledPlan } from "../../autodiff/compiledPlan.ts";
import { Graph, type Tensor } from "../../autodiff/graph.ts";
import { planGraph } from "../../autodiff/planner.ts";
import type { Engine } from "../../device/engine.ts";
import { targetOf } from "../../train/trainingStep.ts";
import type { PreparedWork } from "./peerContract.ts";

const PROGRAM = "run";
const RESULT = "result";

/**
 * @param build adds the op to a graph and returns its result
 * @param inputs contents of the graph's inputs, by name
 */
export async function preparePlan(
  engine: Engine,
  build: (graph: Graph) => Tensor,
  inputs: Readonly<Record<string, Float32Array>>,
): Promise<PreparedWork> {
  const graph = new Graph();
  const result = build(graph);
  const plan = planGraph({
    graph,
    programs: { [PROGRAM]: [result] },
    outputs: { [RESULT]: result },
    target: targetOf(engine.adapter),
  });
  const compiled = await CompiledPlan.compile(engine, plan);
  for (const [name, values] of Object.entries(inputs)) compiled.write(name, values as Float32Array<ArrayBuffer>);
  const run = async () => {
    compiled.run(PROGRAM);
    await engine.guard(engine.device.queue.onSubmittedWorkDone());
  };
  return {
    run,
    async result() {
      await run();
      return new Float32Array(await engine.readBuffer(compiled.buffer(RESULT), 0, 4 * result.elements));
    },
    release: () => compiled.destroy(),
  };
}
