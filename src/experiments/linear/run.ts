/** Runs a linear experiment: data, theory, training on the GPU, comparison of step times; from the start or from a checkpoint. */

import { kernelVariants, type Plan, planTotals } from "../../autodiff/plan.ts";
import { encodeNpy } from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import { constantInit } from "../../nn/init.ts";
import { assertStableLearningRate, type LinearTheory, linearTheory } from "../../theory/index.ts";
import type { StateBuffer } from "../../train/checkpoint.ts";
import { type ReplayOptions, replay, type StepRecord } from "../../train/replay.ts";
import {
  compileTrainingStep,
  dispatchCounts,
  planTrainingStep,
  type TrainingStep,
  targetOf,
} from "../../train/trainingStep.ts";
import { announce } from "../announce.ts";
import { CHECKPOINT_MS, type CheckpointOwner, encodeCheckpoint, restoreCheckpoint } from "../checkpointFile.ts";
import type { MetricsRecord, RunRequest, RunResult, RunSink } from "../contract.ts";
import { replayedResult } from "../replayed.ts";
import { spectrumFile } from "../spectrumFile.ts";
import type { LinearConfig } from "./config.ts";
import { type LinearSource, linearShape, loadLinearSource, type PreparedLinearRun, prepareLinearRun } from "./data.ts";
import { type LinearShape, linearGraph, VIEWS } from "./graph.ts";
import { measure } from "./measures.ts";

/** An eigenvalue counts as learned from here on: half of its final value 1. */
const LEARNED = 0.5;

/** @throws EngineError CONFIG-…, DATA-…, THEORY-LR-BOUND, RUN-CHECKPOINT-…, RUN-DATA-CHANGED, DEVICE-…, LIMIT-… */
export async function runLinear(
  engine: Engine,
  request: RunRequest<LinearConfig>,
  sink: RunSink,
  signal: AbortSignal,
): Promise<RunResult> {
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
    const target = targetOf(engine.adapter, config.kernels.family);
    const plan = planTrainingStep(step, target, config.kernels.variants);
    const kernels = { family: target.matmulFamily, variants: kernelVariants(plan) };
    const resolved = { ...request, config: { ...config, kernels } };
    const run = { engine, request: resolved, sink, signal, shape, source, prepared, theory, plan, step };
    return await train(run, started);
  } finally {
    prepared.release();
  }
}

function predict(config: LinearConfig, { n, m, d }: LinearShape, prepared: PreparedLinearRun): LinearTheory {
  const { viewsA, viewsB, weights } = prepared;
  const { learningRate, momentum } = config.optimizer;
  return linearTheory({ viewsA, viewsB, weights0: weights, n, m, d, learningRate, momentum });
}

interface LinearRun {
  readonly engine: Engine;
  readonly request: RunRequest<LinearConfig>;
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
  const { engine, request, sink, shape, prepared, plan, step } = run;
  const { config, save } = request;
  const compiled = await compileTrainingStep(engine, plan, { [VIEWS]: prepared.views });
  try {
    compiled.write("parameters", new Float32Array(prepared.weights));
    const owner: CheckpointOwner = { config, dataHash: run.source.hash };
    const start = request.resume && restoreCheckpoint(request.resume, compiled, stateLayout(run), owner);
    const theory = { ...run.theory };
    const description = describe(plan, shape);
    const firstStep = start?.step ?? 0;
    await sink.begin({ config, adapter: engine.adapter, theory, description, firstStep, learnedFrom: LEARNED });
    if (save.includes("views")) {
      await sink.file("views_a.npy", encodeNpy(prepared.viewsA, [shape.n, shape.m]));
      await sink.file("views_b.npy", encodeNpy(prepared.viewsB, [shape.n, shape.m]));
    }
    if (save.includes("weights")) await sink.file("weights_init.npy", encodeNpy(prepared.weights, [shape.d, shape.m]));

    const timePerStep = config.optimizer.learningRate / (1 - config.optimizer.momentum);
    const history = (request.resume?.records ?? []).map((record) => asRecorded(record, timePerStep));
    const outcome = await replay(engine, compiled, replayOptions(run, owner, start), async (records) => {
      const batch = records.map((record) => toMetrics(record, timePerStep));
      for (const record of batch) history.push(record);
      await sink.records(batch);
    });
    const finalWeights = await readWeights(engine, compiled.buffer("parameters"), shape);
    if (save.includes("weights")) await sink.file("weights_final.npy", encodeNpy(finalWeights, [shape.d, shape.m]));
    if (save.includes("embeddings")) await sink.file("embeddings.npy", embeddingsFile(prepared, finalWeights, shape));
    if (save.includes("spectrum")) await sink.file("spectrum.npy", spectrumFile(history));
    const features = run.source.kind === "views" ? run.source.features : [];
    return {
      ...replayedResult({ engine, config, plan, step, outcome, history }),
      theory,
      measured: measure(history, run.theory, shape, features, prepared.weights, finalWeights),
      wallMs: Math.round(performance.now() - started),
      ...(start ? { resumedFrom: start.step } : {}),
    };
  } finally {
    compiled.destroy();
  }
}

/** The weight, and its velocity when there is momentum. */
function stateLayout({ step }: LinearRun): StateBuffer[] {
  const parameters = step.graph.segments.map(({ name, shape }) => ({
    name,
    shape,
    layout: { kind: "plain" } as const,
    init: constantInit(0),
  }));
  const buffers = ["parameters", ...step.optimizerState];
  return buffers.map((buffer) => ({
    buffer,
    prefix: buffer === "parameters" ? "" : `optimizer.${buffer}.`,
    holds: { parameters },
  }));
}

/** Embeddings W·x of all first views, then of all second views, [2n, d]. */
function embeddingsFile(
  { viewsA, viewsB }: PreparedLinearRun,
  weights: ArrayLike<number>,
  { n, m, d }: LinearShape,
): Uint8Array {
  const embeddings = new Float32Array(2 * n * d);
  for (const [half, views] of [viewsA, viewsB].entries()) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < d; j++) {
        let sum = 0;
        for (let k = 0; k < m; k++) sum += (weights[j * m + k] ?? 0) * (views[i * m + k] ?? 0);
        embeddings[(half * n + i) * d + j] = sum;
      }
    }
  }
  return encodeNpy(embeddings, [2 * n, d]);
}

function replayOptions(
  run: LinearRun,
  owner: CheckpointOwner,
  start: ReplayOptions["start"] | undefined,
): ReplayOptions {
  const { step, sink, signal } = run;
  const { config } = run.request;
  const layout = stateLayout(run);
  return {
    steps: config.steps,
    recordEvery: config.record.every,
    learningRate: config.optimizer.learningRate,
    spectrumLength: step.spectrumLength,
    ringCapacity: step.ringCapacity,
    signal,
    ...(start ? { start } : {}),
    checkpoint: {
      everyMs: CHECKPOINT_MS,
      buffers: layout.map(({ buffer }) => buffer),
      onState: (state) => sink.checkpoint(encodeCheckpoint(state, layout, owner)),
    },
  };
}

function toMetrics({ step, loss, spectrum }: StepRecord, timePerStep: number): MetricsRecord {
  return { step, t: step * timePerStep, loss, spectrum: Array.from(spectrum) };
}

/** A record read from metrics.jsonl as it was before it was written: its nine digits name one f32. */
function asRecorded(record: MetricsRecord, timePerStep: number): MetricsRecord {
  const { step, loss, spectrum } = record;
  return { step, t: step * timePerStep, loss: Math.fround(loss), spectrum: spectrum.map(Math.fround) };
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
