/** Augmented views as graph tensors: dispatches, shapes, determinism, presets on real images, bad recipes. */
import { describe, expect, it } from "vitest";
import {
  augmentedViews,
  decodeDraw,
  epochIndices,
  RECIPES,
  type Recipe,
  type RecipeName,
  recipeNamed,
  staircaseRecipe,
} from "../../src/augment/index.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { RandomStream, readCifar10 } from "../../src/data/index.ts";
import { packStepState } from "../kernels/stepState.ts";
import * as oracle from "../oracle/augment.ts";
import { cifarFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { evaluate, REGISTER_TARGET } from "../support/graphs.ts";
import { U } from "../support/matchers.ts";

const engine = useEngine({ unrollsLoops: false });
const { folder, origin } = cifarFolder();
const COUNT = 60;
const cifar = readCifar10(folder, { limit: COUNT });
const key = { seed: 5, stream: RandomStream.augmentation };
const CIFAR = { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] } as const;

interface Request {
  readonly recipe: Recipe;
  readonly side: number;
  readonly batch?: number;
  readonly step?: number;
  readonly isSoftware?: boolean;
}

function build({ recipe, side, batch = 8 }: Request, bytes: number) {
  const graph = new Graph();
  const stepState = graph.state("stepState", [4], "u32");
  const pixels = graph.input("pixels", [bytes / 4], "u32");
  const layout = {
    height: 32,
    width: 32,
    channels: 3,
    imageStride: 3072,
    channelStride: 1024,
    rowStride: 32,
    columnStride: 1,
    offset: 0,
  };
  const indices = epochIndices(stepState, { seed: 5, stream: RandomStream.permutation }, { count: COUNT, batch });
  const views = augmentedViews(
    { stepState, pixels, indices },
    { recipe, layout, height: side, width: side, key, ...CIFAR },
  );
  return { graph, layout, indices, ...views };
}

async function run(request: Request) {
  const set = await cifar;
  const { graph, layout, indices, images, draws } = build(request, set.pixels.length);
  const { step = 3, isSoftware = true } = request;
  const feeds = {
    stepState: packStepState({ step, records: 0, nonfiniteStep: 0, learningRate: 0 }) as Uint32Array<ArrayBuffer>,
    pixels: new Uint32Array(set.pixels.buffer, 0, set.pixels.length / 4),
  };
  const target = { ...REGISTER_TARGET, isSoftware };
  const result = await evaluate(engine(), graph, feeds, { images, draws, indices }, target);
  return {
    ...result,
    shape: images.shape,
    record: draws.shape[2]!,
    layout,
    chosen: new Uint32Array(result.indices.buffer),
    set,
  };
}

describe("augmentedViews", () => {
  const DISPATCHES: Readonly<Record<RecipeName, number>> = {
    simclr: 4,
    barlow: 4,
    byol: 4,
    asymmetric: 2,
    vicreg: 2,
    weak: 2,
    staircase: 2,
    none: 2,
  };

  for (const [name, recipe] of Object.entries(RECIPES) as [RecipeName, Recipe][]) {
    it(`${name} on ${origin}: every pixel against the oracle, given the draws that were read back`, async () => {
      const batch = 8;
      const { images, draws, shape, record, layout, chosen, set } = await run({ recipe, side: 24, batch });
      expect(shape).toEqual([recipe.views.length * batch, 24, 24, 4]);
      expect([...chosen]).toEqual(
        oracle.epochIndices(3, { count: COUNT, batch, seed: 5, stream: RandomStream.permutation }),
      );
      const spec = {
        layout,
        outHeight: 24,
        outWidth: 24,
        cubic: recipe.interpolation === "bicubic" ? -0.75 : undefined,
        samples: recipe.samples ?? 1,
        isInteger: recipe.crop === "integer",
        ...CIFAR,
      };
      const reference = new Float64Array(images.length);
      for (let item = 0; item < recipe.views.length * batch; item++) {
        const view = oracle.augmentedImage(set.pixels, chosen[item % batch]!, decodeDraw(draws, record, item), spec);
        reference.set(view, item * 24 * 24 * 4);
      }
      // As in test/kernels/augment.test.ts: 4·u·32 on [0, 1] for recoloured bicubic views, divided by the deviation.
      expect(images).toMatchOracle(reference, {
        factor: 4 * U,
        scale: reference.map(Math.abs),
        absolute: (128 * U) / 0.24,
      });
      // Not a constant image.
      expect(new Set(images).size).toBeGreaterThan(1000);
    });

    it(`${name}: ${DISPATCHES[name]} dispatches besides the indices`, () => {
      const { graph, images } = build({ recipe, side: 32 }, 3072 * COUNT);
      const plan = planGraph({ graph, programs: { main: [images] }, target: REGISTER_TARGET });
      expect(plan.calls.map(({ kernel }) => kernel.name)).toHaveLength(1 + DISPATCHES[name]);
    });
  }

  it("the same bits again; another step, another view of other images; both views differ", async () => {
    const request = { recipe: RECIPES.simclr, side: 16 };
    const first = await run(request);
    expect([...(await run(request)).images]).toEqual([...first.images]);
    const next = await run({ ...request, step: 4 });
    expect([...next.chosen].some((image) => first.chosen.includes(image))).toBe(false);
    const half = first.images.length / 2;
    expect([...first.images.subarray(0, half)]).not.toEqual([...first.images.subarray(half)]);
    // The fourth channel is 0 in all.
    expect(first.images.every((value, i) => i % 4 !== 3 || value === 0)).toBe(true);
  });

  it("a GPU's larger workgroups: the same draws, colours equal to the rounding of the mean", async () => {
    const request = { recipe: RECIPES.weak, side: 32 };
    const [software, gpu] = [await run(request), await run({ ...request, isSoftware: false })];
    expect([...gpu.draws]).toEqual([...software.draws]);
    // The mean of 1024 lumas: 64 terms a lane and 4 levels with 16 lanes, 8 and 7 with 128. It enters with 1 − c ≤ 0.4 and shifts the channels
    // alike, which saturation and hue pass on; 16 roundings of what follows; divided by a deviation of 0.24.
    const absolute = ((64 + 4 + 8 + 7) * 0.4 + 16) * (U / 0.24);
    expect(gpu.images).toMatchOracle(software.images, { factor: 0, scale: 0, absolute });
  });

  it("none is the image itself, normalised", async () => {
    const { images, chosen, set } = await run({ recipe: RECIPES.none, side: 32, batch: 2 });
    chosen.forEach((image, item) => {
      for (let pixel = 0; pixel < 1024; pixel += 13) {
        for (let c = 0; c < 3; c++) {
          const expected = (set.pixels[image * 3072 + c * 1024 + pixel]! / 255 - CIFAR.mean[c]!) / CIFAR.std[c]!;
          expect(Math.abs(images[4 * (item * 1024 + pixel) + c]! - expected)).toBeLessThan(2e-5);
        }
      }
    });
  });
});

describe("bad input", () => {
  const staircase = staircaseRecipe();
  const [view] = staircase.views;
  const withView = (changes: object): Recipe => ({ ...staircase, views: [{ ...view!, ...changes }] });
  const bad: Readonly<Record<string, Recipe>> = {
    "no view": { ...staircase, views: [] },
    "three views": { ...staircase, views: [view!, view!, view!] },
    "area 0": withView({ crop: { scale: [0, 1], ratio: [1, 1] } }),
    "area above 1": withView({ crop: { scale: [0.5, 1.5], ratio: [1, 1] } }),
    "area the wrong way round": withView({ crop: { scale: [0.9, 0.5], ratio: [1, 1] } }),
    "probability 2": withView({ flip: 2 }),
    "negative strength": withView({ jitter: { probability: 1, brightness: -1, contrast: 0, saturation: 0, hue: 0 } }),
    "hue 0.6": withView({ jitter: { probability: 1, brightness: 0, contrast: 0, saturation: 0, hue: 0.6 } }),
    "sigma 0": withView({ blur: { probability: 1, sigma: [0, 1] } }),
    "even taps": { ...withView({ blur: { probability: 1, sigma: [1, 1] } }), blurTaps: 4 },
    "more taps than the view reflects": { ...withView({ blur: { probability: 1, sigma: [1, 1] } }), blurTaps: 25 },
    "samples 1.5": { ...staircase, samples: 1.5 },
    NaN: withView({ gray: Number.NaN }),
  };
  for (const [name, recipe] of Object.entries(bad)) {
    it(`${name}: CONFIG-AUGMENT`, () => {
      expect(() => build({ recipe, side: 12 }, 3072 * COUNT)).toThrow(
        expect.objectContaining({ code: "CONFIG-AUGMENT" }),
      );
    });
  }

  it("unknown presets name those there are; a batch beyond the data set names both", () => {
    expect(() => recipeNamed("toString")).toThrow(
      expect.objectContaining({ fix: expect.stringContaining("staircase") }),
    );
    expect(recipeNamed("barlow")).toBe(RECIPES.barlow);
    expect(() => build({ recipe: staircase, side: 12, batch: COUNT + 1 }, 3072 * COUNT)).toThrow(/61 is asked of 60/);
  });
});
