/** Network runs whose images are streamed: plan, counters, repetition and resumption, what cannot be streamed. */
import { describe, expect, it } from "vitest";
import { type DataFolder, memoryFolder, readCifar10, windowAt } from "../../src/data/index.ts";
import { describePlan } from "../../src/experiments/experiments.ts";
import { fileLayout } from "../../src/experiments/imageFiles.ts";
import type { NetworkConfig } from "../../src/experiments/network/config.ts";
import { firstViews } from "../../src/experiments/network/contactSheet.ts";
import { firstImages, streamOf } from "../../src/experiments/network/data.ts";
import { networkPresets } from "../../src/experiments/presets.ts";
import { cifarFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { TestRandom } from "../support/random.ts";
import { runToEnd } from "../support/runs.ts";

const engine = useEngine({ unrollsLoops: false });
const IMAGE_BYTES = 27_648;
const COUNT = 60;

const unlabelled: DataFolder = (() => {
  const random = new TestRandom(3);
  const bytes = Uint8Array.from({ length: COUNT * IMAGE_BYTES }, (_, at) => {
    // Smooth in the image, different between images.
    const [image, place] = [Math.floor(at / IMAGE_BYTES), at % IMAGE_BYTES];
    return (at % 64 === 0 ? random.integer(40) : 0) + ((image * 37 + Math.floor(place / 500)) % 200);
  });
  return memoryFolder("mem", { "unlabeled_X.bin": bytes });
})();

/** 60 images of STL-10's format, room for 20 on the device: 20 steps see four windows of five steps. */
const config: NetworkConfig = (() => {
  const preset = networkPresets["fresh-barlow"]!;
  const sampling = { kind: "fresh", images: COUNT, batch: 4, probe: 6 } as const;
  return {
    ...preset,
    steps: 20,
    data: { ...preset.data, source: "stl10", sampling, side: 8, maxBytes: 20 * IMAGE_BYTES },
    record: { every: 4, logSpaced: 0 },
  };
})();

describe("a network run over a stream", () => {
  it("writes a window's chunks every window's steps and nothing else, repeats and resumes bit for bit", async () => {
    const plan = streamOf(config, fileLayout("stl10"), 2 ** 30)!;
    expect(plan).toMatchObject({ window: 20, chunk: 1, stepsPerWindow: 5, windowsPerEpoch: 3 });
    const before = engine().memory.buffers;
    const whole = await runToEnd(engine(), config, { data: unlabelled, save: [] });
    expect(engine().memory.buffers).toBe(before);
    expect(whole.result.counters.writeBuffersAfterWarmup).toBe(4 * 20);
    expect(whole.result.counters.gpuObjectsCreatedAfterWarmup).toBe(0);
    const again = await runToEnd(engine(), config, { data: unlabelled, save: [] });
    expect(again.text).toBe(whole.text);
    const first = await runToEnd(engine(), config, { data: unlabelled, save: [], abortAfter: 2 });
    expect(first.result.stopped?.reason).toBe("interrupted");
    const rest = await runToEnd(engine(), first.header.config, {
      data: unlabelled,
      save: [],
      resume: { checkpoint: first.checkpoints.at(-1), records: first.records },
    });
    expect(rest.checkpoints.at(-1)).toEqual(whole.checkpoints.at(-1));
  });

  it("differs from one with all images at hand, and learns from other images than the first window's", async () => {
    const inMemory = { ...config, data: { ...config.data, maxBytes: 0 } };
    expect(streamOf(inMemory, fileLayout("stl10"), 2 ** 30)).toBeUndefined();
    const [streamed, whole] = [
      await runToEnd(engine(), config, { data: unlabelled, save: [] }),
      await runToEnd(engine(), inMemory, { data: unlabelled, save: [] }),
    ];
    expect(whole.result.counters.writeBuffersAfterWarmup).toBe(0);
    // The probe is the same, so is the loss before the first update.
    expect(streamed.records[0]).toEqual(whole.records[0]);
    expect(streamed.records[1]).not.toEqual(whole.records[1]);
  });

  it("streams a small set from the host's memory", async () => {
    const small: NetworkConfig = {
      ...config,
      steps: 6,
      data: { ...config.data, source: "cifar10", maxBytes: 20 * 3072 },
    };
    const { result } = await runToEnd(engine(), small, { data: cifarFolder().folder, save: [] });
    expect(result.stopped).toBeUndefined();
    expect(result.counters.writeBuffersAfterWarmup).toBe(2 * 20);
    const { pixels } = await firstImages(engine(), small, cifarFolder().folder);
    const all = await readCifar10(cifarFolder().folder, { limit: COUNT });
    const [start = 0] = windowAt(streamOf(small, fileLayout("cifar10"), 2 ** 30)!, small.seed, 0).starts;
    expect(pixels.subarray(0, 3072)).toEqual(all.pixels.subarray(start * 3072, (start + 1) * 3072));
  });

  it("shows the views of its first window", async () => {
    const images = await firstImages(engine(), config, unlabelled);
    expect(images.count).toBe(20);
    const plan = streamOf(config, fileLayout("stl10"), 2 ** 30)!;
    const [start = 0] = windowAt(plan, config.seed, 0).starts;
    const file = await (await unlabelled.open("unlabeled_X.bin")).read(start * IMAGE_BYTES, IMAGE_BYTES);
    expect(images.pixels.subarray(0, IMAGE_BYTES)).toEqual(file);
    const views = await firstViews(engine(), config, images, 4);
    expect(Math.max(...views.map(({ index }) => index))).toBeLessThan(20);
  });

  it("is planned with its window alone, without data", () => {
    const bytes = (of: NetworkConfig) =>
      describePlan(engine(), of).persistent.find(({ name }) => name === "pixels")!.sizeBytes;
    expect(bytes(config)).toBe(20 * IMAGE_BYTES);
    // A u32 a pixel, where there is room.
    expect(bytes({ ...config, data: { ...config.data, maxBytes: 0 } })).toBe(COUNT * 96 * 96 * 4);
  });

  it("refuses a budget without a batch, and files that are too short", async () => {
    const data = (changes: Partial<NetworkConfig["data"]>) => ({ ...config, data: { ...config.data, ...changes } });
    const run = (of: NetworkConfig) => runToEnd(engine(), of, { data: unlabelled, save: [] });
    const error = (code: string, message: RegExp) =>
      expect.objectContaining({ code, message: expect.stringMatching(message) });
    await expect(run(data({ maxBytes: 3 * IMAGE_BYTES }))).rejects.toThrow(error("DATA-BUDGET", /room for 3 images/));
    const sampling = { kind: "fresh", images: COUNT + 1, batch: 4, probe: 6 } as const;
    await expect(run(data({ sampling }))).rejects.toThrow(error("DATA-TOO-FEW", /holds 60/));
  });
});
