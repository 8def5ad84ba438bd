/** Runs an identity experiment: a plan for each architecture and group of identities, one random network after another. */
import { CompiledPlan } from "../../autodiff/compiledPlan.ts";
import { Graph } from "../../autodiff/graph.ts";
import { type Plan, planTotals } from "../../autodiff/plan.ts";
import { planGraph } from "../../autodiff/planner.ts";
import type { Engine } from "../../device/engine.ts";
import { dualNetwork, requireWidths } from "../../dual/network.ts";
import type { BatchShape } from "../../dual/pairMatrix.ts";
import { EngineError } from "../../errors.ts";
import { ParameterScope } from "../../nn/scope.ts";
import type { Target } from "../../ops/opDefinition.ts";
import { targetOf } from "../../train/trainingStep.ts";
import { announce } from "../announce.ts";
import type { MetricsRecord, RunRequest, RunResult, RunSink } from "../contract.ts";
import { type IdentityChecks, type IdentityGroup, identityChecks } from "./checks.ts";
import type { OperatorIdentityConfig } from "./config.ts";
import { drawSamples, drawTuples, drawWeights } from "./draws.ts";
import { Findings } from "./findings.ts";

/** One architecture, with or without augmentation, and one group of identities. */
interface Setting {
  readonly widths: readonly number[];
  readonly shape: BatchShape;
  readonly graph: Graph;
  readonly identities: IdentityChecks;
  readonly plan: Plan;
}

/** @throws EngineError CONFIG-WIDTHS, CONFIG-BATCH, DUAL-NEGATIVES, CONFIG-VALUE */
export function identitySettings(engine: Engine, config: OperatorIdentityConfig): Setting[] {
  const { images, augmentations } = config.data;
  if (images < 2 || augmentations < 2) {
    throw new EngineError({
      code: "CONFIG-BATCH",
      message: `data.images is ${images} and data.augmentations ${augmentations}; identities compare 2 of each at least`,
      fix: "Use at least 2 of each.",
      where: images < 2 ? "data.images" : "data.augmentations",
    });
  }
  const target = targetOf(engine.adapter, config.kernels.family);
  return config.model.widths.flatMap((widths) => {
    requireWidths(widths);
    return [1, augmentations].flatMap((count) => {
      const shape = { images, augmentations: count };
      const groups: IdentityGroup[] = [{ kind: "all pairs" }, ...drawTuples(config, shape)];
      return groups.map((group) => setting(config, widths, shape, group, target));
    });
  });
}

function setting(
  config: OperatorIdentityConfig,
  widths: readonly number[],
  shape: BatchShape,
  group: IdentityGroup,
  target: Target,
): Setting {
  const graph = new Graph();
  const x = graph.input("x", [shape.images * shape.augmentations, widths[0] ?? 1]);
  const pass = dualNetwork(ParameterScope.create(graph), x, { widths });
  const identities = identityChecks(config, pass, shape, group);
  const outputs = { numbers: identities.numbers, outputs: identities.outputs };
  const plan = planGraph({ graph, programs: { record: Object.values(outputs) }, outputs, target });
  return { widths, shape, graph, identities, plan };
}

export async function runOperatorIdentity(
  engine: Engine,
  { config }: RunRequest<OperatorIdentityConfig>,
  sink: RunSink,
  signal: AbortSignal,
): Promise<RunResult> {
  const started = performance.now();
  await announce(sink, "planning the identities");
  const settings = identitySettings(engine, config);
  await announce(sink, `compiling ${settings.length} plans`);
  const compiled: CompiledPlan[] = [];
  try {
    for (const { plan, identities } of settings) {
      if (signal.aborted) break;
      const made = await CompiledPlan.compile(engine, plan);
      compiled.push(made);
      // Of tuples whose loss has constant weights a plan keeps only what the loss itself reads.
      const kept = new Set(plan.persistent.map(({ name }) => name));
      for (const [name, values] of Object.entries(identities.data)) if (kept.has(name)) made.write(name, values);
    }
    const findings = new Findings(config.tolerance);
    const theory = { identities: "−∇W_l = OP_l·vec(W_l)", source: "arXiv 2010.00578v6", tolerance: config.tolerance };
    await sink.begin({ config, adapter: engine.adapter, theory, description: describe(settings, config) });
    const history: MetricsRecord[] = [];
    const { objectsCreated } = engine;
    let submits = 0;
    for (let draw = 0; draw < config.steps && !signal.aborted; draw++) {
      for (const [index, setting] of settings.entries()) {
        const plan = compiled[index];
        if (!plan) throw new Error("unreachable: one compiled plan for each setting");
        await check(engine, plan, setting, config, draw, findings);
        submits++;
      }
      const record = findings.record(draw + 1);
      history.push(record);
      await sink.records([record]);
    }
    const counts = settings.map(({ plan }) => planTotals(plan));
    const done = history.length;
    const most = Math.max(...counts.map(({ dispatches }) => dispatches));
    return {
      preset: config.preset,
      adapter: engine.adapter,
      steps: done,
      seed: config.seed,
      loss: { first: history[0]?.loss ?? Number.NaN, last: history.at(-1)?.loss ?? Number.NaN },
      theory,
      measured: findings.summary(),
      counters: {
        dispatchesPerStep: most,
        dispatchesPerStepWithoutSpectrum: most,
        submits,
        writeBuffersAfterWarmup: 0,
        gpuObjectsCreatedAfterWarmup: engine.objectsCreated - objectsCreated,
        bytesReadBackPerStep: settings.reduce((total, { identities }) => total + bytesOf(identities), 0),
        readBackHeaderBytes: 0,
        peakGpuBytes: engine.memory.peakBytes,
      },
      wallMs: Math.round(performance.now() - started),
      ...(done < config.steps ? { stopped: { reason: "interrupted" as const, step: done } } : {}),
    };
  } finally {
    for (const plan of compiled) plan.destroy();
  }
}

function bytesOf({ numbers, outputs }: IdentityChecks): number {
  return 4 * (numbers.elements + outputs.elements);
}

/** One random network and data set through one plan. */
async function check(
  engine: Engine,
  compiled: CompiledPlan,
  { widths, shape, graph, identities }: Setting,
  { seed, data }: OperatorIdentityConfig,
  draw: number,
  findings: Findings,
): Promise<void> {
  compiled.write("x", drawSamples(seed, draw, shape, widths[0] ?? 1, data.noise));
  const weights = drawWeights(seed, draw, widths);
  for (const { name, offset } of graph.segments) {
    const values = weights[name];
    if (values) compiled.write("parameters", values, 4 * offset);
  }
  compiled.run("record");
  const read = async (name: "numbers" | "outputs") => {
    const bytes = await engine.readBuffer(compiled.buffer(name), 0, 4 * identities[name].elements);
    return new Float32Array(bytes);
  };
  findings.add(widths, identities.checks, await read("numbers"), await read("outputs"));
}

function describe(settings: readonly Setting[], config: OperatorIdentityConfig): string {
  const identities = settings.reduce((total, one) => total + one.identities.checks.length, 0);
  const wrong = settings.reduce((total, one) => total + one.identities.checks.filter((c) => c.wrong).length, 0);
  const dispatches = settings.reduce((total, { plan }) => total + planTotals(plan).dispatches, 0);
  return [
    `dual networks ${config.model.widths.map((widths) => widths.join("-")).join(", ")}`,
    `${identities - wrong} identities and ${wrong} wrong operators for each draw, ${dispatches} dispatches`,
  ].join("\n");
}
