/** Contact sheets: the views that training has, bit for bit, and where their pixels lie in the picture. */
import { describe, expect, it } from "vitest";
import { augmentedViews, epochIndices } from "../../src/augment/index.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { pixelAt, RandomStream } from "../../src/data/index.ts";
import type { NetworkConfig } from "../../src/experiments/network/config.ts";
import { contactSheet, firstViews, type ImageViews } from "../../src/experiments/network/contactSheet.ts";
import { layoutOf, loadImages } from "../../src/experiments/network/data.ts";
import { NORMALIZATION, viewsOptions } from "../../src/experiments/network/views.ts";
import { networkPresets } from "../../src/experiments/presets.ts";
import { cifarFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { runToEnd } from "../support/runs.ts";

const engine = useEngine({ unrollsLoops: false });
const cifar = cifarFolder().folder;

function fixed(pairs: number): NetworkConfig {
  const preset = networkPresets["tiny-barlow"]!;
  const data = { ...preset.data, sampling: { kind: "fixed", pairs }, side: 12 } as const;
  return { ...preset, data, steps: 1, seed: 4 };
}

function fresh(recipe: "simclr" | "barlow"): NetworkConfig {
  const preset = networkPresets["fresh-simclr"]!;
  const sampling = { kind: "fresh", images: 40, batch: 9, probe: 4 } as const;
  return { ...preset, seed: 4, data: { ...preset.data, sampling, side: 10, augmentation: { recipe } } };
}

describe("firstViews", () => {
  it("of fixed pairs are the views that a run is trained on", async () => {
    const config = fixed(6);
    const { arrays } = await runToEnd(engine(), config, { data: cifar, save: ["views"] });
    const views = await firstViews(engine(), config, await loadImages(config, cifar), 4);
    expect(views.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    const size = 12 * 12 * 4;
    views.forEach(({ pixels }, item) => {
      expect([...pixels[0]]).toEqual([...arrays["views_a.npy"]!.subarray(item * size, (item + 1) * size)]);
      expect([...pixels[1]]).toEqual([...arrays["views_b.npy"]!.subarray(item * size, (item + 1) * size)]);
    });
  });

  it.each(["simclr", "barlow"] as const)("of fresh views (%s) are those of the first step's batch", async (recipe) => {
    const config = fresh(recipe);
    const images = await loadImages(config, cifar);
    const views = await firstViews(engine(), config, images, 5);
    // The nodes of a training step, on the whole batch.
    const graph = new Graph();
    const stepState = graph.state("stepState", [4], "u32");
    const pixels = graph.input("pixels", [images.pixels.byteLength / 4], "u32");
    const order = { seed: 4, stream: RandomStream.permutation };
    const indices = epochIndices(stepState, order, { count: 40, batch: 9 });
    const key = { seed: 4, stream: RandomStream.augmentation };
    const step = augmentedViews({ stepState, pixels, indices }, viewsOptions(config, layoutOf(images), key));
    const feeds = { stepState: new Uint32Array(4), pixels: new Uint32Array(images.pixels.buffer) };
    const whole = await evaluate(engine(), graph, feeds, { images: step.images, indices });
    expect(views.map(({ index }) => index)).toEqual([...new Uint32Array(whole.indices.buffer)].slice(0, 5));
    views.forEach(({ pixels: own, draws }, item) => {
      own.forEach((view, number) => {
        const at = (number * 9 + item) * 400;
        expect([...view]).toEqual([...whole.images.subarray(at, at + 400)]);
      });
      expect(draws[0]).not.toEqual(draws[1]);
      expect(draws.every(({ height, width }) => height >= 1 && width <= 32)).toBe(true);
    });
  });

  it("more images than a step has are refused", async () => {
    const config = fixed(6);
    const images = await loadImages(config, cifar);
    for (const count of [0, 7, 1.5]) {
      await expect(firstViews(engine(), config, images, count)).rejects.toThrow(
        expect.objectContaining({ code: "CONFIG-IMAGES", fix: "Ask for 1 to 6." }),
      );
    }
  });
});

describe("contactSheet", () => {
  /** Views of one colour each, given in 0 … 255. */
  function flat(index: number, first: number, second: number): ImageViews {
    const { mean, std } = NORMALIZATION.cifar10;
    const view = (value: number) =>
      Float32Array.from({ length: 12 * 12 * 4 }, (_, at) =>
        at % 4 === 3 ? 0 : (value / 255 - mean[(at % 4) as 0 | 1 | 2]) / std[(at % 4) as 0 | 1 | 2],
      );
    const draw = {} as ImageViews["draws"][0];
    return { index, draws: [draw, draw], pixels: [view(first), view(second)] };
  }

  it("has a row for each image: source, first view, second view, enlarged by whole factors and clamped", async () => {
    const config = fixed(6);
    const images = await loadImages(config, cifar);
    const { width, height, data } = contactSheet(config, images, [flat(3, 100, 200), flat(5, -40, 300)]);
    // Cells of 2 · 32 pixels with gaps of 4, also around.
    expect([width, height]).toEqual([3 * 64 + 4 * 4, 2 * 64 + 3 * 4]);
    const at = (x: number, y: number) => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
    // Source pixel (row 10, column 20) of image 3, doubled.
    const source = [0, 1, 2].map((channel) => pixelAt(images, 3, channel, 10, 20));
    for (const [dx, dy] of [
      [0, 0],
      [1, 0],
      [0, 1],
      [1, 1],
    ] as const) {
      expect(at(4 + 40 + dx, 4 + 20 + dy)).toEqual(source);
    }
    // Views of 12 pixels become 60, centred in 64: two pixels of background on each side.
    expect(at(4 + 68 + 1, 4 + 30)).toEqual([255, 255, 255]);
    expect(at(4 + 68 + 2, 4 + 2)).toEqual([100, 100, 100]);
    expect(at(4 + 68 + 61, 4 + 61)).toEqual([100, 100, 100]);
    expect(at(4 + 136 + 30, 4 + 30)).toEqual([200, 200, 200]);
    expect(at(4 + 68 + 30, 4 + 68 + 30)).toEqual([0, 0, 0]);
    expect(at(4 + 136 + 30, 4 + 68 + 30)).toEqual([255, 255, 255]);
  });

  it("begins another group of columns after eight rows", async () => {
    const config = fixed(10);
    const images = await loadImages(config, cifar);
    const views = Array.from({ length: 10 }, (_, item) => flat(item, 20 * item, 255));
    const { width, height, data } = contactSheet(config, images, views);
    // Groups of 3 · 64 + 2 · 4 pixels, twice the gap between them.
    expect([width, height]).toEqual([2 * 200 + 8 + 2 * 4, 8 * 64 + 9 * 4]);
    const ninth = { x: 4 + 200 + 8 + 68 + 30, y: 4 + 30 };
    expect(data[(ninth.y * width + ninth.x) * 3]).toBe(160);
  });
});
