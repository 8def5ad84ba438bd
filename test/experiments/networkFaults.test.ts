/** Faulty configurations of network runs, and devices that are too small: said before anything is allocated, with what would do. */
import { describe, expect, it } from "vitest";
import { encodeSafetensors, parseSafetensors } from "../../src/data/index.ts";
import { EngineError } from "../../src/errors.ts";
import { decodeCheckpointOf } from "../../src/experiments/checkpointFile.ts";
import { describePlan } from "../../src/experiments/experiments.ts";
import type { NetworkConfig } from "../../src/experiments/network/config.ts";
import { fileLayout, pixelSource } from "../../src/experiments/network/data.ts";
import { explainMemory } from "../../src/experiments/network/fit.ts";
import { networkGraph } from "../../src/experiments/network/graph.ts";
import { networkPresets } from "../../src/experiments/presets.ts";
import type { NamedWeight } from "../../src/nn/weights.ts";
import { planTrainingStep, targetOf } from "../../src/train/trainingStep.ts";
import { cifarFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { runToEnd } from "../support/runs.ts";
import { small } from "../support/smallNetwork.ts";

const engine = useEngine({ unrollsLoops: false });
const cifar = cifarFolder().folder;

const FRESH = { kind: "fresh", images: 24, batch: 8, probe: 12 } as const;

function sampled(name: string, sampling: NetworkConfig["data"]["sampling"]): NetworkConfig {
  const config = small(name);
  return { ...config, data: { ...config.data, sampling } };
}

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
      {
        ...small("tiny-barlow"),
        spectrum: { of: "covariance", over: "probe", layers: ["encoder.layer9"], pca: false },
      },
      /encoder\.layer9.*encoder\.layer1\.0/,
    ],
    [
      "a spectrum that the loss does not have",
      "CONFIG-SPECTRUM",
      { ...small("tiny-vicreg"), spectrum: { of: "correlation", over: "probe", layers: [], pca: false } },
      /Barlow Twins/,
    ],
    [
      "a loss without its predictor",
      "CONFIG-LOSS",
      {
        ...small("tiny-barlow"),
        loss: { kind: "byol" },
        spectrum: { of: "covariance", over: "probe", layers: [], pca: false },
      },
      /predictor/,
    ],
    ["one pair", "CONFIG-BATCH", sampled("tiny-barlow", { kind: "fixed", pairs: 1 }), /pairs is 1.*at least 2/],
    ["a batch of one", "CONFIG-BATCH", sampled("fresh-barlow", { ...FRESH, batch: 1 }), /batch is 1.*at least 2/],
    ["a probe of one", "CONFIG-BATCH", sampled("fresh-barlow", { ...FRESH, probe: 1 }), /probe is 1.*at least 2/],
    [
      "a predictor that does not fit its projector",
      "GRAPH-SHAPE",
      {
        ...small("fresh-barlow"),
        model: { ...small("fresh-barlow").model, predictor: { kind: "simsiam", widths: [8, 6] } },
        loss: { kind: "simsiam" },
        spectrum: { of: "covariance", over: "probe", layers: [], pca: false },
      },
      /predictor and projector do not chain.*6 columns with embeddings of 10/,
    ],
    [
      "weights of whole images without images",
      "CONFIG-LOSS",
      {
        ...small("tiny-simclr"),
        loss: { kind: "exactCovariance", temperature: 0.5, beta: 0, weights: "unaugmented" },
      },
      /unaugmented.*fixed pairs/,
    ],
    [
      "a warm-up as long as the run",
      "CONFIG-OPTIMIZER",
      {
        ...small("tiny-simclr"),
        optimizer: {
          ...small("tiny-simclr").optimizer,
          schedule: { kind: "cosine", warmupSteps: 6, warmupStart: 0, end: 0 },
        },
      },
      /optimizer\.schedule\.warmupSteps is 6.*only 6 steps/,
    ],
  ];
  it.each(faults)("%s: %s, before anything is allocated", async (_, code, config, message) => {
    const before = engine().objectsCreated;
    await expect(runToEnd(engine(), config, { data: cifar })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(engine().objectsCreated).toBe(before);
  });

  it("a damaged checkpoint, one of another run and one of another model: before anything is allocated", async () => {
    const config = small("tiny-barlow");
    const run = await runToEnd(engine(), config, { data: cifar });
    const whole = run.checkpoints.at(-1)!;
    const { tensors, metadata } = parseSafetensors(whole, "checkpoint");
    const { "encoder.conv1.weight": _, ...fewer } = tensors as Record<string, NamedWeight>;
    const faults = [
      ["DATA-", config, whole.slice(0, -5)],
      ["RUN-CHECKPOINT-FOREIGN", { ...run.header.config, seed: 9 }, whole],
      ["RUN-CHECKPOINT-TENSORS", run.header.config, encodeSafetensors({ tensors: fewer, metadata })],
    ] as const;
    for (const [code, owner, checkpoint] of faults) {
      const before = engine().objectsCreated;
      const again = runToEnd(engine(), owner, { data: cifar, resume: { checkpoint, records: run.records } });
      await expect(again).rejects.toMatchObject({ code: expect.stringContaining(code) });
      expect(engine().objectsCreated).toBe(before);
    }
  });
});

describe("a checkpoint of before spectrum.over existed", () => {
  it("is one over the probe, and of no run over the batch", async () => {
    const config = small("fresh-barlow");
    const run = await runToEnd(engine(), config, { data: cifar });
    const { tensors, metadata } = parseSafetensors(run.checkpoints.at(-1)!, "checkpoint");
    expect(metadata.config).not.toContain('"over"');
    const old = encodeSafetensors({ tensors: tensors as Record<string, NamedWeight>, metadata });
    const owner = run.header.config as NetworkConfig;
    expect(decodeCheckpointOf(old, owner).step).toBe(config.steps);
    const batch = { ...owner, spectrum: { ...owner.spectrum, over: "batch" as const } };
    expect(() => decodeCheckpointOf(old, batch)).toThrow(/another configuration/);
  });
});

describe("a device that is too small", () => {
  function refusal(config: NetworkConfig, mebibytes: number): EngineError {
    const bytes = mebibytes * 2 ** 20;
    const limits = { ...engine().adapter.limits, maxStorageBufferBindingSize: bytes, maxBufferSize: bytes };
    const device = { adapter: { ...engine().adapter, limits } } as unknown as ReturnType<typeof engine>;
    try {
      describePlan(device, config);
    } catch (error) {
      if (error instanceof EngineError) return error;
      throw error;
    }
    throw new Error("the device took it");
  }
  const simclr = networkPresets["resnet18-cifar-simclr"]!;

  it("is told which batch fits, and it does", () => {
    const error = refusal(simclr, 64);
    expect(error).toMatchObject({ code: "LIMIT-DEVICE", where: "resnet18-cifar-simclr" });
    expect(error.message).toMatch(
      /With a batch of 256 and a probe of 512, .* needs .* MiB; the device allows 64\.0 MiB/,
    );
    const { batch, probe } = error.detail as { batch: number; probe: number };
    for (const [name, size] of Object.entries({ batch, probe })) {
      const was = simclr.data.sampling[name as "batch" & "probe"];
      expect(error.fix.includes(`data.sampling.${name}=${size}`)).toBe(size !== was);
    }
    const fitting = { ...simclr.data, sampling: { ...simclr.data.sampling, batch, probe } };
    expect(() => refusal({ ...simclr, data: fitting as NetworkConfig["data"] }, 64)).toThrow("the device took it");
    // The next larger ones do not.
    const larger = { ...simclr.data, sampling: { ...simclr.data.sampling, batch: 2 * batch, probe } };
    expect(refusal({ ...simclr, data: larger as NetworkConfig["data"] }, 64).code).toBe("LIMIT-DEVICE");
  });

  it("is told when it is the probe that is too large", () => {
    const { data } = networkPresets["fresh-barlow"]!;
    const sampling = { kind: "fresh", images: 4096, batch: 8, probe: 4096 } as const;
    const error = refusal({ ...networkPresets["fresh-barlow"]!, data: { ...data, sampling } }, 16);
    expect(error.fix).toMatch(/data\.sampling\.probe=\d+/);
    expect(error.fix).not.toContain("data.sampling.batch");
  });

  it("is told of no batch where the loss refuses the smaller ones", () => {
    const preset = networkPresets["fresh-barlow"]!;
    const config: NetworkConfig = {
      ...preset,
      model: { ...preset.model, projector: { kind: "head", outputs: 100, weightScale: 1, biasScale: 0 } },
      data: { ...preset.data, sampling: { kind: "fresh", images: 4096, batch: 128, probe: 128 } },
      loss: { kind: "wMse" },
      spectrum: { ...preset.spectrum, of: "covariance" },
    };
    expect(refusal(config, 0.5)).toMatchObject({ code: "LIMIT-DEVICE", fix: expect.stringContaining("smaller model") });
  });

  it("out of memory says what the run needs and what half its batch would", () => {
    const limits = engine().adapter.limits.maxStorageBufferBindingSize;
    const config = small("fresh-barlow");
    const pixels = pixelSource(config, fileLayout("cifar10"), limits);
    const plan = planTrainingStep(networkGraph(config, pixels).step, targetOf(engine().adapter));
    const memory = new EngineError({ code: "LIMIT-MEMORY", message: "Out of GPU memory.", fix: "" });
    const told = explainMemory(memory, engine(), config, plan, pixels) as EngineError;
    expect(told.message).toMatch(/Out of GPU memory\. With a batch of 8 and a probe of 12, the run needs \d+\.\d MiB/);
    expect(told.fix).toMatch(/data\.sampling\.batch=4 --set data\.sampling\.probe=8, which needs \d+\.\d MiB/);
    const other = new Error("something else");
    expect(explainMemory(other, engine(), config, plan, pixels)).toBe(other);
    // Half of two pairs is none that could be trained on.
    const least = sampled("fresh-barlow", { kind: "fresh", images: 24, batch: 2, probe: 2 });
    const few = planTrainingStep(networkGraph(least, pixels).step, targetOf(engine().adapter));
    expect((explainMemory(memory, engine(), least, few, pixels) as EngineError).fix).toMatch(/^Use a smaller model/);
  });

  it("runs out of memory with that advice, whatever could not be made", async () => {
    const memory = new EngineError({ code: "LIMIT-MEMORY", message: "Out of GPU memory.", fix: "" });
    let room = 0;
    const crowded = new Proxy(engine(), {
      get(target, key) {
        if (key === "createBuffers" && room-- <= 0) return () => Promise.reject(memory);
        const value = Reflect.get(target, key, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    for (const successes of [0, 1]) {
      room = successes;
      const before = engine().memory.buffers;
      await expect(runToEnd(crowded, small("fresh-barlow"), { data: cifar })).rejects.toMatchObject({
        code: "LIMIT-MEMORY",
        fix: expect.stringContaining("--set data.sampling.batch=4"),
      });
      expect(engine().memory.buffers).toBe(before);
    }
  });
});
