/** A network's first parameters on the host. */
import { CompiledPlan } from "../autodiff/compiledPlan.ts";
import { Graph } from "../autodiff/graph.ts";
import { planGraph } from "../autodiff/planner.ts";
import type { Engine } from "../device/engine.ts";
import { type DrawKey, drawParameters } from "../nn/init.ts";
import type { ParameterSpec } from "../nn/spec.ts";
import { targetOf } from "../train/trainingStep.ts";

/** Draws on the GPU as a training run does; laid out as `flatLayout` says. */
export async function firstParameters(
  engine: Engine,
  parameters: readonly ParameterSpec[],
  key: DrawKey,
): Promise<Float32Array<ArrayBuffer>> {
  if (parameters.length === 0) return new Float32Array(0);
  const graph = new Graph();
  const drawn = drawParameters(graph, parameters, key);
  const target = targetOf(engine.adapter);
  const plan = planGraph({ graph, programs: { main: [drawn] }, outputs: { drawn }, target });
  const compiled = await CompiledPlan.compile(engine, plan);
  try {
    compiled.run("main");
    return new Float32Array(await engine.readBuffer(compiled.buffer("drawn"), 0, 4 * drawn.elements));
  } finally {
    compiled.destroy();
  }
}
