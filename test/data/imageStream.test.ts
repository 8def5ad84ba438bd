// The schedule of a streamed file: every image at most once an epoch, a new order each epoch, the tail in turn, budgets. No GPU.

import { describe, expect, it } from "vitest";
import { planStream, type StreamPlan, windowAt } from "../../src/data/imageStream.ts";
import { memoryFolder, openStl10 } from "../../src/data/index.ts";
import { expectCode } from "./support.ts";

/** Images of a window. */
function imagesOf(plan: StreamPlan, seed: number, step: number): number[] {
  return windowAt(plan, seed, step).starts.flatMap((start) =>
    Array.from({ length: plan.chunk }, (_, at) => start + at),
  );
}

function epochImages(plan: StreamPlan, seed: number, epoch: number): number[] {
  const { windowsPerEpoch, stepsPerWindow } = plan;
  return Array.from({ length: windowsPerEpoch }, (_, place) =>
    imagesOf(plan, seed, (epoch * windowsPerEpoch + place) * stepsPerWindow),
  ).flat();
}

describe("planStream", () => {
  it("STL-10's unlabelled file in 256 MiB: 37 chunks of 256 images, ten windows an epoch", () => {
    const plan = planStream({ images: 100_000, imageBytes: 27_648, batch: 256, maxBytes: 2 ** 28 });
    expect(plan).toEqual({
      images: 100_000,
      chunk: 256,
      chunks: 390,
      chunksPerWindow: 37,
      window: 9472,
      stepsPerWindow: 37,
      windowsPerEpoch: 10,
    });
    expect(plan.window * 27_648).toBeLessThanOrEqual(2 ** 28);
  });

  it("keeps the budget and holds a batch, whatever the counts", () => {
    for (const images of [1, 7, 64, 246, 1000]) {
      for (const batch of [1, 3, 64]) {
        for (const held of [1, 2, 63, 64, 65, 100, 500, 5000]) {
          if (batch > images || batch > Math.min(held, images)) continue;
          const plan = planStream({ images, imageBytes: 8, batch, maxBytes: 8 * held + 5 });
          expect(plan.window).toBeGreaterThanOrEqual(batch);
          expect(plan.window).toBeLessThanOrEqual(Math.min(held, images));
          // Rounding to chunks wastes less than a chunk.
          expect(plan.window).toBeGreaterThan(Math.min(held, images) - plan.chunk);
          expect(plan.stepsPerWindow).toBeGreaterThanOrEqual(1);
          expect(plan.windowsPerEpoch).toBeGreaterThanOrEqual(1);
        }
      }
    }
  });

  it("refuses budgets that hold no batch, and impossible counts", async () => {
    const options = { images: 100, imageBytes: 3072, batch: 32, maxBytes: 32 * 3072 - 1 };
    await expectCode("DATA-BUDGET", () => planStream(options));
    expect(() => planStream(options)).toThrow(/room for 31 images of 3072 bytes; a batch has 32/);
    await expectCode("DATA-BUDGET", () => planStream({ ...options, maxBytes: Number.NaN }));
    await expectCode("DATA-OPTION", () => planStream({ ...options, images: 31 }));
    await expectCode("DATA-OPTION", () => planStream({ ...options, imageBytes: 3073 }));
    await expectCode("DATA-OPTION", () => planStream({ ...options, batch: 0 }));
  });
});

describe("windowAt", () => {
  const plan = planStream({ images: 246, imageBytes: 4, batch: 8, maxBytes: 4 * 70 });

  it("an epoch meets each image at most once, all but those of incomplete windows and chunks", () => {
    // 70 images: chunks of 2; 123 chunks, 35 to a window; three windows an epoch.
    expect(plan).toMatchObject({ chunk: 2, chunksPerWindow: 35, window: 70, stepsPerWindow: 8, windowsPerEpoch: 3 });
    for (const epoch of [0, 1, 7]) {
      const seen = epochImages(plan, 3, epoch);
      expect(seen).toHaveLength(210);
      expect(new Set(seen).size).toBe(210);
      expect(Math.min(...seen)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...seen)).toBeLessThan(246);
    }
  });

  it("is the same for all steps of a window and for the same seed, and another for the next window, epoch and seed", () => {
    const { firstStep, endStep, starts, index } = windowAt(plan, 3, 20);
    expect([index, firstStep, endStep]).toEqual([2, 16, 24]);
    for (let step = 16; step < 24; step++) expect(windowAt(plan, 3, step).starts).toEqual(starts);
    expect(windowAt(plan, 3, 24).index).toBe(3);
    const others = [windowAt(plan, 3, 15), windowAt(plan, 3, 24), windowAt(plan, 3, 20 + 24), windowAt(plan, 4, 20)];
    for (const other of others) expect(other.starts).not.toEqual(starts);
  });

  it("takes every chunk equally often over many epochs", () => {
    const counts = new Float64Array(246);
    const epochs = 200;
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const image of epochImages(plan, 1, epoch)) counts[image] = counts[image]! + 1;
    }
    // 105 of 123 chunks an epoch: 170.7 of 200, standard deviation √(200·p·(1 − p)) = 5; five of them.
    const expected = (epochs * 105) / 123;
    expect(Math.max(...counts.map((count) => Math.abs(count - expected)))).toBeLessThan(25);
  });

  it("the last images, which fill no chunk, have their turn in other epochs", () => {
    const uneven = planStream({ images: 1001, imageBytes: 4, batch: 8, maxBytes: 4 * 640 });
    expect([uneven.chunk, uneven.chunks]).toEqual([20, 50]);
    const seen = new Set<number>();
    for (let epoch = 0; epoch < 40; epoch++) for (const image of epochImages(uneven, 0, epoch)) seen.add(image);
    expect(seen.size).toBe(1001);
  });
});

describe("openStl10", () => {
  it("reads runs of images as they lie in the file, and refuses those beyond its end", async () => {
    const bytes = Uint8Array.from({ length: 5 * 27_648 }, (_, at) => (at * 7 + Math.floor(at / 27_648)) & 255);
    const file = await openStl10(memoryFolder("mem", { "unlabeled_X.bin": bytes }));
    expect(file).toMatchObject({ name: "stl10-unlabeled", count: 5, height: 96, width: 96, channels: 3 });
    const target = new Uint8Array(2 * 27_648);
    await file.read(3, target);
    expect(target).toEqual(bytes.subarray(3 * 27_648));
    await expect(file.read(4, target)).rejects.toThrow(expect.objectContaining({ code: "DATA-OUT-OF-RANGE" }));
    await expect(openStl10(memoryFolder("mem", {}))).rejects.toThrow(
      expect.objectContaining({ code: "DATA-NOT-FOUND" }),
    );
  });
});
