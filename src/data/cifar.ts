// Reader of CIFAR-10's binary version: files of 3073-byte records, one label byte, then 32×32 planes of red, green and blue.
// Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".

import type { ByteSource, DataFolder } from "./byteSource.ts";
import { readExactly } from "./byteSource.ts";
import { dataError } from "./dataError.ts";
import {
  assertLimit,
  finishImageSet,
  type ImageReadOptions,
  type ImageSet,
  planarLayout,
  tooFewImages,
} from "./imageSet.ts";

const SIDE = 32;
const CHANNELS = 3;
const PIXEL_BYTES = CHANNELS * SIDE * SIDE;
const RECORD_BYTES = 1 + PIXEL_BYTES;
/** Records per read: 6 MiB, so that a range request's latency does not matter. */
const RECORDS_PER_READ = 2048;

const TRAIN_FILE = /^data_batch_(\d+)\.bin$/;
const TEST_FILE = "test_batch.bin";

/** Class names by label. */
export const CIFAR10_CLASSES = [
  "airplane",
  "automobile",
  "bird",
  "cat",
  "deer",
  "dog",
  "frog",
  "horse",
  "ship",
  "truck",
] as const;

/**
 * Reads CIFAR-10 from a folder of `data_batch_*.bin` (in numeric order) or `test_batch.bin`.
 *
 * Files may hold fewer records than the originals' 10,000. Only the records asked for are read.
 *
 * @returns pixels u8[count, 3, 32, 32] without the label bytes, and labels u8[count] in 0..9
 * @throws EngineError DATA-NOT-FOUND (no such files), DATA-RECORD-LENGTH (not whole records), DATA-EMPTY, DATA-LABEL,
 *         DATA-TOO-FEW (fewer than `limit`), DATA-TRUNCATED (a read was cut short), DATA-OPTION
 */
export async function readCifar10(folder: DataFolder, options: ImageReadOptions = {}): Promise<ImageSet> {
  const split = options.split ?? "train";
  assertLimit(options.limit, folder.name);

  const parts: { source: ByteSource; records: number }[] = [];
  let available = 0;
  for (const fileName of await batchFiles(folder, split)) {
    if (options.limit !== undefined && available >= options.limit) break;
    const source = await folder.open(fileName);
    const records = wholeRecords(source);
    parts.push({ source, records });
    available += records;
  }
  const count = options.limit ?? available;
  if (available < count) throw tooFewImages(folder.name, available, count);

  const pixels = new Uint8Array(count * PIXEL_BYTES);
  const labels = new Uint8Array(count);
  let filled = 0;
  for (const { source, records } of parts) {
    const wanted = Math.min(records, count - filled);
    for (let first = 0; first < wanted; first += RECORDS_PER_READ) {
      const chunk = Math.min(RECORDS_PER_READ, wanted - first);
      const bytes = await readExactly(source, first * RECORD_BYTES, chunk * RECORD_BYTES);
      for (let record = 0; record < chunk; record++) {
        const start = record * RECORD_BYTES;
        labels[filled] = checkedLabel(bytes[start] as number, source.name, first + record);
        pixels.set(bytes.subarray(start + 1, start + RECORD_BYTES), filled * PIXEL_BYTES);
        filled++;
      }
    }
  }
  return finishImageSet({
    name: `cifar10-${split}`,
    count,
    height: SIDE,
    width: SIDE,
    channels: CHANNELS,
    pixels,
    layout: planarLayout(CHANNELS, SIDE, SIDE),
    labels,
  });
}

/** Names of the split's files, in reading order. */
async function batchFiles(folder: DataFolder, split: "train" | "test"): Promise<string[]> {
  const names = await folder.list();
  const found =
    split === "test"
      ? names.filter((name) => name === TEST_FILE)
      : names
          .filter((name) => TRAIN_FILE.test(name))
          .sort((a, b) => Number(TRAIN_FILE.exec(a)?.[1]) - Number(TRAIN_FILE.exec(b)?.[1]));
  if (found.length > 0) return found;

  const expected = split === "test" ? TEST_FILE : "data_batch_1.bin to data_batch_5.bin";
  const { clue, fix } = explainAbsence(folder.name, names, split);
  throw dataError(
    "DATA-NOT-FOUND",
    folder.name,
    `"${folder.name}" holds no CIFAR-10 ${split} file (expected ${expected})${clue}.`,
    fix,
    { expected, entries: names.slice(0, 20) },
  );
}

/** What the folder seems to be instead, and what to do about it. */
function explainAbsence(folderName: string, names: readonly string[], split: "train" | "test") {
  if (names.includes("cifar-10-batches-bin/")) {
    return {
      clue: ", but it has the subfolder cifar-10-batches-bin",
      fix: `Point to the subfolder, "${folderName.replace(/\/+$/, "")}/cifar-10-batches-bin".`,
    };
  }
  const archive = names.find((name) => /^cifar-10.*\.tar(\.gz)?$|^cifar-10.*\.tgz$/.test(name));
  if (archive?.includes("binary")) {
    return {
      clue: `, but the archive ${archive}`,
      fix: `Extract it with "tar -xzf ${archive}" and point to cifar-10-batches-bin.`,
    };
  }
  const binaryVersion = 'Download the "binary version" (cifar-10-binary.tar.gz) and extract it.';
  const isPickle = names.some((name) => /^(data_batch_\d+|test_batch|batches\.meta|cifar-10-batches-py\/)$/.test(name));
  if (isPickle || archive?.includes("python")) {
    return { clue: "; it looks like the Python (pickle) version, which is not read", fix: binaryVersion };
  }
  if (names.includes("train.bin") && names.includes("test.bin")) {
    return { clue: "; it looks like CIFAR-100, whose records differ", fix: binaryVersion };
  }
  const other = split === "train" ? names.includes(TEST_FILE) : names.some((name) => TRAIN_FILE.test(name));
  if (other) {
    const present = split === "train" ? "test" : "train";
    return {
      clue: `, only files of the ${present} split`,
      fix: `Add the ${split} files, or read the ${present} split.`,
    };
  }
  return { clue: "", fix: "Point to the folder cifar-10-batches-bin of CIFAR-10's binary version." };
}

function wholeRecords(source: ByteSource): number {
  const records = Math.floor(source.sizeBytes / RECORD_BYTES);
  const spareBytes = source.sizeBytes - records * RECORD_BYTES;
  if (spareBytes > 0) {
    throw dataError(
      "DATA-RECORD-LENGTH",
      source.name,
      `"${source.name}" has ${source.sizeBytes} bytes: ${records} whole records of ${RECORD_BYTES} and ${spareBytes} spare bytes.`,
      "Download or copy the file again: its length must be a multiple of 3073.",
      { sizeBytes: source.sizeBytes, recordBytes: RECORD_BYTES, records, spareBytes },
    );
  }
  if (records === 0) {
    throw dataError(
      "DATA-EMPTY",
      source.name,
      `"${source.name}" has 0 bytes, hence no record.`,
      "Download or copy the file again.",
      { sizeBytes: 0 },
    );
  }
  return records;
}

function checkedLabel(label: number, fileName: string, record: number): number {
  if (label < CIFAR10_CLASSES.length) return label;
  const byteOffset = record * RECORD_BYTES;
  throw dataError(
    "DATA-LABEL",
    fileName,
    `Record ${record} of "${fileName}" (byte offset ${byteOffset}) has label ${label}; CIFAR-10 has labels 0 to 9.`,
    "Check that the file is CIFAR-10's binary version and is not damaged.",
    { record, byteOffset, label },
  );
}
