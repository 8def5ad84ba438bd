/** Features of whole images: alone and in batches, against float64, calibration of running statistics, pixels. */
import { describe, expect, it } from "vitest";
import { RECIPES, recipeNamed } from "../../src/augment/index.ts";
import { type ImageSet, readCifar10 } from "../../src/data/index.ts";
import { calibratedStatistics, encodeImages, pixelFeatures, type WholeView } from "../../src/evaluation/index.ts";
import { describeModel, initialRunning, type Model, smallResNet } from "../../src/nn/index.ts";
import { randomState } from "../nn/support.ts";
import { augmentedImage } from "../oracle/augment.ts";
import { resnetForward } from "../oracle/resnet.ts";
import { cifarFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";

const engine = useEngine({ unrollsLoops: false });
const SIDE = 12;
const NORMALIZATION = { mean: [0.4914, 0.4822, 0.4465], std: [0.247, 0.2435, 0.2616] } as const;
const view: WholeView = {
  recipe: { ...RECIPES.none, samples: 2 },
  height: SIDE,
  width: SIDE,
  ...NORMALIZATION,
};
const cifar = readCifar10(cifarFolder().folder, { limit: 23 });
const model: Model = smallResNet({ width: 4 });
const spec = describeModel(model, [2, SIDE, SIDE, 4]);

/** The view [SIDE, SIDE, 4] of one image in float64. */
function wholeImage(set: ImageSet, image: number): Float64Array {
  const { layout, height, width, channels } = set;
  const draw = {
    top: 0,
    left: 0,
    height,
    width,
    flip: false,
    jitter: false,
    brightness: 1,
    contrast: 1,
    saturation: 1,
    hue: 0,
    order: ["brightness", "contrast", "saturation", "hue"] as const,
    gray: false,
    sigma: 0,
    weights: [1],
    threshold: 2,
  };
  return augmentedImage(set.pixels, image, draw, {
    layout: { ...layout, height, width, channels },
    outHeight: SIDE,
    outWidth: SIDE,
    cubic: undefined,
    samples: 2,
    isInteger: false,
    ...NORMALIZATION,
  });
}

describe("pixelFeatures", () => {
  it("are the resized, normalised images, three numbers a pixel", async () => {
    const set = await cifar;
    const { values, columns } = await pixelFeatures(engine(), set, view);
    expect(columns).toBe(3 * SIDE * SIDE);
    const expected = Array.from({ length: set.count }, (_, image) =>
      [...wholeImage(set, image)].filter((_, at) => at % 4 !== 3),
    ).flat();
    // As in test/augment/views.test.ts for bilinear views: 32u on [0, 1], over the deviation.
    expect(values).toMatchOracle(expected, { factor: 4 * U, scale: expected.map(Math.abs), absolute: (32 * U) / 0.24 });
  });
});

describe("encodeImages", () => {
  it("equals a float64 forward pass in inference, and no image depends on its batch", async () => {
    const set = await cifar;
    const { state, tensors } = randomState(spec, 6);
    const trained = { model, state };
    const { values, columns } = await encodeImages(engine(), set, view, trained, 8);
    expect([values.length, columns]).toEqual([23 * 16, 16]);
    // Channels first, as the reference wants them.
    const planes = Float64Array.from({ length: 23 * 3 * SIDE * SIDE });
    for (let image = 0; image < 23; image++) {
      const pixels = wholeImage(set, image);
      pixels.forEach((value, at) => {
        const [pixel, channel] = [Math.floor(at / 4), at % 4];
        if (channel < 3) planes[(image * 3 + channel) * SIDE * SIDE + pixel] = value;
      });
    }
    const structure = { stem: { kernel: 3, stride: 2, hasPool: false }, strides: [1, 2, 2], isTraining: false };
    const expected = resnetForward(tensors, planes, [23, 3, SIDE, SIDE], structure);
    const largest = Math.max(...expected.map(Math.abs));
    // Ten layers of up to 144 terms; what layer by layer is derived in test/nn/fold.test.ts amounts here to less than 100u of the largest.
    expect(values).toMatchOracle(expected, { factor: 100 * U, scale: largest });
    const one = { ...set, count: 1, pixels: set.pixels.slice(5 * 3072, 6 * 3072) };
    const alone = await encodeImages(engine(), one, view, trained);
    expect([...alone.values]).toEqual([...values.subarray(5 * 16, 6 * 16)]);
  });

  it("of another recipe's sampling differs", async () => {
    const set = await cifar;
    const { state } = randomState(spec, 6);
    const cubic = { ...view, recipe: { ...RECIPES.none, interpolation: recipeNamed("simclr").interpolation } };
    const [a, b] = [
      await encodeImages(engine(), set, view, { model, state }),
      await encodeImages(engine(), set, cubic, { model, state }),
    ];
    expect([...a.values]).not.toEqual([...b.values]);
  });
});

describe("calibratedStatistics", () => {
  it("are the averages that training passes leave: of the images, whatever it began with", async () => {
    const set = await cifar;
    const { state } = randomState(spec, 7);
    const parameters = state.parameters;
    const running = await calibratedStatistics(engine(), set, view, { model, parameters }, 23);
    // One batch of all images fifty times: the first layer's batch statistics but for 0.9⁵⁰ of (0, 1).
    const first = spec.running[0]!;
    const filter = state.parameters;
    const images = Array.from({ length: 23 }, (_, image) => wholeImage(set, image));
    for (let channel = 0; channel < first.channels; channel++) {
      const outputs: number[] = [];
      for (const pixels of images) {
        for (let i = 0; i < SIDE / 2; i++) {
          for (let j = 0; j < SIDE / 2; j++) {
            let sum = 0;
            for (let p = 0; p < 3; p++) {
              for (let q = 0; q < 3; q++) {
                const [h, w] = [2 * i + p - 1, 2 * j + q - 1];
                if (h < 0 || h >= SIDE || w < 0 || w >= SIDE) continue;
                for (let c = 0; c < 3; c++) {
                  sum += pixels[(h * SIDE + w) * 4 + c]! * filter[((p * 3 + q) * 4 + c) * first.channels + channel]!;
                }
              }
            }
            outputs.push(sum);
          }
        }
      }
      const mean = outputs.reduce((total, value) => total + value / outputs.length, 0);
      const variance = outputs.reduce((total, value) => total + (value - mean) ** 2 / (outputs.length - 1), 0);
      const left = 0.9 ** 50;
      const spread = Math.sqrt(variance) + Math.abs(mean);
      expect(Math.abs(running[channel]! - (1 - left) * mean)).toBeLessThan(1e-5 * spread);
      const expected = (1 - left) * variance + left;
      expect(Math.abs(running[first.channels + channel]! - expected)).toBeLessThan(1e-5 * (spread ** 2 + 1));
    }
    expect(running.length).toBe(initialRunning(spec.running).length);
    expect([...(await calibratedStatistics(engine(), set, view, { model, parameters }, 23))]).toEqual([...running]);
  });
});
