import { it } from "vitest";
import { Engine } from "../src/device/engine.ts";
import { nodeGpu } from "../src/device/nodeRuntime.ts";
import { CompiledPlan } from "../src/autodiff/compiledPlan.ts";
import { planGraph } from "../src/autodiff/planner.ts";
import { linearGraph } from "../src/experiments/linearGraph.ts";
import { REGISTER_TARGET } from "./support/graphs.ts";
it("bench", async () => {
  const { gpu } = await nodeGpu();
  const engine = await Engine.request({ gpu, pollsBusily: true });
  const step = linearGraph({ n: 500, m: 1200, d: 10 }, 0);
  const plan = planGraph({ graph: step.graph, programs: step.programs, outputs: { gradients: step.gradients }, target: REGISTER_TARGET });
  const c = await CompiledPlan.compile(engine, plan);
  const all = c.program("update", "record");
  for (let i = 0; i < all.length; i++) {
    const reps = 20;
    let best = 1e9, bestCpu = 1e9;
    for (let t = 0; t < 3; t++) {
      const cpu0 = process.cpuUsage(); const t0 = performance.now();
      const e = engine.device.createCommandEncoder(); const p = e.beginComputePass();
      for (let r = 0; r < reps; r++) c.encode(p, [all[i]!]);
      p.end(); engine.submit(e.finish());
      await new Promise((r) => setTimeout(r, 50));
      await engine.readBuffer(c.buffer("stepState"), 0, 16);
      const cpu = process.cpuUsage(cpu0);
      best = Math.min(best, (performance.now() - t0 - 50) / reps); bestCpu = Math.min(bestCpu, (cpu.user + cpu.system) / 1000 / reps);
    }
    const call = plan.calls[i]!;
    console.log(call.node, call.kernel.name, JSON.stringify(call.knobs), call.grid.join("x"), `wall ${best.toFixed(2)} cpu ${bestCpu.toFixed(2)} ms, ${(call.flops / bestCpu / 1e6).toFixed(2)} GF/cpu-s`);
  }
  engine.destroy();
}, 600000);
