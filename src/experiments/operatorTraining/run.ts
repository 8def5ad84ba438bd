/** Runs an operator experiment: images and parameters on the GPU, training by replay, operators measured now and then. */
import type { CompiledPlan } from "../../autodiff/compiledPlan.ts";
import { kernelVariants, type Plan, planTotals } from "../../autodiff/plan.ts";
import { encodeSafetensors, type ImageSet } from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import { parameterCount } from "../../nn/spec.ts";
import { stateTensors } from "../../train/checkpoint.ts";
import { type ReplayOptions, replay, type StepRecord } from "../../train/replay.ts";
import { compileTrainingStep, dispatchCounts, planTrainingStep, targetOf } from "../../train/trainingStep.ts";
import { announce } from "../announce.ts";
import { CHECKPOINT_MS, type CheckpointOwner, encodeCheckpoint, restoreCheckpoint } from "../checkpointFile.ts";
import type { MetricsRecord, RunRequest, RunResult, RunSink } from "../contract.ts";
import { layoutOf, pixelsOnGpu, readImages } from "../imageFiles.ts";
import { replayedResult } from "../replayed.ts";
import { spectrumFile } from "../spectrumFile.ts";
import { checkConfig, rankBound, widthsOf } from "./checks.ts";
import type { OperatorTrainingConfig } from "./config.ts";
import { type PreparedOperatorRun, prepareOperatorRun } from "./data.ts";
import { OPERATOR, type OperatorStep, operatorGraph } from "./graph.ts";
import { extraOf, type GrowthState, growthAfter, predictsGrowth, summarize } from "./measures.ts";

interface OperatorRun {
  readonly engine: Engine;
  readonly request: RunRequest<OperatorTrainingConfig>;
  readonly sink: RunSink;
  readonly signal: AbortSignal;
  readonly images: ImageSet;
  readonly network: OperatorStep;
  readonly plan: Plan;
  readonly prepared: PreparedOperatorRun;
}

/** @throws EngineError CONFIG-…, DUAL-…, DATA-…, LIMIT-…, RUN-CHECKPOINT-…, RUN-DATA-CHANGED, DEVICE-… */
export async function runOperatorTraining(
  engine: Engine,
  request: RunRequest<OperatorTrainingConfig>,
  sink: RunSink,
  signal: AbortSignal,
): Promise<RunResult> {
  const started = performance.now();
  const { config } = request;
  checkConfig(config);
  await announce(sink, "reading data");
  const images = await readImages(config.data.source, config.data.images, request.data);
  await announce(sink, "planning the training step");
  const { maxStorageBufferBindingSize: largestBinding } = engine.adapter.limits;
  const pixels = pixelsOnGpu(config.data.images, layoutOf(images), largestBinding);
  const network = operatorGraph(config, pixels, largestBinding);
  const target = targetOf(engine.adapter, config.kernels.family);
  const plan = planTrainingStep(network.step, target, config.kernels.variants);
  await announce(sink, "drawing initial parameters");
  const prepared = await prepareOperatorRun(engine, config, images, network.parameters);
  try {
    await announce(sink, "compiling the training step");
    const kernels = { family: target.matmulFamily, variants: kernelVariants(plan) };
    const resolved = { ...request, config: { ...config, kernels } };
    return await train({ engine, request: resolved, sink, signal, images, network, plan, prepared }, started);
  } finally {
    prepared.release();
  }
}

async function train(run: OperatorRun, started: number): Promise<RunResult> {
  const { engine, request, sink, network, plan, prepared } = run;
  const { config, save } = request;
  const compiled = await compileTrainingStep(engine, plan, prepared.buffers, network.inputs);
  try {
    const owner: CheckpointOwner = { config, dataHash: run.images.sha256 };
    const initial = save.includes("weights") ? await weightsFile(engine, compiled, network) : undefined;
    const start = request.resume && restoreCheckpoint(request.resume, compiled, network.state, owner);
    const theory = theoryOf(config);
    const description = describe(plan, network, config);
    await sink.begin({ config, adapter: engine.adapter, theory, description, firstStep: start?.step ?? 0 });
    if (initial) await sink.file("weights_init.safetensors", initial);

    const history: MetricsRecord[] = [...(request.resume?.records ?? [])];
    let growth: GrowthState | undefined = history.map(growthAfter).findLast((state) => state !== undefined);
    const outcome = await replay(engine, compiled, replayOptions(run, owner, start), async (records) => {
      const batch = records.map((record) => {
        const metrics = toMetrics(record, config, network, growth);
        growth = growthAfter(metrics) ?? growth;
        return metrics;
      });
      history.push(...batch);
      await sink.records(batch);
    });
    if (save.includes("weights"))
      await sink.file("weights_final.safetensors", await weightsFile(engine, compiled, network));
    if (save.includes("spectrum")) await sink.file("spectrum.npy", spectrumFile(history));
    return {
      ...replayedResult({ engine, config, plan, step: network.step, outcome, history }),
      theory,
      measured: {
        parameters: parameterCount(network.parameters),
        operatorDispatches: planTotals(plan, [OPERATOR]).dispatches,
        ...summarize(config, history),
      },
      wallMs: Math.round(performance.now() - started),
      ...(start ? { resumedFrom: start.step } : {}),
    };
  } finally {
    compiled.destroy();
  }
}

function replayOptions(
  { request, network, signal, sink }: OperatorRun,
  owner: CheckpointOwner,
  start: ReplayOptions["start"] | undefined,
): ReplayOptions {
  const { config } = request;
  const { step, state } = network;
  return {
    steps: config.steps,
    recordEvery: config.record.every,
    occasional: { program: OPERATOR, every: config.operator.every },
    learningRate: config.optimizer.learningRate,
    spectrumLength: step.spectrumLength,
    extras: step.extras,
    ringCapacity: step.ringCapacity,
    signal,
    ...(start ? { start } : {}),
    checkpoint: {
      everyMs: CHECKPOINT_MS,
      buffers: state.map(({ buffer }) => buffer),
      onState: (training) => sink.checkpoint(encodeCheckpoint(training, state, owner)),
    },
  };
}

/** Only at steps that measured the operators are their numbers of this step; at others they are of an earlier one and left out. */
function toMetrics(
  { step, loss, spectrum, extras }: StepRecord,
  config: OperatorTrainingConfig,
  { measures }: OperatorStep,
  growth: GrowthState | undefined,
): MetricsRecord {
  const { learningRate, momentum } = config.optimizer;
  const record = { step, t: (step * learningRate) / (1 - momentum), loss, spectrum: Array.from(spectrum) };
  const numbers = extras[OPERATOR];
  if (step % config.operator.every !== 0 || !numbers) return record;
  return { ...record, extra: extraOf(config, step, measures.read(numbers), growth) };
}

function theoryOf(config: OperatorTrainingConfig): Record<string, unknown> {
  const widths = widthsOf(config);
  const { loss, model } = config;
  return {
    convention: "both towers",
    operator: loss.pairs === "all" ? "2·(V_x[K̄] − beta·E_x V_aug[K])" : "exact, of the sampled pairs",
    isExact: !model.bias && !model.batchNorm,
    predictsGrowth: predictsGrowth(config),
    rankBounds: widths.slice(1).map((width, l) => Math.min(rankBound(config), width * (widths[l] ?? 0))),
  };
}

/** Parameters under PyTorch's names. */
async function weightsFile(engine: Engine, compiled: CompiledPlan, { state }: OperatorStep): Promise<Uint8Array> {
  const layout = state.filter(({ buffer }) => buffer === "parameters");
  const buffers = { parameters: new Float32Array(await engine.readBuffer(compiled.buffer("parameters"))) };
  const stepState = { step: 0, records: 0, nonfiniteStep: undefined, learningRate: 0 };
  return encodeSafetensors({ tensors: stateTensors({ stepState, buffers }, layout), metadata: { format: "pt" } });
}

function describe(plan: Plan, network: OperatorStep, config: OperatorTrainingConfig): string {
  const counts = dispatchCounts(plan);
  const { flops, peakBytes } = planTotals(plan, ["update"]);
  const operator = planTotals(plan, [OPERATOR]);
  const size = `${parameterCount(network.parameters).toLocaleString("en")} parameters, ${(flops / 1e6).toPrecision(3)} MFLOP a step`;
  return [
    `dual network ${widthsOf(config).join("-")}: ${size}`,
    `operators before every ${config.operator.every} updates: ${operator.dispatches} dispatches, ${(operator.flops / 1e6).toPrecision(3)} MFLOP`,
    `plan: ${counts.withRecord} dispatches per step with spectrum, ${counts.withoutRecord} without; ${(peakBytes / 2 ** 20).toFixed(1)} MiB`,
  ].join("\n");
}
