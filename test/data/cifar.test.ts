// CIFAR-10's binary version: layout and labels on a synthetic file and on real samples, every bad folder and file.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeFolder } from "../../src/cli/nodeFiles.ts";
import { type ByteSource, type DataFolder, memoryFolder } from "../../src/data/byteSource.ts";
import { CIFAR10_CLASSES, readCifar10 } from "../../src/data/cifar.ts";
import { pixelAt } from "../../src/data/imageSet.ts";
import { cifarFile, cifarPixel, expectCode, SAMPLES } from "./support.ts";

/** A folder that records which bytes are read of which file. */
function spied(folder: DataFolder, reads: [string, number, number][]): DataFolder {
  return {
    ...folder,
    async open(name) {
      const source = await folder.open(name);
      const spy: ByteSource = {
        ...source,
        read(offset, length) {
          reads.push([name, offset, length]);
          return source.read(offset, length);
        },
      };
      return spy;
    },
  };
}

describe("readCifar10", () => {
  it("reads the batches in numeric order, pixels and labels apart", async () => {
    const folder = memoryFolder("mem", {
      "data_batch_10.bin": cifarFile(5, 2),
      "data_batch_2.bin": cifarFile(3, 2),
      "data_batch_1.bin": cifarFile(0, 3),
      "test_batch.bin": cifarFile(50, 1),
      "batches.meta.txt": new Uint8Array(3),
    });
    const set = await readCifar10(folder);
    expect(set).toMatchObject({ name: "cifar10-train", count: 7, height: 32, width: 32, channels: 3 });
    expect(set.pixels.length).toBe(7 * 3072);
    expect([...(set.labels ?? [])]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    for (const [image, c, y, x] of [
      [0, 0, 0, 0],
      [0, 2, 31, 31],
      [4, 1, 3, 17],
      [6, 2, 30, 1],
    ] as const) {
      expect(pixelAt(set, image, c, y, x)).toBe(cifarPixel(image, c, y, x));
    }
    expect(set.sha256).toBe(createHash("sha256").update(set.pixels).digest("hex"));
  });

  it("reads the test split", async () => {
    const folder = memoryFolder("mem", { "data_batch_1.bin": cifarFile(0, 3), "test_batch.bin": cifarFile(57, 2) });
    const set = await readCifar10(folder, { split: "test" });
    expect(set).toMatchObject({ name: "cifar10-test", count: 2 });
    expect([...(set.labels ?? [])]).toEqual([7, 8]);
    expect(pixelAt(set, 1, 1, 2, 3)).toBe(cifarPixel(58, 1, 2, 3));
  });

  it("reads only the records asked for, and opens no file beyond", async () => {
    const reads: [string, number, number][] = [];
    const folder = spied(
      memoryFolder("mem", {
        "data_batch_1.bin": cifarFile(0, 3),
        "data_batch_2.bin": cifarFile(3, 3),
        "data_batch_3.bin": new Uint8Array(1), // damaged, but never needed
      }),
      reads,
    );
    const set = await readCifar10(folder, { limit: 4 });
    expect(set.count).toBe(4);
    expect(reads).toEqual([
      ["data_batch_1.bin", 0, 3 * 3073],
      ["data_batch_2.bin", 0, 3073],
    ]);
    // A limit that ends with a file does not need the next one.
    expect((await readCifar10(folder, { limit: 6 })).count).toBe(6);
  });

  it("crosses the border between two reads of one file", async () => {
    const set = await readCifar10(memoryFolder("mem", { "data_batch_1.bin": cifarFile(0, 2050) }));
    expect(set.count).toBe(2050);
    for (const image of [2047, 2048, 2049]) {
      expect(set.labels?.[image]).toBe(image % 10);
      expect(pixelAt(set, image, 2, 1, 9)).toBe(cifarPixel(image, 2, 1, 9));
    }
  });

  it("pixelAt refuses a pixel outside", async () => {
    const set = await readCifar10(memoryFolder("mem", { "data_batch_1.bin": cifarFile(0, 2) }));
    await expectCode("DATA-OUT-OF-RANGE", () => pixelAt(set, 0, 0, 32, 0));
    await expectCode("DATA-OUT-OF-RANGE", () => pixelAt(set, 2, 0, 0, 0));
  });
});

describe("readCifar10 refuses", () => {
  it("a folder without batches, naming what is expected", async () => {
    const error = await expectCode("DATA-NOT-FOUND", () => readCifar10(memoryFolder("mem", {})));
    expect(error.message).toContain("data_batch_1.bin to data_batch_5.bin");
    const test = await expectCode("DATA-NOT-FOUND", () => readCifar10(memoryFolder("mem", {}), { split: "test" }));
    expect(test.message).toContain("test_batch.bin");
  });

  it.each([
    ["the parent folder", {}, ["cifar-10-batches-bin"], /subfolder/, /mem\/cifar-10-batches-bin/],
    ["the Python version", { data_batch_1: "", "batches.meta": "" }, [], /pickle/, /binary version/],
    ["the Python version's parent", {}, ["cifar-10-batches-py"], /pickle/, /binary version/],
    ["the Python archive", { "cifar-10-python.tar.gz": "" }, [], /pickle/, /binary version/],
    ["the archive", { "cifar-10-binary.tar.gz": "" }, [], /archive/, /tar -xzf/],
    ["CIFAR-100", { "train.bin": "", "test.bin": "" }, [], /CIFAR-100/, /binary version/],
    ["only the other split", { "test_batch.bin": "" }, [], /test split/, /train files/],
  ])("%s, saying so", async (_, files, subfolders, message, fix) => {
    const empty = Object.fromEntries(Object.keys(files).map((name) => [name, new Uint8Array(0)]));
    const error = await expectCode("DATA-NOT-FOUND", () => readCifar10(memoryFolder("mem", empty, subfolders)));
    expect(error.message).toMatch(message);
    expect(error.fix).toMatch(fix);
  });

  it.each([1, 3072, 3074, 2 * 3073 - 1])("a file of %i bytes, counting records and spare bytes", async (sizeBytes) => {
    const folder = memoryFolder("mem", { "data_batch_1.bin": new Uint8Array(sizeBytes) });
    const error = await expectCode("DATA-RECORD-LENGTH", () => readCifar10(folder));
    expect(error.detail).toMatchObject({ records: Math.floor(sizeBytes / 3073), spareBytes: sizeBytes % 3073 });
    expect(error.message).toContain(`${sizeBytes % 3073} spare bytes`);
    expect(error.where).toBe("data_batch_1.bin");
  });

  it("an empty file", async () => {
    await expectCode("DATA-EMPTY", () => readCifar10(memoryFolder("mem", { "data_batch_1.bin": new Uint8Array(0) })));
  });

  it("label 10 (but not 9), naming record and byte offset", async () => {
    const file = cifarFile(0, 3);
    file[2 * 3073] = 9;
    expect((await readCifar10(memoryFolder("mem", { "data_batch_1.bin": file }))).labels?.[2]).toBe(9);
    file[2 * 3073] = 10;
    const error = await expectCode("DATA-LABEL", () => readCifar10(memoryFolder("mem", { "data_batch_1.bin": file })));
    expect(error.detail).toEqual({ record: 2, byteOffset: 6146, label: 10 });
    expect(error.message).toContain("6146");
  });

  it("a limit above what the files hold (but not equal to it)", async () => {
    const folder = memoryFolder("mem", { "data_batch_1.bin": cifarFile(0, 2), "data_batch_2.bin": cifarFile(2, 1) });
    expect((await readCifar10(folder, { limit: 3 })).count).toBe(3);
    const error = await expectCode("DATA-TOO-FEW", () => readCifar10(folder, { limit: 4 }));
    expect(error.detail).toEqual({ available: 3, limit: 4 });
  });

  it.each([0, -1, 1.5, Number.NaN])("limit %d", async (limit) => {
    await expectCode("DATA-OPTION", () => readCifar10(memoryFolder("mem", {}), { limit }));
  });

  it("a read that is cut short", async () => {
    const inner = memoryFolder("mem", { "data_batch_1.bin": cifarFile(0, 2) });
    const cut: DataFolder = {
      ...inner,
      async open(name) {
        const source = await inner.open(name);
        return { ...source, read: async (o, n) => (await source.read(o, n)).subarray(0, n - 1) };
      },
    };
    const error = await expectCode("DATA-TRUNCATED", () => readCifar10(cut));
    expect(error.detail).toMatchObject({ length: 6146, got: 6145 });
  });
});

/** Reads a folder on disk with both splits, and compares every record with the raw files. */
async function checkOnDisk(path: string) {
  for (const [split, fileName] of [
    ["train", "data_batch_1.bin"],
    ["test", "test_batch.bin"],
  ] as const) {
    const raw = await readFile(`${path}/${fileName}`);
    const count = raw.length / 3073;
    const set = await readCifar10(nodeFolder(path), { split, limit: count });
    expect(set.count).toBe(count);
    for (let record = 0; record < count; record++) {
      const pixels = raw.subarray(record * 3073 + 1, (record + 1) * 3073);
      if (Buffer.compare(pixels, set.pixels.subarray(record * 3072, (record + 1) * 3072)) !== 0) {
        expect.fail(`${split} record ${record} differs`);
      }
      expect(set.labels?.[record]).toBe(raw[record * 3073]);
    }
    expect(set.sha256).toBe(createHash("sha256").update(set.pixels).digest("hex"));
  }
}

const samples = `${SAMPLES}/cifar-10-batches-bin`;
const isPresent = existsSync(`${samples}/data_batch_1.bin`) && existsSync(`${samples}/test_batch.bin`);
describe("readCifar10 on disk", () => {
  it("a synthetic folder", async () => {
    const path = await mkdtemp(join(tmpdir(), "eigenstep-cifar-"));
    try {
      await writeFile(join(path, "data_batch_1.bin"), cifarFile(0, 30));
      await writeFile(join(path, "test_batch.bin"), cifarFile(30, 20));
      await checkOnDisk(path);
    } finally {
      await rm(path, { recursive: true });
    }
  });

  it.skipIf(!isPresent)(`real samples (skipped when ${samples} is absent)`, async () => {
    await checkOnDisk(samples);
    // First records of the official data_batch_1.bin: frog, truck, truck, deer, automobile; red starts 59 43 50 68 98.
    const set = await readCifar10(nodeFolder(samples), { limit: 5 });
    const names = [...(set.labels ?? [])].map((label) => CIFAR10_CLASSES[label]);
    expect(names).toEqual(["frog", "truck", "truck", "deer", "automobile"]);
    expect([...set.pixels.subarray(0, 5)]).toEqual([59, 43, 50, 68, 98]);
    // First labels of the official test_batch.bin: cat, ship, ship, airplane, frog.
    const test = await readCifar10(nodeFolder(samples), { split: "test", limit: 5 });
    expect([...(test.labels ?? [])]).toEqual([3, 8, 8, 0, 6]);
    const meta = (await readFile(`${samples}/batches.meta.txt`, "utf8")).trim().split("\n");
    expect([...CIFAR10_CLASSES]).toEqual(meta);
  });
});
