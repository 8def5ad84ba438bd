/**
 * A double of src/cli/experiment.ts: an "experiment" whose eigenvalues follow the logistic law exactly, without a kernel. Its presets
 * misbehave in the ways that the command must survive.
 */
import type { MetricsRecord, RunConfig, RunExperiment, RunResult } from "../../src/experiments/contract.ts";
import type { PlanDocument } from "../../src/experiments/describePlan.ts";
import type { LinearConfig } from "../../src/experiments/linear/config.ts";

const base: LinearConfig = {
  format: 1,
  preset: "fake",
  kind: "linear",
  seed: 1,
  steps: 400,
  data: {
    source: "synthetic-spectrum",
    pairs: 64,
    modes: 16,
    decay: 1.5,
    negative: [],
    noise: 0,
    centered: true,
  },
  model: { outputs: 4, initScale: 1e-3 },
  optimizer: { learningRate: 0.05, momentum: 0 },
  record: { every: 1 },
  kernels: { family: "auto" },
  force: false,
};
const images = { images: 8, crop: 14, centered: true } as const;

export const presets: Readonly<Record<string, RunConfig>> = {
  fake: base,
  "fake-mnist": { ...base, preset: "fake-mnist", data: { source: "mnist", ...images } },
  "fake-cifar": { ...base, preset: "fake-cifar", data: { source: "cifar10", ...images } },
  "fake-slow": { ...base, preset: "fake-slow", steps: 100_000 },
  "fake-stubborn": { ...base, preset: "fake-stubborn", steps: 100_000 },
  "fake-diverging": { ...base, preset: "fake-diverging" },
  "fake-throwing": { ...base, preset: "fake-throwing" },
  "fake-failing-late": { ...base, preset: "fake-failing-late" },
};

const gammas = [1, 0.5, 0.25, 0.125];
const stepTimes = gammas.map((gamma) => Math.log(1e6) / (8 * gamma));

function recordAt(config: RunConfig, step: number): MetricsRecord {
  const t = ("optimizer" in config ? config.optimizer.learningRate : 1) * step;
  const spectrum = gammas.map((gamma, j) => Math.fround(1 / (1 + Math.exp(-8 * gamma * (t - (stepTimes[j] ?? 0))))));
  const loss = spectrum.reduce((sum, value) => sum + (1 - value) ** 2, 0);
  return { step, t, loss: Math.fround(loss), spectrum };
}

export const runExperiment: RunExperiment = async (engine, request, sink, signal) => {
  const { config } = request;
  const started = performance.now();
  sink.phase("reading data");
  if (request.data) {
    const source = await request.data.open("train-images-idx3-ubyte");
    await source.read(source.sizeBytes - 16, 16);
  }
  if (config.preset === "fake-throwing") throw new Error("thrown on purpose");
  await sink.begin({
    config,
    adapter: engine.adapter,
    theory: {},
    description: "a double: 0 dispatches per step, 0 B",
  });
  const isStubborn = config.preset === "fake-stubborn";
  const failsLate = config.preset === "fake-failing-late";
  let stopped: RunResult["stopped"];
  let last = recordAt(config, 0);
  await sink.records([last]);
  for (let step = 1; step <= config.steps; step++) {
    last = recordAt(config, step);
    if (config.preset === "fake-diverging" && step === 7) last = { ...last, loss: Number.NaN };
    await sink.records([last]);
    if (failsLate && step === 20) throw new Error("failed on purpose");
    if (config.preset === "fake-slow" || isStubborn) await pause(2);
    if (Number.isNaN(last.loss)) stopped = { reason: "diverged", step };
    else if (signal.aborted && !isStubborn && step < config.steps) stopped = { reason: "interrupted", step };
    if (stopped) break;
  }
  for (const item of request.save) await sink.file(`${item}.npy`, new Uint8Array([1, 2, 3]));
  return {
    preset: config.preset,
    adapter: engine.adapter,
    steps: config.steps,
    seed: config.seed,
    loss: { first: 4, last: last.loss },
    theory: { gamma: gammas, stepTimes, discreteStepTimes: stepTimes, gapAdmits: [true, true, true, false] },
    measured: { stepTimes: stepTimes.map((time) => (time < last.t ? 1.001 * time : null)) },
    counters: {
      dispatchesPerStep: 0,
      dispatchesPerStepWithoutSpectrum: 0,
      submits: 0,
      writeBuffersAfterWarmup: 0,
      gpuObjectsCreatedAfterWarmup: 0,
      bytesReadBackPerStep: 20,
      readBackHeaderBytes: 0,
      peakGpuBytes: 0,
    },
    wallMs: performance.now() - started,
    ...(stopped ? { stopped } : {}),
  };
};

export type { PlanDocument };

export async function describePlan(): Promise<PlanDocument> {
  return {
    dispatches: 1,
    dispatchesWithoutSpectrum: 1,
    flops: 2e6,
    bytesRead: 4096,
    bytesWritten: 1024,
    peakBytes: 8192,
    slots: 2,
    persistent: [],
    nodes: [],
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
