// STL-10's binary version: column-major images and labels on synthetic files, chunks by ranges, real samples, bad files; and resizing.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { nodeFolder } from "../../src/cli/nodeFiles.ts";
import { type ByteSource, type DataFolder, memoryFolder } from "../../src/data/byteSource.ts";
import { type ImageSet, pixelAt } from "../../src/data/imageSet.ts";
import { readMnist } from "../../src/data/index.ts";
import { resizeImages } from "../../src/data/resize.ts";
import { readStl10, STL10_CLASSES, stl10Chunks } from "../../src/data/stl10.ts";
import { mnistFolder } from "../support/datasets.ts";
import { expectCode, SAMPLES } from "./support.ts";

const IMAGE_BYTES = 3 * 96 * 96;

/** Differs between images, channels, rows and columns, and between (row, column) and (column, row). */
function pixel(image: number, channel: number, row: number, column: number): number {
  return (image * 131 + channel * 83 + row * 37 + column * 5) & 255;
}

/** `count` images as in the files: planes of columns. */
function imagesFile(count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count * IMAGE_BYTES);
  let at = 0;
  for (let image = 0; image < count; image++) {
    for (let channel = 0; channel < 3; channel++) {
      for (let column = 0; column < 96; column++) {
        for (let row = 0; row < 96; row++) bytes[at++] = pixel(image, channel, row, column);
      }
    }
  }
  return bytes;
}

const labelsFile = (count: number) => Uint8Array.from({ length: count }, (_, i) => (i % 10) + 1);
const folder = (changes: Readonly<Record<string, Uint8Array>> = {}): DataFolder =>
  memoryFolder("mem", {
    "train_X.bin": imagesFile(4),
    "train_y.bin": labelsFile(4),
    "test_X.bin": imagesFile(2),
    "test_y.bin": labelsFile(2),
    "unlabeled_X.bin": imagesFile(7),
    ...changes,
  });

function expectImages(set: ImageSet, first: number): void {
  for (let image = 0; image < set.count; image++) {
    for (let channel = 0; channel < 3; channel++) {
      for (const [row, column] of [
        [0, 0],
        [0, 95],
        [95, 0],
        [17, 40],
        [40, 17],
      ] as const) {
        expect(pixelAt(set, image, channel, row, column)).toBe(pixel(first + image, channel, row, column));
      }
    }
  }
}

describe("readStl10", () => {
  it("reads rows and columns the right way round, labels from 0", async () => {
    const set = await readStl10(folder());
    expect(set).toMatchObject({ name: "stl10-train", count: 4, height: 96, width: 96, channels: 3 });
    expectImages(set, 0);
    expect([...(set.labels ?? [])]).toEqual([0, 1, 2, 3]);
    expect(STL10_CLASSES[set.labels![3]!]).toBe("cat");
    expect(set.sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  it("splits, first and limit", async () => {
    expect((await readStl10(folder(), { split: "test" })).count).toBe(2);
    const part = await readStl10(folder(), { first: 1, limit: 2 });
    expectImages(part, 1);
    expect([...(part.labels ?? [])]).toEqual([1, 2]);
    const unlabeled = await readStl10(folder(), { split: "unlabeled", first: 5 });
    expectImages(unlabeled, 5);
    expect(unlabeled.count).toBe(2);
    expect(unlabeled.labels).toBeUndefined();
  });

  it("chunks come one range at a time, when they are asked for", async () => {
    const reads: [number, number][] = [];
    const inner = folder();
    const spied: DataFolder = {
      ...inner,
      async open(name) {
        const source = await inner.open(name);
        const spy: ByteSource = {
          ...source,
          read(offset, length) {
            reads.push([offset / IMAGE_BYTES, length / IMAGE_BYTES]);
            return source.read(offset, length);
          },
        };
        return spy;
      },
    };
    const counts: number[] = [];
    let first = 0;
    for await (const set of stl10Chunks(spied, { chunk: 3 })) {
      expect(reads).toHaveLength(counts.length + 1);
      expectImages(set, first);
      counts.push(set.count);
      first += set.count;
    }
    expect(counts).toEqual([3, 3, 1]);
    expect(reads).toEqual([
      [0, 3],
      [3, 3],
      [6, 1],
    ]);
    const some: number[] = [];
    for await (const set of stl10Chunks(folder(), { chunk: 2, first: 1, limit: 3, split: "train" })) {
      some.push(...(set.labels ?? []));
    }
    expect(some).toEqual([1, 2, 3]);
  });

  it("bad folders and files", async () => {
    const above = await expectCode("DATA-NOT-FOUND", () => readStl10(memoryFolder("data", {}, ["stl10_binary"])));
    expect(above.fix).toContain("data/stl10_binary");
    await expectCode("DATA-NOT-FOUND", () => readStl10(memoryFolder("mem", { "train_X.bin": imagesFile(1) })));
    const spare = await expectCode("DATA-RECORD-LENGTH", () =>
      readStl10(folder({ "train_X.bin": new Uint8Array(IMAGE_BYTES + 5) })),
    );
    expect(spare.detail).toMatchObject({ images: 1, spareBytes: 5 });
    await expectCode("DATA-EMPTY", () => readStl10(folder({ "train_X.bin": new Uint8Array(0) })));
    await expectCode("DATA-COUNT-MISMATCH", () => readStl10(folder({ "train_y.bin": labelsFile(3) })));
    for (const bad of [0, 11]) {
      const labels = labelsFile(4);
      labels[2] = bad;
      const error = await expectCode("DATA-LABEL", () => readStl10(folder({ "train_y.bin": labels })));
      expect(error.detail).toEqual({ record: 2, label: bad });
    }
    const few = await expectCode("DATA-TOO-FEW", () => readStl10(folder(), { first: 3, limit: 2 }));
    expect(few.detail).toEqual({ available: 4, limit: 5 });
    await expectCode("DATA-TOO-FEW", () => readStl10(folder(), { first: 4 }));
    await expectCode("DATA-OPTION", () => readStl10(folder(), { first: -1 }));
    await expectCode("DATA-OPTION", () => readStl10(folder(), { limit: 0 }));
    await expectCode("DATA-OPTION", async () => {
      for await (const _ of stl10Chunks(folder(), { chunk: 0 })) expect.fail("a chunk of 0 images");
    });
  });

  const samples = `${SAMPLES}/stl10_binary`;
  it.skipIf(!existsSync(`${samples}/unlabeled_X.bin`))(`real samples (skipped when ${samples} is absent)`, async () => {
    const raw = await readFile(`${samples}/unlabeled_X.bin`);
    let count = 0;
    let neighbours = 0;
    let shuffled = 0;
    for await (const set of stl10Chunks(nodeFolder(samples), { chunk: 100 })) {
      expect(Buffer.compare(set.pixels, raw.subarray(count * IMAGE_BYTES, (count + set.count) * IMAGE_BYTES))).toBe(0);
      for (let image = 0; image < set.count; image++) {
        for (let row = 0; row < 96; row += 5) {
          for (let column = 0; column < 90; column += 5) {
            const value = pixelAt(set, image, 1, row, column);
            neighbours += Math.abs(value - pixelAt(set, image, 1, row, column + 1));
            shuffled += Math.abs(value - pixelAt(set, image, 1, 95 - row, 95 - column));
          }
        }
      }
      count += set.count;
    }
    expect(count).toBe(raw.length / IMAGE_BYTES);
    // Photographs are smooth where the layout is right.
    expect(neighbours).toBeLessThan(0.3 * shuffled);
  });
});

describe("resizeImages", () => {
  const set = (pixels: number[], height: number, width: number, channels = 1): ImageSet => ({
    name: "test",
    count: pixels.length / (height * width * channels),
    height,
    width,
    channels,
    pixels: Uint8Array.from(pixels),
    layout: {
      imageStride: height * width * channels,
      channelStride: height * width,
      rowStride: width,
      columnStride: 1,
      offset: 0,
    },
    sha256: "",
  });

  it("doubling one row: ¼ and ¾ between pixels, edges repeated", async () => {
    const resized = await resizeImages(set([0, 100], 1, 2), 1, 4);
    expect([...resized.pixels]).toEqual([0, 25, 75, 100]);
    expect(resized).toMatchObject({ height: 1, width: 4, count: 1 });
  });

  it("halving takes the mean of four, halves up; channels and images stay apart", async () => {
    const resized = await resizeImages(set([0, 1, 2, 3, 10, 20, 30, 42, 7, 7, 7, 7, 1, 1, 0, 0], 2, 2, 2), 1, 1);
    // Means 1.5, 25.5, 7 and 0.5.
    expect([...resized.pixels]).toEqual([2, 26, 7, 1]);
    expect(resized.count).toBe(2);
  });

  it("column-major sources come out row-major", async () => {
    const columns: ImageSet = {
      ...set([0, 10, 20, 30, 40, 50], 2, 3),
      layout: { imageStride: 6, channelStride: 6, rowStride: 1, columnStride: 2, offset: 0 },
    };
    // Rows (0, 20, 40) and (10, 30, 50), each row doubled in height.
    const resized = await resizeImages(columns, 4, 3);
    expect([...resized.pixels.subarray(0, 3)]).toEqual([0, 20, 40]);
    expect([...resized.pixels.subarray(9, 12)]).toEqual([10, 30, 50]);
  });

  it("MNIST to 32 × 32 keeps labels, count and mean; the same size is the same set", async () => {
    const digits = await readMnist(mnistFolder(), { limit: 50 });
    expect(await resizeImages(digits, 28, 28)).toBe(digits);
    const resized = await resizeImages(digits, 32, 32);
    expect(resized).toMatchObject({ height: 32, width: 32, count: 50 });
    expect(resized.labels).toEqual(digits.labels);
    const mean = (pixels: Uint8Array) => pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
    expect(Math.abs(mean(resized.pixels) / mean(digits.pixels) - 1)).toBeLessThan(0.01);
    expect(resized.sha256).not.toBe(digits.sha256);
    await expectCode("DATA-OPTION", () => resizeImages(digits, 0, 32));
  });
});
