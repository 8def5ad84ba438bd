/** `eigenstep eval` and `eigenstep views` on a double of the runtime: what is read, printed, written and refused. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decode } from "fast-png";
import { describe, expect, it } from "vitest";
import type { EvalTask } from "../../src/cli/runner/evalTask.ts";
import { attachmentOf, decodeTask, encodeTask } from "../../src/cli/runner/protocol.ts";
import { executeViews, type ViewsTask } from "../../src/cli/runner/viewsTask.ts";
import type { Runtime } from "../../src/cli/runtimes/runtime.ts";
import type { EvaluationDocument, FeatureEvaluation } from "../../src/experiments/network/evaluate.ts";
import { presets } from "../../src/experiments/presets.ts";
import { cifarFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { command, fakeRuntime, temporaryFolder } from "./support.ts";

const engine = useEngine();

const accuracy = (correct: number) => ({ correct, count: 500, accuracy: correct / 500, standardError: 0.02 });
const part = (correct: number): FeatureEvaluation => ({
  columns: 64,
  linear: { protocol: "converged", test: accuracy(correct), train: accuracy(300), loss: 1.5, penalty: 0.1 },
  neighbors: { neighbors: 20, temperature: 0.07, test: accuracy(correct - 10) },
});
const document: EvaluationDocument = {
  preset: "tiny-barlow",
  seed: 0,
  step: 1500,
  data: { source: "cifar10", train: 3000, test: 500, classes: 10, side: 12 },
  trained: part(190),
  untrained: part(150),
  pixels: part(170),
};

/** A folder as `train` leaves it, with a checkpoint or without. */
async function runFolder(preset = "tiny-barlow", checkpoint: Uint8Array | null = Uint8Array.of(1, 2, 3)) {
  const path = await temporaryFolder();
  await writeFile(join(path, "config.json"), JSON.stringify(presets[preset]));
  await writeFile(join(path, "metrics.jsonl"), "");
  if (checkpoint) await writeFile(join(path, "checkpoint.safetensors"), checkpoint);
  return path;
}

function evaluating(seen: EvalTask[]): Runtime {
  return {
    ...fakeRuntime,
    eval: async (task, _dataPath, _signal, onPhase) => {
      onPhase("linear probe, trained");
      seen.push(task);
      return document;
    },
  };
}

describe("eigenstep eval", () => {
  it("prints the accuracies with their errors and writes eval.json into the run folder", async () => {
    const run = await runFolder();
    const tasks: EvalTask[] = [];
    const flags = ["--protocol", "adam", "--neighbors", "200", "--temperature", "0.1"];
    const { code, stdout, stderr } = await command(["eval", run, "--data", run, ...flags], {
      openRuntime: () => evaluating(tasks),
    });
    expect([code, stderr]).toEqual([0, expect.stringContaining("linear probe, trained")]);
    expect(stdout).toMatch(/trained +38\.0 ± 2\.0 % +36\.0 ± 2\.0 % +64\nuntrained +30\.0 ± 2\.0 %/);
    expect(stdout).toContain("3000 labelled images to learn from, 500 to test on");
    expect(tasks[0]).toMatchObject({
      kind: "eval",
      probe: { protocol: "adam" },
      neighbors: { neighbors: 200, temperature: 0.1 },
      hasData: true,
    });
    expect([...tasks[0]!.checkpoint]).toEqual([1, 2, 3]);
    const written = JSON.parse(await readFile(join(run, "eval.json"), "utf8"));
    expect(written).toEqual({ ...document, runtime: "node", version: "1.2.3" });
    const json = await command(["eval", run, "--data", run, "--json"], { openRuntime: () => evaluating([]) });
    expect(JSON.parse(json.stdout)).toEqual(written);
  });

  it("refuses runs of other kinds, runs without a checkpoint, folders that are no runs, and bad numbers", async () => {
    const linear = await command(["eval", await runFolder("linear-cifar")]);
    expect([linear.code, linear.stderr]).toEqual([1, expect.stringMatching(/CONFIG-KIND.*is of kind linear/s)]);
    const bare = await runFolder("tiny-barlow", null);
    const missing = await command(["eval", bare, "--data", bare]);
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringMatching(/RUN-CHECKPOINT-MISSING.*--resume/s)]);
    const none = await command(["eval", await temporaryFolder()]);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining("RUN-NOT-A-RUN")]);
    for (const flags of [
      ["--temperature", "0"],
      ["--neighbors", "0"],
      ["--protocol", "sgd"],
    ]) {
      expect((await command(["eval", bare, ...flags])).code).toBe(2);
    }
    const noData = await command(["eval", await runFolder()]);
    expect([noData.code, noData.stderr]).toEqual([1, expect.stringMatching(/CONFIG-DATA.*--data DIR/s)]);
  });

  it("its checkpoint crosses the border to a page as bytes", async () => {
    const task: EvalTask = {
      kind: "eval",
      config: presets["tiny-barlow"] as EvalTask["config"],
      probe: { protocol: "converged" },
      neighbors: {},
      hasData: true,
      checkpoint: Uint8Array.of(9, 8, 7),
    };
    const wire = encodeTask(task);
    const bytes = attachmentOf(task)!;
    expect(await decodeTask(JSON.parse(wire), async () => new Uint8Array(bytes))).toEqual(task);
    const views: ViewsTask = { kind: "views", config: task.config, images: 3, hasData: true };
    expect(attachmentOf(views)).toBeUndefined();
    expect(await decodeTask(JSON.parse(encodeTask(views)), async () => new Uint8Array(0))).toEqual(views);
  });
});

describe("eigenstep views", () => {
  const drawing: Runtime = {
    ...fakeRuntime,
    views: (task, _dataPath, _signal, file) => {
      const sink = { phase() {}, begin() {}, records() {}, checkpoint() {}, file };
      return executeViews(engine(), task, { sink, data: cifarFolder().folder });
    },
  };
  const surroundings = { openRuntime: () => drawing, presets };

  it("writes a PNG of the size it says, and what was drawn as JSON", async () => {
    const cwd = await temporaryFolder();
    const flags = ["--set", "data.sampling.pairs=5", "--images", "3", "--seed", "7"];
    const { code, stdout, stderr } = await command(["views", "tiny-barlow", "--data", cwd, ...flags, "--json"], {
      ...surroundings,
      cwd,
    });
    expect([code, stderr]).toEqual([0, ""]);
    const told = JSON.parse(stdout);
    expect(told).toMatchObject({ preset: "tiny-barlow", seed: 7, out: join(cwd, "tiny-barlow-views.png") });
    expect(told.images.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2]);
    expect(told.images[0].draws[0]).toMatchObject({ jitter: true, gray: false, sigma: 0 });
    const png = decode(await readFile(told.out));
    expect([png.width, png.height, png.channels, png.depth]).toEqual([told.width, told.height, 3, 8]);
    expect(new Set(png.data).size).toBeGreaterThan(100);
  });

  it("refuses other kinds, more images than a step has, and places it cannot write to", async () => {
    const cwd = await temporaryFolder();
    const ran = (...args: string[]) => command(["views", ...args, "--data", cwd], { ...surroundings, cwd });
    const linear = await ran("linear-cifar");
    expect([linear.code, linear.stderr]).toEqual([1, expect.stringContaining("CONFIG-KIND")]);
    const many = await ran("tiny-barlow", "--set", "data.sampling.pairs=5", "--images", "6");
    expect([many.code, many.stderr]).toEqual([1, expect.stringMatching(/CONFIG-IMAGES.*a step of tiny-barlow has 5/s)]);
    const nowhere = await ran(
      "tiny-barlow",
      "--set",
      "data.sampling.pairs=5",
      "--images",
      "1",
      "--out",
      "no/such/x.png",
    );
    expect([nowhere.code, nowhere.stderr]).toEqual([1, expect.stringMatching(/RUN-WRITE.*--out/s)]);
  });
});
