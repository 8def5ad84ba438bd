import { describe, expect, it } from "vitest";
import { gatherCrop } from "../../src/kernels/library.ts";
import * as oracle from "../oracle/data.ts";
import { useEngine } from "../support/device.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { runF32, unwritten } from "./runF32.ts";

const engine = useEngine();

interface Strides {
  readonly imageStride: number;
  readonly channelStride: number;
  readonly rowStride: number;
  readonly columnStride: number;
}
type Size = { readonly channels: number; readonly height: number; readonly width: number };

/** Memory orders in which the data sets store images (CIFAR-10 is CHW, STL-10 is CHW with columns first, MNIST is HW). */
const LAYOUTS: Record<string, (size: Size) => Strides> = {
  HWC: ({ channels: c, height: h, width: w }) => ({
    imageStride: h * w * c,
    rowStride: w * c,
    columnStride: c,
    channelStride: 1,
  }),
  CHW: ({ channels: c, height: h, width: w }) => ({
    imageStride: h * w * c,
    channelStride: h * w,
    rowStride: w,
    columnStride: 1,
  }),
  "CHW, column-major": ({ channels: c, height: h, width: w }) => ({
    imageStride: h * w * c,
    channelStride: h * w,
    columnStride: h,
    rowStride: 1,
  }),
  "CHW with a label byte before each image": ({ channels: c, height: h, width: w }) => ({
    imageStride: 1 + h * w * c,
    channelStride: h * w,
    rowStride: w,
    columnStride: 1,
  }),
};

async function gather(
  pixels: Uint8Array,
  indices: Uint32Array,
  spec: oracle.GatherCropSpec,
  WG = 16,
): Promise<Float32Array> {
  const count = spec.views * indices.length * spec.cropHeight * spec.cropWidth * spec.channels;
  return runF32(engine(), gatherCrop, {
    buffers: { pixels, indices, y: unwritten(count) },
    params: {
      views: spec.views,
      images: indices.length,
      channels: spec.channels,
      crop_height: spec.cropHeight,
      crop_width: spec.cropWidth,
      height: spec.height,
      width: spec.width,
      image_stride: spec.imageStride,
      channel_stride: spec.channelStride,
      row_stride: spec.rowStride,
      column_stride: spec.columnStride,
      pixels_offset: spec.pixelsOffset,
      seed: spec.seed,
      stream: spec.stream,
      step: spec.step,
      scale: spec.scale,
    },
    knobs: { WG },
  });
}

const draw = { views: 2, seed: 7, stream: 2, step: 11, scale: 1, pixelsOffset: 0 };

describe("gather_crop", () => {
  for (const [name, stridesOf] of Object.entries(LAYOUTS)) {
    for (const channels of [1, 3]) {
      it(`${name}, ${channels} channels: every pixel exact`, async () => {
        const size = { channels, height: 7, width: 5 };
        const random = new TestRandom(channels);
        const pixelsOffset = name.includes("label") ? 1 : 0;
        const spec = { ...draw, ...size, ...stridesOf(size), cropHeight: 4, cropWidth: 3, pixelsOffset };
        const pixels = Uint8Array.from({ length: 9 * spec.imageStride }, () => random.integer(256));
        const indices = Uint32Array.of(8, 0, 3, 3, 5);
        expect([...(await gather(pixels, indices, spec))]).toEqual([...oracle.gatherCrop(pixels, indices, spec)]);
      });
    }
  }

  for (const images of [1, 2, 3, 7]) {
    it(`${images} images, around a workgroup's 16`, async () => {
      const size = { channels: 1, height: 5, width: 5 };
      const pixels = Uint8Array.from({ length: 25 * 10 }, (_, i) => i);
      const indices = Uint32Array.from({ length: images }, (_, i) => 9 - i);
      for (const [views, crop] of [
        [1, 1],
        [2, 2],
        [1, 4],
        [2, 5],
      ] as const) {
        const spec = { ...draw, ...size, ...LAYOUTS.HWC!(size), views, cropHeight: crop, cropWidth: crop };
        expect([...(await gather(pixels, indices, spec))]).toEqual([...oracle.gatherCrop(pixels, indices, spec)]);
      }
    });
  }

  it("origins: each pixel names its own place; all places occur, none outside", async () => {
    // Pixel value = 16·row + column, crop 1×1: y is the origin.
    const [height, width, images] = [6, 9, 400];
    const pixels = Uint8Array.from({ length: height * width }, (_, i) => 16 * Math.floor(i / width) + (i % width));
    const spec = {
      ...draw,
      channels: 1,
      height,
      width,
      cropHeight: 3,
      cropWidth: 2,
      imageStride: 0,
      channelStride: 0,
      rowStride: width,
      columnStride: 1,
    };
    const indices = Uint32Array.from({ length: images }, (_, i) => i);
    const y = await gather(pixels, indices, spec);
    const seen = new Set<number>();
    for (let view = 0; view < 2; view++) {
      for (let i = 0; i < images; i++) {
        const { top, left } = oracle.cropOrigin(i, view, spec);
        const corner = y[(view * images + i) * 6]!;
        expect(corner).toBe(16 * top + left);
        seen.add(corner);
      }
    }
    expect(seen.size).toBe((height - 3 + 1) * (width - 2 + 1));
    expect(Math.max(...seen)).toBe(16 * 3 + 7);
  });

  it("a full-size crop is the image; steps and views draw other crops", async () => {
    const size = { channels: 1, height: 8, width: 8 };
    const pixels = Uint8Array.from({ length: 64 }, (_, i) => i);
    const whole = { ...draw, ...size, ...LAYOUTS.HWC!(size), cropHeight: 8, cropWidth: 8 };
    expect([...(await gather(pixels, Uint32Array.of(0), whole))]).toEqual([...pixels, ...pixels]);
    const corners = new Set<string>();
    for (let step = 0; step < 8; step++) {
      const y = await gather(pixels, Uint32Array.of(0), { ...whole, cropHeight: 2, cropWidth: 2, step });
      corners.add(`${y[0]} ${y[4]}`);
    }
    expect(corners.size).toBeGreaterThan(4);
  });

  it("scale: one rounding", async () => {
    const size = { channels: 3, height: 6, width: 6 };
    const spec = { ...draw, ...size, ...LAYOUTS.CHW!(size), cropHeight: 5, cropWidth: 4, scale: Math.fround(1 / 255) };
    const pixels = Uint8Array.from({ length: 3 * 108 }, (_, i) => (i * 37) % 256);
    const reference = oracle.gatherCrop(pixels, [0, 2], spec);
    expect(await gather(pixels, Uint32Array.of(0, 2), spec)).toMatchOracle(reference, {
      factor: gamma(1),
      scale: reference,
    });
  });

  it("more than 65,535 workgroups fold into y", async () => {
    const size = { channels: 1, height: 2, width: 2 };
    const spec = { ...draw, ...size, ...LAYOUTS.HWC!(size), views: 1, cropHeight: 1, cropWidth: 1 };
    const indices = Uint32Array.from({ length: 66_000 }, (_, i) => i % 3);
    const pixels = Uint8Array.from({ length: 12 }, (_, i) => i);
    const y = await gather(pixels, indices, spec, 1);
    const three = oracle.gatherCrop(pixels, [0, 1, 2], spec);
    expect(y).toMatchOracle(
      Float32Array.from(indices, (index) => three[index]!),
      { factor: 0, scale: 0 },
    );
  });
});
