/** Network runs that are interrupted and go on end with the bytes of an unbroken run, for every kind of state that a run can have. */
import { expect, it } from "vitest";
import { parseSafetensors } from "../../src/data/index.ts";
import type { MetricsRecord } from "../../src/experiments/contract.ts";
import { metricsLine } from "../../src/experiments/metricsLine.ts";
import type { NetworkConfig } from "../../src/experiments/network/config.ts";
import { cifarFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { runToEnd } from "../support/runs.ts";
import { small } from "../support/smallNetwork.ts";

const engine = useEngine({ unrollsLoops: false });
const cifar = cifarFolder().folder;
const EVERY_STEP = { steps: 20, record: { every: 1, logSpaced: 0 } };

/** What metrics.jsonl would give back: nine digits. */
function reread(records: readonly MetricsRecord[]): MetricsRecord[] {
  return records.map((record) => JSON.parse(metricsLine(record)) as MetricsRecord);
}

/** @returns tensors of the last checkpoint */
async function resumesBitForBit(config: NetworkConfig) {
  const whole = await runToEnd(engine(), config, { data: cifar });
  const first = await runToEnd(engine(), config, { data: cifar, abortAfter: 5 });
  expect(first.result.stopped?.reason).toBe("interrupted");
  expect(first.result.stopped?.step).toBeLessThan(config.steps);
  const rest = await runToEnd(engine(), first.header.config, {
    data: cifar,
    resume: { checkpoint: first.checkpoints.at(-1), records: reread(first.records) },
  });
  expect([first.text, rest.text].filter(Boolean).join("\n")).toBe(whole.text);
  expect(rest.checkpoints.at(-1)).toEqual(whole.checkpoints.at(-1));
  return parseSafetensors(whole.checkpoints.at(-1)!, "checkpoint").tensors;
}

it("fresh views, momentum and running statistics", async () => {
  const preset = small("fresh-barlow", EVERY_STEP);
  const tensors = await resumesBitForBit({
    ...preset,
    optimizer: { ...preset.optimizer, momentum: 0.9 } as NetworkConfig["optimizer"],
  });
  expect(Object.keys(tensors)).toContain("encoder.layer1.0.bn1.running_mean");
  expect(tensors["encoder.conv1.weight"]?.shape).toEqual([8, 3, 3, 3]);
  expect(tensors["optimizer.velocity.encoder.conv1.weight"]?.shape).toEqual([8, 3, 3, 3]);
});

const shared = { weightDecay: 1e-3, groups: [] };

it("AdamW's moments under a schedule by steps", async () => {
  const tensors = await resumesBitForBit({
    ...small("mlp-barlow", EVERY_STEP),
    optimizer: {
      ...shared,
      kind: "adamw",
      learningRate: 1e-3,
      beta1: 0.9,
      beta2: 0.99,
      epsilon: 1e-8,
      clipNorm: 1,
      schedule: { kind: "step", warmupSteps: 5, warmupStart: 1e-4, every: 8, gamma: 0.5 },
    },
  });
  const moments = Object.keys(tensors).filter((name) => name.startsWith("optimizer."));
  expect(moments.some((name) => tensors[name]!.data.some((value) => value !== 0))).toBe(true);
  // Two for each of the two weights.
  expect(moments).toHaveLength(4);
});

it("LARS under half a cosine, and a target network whose decay rises", async () => {
  const preset = small("mlp-barlow", EVERY_STEP);
  const tensors = await resumesBitForBit({
    ...preset,
    model: {
      ...preset.model,
      projector: { kind: "byol", widths: [16, 8] },
      predictor: { kind: "byol", widths: [16, 8] },
      target: { kind: "movingAverage", decay: 0.9, rises: true, init: "copy" },
    },
    loss: { kind: "byol" },
    spectrum: { ...preset.spectrum, of: "normalizedCovariance" },
    optimizer: {
      ...shared,
      kind: "lars",
      variant: "solo-learn",
      learningRate: 0.1,
      momentum: 0.9,
      eta: 0.02,
      clipRate: true,
      schedule: { kind: "cosine", warmupSteps: 5, warmupStart: 1e-3, end: 0 },
    },
  });
  const follows = (name: string) =>
    tensors[`target.${name}`]!.data.some((value, at) => value !== tensors[name]!.data[at]);
  expect(
    Object.keys(tensors)
      .filter((name) => name.startsWith("target."))
      .some((name) => follows(name.slice(7))),
  ).toBe(true);
});
