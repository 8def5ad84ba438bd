import { describe, expect, it } from "vitest";
import { encodeSafetensors, parseSafetensors } from "../../src/data/index.ts";
import type { MetricsRecord } from "../../src/experiments/contract.ts";
import type { LinearConfig } from "../../src/experiments/linear/config.ts";
import { metricsLine } from "../../src/experiments/metricsLine.ts";
import { useEngine } from "../support/device.ts";
import { preset, runToEnd } from "../support/runs.ts";
import { thinned } from "../support/thorough.ts";

const engine = useEngine({ unrollsLoops: false });

const base: LinearConfig = {
  ...preset("linear-synthetic"),
  steps: 400,
  data: {
    source: "synthetic-spectrum",
    pairs: 24,
    modes: 6,
    decay: 1.5,
    negative: [-0.2],
    noise: 0.1,
    centered: false,
  },
  model: { outputs: 3, initScale: 1e-2 },
  optimizer: { learningRate: 0.01, momentum: 0 },
  record: { every: 3 },
};

/** Records as a reader of metrics.jsonl gets them. */
const reread = (records: readonly MetricsRecord[]): MetricsRecord[] =>
  records.map((record) => JSON.parse(metricsLine(record)) as MetricsRecord);

describe("a resumed run", () => {
  for (const momentum of thinned([0.5, 0], 2)) {
    it(`ends with the bits of an unbroken one (momentum ${momentum})`, async () => {
      const config = { ...base, steps: 700, optimizer: { learningRate: 0.004, momentum } };
      const first = await runToEnd(engine(), config, { abortAfter: 100 });
      expect(first.result.stopped?.reason).toBe("interrupted");
      const stopped = first.result.steps;
      expect(stopped).toBeGreaterThan(0);
      const whole = await runToEnd(engine(), config);
      expect(first.header.config).toEqual(whole.header.config);
      const rest = await runToEnd(engine(), first.header.config, {
        resume: { checkpoint: first.checkpoints.at(-1)!, records: reread(first.records) },
      });
      expect([first.text, rest.text].filter(Boolean).join("\n")).toBe(whole.text);
      expect(rest.result).toMatchObject({
        resumedFrom: stopped,
        loss: whole.result.loss,
        measured: whole.result.measured,
      });
      expect(rest.checkpoints.at(-1)).toEqual(whole.checkpoints.at(-1));
    });
  }

  it("the checkpoint holds the weights under their names, the optimiser's state, and what it belongs to", async () => {
    const { checkpoints, arrays } = await runToEnd(engine(), {
      ...base,
      steps: 10,
      optimizer: { learningRate: 0.01, momentum: 0.5 },
    });
    const { tensors, metadata } = parseSafetensors(checkpoints.at(-1)!, "checkpoint");
    expect(Object.keys(tensors)).toEqual(["encoder.weight", "optimizer.velocity.encoder.weight"]);
    expect(tensors["encoder.weight"]!.shape).toEqual([3, 7]);
    expect([...tensors["encoder.weight"]!.data]).toEqual([...arrays["weights_final.npy"]!]);
    expect(metadata).toMatchObject({ format: "1", step: "10", records: "5" });
  });

  it("refuses what does not belong together, before anything is written", async () => {
    const run = await runToEnd(engine(), { ...base, steps: 10 });
    const [config, checkpoint, records] = [run.header.config, run.checkpoints.at(-1)!, reread(run.records)];
    const resumed = (change: object, bytes = checkpoint, kept = records) =>
      runToEnd(engine(), { ...config, ...change }, { resume: { checkpoint: bytes, records: kept } });
    const file = parseSafetensors(checkpoint, "checkpoint");
    const withMetadata = (metadata: Record<string, string>) =>
      encodeSafetensors({ tensors: file.tensors, metadata: { ...file.metadata, ...metadata } });
    await expect(resumed({ seed: 7 })).rejects.toMatchObject({ code: "RUN-CHECKPOINT-FOREIGN" });
    await expect(resumed({}, withMetadata({ dataHash: "00" }))).rejects.toMatchObject({ code: "RUN-DATA-CHANGED" });
    await expect(resumed({}, withMetadata({ format: "2" }))).rejects.toMatchObject({ code: "RUN-NEWER" });
    await expect(resumed({}, checkpoint, records.slice(1))).rejects.toMatchObject({ code: "RUN-METRICS" });
    await expect(resumed({}, checkpoint.subarray(0, checkpoint.length - 4))).rejects.toMatchObject({
      code: "DATA-TRUNCATED",
    });
    await expect(resumed({}, checkpoint.subarray(4))).rejects.toMatchObject({ code: "DATA-SAFETENSORS" });
    const empty = encodeSafetensors({ tensors: {}, metadata: file.metadata });
    await expect(resumed({}, empty)).rejects.toMatchObject({ code: "RUN-CHECKPOINT-TENSORS" });
    expect(engine().memory.buffers).toBe(0);
  });
});

describe("kernel variants in the configuration", () => {
  it("are written for every dispatch, repeat the run, and can be fixed to others", async () => {
    const run = await runToEnd(engine(), { ...base, steps: 20 });
    const { variants } = run.header.config.kernels;
    expect(Object.keys(variants!)).toHaveLength(10);
    expect(variants!["encoder/matmul#0"]).toMatchObject({ kernel: "matmul/matmul_register" });
    const again = await runToEnd(engine(), run.header.config);
    expect(again.text).toBe(run.text);
    // A recorded variant wins over the table, even where the table would choose otherwise.
    const tile = {
      kernel: "matmul/matmul_register",
      knobs: { ...variants!["encoder/matmul#0"]!.knobs, ROWS: 4, QUADS: 1 },
    };
    const other = {
      ...run.header.config,
      kernels: { family: "register" as const, variants: { ...variants, "encoder/matmul#0": tile } },
    };
    const fixed = await runToEnd(engine(), other);
    expect(fixed.header.config.kernels.variants!["encoder/matmul#0"]).toEqual(tile);
    // The same products in the same order: another tile gives the same bits.
    expect(fixed.text).toBe(run.text);
  });

  it.each([
    [{ "encoder/matmul#0": { kernel: "matmul/none", knobs: {} } }, /no kernel matmul\/none/],
    [{ "encoder/matmul#0": { kernel: "optim/sgd", knobs: {} } }, /cannot take the place/],
    [{ "decoder#0": { kernel: "optim/sgd", knobs: {} } }, /no such dispatch/],
  ])("%j is refused", async (variants, message) => {
    const config = { ...base, steps: 5, kernels: { family: "register" as const, variants } };
    await expect(runToEnd(engine(), config)).rejects.toMatchObject({
      code: "GRAPH-VARIANT",
      message: expect.stringMatching(message),
    });
  });
});
