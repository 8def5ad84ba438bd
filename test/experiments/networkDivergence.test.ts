/** Network runs that diverge stop with the step and the first place that went bad, also where a ReLU turns NaN into 0. */
import { describe, expect, it } from "vitest";
import { encodeSafetensors, parseSafetensors } from "../../src/data/index.ts";
import type { NetworkConfig } from "../../src/experiments/network/config.ts";
import type { NamedWeight } from "../../src/nn/weights.ts";
import { cifarFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { runToEnd } from "../support/runs.ts";
import { small, withRate } from "../support/smallNetwork.ts";

const engine = useEngine({ unrollsLoops: false });
const cifar = cifarFolder().folder;

describe("a network run that diverges", () => {
  it("stops a diverging run with the step and the first bad place", async () => {
    const diverged = await runToEnd(engine(), withRate(small("conv-barlow", { steps: 200 }), 1e12), { data: cifar });
    expect(diverged.result.stopped).toMatchObject({
      reason: "diverged",
      where: "the loss",
    });
    expect(diverged.result.stopped?.step).toBeGreaterThan(0);
    // Filters of 1e20 and more: the second convolution's products leave f32.
    const preset = small("conv-barlow");
    const huge = await runToEnd(engine(), { ...preset, model: { ...preset.model, initScale: 1e20 } }, { data: cifar });
    expect(huge.result.stopped).toEqual({ reason: "diverged", step: 0, where: "the output of encoder.conv2" });
  });

  const scaled = (name: string, groups: NetworkConfig["optimizer"]["groups"], learningRate: number): NetworkConfig => {
    const config = withRate(small(name, { steps: 30 }), learningRate);
    return { ...config, optimizer: { ...config.optimizer, groups } };
  };

  it("stops though BatchNorm and ReLU leave the loss finite: the activations overflow", async () => {
    const { result } = await runToEnd(engine(), scaled("tiny-simclr", [], 1e38), { data: cifar });
    expect(result.stopped).toMatchObject({ reason: "diverged", where: expect.stringMatching(/encoder\./) });
    expect(result.stopped?.step).toBeGreaterThan(0);
    expect(result.stopped?.step).toBeLessThan(30);
  });

  it("stops though the encoder's parameters alone are NaN", async () => {
    const groups = [{ names: ["encoder."], rateFactor: 1e38, fixedRate: 0 }];
    const { result, checkpoints } = await runToEnd(engine(), scaled("tiny-barlow", groups, 1), { data: cifar });
    expect(result.stopped).toMatchObject({
      reason: "diverged",
      where: expect.stringMatching(/^(the parameter|the batch statistics of|the output of) encoder\./),
    });
    // What is bad is not kept.
    for (const bytes of checkpoints) {
      for (const { data } of Object.values(parseSafetensors(bytes, "checkpoint").tensors)) {
        expect((data as Float32Array).every(Number.isFinite)).toBe(true);
      }
    }
  });

  it("looks for the place from the checkpoint that it went on from", async () => {
    const config = small("tiny-barlow", { steps: 30, record: { every: 1, logSpaced: 0 } });
    const first = await runToEnd(engine(), config, { data: cifar, abortAfter: 5 });
    const { tensors, metadata } = parseSafetensors(first.checkpoints.at(-1)!, "checkpoint");
    // A filter that a healthy run would not have: made again from the first step, nothing bad would be found.
    const spoilt = { ...tensors["encoder.layer2.0.conv1.weight"]! };
    spoilt.data = Float32Array.from(spoilt.data as Float32Array, () => 3e38);
    const checkpoint = encodeSafetensors({
      tensors: { ...(tensors as Record<string, NamedWeight>), "encoder.layer2.0.conv1.weight": spoilt as NamedWeight },
      metadata,
    });
    const { result } = await runToEnd(engine(), first.header.config, {
      data: cifar,
      resume: { checkpoint, records: first.records },
    });
    expect(result.stopped).toEqual({
      reason: "diverged",
      step: first.result.stopped!.step,
      where: "the output of encoder.layer2.0.conv1",
    });
  });
});
