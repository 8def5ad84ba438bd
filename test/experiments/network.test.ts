/** Network runs on small nets: records, repetition, resumption, counters, every loss. */
import { describe, expect, it } from "vitest";
import { runConfigSchema } from "../../src/cli/config/schemas/runConfig.ts";
import { parseSafetensors } from "../../src/data/index.ts";
import type { LossConfig, NetworkConfig } from "../../src/experiments/network/config.ts";
import { loadImages, prepareNetworkRun } from "../../src/experiments/network/data.ts";
import { networkGraph } from "../../src/experiments/network/graph.ts";
import { networkPresets, presets } from "../../src/experiments/presets.ts";
import { symmetricEigen } from "../../src/theory/symmetricEigen.ts";
import { cifarFolder, mnistFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { runToEnd } from "../support/runs.ts";
import { small, withRate } from "../support/smallNetwork.ts";

const engine = useEngine({ unrollsLoops: false });
const cifar = cifarFolder().folder;

/** With a linear encoder, which compiles in no time. */
function linear(config: NetworkConfig): NetworkConfig {
  const { model, optimizer } = config;
  return { ...config, model: { ...model, encoder: { kind: "linear" } }, optimizer: { ...optimizer, groups: [] } };
}

/** Eigenvalues of the covariance of rows [n, d], descending, in float64. */
function covarianceEigenvalues(rows: Float32Array, d: number): number[] {
  const n = rows.length / d;
  const mean = Array.from({ length: d }, (_, j) => rows.reduce((sum, x, at) => sum + (at % d === j ? x : 0), 0) / n);
  const covariance = new Float64Array(d * d);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < d; j++) {
      for (let k = 0; k < d; k++) {
        covariance[j * d + k]! += ((rows[i * d + j]! - mean[j]!) * (rows[i * d + k]! - mean[k]!)) / n;
      }
    }
  }
  return [...symmetricEigen(covariance, d).values].sort((a, b) => b - a);
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
    const values = run.records.at(-1)!.spectrum.map((value) => Math.max(value, 0));
    const total = values.reduce((sum, value) => sum + value, 0);
    expect(run.result.measured.stableRank).toBeCloseTo(total / values[0]!, 10);
  });

  it("records the step's own batch where that is asked for", async () => {
    const preset = linear(small("fresh-vicreg", { steps: 4, record: { every: 1, logSpaced: 0 } }));
    const config: NetworkConfig = { ...preset, spectrum: { ...preset.spectrum, over: "batch" } };
    const ofBatch = await runToEnd(engine(), config, { data: cifar, save: ["views", "embeddings"] });
    const ofProbe = await runToEnd(engine(), preset, { data: cifar, save: ["views", "weights"] });
    // The batch has 8 pairs, the probe 12.
    expect(ofBatch.arrays["embeddings.npy"]).toHaveLength(16 * 10);
    expect(ofBatch.arrays["views_a.npy"]).toEqual(ofProbe.arrays["views_a.npy"]);
    const exact = covarianceEigenvalues(ofBatch.arrays["embeddings.npy"]!, 10);
    const last = ofBatch.records.at(-1)!.spectrum;
    expect(last.every((value, j) => Math.abs(value - exact[j]!) <= 1e-5 * exact[0]!)).toBe(true);
    expect(ofBatch.records[0]?.loss).not.toBe(ofProbe.records[0]?.loss);
    // What is recorded does not change what is trained.
    const [weights, others] = [ofBatch, ofProbe].map((run) => parseSafetensors(run.checkpoints.at(-1)!, "c").tensors);
    expect(weights!["projector.head.weight"]!.data).toEqual(others!["projector.head.weight"]!.data);
  });

  it("records the exact-covariance loss under the weights that it trains with", async () => {
    const loss = (weights: "augmented" | "unaugmented") =>
      ({ kind: "exactCovariance", temperature: 0.5, beta: 0, weights }) as const;
    const spectrum = { of: "covariance", over: "probe", layers: [], pca: false } as const;
    const first = async (weights: "augmented" | "unaugmented") => {
      const config = linear(small("fresh-simclr", { loss: loss(weights), spectrum, steps: 1 }));
      const scale = { ...config.model, projector: { kind: "head", outputs: 8, weightScale: 1, biasScale: 0 } as const };
      return (await runToEnd(engine(), { ...config, model: scale }, { data: cifar })).records[0]!.loss;
    };
    expect(Math.abs((await first("unaugmented")) - (await first("augmented")))).toBeGreaterThan(1e-4);
  });

  it("records layer spectra and principal components on request", async () => {
    const config = small("fresh-simclr", {
      spectrum: {
        of: "normalizedCovariance",
        over: "probe",
        layers: ["encoder.layer3.0", "encoder.avgpool"],
        pca: true,
      },
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

  it("a target that is a copy begins with the trained network's very bits, an independent one with its scale", async () => {
    const preset = networkPresets["resnet18-cifar-byol"]!;
    for (const init of ["copy", "independent"] as const) {
      const base = small("mlp-barlow");
      const config: NetworkConfig = {
        ...base,
        model: {
          ...preset.model,
          encoder: base.model.encoder,
          projector: { kind: "byol", widths: [16, 8] },
          predictor: { kind: "byol", widths: [16, 8] },
          target: { kind: "movingAverage", decay: 0.9, rises: true, init },
          initScale: 0.3,
        },
        loss: { kind: "byol" },
        spectrum: { ...base.spectrum, of: "covariance" },
      };
      const { spec, targetParameters } = networkGraph(config, undefined);
      expect(targetParameters.map(({ name }) => name)).not.toContain("predictor.0.weight");
      const images = await loadImages(config, cifar);
      const run = await prepareNetworkRun(engine(), config, images, spec.parameters, targetParameters);
      const read = async (name: string) => new Float32Array(await engine().readBuffer(run.buffers[name]!));
      const [trained, target] = [await read("parameters"), await read("target")];
      run.release();
      const norm = (values: Float32Array) => Math.hypot(...values.subarray(0, 4096));
      if (init === "copy") expect(target).toEqual(trained.subarray(0, target.length));
      else expect(target).not.toEqual(trained.subarray(0, target.length));
      expect(norm(target) / norm(trained)).toBeCloseTo(1, 1);
    }
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
});
