/** Runs an HLTM experiment cell by cell: measure, train an epoch, measure again; from the start or from a checkpoint. */
import { planTotals } from "../../autodiff/plan.ts";
import type { Engine } from "../../device/engine.ts";
import { EngineError } from "../../errors.ts";
import { flatLayout, parameterCount } from "../../nn/spec.ts";
import { beliefCeiling } from "../../theory/index.ts";
import { restoreTensors } from "../../train/checkpoint.ts";
import { STEP_STATE_BYTES } from "../../train/stepState.ts";
import { dispatchCounts } from "../../train/trainingStep.ts";
import { announce } from "../announce.ts";
import { CHECKPOINT_MS, type CheckpointOwner, decodeCheckpoint, encodeCheckpoint } from "../checkpointFile.ts";
import type { MetricsRecord, RunRequest, RunResult, RunSink } from "../contract.ts";
import { type CellPlans, CellRun, planCell, variantsOf } from "./cellRun.ts";
import { cellsOf, measuredSteps, placeOf, runStep } from "./cells.ts";
import type { HltmConfig } from "./config.ts";
import { levelValues, type Spread, spreadOver } from "./measures.ts";
import { byLevel, measuredCells, toRecord } from "./records.ts";
import { seedsOf } from "./trees.ts";

/** Deeper trees have many nodes whose evidence has to be merged, each as dear as outcomes². */
const MOST_EXACT_DEPTH = 6;

/** Nothing is read: samples are drawn from the configuration's seeds. */
const GENERATED = "generated";

interface HltmRun {
  readonly engine: Engine;
  readonly config: HltmConfig;
  readonly sink: RunSink;
  readonly signal: AbortSignal;
  readonly owner: CheckpointOwner;
  readonly history: MetricsRecord[];
}

interface Stop {
  readonly reason: "interrupted" | "diverged";
  readonly step: number;
  readonly where?: string;
}

/** @throws EngineError CONFIG-…, LIMIT-…, RUN-CHECKPOINT-…, RUN-METRICS, DEVICE-… */
export async function runHltm(
  engine: Engine,
  request: RunRequest<HltmConfig>,
  sink: RunSink,
  signal: AbortSignal,
): Promise<RunResult> {
  const started = performance.now();
  await announce(sink, "planning the cells");
  const plans = cellsOf(request.config).map((cell) => planCell(engine, request.config, cell));
  const [first] = plans;
  if (!first) throw new Error("unreachable: there is a cell at least");
  // Variants have names within one plan; several cells have several.
  const variants = plans.length === 1 ? { variants: variantsOf(first) } : {};
  const config = { ...request.config, kernels: { ...request.config.kernels, ...variants } };
  await announce(sink, "computing the ceiling by belief propagation");
  const theory = { ceiling: ceilings(config, plans) };
  const owner: CheckpointOwner = { config, dataHash: GENERATED };
  const history = [...(request.resume?.records ?? [])];
  const start = request.resume?.checkpoint ? startOf(request.resume.checkpoint, history, owner) : undefined;
  const run: HltmRun = { engine, config, sink, signal, owner, history };
  await sink.begin({
    config,
    adapter: engine.adapter,
    theory,
    description: describe(plans, config),
    firstStep: start?.step ?? 0,
    steps: runStep(config, plans.length - 1, config.steps),
  });
  const before = { submits: engine.calls.submits };
  const created: Created = { objects: 0, writes: 0 };
  let stop: Stop | undefined;
  const from = start ? placeOf(config, start.step) : { cell: 0, step: 0 };
  for (const [index, cellPlans] of plans.entries()) {
    if (index < from.cell) continue;
    const state = index === from.cell && start ? { step: from.step, tensors: start.tensors } : undefined;
    stop = await runCell(run, index, cellPlans, state, created);
    if (stop) break;
  }
  const last = history.at(-1);
  const counts = dispatchCounts(first.trainingPlan);
  const { spectrumLength } = first.training.step;
  const cells = measuredCells(config, history);
  return {
    preset: config.preset,
    adapter: engine.adapter,
    steps: stop?.step ?? last?.step ?? 0,
    seed: config.seed,
    loss: { first: history[0]?.loss ?? Number.NaN, last: last?.loss ?? Number.NaN },
    theory,
    measured: { ...(plans.length === 1 && cells[0] ? { correlation: cells[0].correlation } : {}), cells },
    counters: {
      dispatchesPerStep: counts.withRecord,
      dispatchesPerStepWithoutSpectrum: counts.withoutRecord,
      submits: engine.calls.submits - before.submits,
      writeBuffersAfterWarmup: created.writes,
      gpuObjectsCreatedAfterWarmup: created.objects,
      bytesReadBackPerStep: 4 * (1 + spectrumLength),
      readBackHeaderBytes: STEP_STATE_BYTES,
      peakGpuBytes: engine.memory.peakBytes,
    },
    wallMs: Math.round(performance.now() - started),
    ...(start ? { resumedFrom: start.step } : {}),
    ...(stop ? { stopped: stop } : {}),
  };
}

/** GPU objects and buffer writes after the first measurement of a cell. */
interface Created {
  objects: number;
  writes: number;
}

/** @returns why the cell was not finished, if it was not */
async function runCell(
  { engine, config, sink, signal, owner, history }: HltmRun,
  index: number,
  plans: CellPlans,
  state: { readonly step: number; readonly tensors: Parameters<typeof restoreTensors>[1] } | undefined,
  created: Created,
): Promise<Stop | undefined> {
  const run = await CellRun.create(engine, config, plans);
  try {
    if (state) {
      restoreTensors(run.compiled, state.tensors, run.stateLayout);
      run.resumeAt(state.step);
    }
    const context = { trees: plans.trees, parameters: plans.training.parameters };
    const known = new Set(history.map(({ step }) => step));
    const checkpoint = async (parameters: Float32Array<ArrayBuffer>): Promise<void> => {
      const stepState = {
        step: runStep(config, index, run.step),
        records: history.length,
        nonfiniteStep: undefined,
        learningRate: config.optimizer.learningRate,
      };
      await sink.checkpoint(encodeCheckpoint({ stepState, buffers: { parameters } }, run.stateLayout, owner));
    };
    let warm: { readonly objects: number; readonly writes: number } | undefined;
    for (const [epoch, step] of measuredSteps(config).entries()) {
      while (run.step < step) {
        const badStep = await run.train(step, signal, performance.now() + CHECKPOINT_MS);
        if (badStep !== undefined) {
          const where = firstBadPlace(config, plans, await run.parameters());
          return { reason: "diverged", step: runStep(config, index, badStep), where };
        }
        if (run.step < step) await checkpoint(await run.parameters());
        if (signal.aborted) return { reason: "interrupted", step: runStep(config, index, run.step) };
      }
      if (step < run.step || known.has(runStep(config, index, step))) continue;
      const loss = await run.loss();
      if (!Number.isFinite(loss)) {
        const where = firstBadPlace(config, plans, await run.parameters());
        return { reason: "diverged", step: runStep(config, index, step), where };
      }
      const raw = await run.measure(epoch);
      const record = toRecord(config, { cell: index, step }, loss, levelValues(raw, context));
      history.push(record);
      await sink.records([record]);
      await checkpoint(raw.parameters);
      if (warm) {
        created.objects += engine.objectsCreated - warm.objects;
        created.writes += engine.calls.writeBuffers - warm.writes;
      }
      warm = { objects: engine.objectsCreated, writes: engine.calls.writeBuffers };
      if (signal.aborted && step < config.steps) return { reason: "interrupted", step: record.step };
    }
    return undefined;
  } finally {
    run.destroy();
  }
}

/** @throws EngineError RUN-METRICS and those of `decodeCheckpoint` */
function startOf(bytes: Uint8Array, history: readonly MetricsRecord[], owner: CheckpointOwner) {
  const checkpoint = decodeCheckpoint(bytes, owner);
  if (checkpoint.records === history.length) return checkpoint;
  throw new EngineError({
    code: "RUN-METRICS",
    message: `The checkpoint was made after ${checkpoint.records} records; metrics.jsonl has ${history.length} of them`,
    fix: "Put back the metrics.jsonl of this run, or remove checkpoint.safetensors to start from the first step.",
    where: "metrics.jsonl",
  });
}

/** The first parameter that is not finite, with its seed. */
function firstBadPlace(config: HltmConfig, { training }: CellPlans, parameters: Float32Array): string {
  const { offsets } = flatLayout(training.parameters);
  for (const [trial, seed] of seedsOf(config).entries()) {
    for (const [index, { name, shape }] of training.parameters.entries()) {
      const perTrial = shape.slice(1).reduce((product, extent) => product * extent, 1);
      const start = (offsets[index] ?? 0) + trial * perTrial;
      const values = parameters.subarray(start, start + perTrial);
      if (!values.every(Number.isFinite)) return `${name} of seed ${seed}`;
    }
  }
  return "the loss alone";
}

interface Ceiling extends Spread {
  readonly polarity: readonly [number, number];
  readonly levels: readonly number[];
}

/** For each cell the mean over latents of a level of the best correlation that any function of the leaves has, over its seeds' trees. */
function ceilings(config: HltmConfig, plans: readonly CellPlans[]): readonly Ceiling[] {
  const known = new Map<string, Spread>();
  // A merge of outcomes costs at most 1/(4·outcomes²) of a posterior's variance: below 4e-6 either way.
  const outcomes = config.tree.depth > MOST_EXACT_DEPTH ? 256 : 1024;
  return plans.map(({ cell, trees }) => {
    const key = cell.polarity.join();
    const spread =
      known.get(key) ?? spreadOver(trees.map((tree) => byLevel(config.tree, beliefCeiling(tree, { outcomes }))));
    known.set(key, spread);
    const levels = spread.mean.map((_, index) => config.tree.depth - index);
    return { polarity: cell.polarity, levels, ...spread };
  });
}

function describe(plans: readonly CellPlans[], config: HltmConfig): string {
  const widths = [...new Set(plans.map(({ cell }) => cell.width))].join(", ");
  const ranges = [...new Set(plans.map(({ cell }) => `[${cell.polarity.join(", ")}]`))].join(", ");
  const largest = plans.reduce((most, one) =>
    planTotals(one.trainingPlan).flops > planTotals(most.trainingPlan).flops ? one : most,
  );
  const { flops, peakBytes } = planTotals(largest.trainingPlan, ["update"]);
  const { withoutRecord } = dispatchCounts(largest.trainingPlan);
  const perSeed = parameterCount(largest.training.parameters) / config.seeds;
  return [
    `trees: depth ${config.tree.depth}, branching ${config.tree.branching}; |ρ| in ${ranges}; width ${widths}; ${config.seeds} seeds side by side`,
    `plan: ${withoutRecord} dispatches per step, ${(flops / 1e6).toPrecision(3)} MFLOP, ${(peakBytes / 2 ** 20).toFixed(1)} MiB; ${perSeed.toLocaleString("en")} parameters a seed`,
    ...(plans.length > 1 ? [`${plans.length} cells of ${config.steps} steps`] : []),
  ].join("\n");
}
