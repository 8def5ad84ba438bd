/** Runs a network experiment: images, views and parameters on the GPU, training by replay, measures; from the start or a checkpoint. */
import type { CompiledPlan } from "../../autodiff/compiledPlan.ts";
import { kernelVariants, type Plan, planTotals } from "../../autodiff/plan.ts";
import { encodeNpy, encodeSafetensors } from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import { initialRunning } from "../../nn/init.ts";
import { RUNNING_STATISTICS } from "../../nn/scope.ts";
import { parameterCount } from "../../nn/spec.ts";
import { stateTensors, type TrainingState } from "../../train/checkpoint.ts";
import { readTensors } from "../../train/readTensors.ts";
import { type ReplayOptions, replay, type StepRecord } from "../../train/replay.ts";
import { compileTrainingStep, dispatchCounts, planTrainingStep, targetOf } from "../../train/trainingStep.ts";
import { announce } from "../announce.ts";
import {
  CHECKPOINT_MS,
  type CheckpointOwner,
  encodeCheckpoint,
  requireCheckpoint,
  restoreCheckpoint,
} from "../checkpointFile.ts";
import type { MetricsRecord, RunRequest, RunResult, RunSink } from "../contract.ts";
import { replayedResult } from "../replayed.ts";
import { spectrumFile } from "../spectrumFile.ts";
import type { NetworkConfig } from "./config.ts";
import {
  checkSizes,
  fileLayout,
  openImages,
  type PreparedNetworkRun,
  pixelSource,
  prepareNetworkRun,
  type RunImages,
} from "./data.ts";
import { firstBadPlace } from "./divergence.ts";
import { explainMemory, requireFit } from "./fit.ts";
import { type NetworkStep, networkGraph, PIXELS, VIEWS } from "./graph.ts";
import { measure } from "./measures.ts";
import { clockOf } from "./optimizer.ts";
import { recordSteps } from "./recordSteps.ts";
import { spectrumWords } from "./spectrumWords.ts";

interface NetworkRun {
  readonly engine: Engine;
  readonly request: RunRequest<NetworkConfig>;
  readonly sink: RunSink;
  readonly signal: AbortSignal;
  readonly images: RunImages;
  readonly network: NetworkStep;
  readonly plan: Plan;
  readonly prepared: PreparedNetworkRun;
  readonly compiled: CompiledPlan;
}

/** @throws EngineError CONFIG-…, DATA-…, GRAPH-SHAPE, LIMIT-…, RUN-CHECKPOINT-…, RUN-DATA-CHANGED, DEVICE-… */
export async function runNetwork(
  engine: Engine,
  request: RunRequest<NetworkConfig>,
  sink: RunSink,
  signal: AbortSignal,
): Promise<RunResult> {
  const started = performance.now();
  const { config } = request;
  checkSizes(config);
  await announce(sink, "planning the training step");
  const pixels = pixelSource(config, fileLayout(config.data.source), engine.adapter.limits.maxStorageBufferBindingSize);
  const network = networkGraph(config, pixels);
  const target = targetOf(engine.adapter, config.kernels.family);
  const plan = planTrainingStep(network.step, target, config.kernels.variants);
  requireFit(engine, config, plan, pixels);
  const kernels = { family: target.matmulFamily, variants: kernelVariants(plan) };
  const resolved = { ...request, config: { ...config, kernels } };
  if (request.resume?.checkpoint) requireCheckpoint(request.resume.checkpoint, resolved.config, network.state);
  await announce(sink, "reading data");
  const made = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      throw explainMemory(error, engine, config, plan, pixels);
    }
  };
  const images = await made(openImages(engine, config, request.data));
  try {
    await announce(sink, "drawing views and initial parameters");
    const prepared = await made(prepare({ engine, request, images, network }));
    try {
      await announce(sink, "compiling the training step");
      const buffers = { ...prepared.buffers, ...(images.stream ? { [PIXELS]: images.stream.buffer } : {}) };
      const compiled = await made(compileTrainingStep(engine, plan, buffers, network.inputs));
      try {
        const run = { engine, request: resolved, sink, signal, images, network, plan, prepared, compiled };
        return await train(run, started);
      } finally {
        compiled.destroy();
      }
    } finally {
      prepared.release();
    }
  } finally {
    images.stream?.destroy();
  }
}

/** The run's inputs on the GPU, as its seed draws them. */
function prepare({
  engine,
  request: { config },
  images,
  network,
}: Pick<NetworkRun, "engine" | "request" | "images" | "network">): Promise<PreparedNetworkRun> {
  return prepareNetworkRun(engine, config, images.images, network.spec.parameters, network.targetParameters);
}

async function train(run: NetworkRun, started: number): Promise<RunResult> {
  const { engine, request, sink, network, plan, compiled } = run;
  const { config, save } = request;
  const { spec, state } = network;
  if (spec.running.length > 0) compiled.write(RUNNING_STATISTICS, initialRunning(spec.running));
  const owner: CheckpointOwner = { config, dataHash: run.images.hash };
  const initial = save.includes("weights") ? await weightsFile(engine, compiled, network) : undefined;
  const start = request.resume && restoreCheckpoint(request.resume, compiled, state, owner);
  const firstStep = start?.step ?? 0;
  const resumed = start ? { resumedFrom: start.step } : {};
  const description = describe(plan, network, config);
  await sink.begin({ config, adapter: engine.adapter, theory: {}, description, firstStep });
  if (save.includes("views")) await saveViews(run);
  if (initial) await sink.file("weights_init.safetensors", initial);

  const clock = clockOf(config);
  const history: MetricsRecord[] = [...(request.resume?.records ?? [])];
  let latest: TrainingState | undefined;
  const options = replayOptions(run, start, async (training) => {
    latest = training;
    await sink.checkpoint(encodeCheckpoint(training, state, owner));
  });
  const outcome = await replay(engine, compiled, options, async (records) => {
    const batch = records.map((record) => toMetrics(record, clock));
    history.push(...batch);
    await sink.records(batch);
  });
  if (save.includes("weights"))
    await sink.file("weights_final.safetensors", await weightsFile(engine, compiled, network));
  if (save.includes("embeddings")) await saveEmbeddings(run, compiled);
  if (save.includes("spectrum")) await sink.file("spectrum.npy", spectrumFile(history));
  const { nonfiniteStep: badStep } = outcome;
  const restart = (): number | undefined =>
    request.resume && restoreCheckpoint(request.resume, compiled, state, owner)?.step;
  const mortem = { engine, compiled, network, options, latest, restart, prepare: () => prepare(run) };
  const where = badStep === undefined ? undefined : await firstBadPlace({ ...mortem, badStep });
  const measured = { parameters: parameterCount(network.spec.parameters), ...measure(history, spectrumWords(config)) };
  return {
    ...replayedResult({ engine, config, plan, step: network.step, outcome, history, where }),
    theory: {},
    measured,
    wallMs: Math.round(performance.now() - started),
    ...resumed,
  };
}

function replayOptions(
  { request, network, signal, images: { stream } }: NetworkRun,
  start: ReplayOptions["start"] | undefined,
  onState: (state: TrainingState) => Promise<void>,
): ReplayOptions {
  const { config } = request;
  const { step, state } = network;
  return {
    steps: config.steps,
    recordEvery: config.record.every,
    recordAt: recordSteps(config),
    learningRate: config.optimizer.learningRate,
    spectrumLength: step.spectrumLength,
    extras: step.extras,
    ringCapacity: step.ringCapacity,
    signal,
    ...(start ? { start } : {}),
    ...(stream ? { source: stream } : {}),
    checkpoint: { everyMs: CHECKPOINT_MS, buffers: state.map(({ buffer }) => buffer), onState },
  };
}

function toMetrics({ step, loss, spectrum, extras }: StepRecord, clock: (step: number) => number): MetricsRecord {
  const record = { step, t: clock(step), loss, spectrum: Array.from(spectrum) };
  const added = Object.entries(extras).map(([name, values]) => [name, Array.from(values)] as const);
  return added.length > 0 ? { ...record, extra: Object.fromEntries(added) } : record;
}

/** Parameters and running statistics under PyTorch's names. */
async function weightsFile(engine: Engine, compiled: CompiledPlan, network: NetworkStep): Promise<Uint8Array> {
  const layout = network.state.filter(({ prefix }) => prefix === "");
  const buffers: Record<string, Float32Array<ArrayBuffer>> = {};
  for (const { buffer } of layout) buffers[buffer] = new Float32Array(await engine.readBuffer(compiled.buffer(buffer)));
  const stepState = { step: 0, records: 0, nonfiniteStep: undefined, learningRate: 0 };
  return encodeSafetensors({ tensors: stateTensors({ stepState, buffers }, layout), metadata: { format: "pt" } });
}

/** The recorded pairs of views, [pairs, side, side, 4] each. */
async function saveViews({ engine, sink, prepared }: NetworkRun): Promise<void> {
  const buffer = prepared.buffers[VIEWS];
  if (!buffer) throw new Error("unreachable: views are always drawn");
  const [both = 2, ...rest] = prepared.viewsShape;
  const elements = prepared.viewsShape.reduce((product, extent) => product * extent, 1);
  const views = new Float32Array(await engine.readBuffer(buffer, 0, 4 * elements));
  await sink.file("views_a.npy", encodeNpy(views.subarray(0, elements / 2), [both / 2, ...rest]));
  await sink.file("views_b.npy", encodeNpy(views.subarray(elements / 2), [both / 2, ...rest]));
}

async function saveEmbeddings(run: NetworkRun, compiled: CompiledPlan): Promise<void> {
  const { engine, network, request, sink } = run;
  const { embeddings, step } = network;
  const target = targetOf(engine.adapter, request.config.kernels.family);
  const values = await readTensors(engine, compiled, step.graph, { embeddings }, target);
  await sink.file("embeddings.npy", encodeNpy(values.embeddings ?? new Float32Array(0), [...embeddings.shape]));
}

function describe(plan: Plan, { spec, step }: NetworkStep, config: NetworkConfig): string {
  const counts = dispatchCounts(plan);
  const { flops, peakBytes } = planTotals(plan, ["update"]);
  const size = `${parameterCount(spec.parameters).toLocaleString("en")} parameters, ${(flops / 1e6).toPrecision(3)} MFLOP a step`;
  return [
    `network: ${size}; ${step.spectrumLength} eigenvalues of ${spectrumWords(config)}`,
    `plan: ${counts.withRecord} dispatches per step with spectrum, ${counts.withoutRecord} without; ${(peakBytes / 2 ** 20).toFixed(1)} MiB`,
  ].join("\n");
}
