/** Runs a linear experiment: data, theory, training on the GPU, comparison of step times. */

import type { Plan } from "../autodiff/plan.ts";
import { planTotals } from "../autodiff/plan.ts";
import { encodeNpy } from "../data/index.ts";
import type { Engine } from "../device/engine.ts";
import {
  assertStableLearningRate,
  type LinearTheory,
  linearTheory,
  measuredStepTimes,
  relativeErrors,
} from "../theory/index.ts";
import { replay, type StepRecord } from "../train/replay.ts";
import { STEP_STATE_BYTES } from "../train/stepState.ts";
import {
  compileTrainingStep,
  dispatchCounts,
  planTrainingStep,
  type TrainingStep,
  targetOf,
} from "../train/trainingStep.ts";
import type { LinearConfig, MetricsRecord, RunExperiment, RunRequest, RunResult, RunSink } from "./contract.ts";
import {
  type Feature,
  type LinearSource,
  linearShape,
  loadLinearSource,
  type PreparedLinearRun,
  prepareLinearRun,
} from "./linearData.ts";
import { type LinearShape, linearGraph, VIEWS } from "./linearGraph.ts";

/** @throws EngineError CONFIG-…, DATA-…, THEORY-LR-BOUND, DEVICE-…, LIMIT-… */
export const runExperiment: RunExperiment = async (engine, request, sink, signal) => {
  const started = performance.now();
  const { config } = request;
  const shape = linearShape(config);
  await announce(sink, "reading data");
  const source = await loadLinearSource(config, request.data);
  await announce(sink, "preparing the two views");
  const prepared = await prepareLinearRun(engine, config, shape, source);
  try {
    await announce(sink, "computing the theory");
    const theory = predict(config, shape, prepared);
    assertStableLearningRate(config.optimizer.learningRate, theory.gamma1, { force: config.force });
    await announce(sink, "compiling the training step");
    const step = linearGraph(shape, config.optimizer.momentum);
    const target = targetOf(engine.adapter.isSoftware, config.kernels.family);
    const resolved: LinearConfig = { ...config, kernels: { family: target.matmulFamily } };
    const plan = planTrainingStep(step, target);
    const run = {
      engine,
      request: { ...request, config: resolved },
      sink,
      signal,
      shape,
      source,
      prepared,
      theory,
      plan,
      step,
    };
    return await train(run, started);
  } finally {
    prepared.release();
  }
};

/** Names a phase, and lets it be shown before a long computation. */
async function announce(sink: RunSink, phase: string): Promise<void> {
  sink.phase(phase);
  await new Promise((resolve) => setTimeout(resolve));
}

function predict(config: LinearConfig, { n, m, d }: LinearShape, prepared: PreparedLinearRun): LinearTheory {
  const { viewsA, viewsB, weights } = prepared;
  const { learningRate, momentum } = config.optimizer;
  return linearTheory({ viewsA, viewsB, weights0: weights, n, m, d, learningRate, momentum });
}

interface LinearRun {
  readonly engine: Engine;
  readonly request: RunRequest;
  readonly sink: RunSink;
  readonly signal: AbortSignal;
  readonly shape: LinearShape;
  readonly source: LinearSource;
  readonly prepared: PreparedLinearRun;
  readonly theory: LinearTheory;
  readonly plan: Plan;
  readonly step: TrainingStep;
}

async function train(run: LinearRun, started: number): Promise<RunResult> {
  const { engine, request, sink, signal, shape, prepared, plan, step } = run;
  const { config, save } = request;
  const compiled = await compileTrainingStep(engine, plan, { [VIEWS]: prepared.views });
  try {
    compiled.write("parameters", new Float32Array(prepared.weights));
    const theory = { ...run.theory };
    await sink.begin({ config, adapter: engine.adapter, theory, description: describe(plan, shape) });
    if (save.includes("views")) {
      await sink.file("views_a.npy", encodeNpy(prepared.viewsA, [shape.n, shape.m]));
      await sink.file("views_b.npy", encodeNpy(prepared.viewsB, [shape.n, shape.m]));
    }
    if (save.includes("weights")) await sink.file("weights_init.npy", encodeNpy(prepared.weights, [shape.d, shape.m]));

    const { learningRate, momentum } = config.optimizer;
    const history: MetricsRecord[] = [];
    const options = {
      steps: config.steps,
      recordEvery: config.record.every,
      learningRate,
      spectrumLength: step.spectrumLength,
      ringCapacity: step.ringCapacity,
      signal,
    };
    const outcome = await replay(engine, compiled, options, async (records) => {
      const batch = records.map((record) => toMetrics(record, learningRate / (1 - momentum)));
      for (const record of batch) history.push(record);
      await sink.records(batch);
    });
    const finalWeights = await readWeights(engine, compiled.buffer("parameters"), shape);
    if (save.includes("weights")) await sink.file("weights_final.npy", encodeNpy(finalWeights, [shape.d, shape.m]));
    const features = run.source.kind === "views" ? run.source.features : [];
    const counts = dispatchCounts(plan);
    const stopStep = outcome.nonfiniteStep ?? outcome.steps;
    const reason =
      outcome.nonfiniteStep !== undefined ? "diverged" : outcome.wasInterrupted ? "interrupted" : undefined;
    return {
      preset: config.preset,
      adapter: engine.adapter,
      steps: stopStep,
      seed: config.seed,
      loss: { first: history[0]?.loss ?? Number.NaN, last: history.at(-1)?.loss ?? Number.NaN },
      theory,
      measured: measure(history, run.theory, shape, features, prepared.weights, finalWeights),
      counters: {
        dispatchesPerStep: counts.withRecord,
        dispatchesPerStepWithoutSpectrum: counts.withoutRecord,
        submits: outcome.submits,
        writeBuffersAfterWarmup: outcome.buffersWritten,
        gpuObjectsCreatedAfterWarmup: outcome.objectsCreated,
        bytesReadBackPerStep: 4 * (1 + step.spectrumLength),
        readBackHeaderBytes: STEP_STATE_BYTES,
        peakGpuBytes: engine.memory.peakBytes,
      },
      wallMs: Math.round(performance.now() - started),
      ...(reason ? { stopped: { reason, step: stopStep } } : {}),
    };
  } finally {
    compiled.destroy();
  }
}

function toMetrics({ step, loss, spectrum }: StepRecord, timePerStep: number): MetricsRecord {
  return { step, t: step * timePerStep, loss, spectrum: Array.from(spectrum) };
}

async function readWeights(engine: Engine, parameters: GPUBuffer, { d, m }: LinearShape): Promise<Float32Array> {
  return new Float32Array(await engine.readBuffer(parameters, 0, 4 * d * m));
}

function describe(plan: Plan, { n, m, d }: LinearShape): string {
  const counts = dispatchCounts(plan);
  const totals = planTotals(plan);
  const megabytes = (totals.peakBytes / 2 ** 20).toFixed(1);
  return `${n} pairs, ${m} features, d = ${d}; ${counts.withoutRecord} dispatches a step, ${counts.withRecord} with spectrum, ${(totals.flops / 1e6).toFixed(1)} MFLOP, ${megabytes} MiB`;
}

/** Step times and their distance from the theory; for toy data also how much of each feature the encoder holds. */
function measure(
  history: readonly MetricsRecord[],
  theory: LinearTheory,
  { d, m }: LinearShape,
  features: readonly Feature[],
  initial: Float32Array,
  final: Float32Array,
): Record<string, unknown> {
  const stepTimes = measuredStepTimes(
    history.map((record) => record.t),
    history.map((record) => record.spectrum),
    d,
  );
  return {
    stepTimes,
    relativeErrors: relativeErrors(stepTimes, theory.discreteStepTimes),
    learned: history.at(-1)?.spectrum.filter((value) => value >= 0.5).length ?? 0,
    ...(features.length > 0
      ? {
          featureAmplitudes: features.map(({ name, vector }) => ({
            name,
            initial: amplitude(initial, vector, d, m),
            final: amplitude(final, vector, d, m),
          })),
        }
      : {}),
  };
}

/** FA(e) = ‖W e‖. */
function amplitude(weights: Float32Array, direction: ArrayLike<number>, d: number, m: number): number {
  let squares = 0;
  for (let row = 0; row < d; row++) {
    let product = 0;
    for (let column = 0; column < m; column++) product += (weights[row * m + column] ?? 0) * (direction[column] ?? 0);
    squares += product * product;
  }
  return Math.sqrt(squares);
}
