/** Kernels of shaders/augment: epoch_indices, augment_draw, augment_image, gaussian_blur, pack_pixels; and lib/exponential.wgsl. */
import { describe, expect, it } from "vitest";
import { decodeDraw } from "../../src/augment/draws.ts";
import { augmentDraw, augmentImage, epochIndices, gaussianBlur, packPixels } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { augmentDrawOp, augmentImageOp, drawRecordLength, packedLayout, packPixelsOp } from "../../src/ops/augment.ts";
import * as oracle from "../oracle/augment.ts";
import { useEngine } from "../support/device.ts";
import { gamma, U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { runF32, unwritten } from "./runF32.ts";
import { packStepState } from "./stepState.ts";
import { testKernel } from "./testShader.ts";

const engine = useEngine();
const stepState = (step: number) => packStepState({ step, records: 0, nonfiniteStep: 0, learningRate: 0 });

describe("exp_minus_one", () => {
  const probe = testKernel("exponential_probe", ({ count = 0 }) => [Math.ceil(count / 64), 1, 1]);

  it("relative error at most 4u from −87 to 80, also beside 0", async () => {
    const random = new TestRandom(1);
    const x = Float32Array.from({ length: 60_000 }, (_, i) => {
      if (i % 3 === 0) return -87 + 167 * random.uniform();
      if (i % 3 === 1) return 4 * random.uniform() - 2;
      return (random.uniform() < 0.5 ? -1 : 1) * 10 ** (-8 * random.uniform());
    });
    const y = await runF32(engine(), probe, { buffers: { x, y: unwritten(x.length) }, params: { count: x.length } });
    const reference = Float64Array.from(x, Math.expm1);
    expect(y).toMatchOracle(reference, { factor: 4 * U, scale: reference.map(Math.abs) });
  });

  it("0 and far below", async () => {
    const x = Float32Array.of(0, -100, -1e30);
    const y = await runF32(engine(), probe, { buffers: { x, y: unwritten(3) }, params: { count: 3 } });
    expect([...y]).toEqual([0, -1, -1]);
  });
});

describe("epoch_indices", () => {
  const draw = async (step: number, sizes: { count: number; batch: number }, seed = 7, WG = 16) => {
    const params = { ...sizes, seed, stream: 5 };
    const { indices } = await runKernel(engine(), epochIndices, {
      buffers: { state: stepState(step), indices: new Uint32Array(sizes.batch).fill(0xffffffff) },
      params,
      knobs: { WG },
      read: ["indices"],
    });
    return [...(indices as Uint32Array)];
  };

  for (const count of [1, 2, 3, 5, 16, 17, 100, 1000, 4097]) {
    it(`an epoch of ${count} images is a permutation, the oracle's`, async () => {
      for (const epoch of [0, 1, 9]) {
        const indices = await draw(epoch, { count, batch: count });
        expect([...indices].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
        expect(indices).toEqual(oracle.epochIndices(epoch, { count, batch: count, seed: 7, stream: 5 }));
      }
    });
  }

  it("batches of an epoch are disjoint; the short last one is dropped; the next epoch has another order", async () => {
    const sizes = { count: 103, batch: 10 };
    const epoch = (first: number) => Promise.all(Array.from({ length: 10 }, (_, i) => draw(first + i, sizes)));
    const first = (await epoch(0)).flat();
    expect(new Set(first).size).toBe(100);
    const second = (await epoch(10)).flat();
    expect(new Set(second).size).toBe(100);
    expect(second).not.toEqual(first);
    // In a random permutation one place in 103 agrees on average (Poisson).
    expect(first.filter((image, i) => image === second[i]).length).toBeLessThan(8);
  });

  it("another seed, another order; a large data set stays in range", async () => {
    const sizes = { count: 100_000, batch: 256 };
    const indices = await draw(12_345, sizes);
    expect(indices).toEqual(oracle.epochIndices(12_345, { ...sizes, seed: 7, stream: 5 }));
    expect(await draw(12_345, sizes, 8)).not.toEqual(indices);
    expect(new Set(indices).size).toBe(256);
  });

  // p = 0.001 at least, fixed seed, given degrees of freedom from below 30 (table) or by the normal approximation.
  for (const [count, epochs, most] of [
    [6, 4000, 52.6],
    [40, 600, 39 ** 2 + 3.3 * Math.sqrt(2 * 39 ** 2)],
    [300, 60, 299 ** 2 + 3.3 * Math.sqrt(2 * 299 ** 2)],
  ] as const) {
    it(`every image is equally likely at every place, and beside every other: χ² over ${epochs} epochs of ${count}`, () => {
      const places = Array.from({ length: count }, () => new Float64Array(count));
      const steps = new Float64Array(count);
      for (let epoch = 0; epoch < epochs; epoch++) {
        const order = oracle.epochIndices(epoch, { count, batch: count, seed: 1, stream: 5 });
        order.forEach((image, place) => {
          places[place]![image]! += 1;
          if (place > 0) steps[(image - order[place - 1]! + count) % count]! += 1;
        });
      }
      // Rows and columns of a sum of permutation matrices are fixed: (n − 1)² degrees of freedom after a factor (n − 1)/n.
      const expected = epochs / count;
      const square = (sum: number, n: number) => sum + (n - expected) ** 2 / expected;
      const chi2 = ((count - 1) / count) * places.reduce((sum, row) => row.reduce(square, sum), 0);
      expect(chi2).toBeLessThan(most);
      const stepsChi2 = steps.slice(1).reduce((sum, n) => sum + (n - epochs) ** 2 / epochs, 0);
      expect(stepsChi2).toBeLessThan(count - 2 + 3.3 * Math.sqrt(2 * count) + 4);
    });
  }
});

const SIMCLR: oracle.Distribution = {
  scale: [0.08, 1],
  ratio: [3 / 4, 4 / 3],
  flip: 0.5,
  jitter: 0.8,
  brightness: 0.8,
  contrast: 0.4,
  saturation: 1.5,
  hue: 0.2,
  gray: 0.2,
  blur: 0.5,
  sigma: [0.1, 2],
  solarize: 0.2,
  threshold: 0.5,
};
const OTHER: oracle.Distribution = {
  ...SIMCLR,
  scale: [0.5, 0.9],
  ratio: [0.5, 0.6],
  flip: 0.1,
  jitter: 1,
  gray: 0,
  blur: 1,
  sigma: [0.5, 0.6],
  solarize: 0.9,
  threshold: 0.25,
};

interface DrawRequest extends oracle.DrawSpec {
  readonly views: readonly oracle.Distribution[];
  readonly indices: Uint32Array<ArrayBuffer>;
}

/** Runs the kernel with the parameters that the op lowers to. */
async function drawnBy(request: DrawRequest, WG = 16) {
  const { indices, views, radius } = request;
  const record = drawRecordLength(radius);
  const [call] = augmentDrawOp.lower({
    inputs: [
      { shape: [4], dtype: "u32", offset: 0 },
      { shape: [indices.length], dtype: "u32", offset: 0 },
    ],
    outputs: [{ shape: [views.length, indices.length, record], dtype: "f32", offset: 0 }],
    attributes: request,
    target: { isSoftware: true, matmulFamily: "register" },
  });
  const draws = await runF32(
    engine(),
    augmentDraw,
    {
      buffers: {
        state: stepState(request.step),
        indices,
        draws: unwritten(views.length * indices.length * record),
      },
      params: call!.params,
      knobs: { ...call!.knobs, WG },
    },
    "draws",
  );
  return { draws, record, of: (item: number) => decodeDraw(draws, record, item) };
}

const spec = {
  height: 32,
  width: 32,
  isInteger: true,
  isOrderRandom: true,
  radius: 4,
  seed: 3,
  stream: 9,
  step: 17,
};
const images = (count: number) => Uint32Array.from({ length: count }, (_, i) => (i * 7919) % 50_000);

describe("augment_draw", () => {
  for (const isInteger of [true, false]) {
    for (const [height, width] of [
      [32, 32],
      [28, 96],
    ] as const) {
      it(`${isInteger ? "integer" : "real"} crops of ${height} × ${width}: every number against the oracle`, async () => {
        const request = { ...spec, height, width, isInteger, views: [SIMCLR, OTHER], indices: images(200) };
        const { draws, record, of } = await drawnBy(request);
        let compared = 0;
        for (let item = 0; item < 400; item++) {
          const view = Math.floor(item / 200);
          const { draw, margin } = oracle.drawOf(
            request.indices[item % 200]!,
            view,
            request,
            view === 0 ? SIMCLR : OTHER,
          );
          const got = of(item);
          if (isInteger && margin < 8 * U * 96) continue;
          compared++;
          const { weights, ...reals } = draw;
          for (const [name, value] of Object.entries(reals)) {
            const actual = got[name as keyof typeof reals];
            if (typeof value === "number") {
              // Crops within 8u of the side; factors, hue, σ and thresholds below 3: a rounded product, sum and bounds.
              const bound = ["top", "left", "height", "width"].includes(name)
                ? isInteger
                  ? 0
                  : 8 * U * 96
                : 4 * U * 3;
              expect(
                Math.abs((actual as number) - value),
                `${name} of ${item}: ${actual}, oracle ${value}`,
              ).toBeLessThanOrEqual(bound);
            } else expect(actual, `${name} of ${item}`).toEqual(value);
          }
          // Relative to the largest: exponents up to k²/2σ² lose u·k²/2σ² of e^−(k²/2σ²) ≤ u/e, plus 4u, the sum's 8u and the quotient's 3u.
          expect(got.weights).toMatchOracle(weights, { factor: 16 * U, scale: Math.max(...weights) });
          const rest = draws.subarray(item * record + 16 + weights.length, (item + 1) * record);
          expect([...rest].every((value) => value === 0)).toBe(true);
        }
        expect(compared).toBeGreaterThan(390);
      });
    }
  }

  it("a crop that never fits becomes the largest central one", async () => {
    const never: oracle.Distribution = { ...SIMCLR, scale: [1, 1], ratio: [2, 3] };
    const tall: oracle.Distribution = { ...SIMCLR, scale: [1, 1], ratio: [0.25, 0.3] };
    const { of } = await drawnBy({ ...spec, views: [never, tall], indices: images(3) });
    expect(of(1)).toMatchObject({ top: 8, left: 0, height: 16, width: 32 });
    expect(of(4)).toMatchObject({ top: 0, left: 11, height: 32, width: 10 });
  });

  it("draws depend on seed, stream, step, image and view alone", async () => {
    const request = { ...spec, views: [SIMCLR, SIMCLR], indices: images(40) };
    const reference = await drawnBy(request);
    const bits = (draws: Float32Array) => [...draws];
    expect(bits((await drawnBy(request, 1)).draws)).toEqual(bits(reference.draws));
    const reversed = await drawnBy({ ...request, indices: request.indices.slice().reverse() });
    expect(reversed.of(39)).toEqual(reference.of(0));
    expect(reversed.of(40 + 39)).toEqual(reference.of(40));
    for (const change of [{ seed: 4 }, { stream: 8 }, { step: 18 }]) {
      expect((await drawnBy({ ...request, ...change })).of(0), JSON.stringify(change)).not.toEqual(reference.of(0));
    }
    expect(reference.of(0)).not.toEqual(reference.of(40));
  });

  it("statistics of 20,000 draws: probabilities, means, orders", async () => {
    const n = 20_000;
    const indices = Uint32Array.from({ length: n }, (_, i) => i);
    const { of } = await drawnBy({ ...spec, views: [SIMCLR], indices });
    const draws = Array.from({ length: n }, (_, i) => of(i));
    // Five standard errors, fixed seed.
    const share = (name: string, probability: number, is: (draw: oracle.Draw) => boolean) => {
      const error = Math.abs(draws.filter(is).length / n - probability);
      expect(error, name).toBeLessThan(5 * Math.sqrt((probability * (1 - probability)) / n));
    };
    share("flip", 0.5, ({ flip }) => flip);
    share("jitter", 0.8, ({ jitter }) => jitter);
    share("gray", 0.2, ({ gray }) => gray);
    share("blur", 0.5, ({ sigma }) => sigma > 0);
    share("solarise", 0.2, ({ threshold }) => threshold === 0.5);
    share("flip and jitter together", 0.4, ({ flip, jitter }) => flip && jitter);
    for (const operation of ["brightness", "contrast", "saturation", "hue"]) {
      for (const place of [0, 1, 2, 3])
        share(`${operation} at ${place}`, 0.25, ({ order }) => order[place] === operation);
    }
    expect(new Set(draws.map(({ order }) => order.join())).size).toBe(24);
    const mean = (values: number[], expected: number, low: number, high: number, name: string) => {
      const average = values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(Math.abs(average - expected), name).toBeLessThan((5 * (high - low)) / Math.sqrt(12 * values.length));
      expect(Math.min(...values), name).toBeGreaterThanOrEqual(low - 1e-6);
      expect(Math.max(...values), name).toBeLessThanOrEqual(high + 1e-6);
      // The whole range is used.
      expect(Math.max(...values) - Math.min(...values), name).toBeGreaterThan(0.99 * (high - low));
    };
    const jittered = draws.filter(({ jitter }) => jitter);
    mean(
      jittered.map((d) => d.brightness),
      1,
      0.2,
      1.8,
      "brightness",
    );
    mean(
      jittered.map((d) => d.contrast),
      1,
      0.6,
      1.4,
      "contrast",
    );
    // Strength 1.5: from 0, not from −½.
    mean(
      jittered.map((d) => d.saturation),
      1.25,
      0,
      2.5,
      "saturation",
    );
    mean(
      jittered.map((d) => d.hue),
      0,
      -0.2,
      0.2,
      "hue",
    );
    mean(
      draws.filter(({ sigma }) => sigma > 0).map((d) => d.sigma),
      1.05,
      0.1,
      2,
      "sigma",
    );
    // Crops that fit: 80 to 1024 pixels, and every corner within the image; the left edge of half-width crops covers all places.
    for (const { top, left, height, width } of draws) {
      expect(top >= 0 && left >= 0 && top + height <= 32 && left + width <= 32).toBe(true);
    }
    const sixteen = draws.filter(({ width }) => width === 16).map(({ left }) => left);
    expect(new Set(sixteen).size).toBe(17);
    const aspect = draws.map(({ width, height }) => Math.log(width / height));
    expect(Math.abs(aspect.reduce((sum, x) => sum + x, 0) / n)).toBeLessThan(5 * (0.18 / Math.sqrt(n)));
  });

  it("the area of real square crops is uniform: Kolmogorov's distance", async () => {
    const n = 20_000;
    const square: oracle.Distribution = { ...SIMCLR, scale: [0.5, 1], ratio: [1, 1] };
    const indices = Uint32Array.from({ length: n }, (_, i) => i);
    const { of } = await drawnBy({ ...spec, isInteger: false, views: [square], indices });
    const draws = Array.from({ length: n }, (_, i) => of(i));
    const distance = (values: number[]) => {
      const sorted = values.sort((a, b) => a - b);
      return Math.sqrt(n) * Math.max(...sorted.map((value, i) => Math.max(value - i / n, (i + 1) / n - value)));
    };
    // √n·D < 1.95 with probability 0.999; the seed is fixed.
    expect(distance(draws.map(({ height }) => (height / 32) ** 2 * 2 - 1))).toBeLessThan(1.95);
    expect(distance(draws.map(({ top, height }) => top / (32 - height)))).toBeLessThan(1.95);
    expect(distance(draws.map(({ left, width }) => left / (32 - width)))).toBeLessThan(1.95);
  });
});

const planar = (channels: number, height: number, width: number) => ({
  channels,
  height,
  width,
  imageStride: channels * height * width,
  channelStride: height * width,
  rowStride: width,
  columnStride: 1,
  offset: 0,
});

interface ImageRequest {
  readonly draws: { readonly request: Omit<DrawRequest, "indices">; readonly indices: Uint32Array<ArrayBuffer> };
  readonly image: oracle.ImageSpec;
  readonly pixels: Uint8Array;
  readonly hasHue?: boolean;
  readonly WG?: number;
}

/** Draws and makes the views as the op does; returns them with the oracle's for the draws that were read back. */
async function viewsBy({ draws: drawing, image, pixels, hasHue = true, WG = 16 }: ImageRequest) {
  const { request, indices } = drawing;
  const { draws, of } = await drawnBy({ ...request, indices });
  const record = drawRecordLength(request.radius);
  const items = request.views.length * indices.length;
  const hasJitter = request.views.some(({ jitter }) => jitter > 0);
  const hasBlur = request.views.some(({ blur }) => blur > 0);
  const calls = augmentImageOp.lower({
    inputs: [
      { shape: [1], dtype: "u32", offset: 0 },
      { shape: [indices.length], dtype: "u32", offset: 0 },
      { shape: [request.views.length, indices.length, record], dtype: "f32", offset: 0 },
    ],
    outputs: [{ shape: [items, image.outHeight, image.outWidth, 4], dtype: "f32", offset: 0 }],
    attributes: {
      ...image,
      mean: image.mean as [number, number, number],
      std: image.std as [number, number, number],
      hasJitter,
      hasHue,
      hasBlur,
    },
    target: { isSoftware: true, matmulFamily: "register" },
  });
  const count = items * image.outHeight * image.outWidth * 4;
  let y = await runF32(engine(), augmentImage, {
    buffers: { pixels, indices, draws, y: unwritten(count) },
    params: calls[0]!.params,
    knobs: { ...calls[0]!.knobs, WG },
  });
  for (const call of calls.slice(1)) {
    const buffers = { draws, x: y, y: unwritten(count) };
    y = await runF32(engine(), gaussianBlur, { buffers, params: call.params, knobs: { ...call.knobs, WG } });
  }
  const reference = new Float64Array(count);
  for (let item = 0; item < items; item++) {
    reference.set(
      oracle.augmentedImage(pixels, indices[item % indices.length]!, of(item), image),
      (item * count) / items,
    );
  }
  return { y, reference, of, dispatches: calls.length };
}

/** Smooth colours with noise, so that position, colour and order matter everywhere. */
function testImages(count: number, channels: number, height: number, width: number): Uint8Array {
  const random = new TestRandom(count);
  const pixels = new Uint8Array(count * channels * height * width);
  let at = 0;
  for (let image = 0; image < count; image++) {
    for (let c = 0; c < channels; c++) {
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++) {
          const wave = Math.sin(row / 5 + image) * Math.cos(column / 4 + c) + 0.3 * c * Math.sin(column / 9);
          pixels[at++] = Math.max(0, Math.min(255, Math.round(128 + 90 * wave + 30 * random.normal())));
        }
      }
    }
  }
  return pixels;
}

const still: oracle.Distribution = {
  ...SIMCLR,
  flip: 0,
  jitter: 0,
  gray: 0,
  blur: 0,
  solarize: 0,
  brightness: 0,
  contrast: 0,
  saturation: 0,
  hue: 0,
};
/** One operation at a time, on top of crop and resize; then all. */
const OPERATIONS: Readonly<Record<string, oracle.Distribution>> = {
  crop: still,
  flip: { ...still, flip: 1 },
  brightness: { ...still, jitter: 1, brightness: 0.8 },
  contrast: { ...still, jitter: 1, contrast: 0.8 },
  saturation: { ...still, jitter: 1, saturation: 0.8 },
  hue: { ...still, jitter: 1, hue: 0.5 },
  jitter: { ...still, jitter: 0.8, brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2 },
  gray: { ...still, gray: 0.5 },
  blur: { ...still, blur: 0.7 },
  solarize: { ...still, solarize: 0.6 },
  everything: SIMCLR,
};

/**
 * Absolute bound on colours in [0, 1] before normalisation. A crop's coordinates have roundings of numbers up to the side s, so their error
 * is a few u·s pixels, times the kernel's slope: ½u·s asserted for bilinear (0.35u·s seen), u·s for bicubic (0.75u·s). Each colour operation
 * multiplies an error by at most its factor, here 1.8, three of them by 5.8; 4 asserted (2.9 seen).
 */
const bound = (side: number, cubic: number | undefined, isRecolored: boolean) =>
  (cubic === undefined ? 0.5 : 1) * U * side * (isRecolored ? 4 : 1);

/** Packs images by the kernel, with the parameters that the op lowers to. */
async function packedBy(pixels: Uint8Array, layout: oracle.ImageSpec["layout"], count: number, WG = 16) {
  const [call] = packPixelsOp.lower({
    inputs: [{ shape: [1], dtype: "u32", offset: 0 }],
    outputs: [{ shape: [count, layout.height, layout.width], dtype: "u32", offset: 0 }],
    attributes: { count, layout },
    target: { isSoftware: true, matmulFamily: "register" },
  });
  const y = new Uint32Array(count * layout.height * layout.width).fill(0xffffffff);
  const result = await runKernel(engine(), packPixels, {
    buffers: { pixels, y },
    params: call!.params,
    knobs: { WG },
    read: ["y"],
  });
  return result.y as Uint32Array;
}

describe("pack_pixels", () => {
  for (const channels of [1, 3]) {
    it(`${channels} channels, planar, column-major and interleaved: every byte; the fourth is 0`, async () => {
      const [height, width, count] = [5, 7, 3];
      const pixels = testImages(count, channels, height, width);
      for (const layout of [
        planar(channels, height, width),
        { ...planar(channels, height, width), rowStride: 1, columnStride: height },
        { ...planar(channels, height, width), channelStride: 1, rowStride: channels * width, columnStride: channels },
      ]) {
        for (const WG of [4, 64])
          expect([...(await packedBy(pixels, layout, count, WG))]).toEqual([...oracle.packed(pixels, layout, count)]);
      }
    });
  }

  it("more than 65,535 workgroups fold into y", async () => {
    const pixels = Uint8Array.from({ length: 3 * 66_000 }, (_, i) => i % 251);
    const layout = { ...planar(3, 1, 1), channelStride: 1 };
    expect(await packedBy(pixels, layout, 66_000, 1)).toEqual(oracle.packed(pixels, layout, 66_000));
  });
});

describe("augment_image and gaussian_blur", () => {
  const normal = { mean: [0, 0, 0], std: [1, 1, 1] };
  for (const [name, distribution] of Object.entries(OPERATIONS)) {
    for (const cubic of [undefined, -0.75]) {
      it(`${name}, ${cubic === undefined ? "bilinear" : "bicubic"}: every pixel against the oracle`, async () => {
        const image = {
          layout: planar(3, 32, 32),
          outHeight: 24,
          outWidth: 20,
          cubic,
          samples: 1,
          isInteger: true,
          ...normal,
        };
        const { y, reference, dispatches } = await viewsBy({
          draws: {
            request: { ...spec, views: [distribution, distribution] },
            indices: Uint32Array.of(3, 0, 5, 1, 2, 7),
          },
          image,
          pixels: testImages(8, 3, 32, 32),
        });
        expect(y).toMatchOracle(reference, {
          factor: 0,
          scale: 0,
          absolute: bound(32, cubic, distribution.jitter > 0),
        });
        expect(dispatches).toBe(distribution.blur > 0 ? 3 : 1);
      });
    }
  }

  for (const [label, layout] of Object.entries({
    interleaved: { ...planar(3, 17, 13), channelStride: 1, rowStride: 39, columnStride: 3 },
    "column-major": { ...planar(3, 17, 13), rowStride: 1, columnStride: 17 },
    "one channel": planar(1, 17, 13),
    "label bytes": { ...planar(3, 17, 13), imageStride: 3 * 221 + 1, offset: 1 },
  })) {
    it(`${label}: staircase views, 2 × 2 samples, normalised`, async () => {
      const image = {
        layout,
        outHeight: 12,
        outWidth: 12,
        cubic: undefined,
        samples: 2,
        isInteger: false,
        mean: [0.49, 0.48, 0.45],
        std: [0.25, 0.2, 0.3],
      };
      const view = { ...still, scale: [0.5, 1] as const, ratio: [1, 1] as const, flip: 0.5, jitter: 1 };
      const strengths = { brightness: 0.2, contrast: 0.2, saturation: 0.2 };
      const { y, reference } = await viewsBy({
        draws: {
          request: {
            ...spec,
            height: 17,
            width: 13,
            isInteger: false,
            isOrderRandom: false,
            views: [{ ...view, ...strengths }],
          },
          indices: Uint32Array.of(0, 1, 2, 3),
        },
        image,
        pixels: testImages(5, 3, 17, 13),
        hasHue: false,
      });
      // Division by the standard deviation: five times the bound and a rounding.
      expect(y).toMatchOracle(reference, {
        factor: gamma(3),
        scale: reference.map(Math.abs),
        absolute: 5 * bound(17, undefined, true),
      });
    });
  }

  it("packed images give the same bits", async () => {
    const layout = planar(3, 32, 32);
    const pixels = testImages(4, 3, 32, 32);
    const words = await packedBy(pixels, layout, 4);
    for (const [cubic, samples] of [
      [undefined, 2],
      [-0.75, 1],
    ] as const) {
      const request = {
        draws: { request: { ...spec, views: [SIMCLR] }, indices: Uint32Array.of(3, 0) },
        image: { layout, outHeight: 12, outWidth: 12, cubic, samples, isInteger: true, ...normal },
        pixels,
      };
      const bytes = new Uint8Array(words.buffer);
      const packed = { ...request, image: { ...request.image, layout: packedLayout(32, 32) }, pixels: bytes };
      expect([...(await viewsBy(packed)).y]).toEqual([...(await viewsBy(request)).y]);
    }
  });

  it("sizes around the workgroup, 1 × 1 and enlarging; workgroups of 4 to 64", async () => {
    for (const [outHeight, outWidth] of [
      [1, 1],
      [3, 5],
      [4, 4],
      [40, 40],
    ] as const) {
      for (const WG of [4, 16, 64]) {
        const image = {
          layout: planar(3, 16, 16),
          outHeight,
          outWidth,
          cubic: -0.5,
          samples: 1,
          isInteger: true,
          ...normal,
        };
        const radius = 0;
        const { y, reference } = await viewsBy({
          draws: {
            request: { ...spec, height: 16, width: 16, radius, views: [{ ...SIMCLR, blur: 0 }] },
            indices: Uint32Array.of(1, 0),
          },
          image,
          pixels: testImages(2, 3, 16, 16),
          WG,
        });
        expect(y).toMatchOracle(reference, { factor: 0, scale: 0, absolute: bound(16, -0.5, true) });
      }
    }
  });

  it("96 × 96 (STL-10's size), blur of 9 taps", async () => {
    const image = {
      layout: planar(3, 96, 96),
      outHeight: 96,
      outWidth: 96,
      cubic: -0.75,
      samples: 1,
      isInteger: true,
      ...normal,
    };
    const { y, reference } = await viewsBy({
      draws: { request: { ...spec, height: 96, width: 96, views: [SIMCLR] }, indices: Uint32Array.of(0, 1) },
      image,
      pixels: testImages(2, 3, 96, 96),
    });
    expect(y).toMatchOracle(reference, { factor: 0, scale: 0, absolute: bound(96, -0.75, true) });
  });
});
