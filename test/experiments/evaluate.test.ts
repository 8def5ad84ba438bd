/** Evaluation of a network run on a small labelled set: documents, baselines, what is refused. */
import { describe, expect, it } from "vitest";
import { encodeSafetensors, memoryFolder, parseSafetensors } from "../../src/data/index.ts";
import type { NetworkConfig } from "../../src/experiments/network/config.ts";
import { type EvaluationRequest, evaluateNetwork } from "../../src/experiments/network/evaluate.ts";
import { networkPresets } from "../../src/experiments/presets.ts";
import { useEngine } from "../support/device.ts";
import { TestRandom } from "../support/random.ts";
import { runToEnd } from "../support/runs.ts";

const engine = useEngine({ unrollsLoops: false });

/** CIFAR-10 files of which each class is a colour, under noise. */
function colours() {
  const random = new TestRandom(5);
  const palette = Array.from({ length: 30 }, () => 60 + random.integer(136));
  const records = (count: number) => {
    const bytes = new Uint8Array(count * 3073);
    for (let record = 0; record < count; record++) {
      const label = random.integer(10);
      bytes[record * 3073] = label;
      for (let at = 0; at < 3072; at++) {
        const noise = 45 * random.normal();
        bytes[record * 3073 + 1 + at] = Math.max(0, Math.min(255, palette[3 * label + Math.floor(at / 1024)]! + noise));
      }
    }
    return bytes;
  };
  return memoryFolder("colours", { "data_batch_1.bin": records(120), "test_batch.bin": records(60) });
}

const data = colours();
const preset = networkPresets["tiny-barlow"]!;
const config: NetworkConfig = {
  ...preset,
  steps: 3,
  data: { ...preset.data, sampling: { kind: "fixed", pairs: 16 }, side: 8 },
};
const run = async () => {
  const { checkpoints, header } = await runToEnd(engine(), config, { data, save: [] });
  return { checkpoint: checkpoints.at(-1)!, config: header.config as NetworkConfig };
};
let finished: ReturnType<typeof run> | undefined;

/** Two penalties, fitted roughly: what the probe finds is tested in test/evaluation. */
const QUICK = { protocol: "converged", penalties: [0.1, 0.01], tolerance: 1e-3 } as const;

async function evaluated(changes: Partial<EvaluationRequest> = {}, phases: string[] = []) {
  finished ??= run();
  const request = {
    ...(await finished),
    data,
    probe: QUICK,
    neighbors: { neighbors: 5 },
    ...changes,
  };
  return evaluateNetwork(engine(), request as EvaluationRequest, (text) => phases.push(text));
}

describe("evaluateNetwork", () => {
  it("probes trained, untrained and pixel features, the same numbers every time", async () => {
    const phases: string[] = [];
    const document = await evaluated({}, phases);
    expect(document).toMatchObject({
      preset: "tiny-barlow",
      step: 3,
      data: { source: "cifar10", train: 120, test: 60, classes: 10, side: 8 },
      trained: { columns: 16 },
      untrained: { columns: 16 },
      pixels: { columns: 192 },
    });
    expect(phases).toContain("linear probe, untrained");
    for (const part of [document.trained, document.untrained, document.pixels]) {
      expect(part.linear.test.count).toBe(60);
      expect(part.neighbors.neighbors).toBe(5);
      // Ten colours: anything that keeps colour is above one in ten, by five standard errors of 60 guesses.
      expect(part.linear.test.accuracy).toBeGreaterThan(0.1 + 5 * Math.sqrt((0.1 * 0.9) / 60));
    }
    expect(document.trained.linear).not.toEqual(document.untrained.linear);
    expect(JSON.parse(JSON.stringify(await evaluated()))).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it("Adam's protocol and other votes by option", async () => {
    const document = await evaluated({
      probe: { protocol: "adam", epochs: 2 },
      neighbors: { neighbors: 1, temperature: 1 },
    });
    expect(document.trained.linear.protocol).toBe("adam");
    expect(document.trained.neighbors).toMatchObject({ neighbors: 1, temperature: 1 });
  });

  it("foreign and damaged checkpoints, weights that diverged and missing labels are refused", async () => {
    finished ??= run();
    const { checkpoint } = await finished;
    const { tensors, metadata } = parseSafetensors(checkpoint, "checkpoint");
    const expectCode = (changes: Partial<EvaluationRequest>, code: string, message: RegExp) =>
      expect(evaluated(changes)).rejects.toThrow(
        expect.objectContaining({ code, message: expect.stringMatching(message) }),
      );
    await expectCode({ config: { ...config, seed: 9 } }, "RUN-CHECKPOINT-FOREIGN", /another configuration/);
    await expectCode({ checkpoint: checkpoint.slice(0, -4) }, "DATA-TRUNCATED", /ends after/);
    const { "encoder.conv1.weight": filter, ...others } = tensors;
    const without = encodeSafetensors({ tensors: others, metadata });
    await expectCode({ checkpoint: without }, "NN-WEIGHTS", /no encoder.conv1.weight/);
    const bad = { ...filter!, data: Float32Array.from(filter!.data, () => Number.NaN) };
    const diverged = encodeSafetensors({ tensors: { ...tensors, "encoder.conv1.weight": bad }, metadata });
    await expectCode({ checkpoint: diverged }, "EVAL-WEIGHTS", /Element 0 of encoder.conv1.weight.*NaN/);
    await expectCode({ data: undefined }, "DATA-NO-FOLDER", /needs a folder/);
    const unlabelled = memoryFolder("half", { "data_batch_1.bin": new Uint8Array(3073) });
    await expectCode({ data: unlabelled }, "DATA-NOT-FOUND", /half/);
  });
});
