/** Network runs on small nets: records, repetition, resumption, counters, every loss, divergence, faulty configurations. */
import { describe, expect, it } from "vitest";
import { runConfigSchema } from "../../src/cli/config/schemas/runConfig.ts";
import { parseSafetensors } from "../../src/data/index.ts";
import type { MetricsRecord } from "../../src/experiments/contract.ts";
import { describePlan } from "../../src/experiments/experiments.ts";
import { metricsLine } from "../../src/experiments/metricsLine.ts";
import type { LossConfig, NetworkConfig } from "../../src/experiments/network/config.ts";
import { networkPresets, presets } from "../../src/experiments/presets.ts";
import { cifarFolder, mnistFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { runToEnd } from "../support/runs.ts";

const engine = useEngine({ unrollsLoops: false });
const cifar = cifarFolder().folder;

/** A small run of a preset: 8 pairs of 8 × 8 pixels. */
function small(name: string, changes: Partial<NetworkConfig> = {}): NetworkConfig {
  const config = networkPresets[name];
  if (!config) throw new Error(`no preset ${name}`);
  const { data } = config;
  const sampling =
    data.sampling.kind === "fixed"
      ? { ...data.sampling, pairs: 8 }
      : { ...data.sampling, images: 24, batch: 8, probe: 12 };
  return {
    ...config,
    steps: 6,
    data: { ...data, sampling, side: 8 },
    record: { every: 3, logSpaced: 0 },
    ...changes,
  };
}

function withRate(config: NetworkConfig, learningRate: number): NetworkConfig {
  return { ...config, optimizer: { ...config.optimizer, learningRate } };
}

/** What metrics.jsonl would give back: nine digits. */
function reread(records: readonly MetricsRecord[]): MetricsRecord[] {
  return records.map((record) => JSON.parse(metricsLine(record)) as MetricsRecord);
}

describe("presets", () => {
  it.each(Object.keys(presets))("%s is a valid configuration", (name) => {
    expect(runConfigSchema.safeParse(presets[name])).toMatchObject({ success: true });
  });
});

describe("network runs", () => {
  it("records loss and spectrum at the planned steps and creates nothing in steady state", async () => {
    const config = small("tiny-barlow", { steps: 40, record: { every: 20, logSpaced: 5 } });
    const before = engine().memory.buffers;
    const run = await runToEnd(engine(), config, { data: cifar, save: ["views", "weights", "embeddings", "spectrum"] });
    // ln-spaced over 0 … 40: e^(ln 41·i/4) − 1 = 0, 1.5, 5.4, 15.2, 40
    expect(run.records.map(({ step }) => step)).toEqual([0, 2, 5, 15, 20, 40]);
    expect(run.result.counters).toMatchObject({ gpuObjectsCreatedAfterWarmup: 0, writeBuffersAfterWarmup: 0 });
    expect(run.result.counters.bytesReadBackPerStep).toBe(4 * (1 + 8));
    expect(run.records[0]?.loss).toBeCloseTo(8, 2);
    expect(engine().memory.buffers).toBe(before);
    expect(run.arrays["views_a.npy"]).toHaveLength(8 * 8 * 8 * 4);
    expect(run.arrays["embeddings.npy"]).toHaveLength(16 * 8);
    expect(run.arrays["spectrum.npy"]).toHaveLength(6 * 8);
  });

  it("repeats and resumes bit for bit, with fresh views, momentum and running statistics", async () => {
    const preset = small("fresh-barlow", { steps: 30, record: { every: 1, logSpaced: 0 } });
    const config = { ...preset, optimizer: { ...preset.optimizer, momentum: 0.9 } } as NetworkConfig;
    const whole = await runToEnd(engine(), config, { data: cifar });
    const first = await runToEnd(engine(), config, { data: cifar, abortAfter: 10 });
    expect(first.result.stopped?.reason).toBe("interrupted");
    const checkpoint = first.checkpoints.at(-1);
    const rest = await runToEnd(engine(), first.header.config, {
      data: cifar,
      resume: { checkpoint, records: reread(first.records) },
    });
    expect([first.text, rest.text].filter(Boolean).join("\n")).toBe(whole.text);
    expect(rest.checkpoints.at(-1)).toEqual(whole.checkpoints.at(-1));
    const { tensors } = parseSafetensors(whole.checkpoints.at(-1)!, "checkpoint");
    expect(Object.keys(tensors)).toContain("encoder.layer1.0.bn1.running_mean");
    expect(tensors["encoder.conv1.weight"]?.shape).toEqual([8, 3, 3, 3]);
    expect(tensors["optimizer.velocity.encoder.conv1.weight"]?.shape).toEqual([8, 3, 3, 3]);
  });

  it("records layer spectra and principal components on request", async () => {
    const config = small("fresh-simclr", {
      spectrum: { of: "normalizedCovariance", layers: ["encoder.layer3.0", "encoder.avgpool"], pca: true },
    });
    const { records } = await runToEnd(engine(), config, { data: cifar });
    const extra = records.at(-1)?.extra ?? {};
    expect(extra["spectrum.encoder.layer3.0"]).toHaveLength(24);
    // The block's pooled output is what the pooling gives.
    expect(extra["spectrum.encoder.layer3.0"]).toEqual(extra["spectrum.encoder.avgpool"]);
    expect(extra.pca).toHaveLength(24 * 3);
    const pca = extra.pca as readonly number[];
    const energy = [0, 1, 2].map((axis) => pca.filter((_, at) => at % 3 === axis).reduce((sum, x) => sum + x * x, 0));
    expect(energy[0]).toBeGreaterThanOrEqual(energy[1]!);
    expect(energy[1]).toBeGreaterThanOrEqual(energy[2]!);
  });

  it("runs on MNIST", async () => {
    const preset = small("tiny-vicreg");
    const config: NetworkConfig = { ...preset, data: { ...preset.data, source: "mnist" } };
    const { records } = await runToEnd(engine(), config, { data: mnistFolder() });
    expect(records.every(({ loss }) => Number.isFinite(loss))).toBe(true);
  });

  const losses: readonly (readonly [LossConfig["kind"], LossConfig])[] = [
    ["infoNce", { kind: "infoNce", temperature: 0.5 }],
    ["exactCovariance", { kind: "exactCovariance", temperature: 0.5, beta: 0.1, weights: "unaugmented" }],
    ["spectralContrastive", { kind: "spectralContrastive", mu: 1 }],
    ["simpleContrastive", { kind: "simpleContrastive", beta: 0.5 }],
    ["softTriplet", { kind: "softTriplet", temperature: 0.5, margin: 0.1, beta: 0 }],
    ["byol", { kind: "byol" }],
    ["simsiam", { kind: "simsiam" }],
  ];
  it.each(losses)("trains with the loss %s", async (_, loss) => {
    const preset = small("fresh-barlow", { loss });
    const model: NetworkConfig["model"] = {
      ...preset.model,
      projector: { kind: "head", outputs: 8, weightScale: 1, biasScale: 0 },
      predictor:
        loss.kind === "byol" || loss.kind === "simsiam" ? { kind: "simsiam", widths: [8, 8] } : { kind: "none" },
      target:
        loss.kind === "byol"
          ? { kind: "movingAverage", decay: 0.9, rises: true, init: "independent" }
          : { kind: "none" },
    };
    const config: NetworkConfig = { ...preset, model, spectrum: { ...preset.spectrum, of: "covariance" } };
    const run = await runToEnd(engine(), withRate(config, 1e-3), { data: cifar, save: ["weights"] });
    expect(run.records.map(({ step }) => step)).toEqual([0, 3, 6]);
    expect(run.records.every((record) => Number.isFinite(record.loss))).toBe(true);
    expect(run.records[0]?.loss).not.toBe(run.records[2]?.loss);
    const names = Object.keys(parseSafetensors(run.checkpoints.at(-1)!, "checkpoint").tensors);
    expect(names.some((name) => name.startsWith("target."))).toBe(loss.kind === "byol");
  });

  it("stops a diverging run with the step and the first bad place", async () => {
    const diverged = await runToEnd(engine(), withRate(small("conv-barlow", { steps: 200 }), 1e12), { data: cifar });
    expect(diverged.result.stopped).toMatchObject({ reason: "diverged", where: "the loss" });
    expect(diverged.result.stopped?.step).toBeGreaterThan(0);
    // Filters of 1e20 and more: the second convolution's products leave f32.
    const preset = small("conv-barlow");
    const huge = await runToEnd(engine(), { ...preset, model: { ...preset.model, initScale: 1e20 } }, { data: cifar });
    expect(huge.result.stopped).toEqual({ reason: "diverged", step: 0, where: "the output of encoder.conv2" });
  });
});

describe("faulty configurations", () => {
  const faults: readonly (readonly [string, string, NetworkConfig, RegExp])[] = [
    [
      "a batch larger than the data set",
      "CONFIG-BATCH",
      {
        ...small("fresh-barlow"),
        data: { ...small("fresh-barlow").data, sampling: { kind: "fresh", images: 4, batch: 8, probe: 4 } },
      },
      /batch is 8.*images is only 4/,
    ],
    [
      "an unknown layer",
      "CONFIG-LAYER",
      { ...small("tiny-barlow"), spectrum: { of: "covariance", layers: ["encoder.layer9"], pca: false } },
      /encoder\.layer9.*encoder\.layer1\.0/,
    ],
    [
      "a spectrum that the loss does not have",
      "CONFIG-SPECTRUM",
      { ...small("tiny-vicreg"), spectrum: { of: "correlation", layers: [], pca: false } },
      /Barlow Twins/,
    ],
    [
      "a loss without its predictor",
      "CONFIG-LOSS",
      { ...small("tiny-barlow"), loss: { kind: "byol" }, spectrum: { of: "covariance", layers: [], pca: false } },
      /predictor/,
    ],
    [
      "one pair",
      "GRAPH-SHAPE",
      { ...small("tiny-barlow"), data: { ...small("tiny-barlow").data, sampling: { kind: "fixed", pairs: 1 } } },
      /at least 2/,
    ],
  ];
  it.each(faults)("%s: %s, before anything is allocated", async (_, code, config, message) => {
    const before = engine().memory.buffers;
    await expect(runToEnd(engine(), config, { data: cifar })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(engine().memory.buffers).toBe(before);
  });

  it("says which batch fits a device that is too small", () => {
    const config = networkPresets["resnet18-cifar-simclr"]!;
    const limits = { ...engine().adapter.limits, maxStorageBufferBindingSize: 64 << 20, maxBufferSize: 64 << 20 };
    const smallDevice = { adapter: { ...engine().adapter, limits } } as unknown as ReturnType<typeof engine>;
    expect(() => describePlan(smallDevice, config)).toThrowError(
      /With a batch of 256.*needs.*MiB; the device allows 64\.0 MiB/,
    );
  });
});
