// Reader of STL-10's binary version: files of 96×96 images, each three colour planes stored column by column; labels 1 to 10 in files of
// their own. The unlabelled file has 100,000 images (2.8 GB), so that it is read in chunks, one range request each.
// Source: https://cs.stanford.edu/~acoates/stl10/, "Binary files".

import { type ByteSource, type DataFolder, readExactly, readInto } from "./byteSource.ts";
import { dataError } from "./dataError.ts";
import {
  assertLimit,
  finishImageSet,
  type ImageReadOptions,
  type ImageSet,
  type PixelLayout,
  tooFewImages,
} from "./imageSet.ts";
import type { ImageFile } from "./imageStream.ts";

const SIDE = 96;
const CHANNELS = 3;
const IMAGE_BYTES = CHANNELS * SIDE * SIDE;
const CLASSES = 10;

/** Class names by label; labels count from 0 here, from 1 in the files. */
export const STL10_CLASSES = [
  "airplane",
  "bird",
  "car",
  "cat",
  "deer",
  "dog",
  "horse",
  "monkey",
  "ship",
  "truck",
] as const;

/** Planes of columns: the row is the fastest index. */
const LAYOUT: PixelLayout = {
  imageStride: IMAGE_BYTES,
  channelStride: SIDE * SIDE,
  rowStride: 1,
  columnStride: SIDE,
  offset: 0,
};

const IMAGE_FILES = { train: "train_X.bin", test: "test_X.bin", unlabeled: "unlabeled_X.bin" } as const;
const LABEL_FILES = { train: "train_y.bin", test: "test_y.bin" } as const;

export type Stl10Split = keyof typeof IMAGE_FILES;

export interface Stl10Options extends Omit<ImageReadOptions, "split"> {
  /** `train` unless told. */
  readonly split?: Stl10Split;
  /** Skip so many images first; 0 unless given. */
  readonly first?: number;
}

/**
 * Reads STL-10 from a folder of `train_X.bin`, `train_y.bin`, `test_X.bin`, `test_y.bin`, `unlabeled_X.bin`. Only the images asked for are
 * read; files may hold fewer images than the originals' 5,000, 8,000 and 100,000.
 *
 * @returns pixels u8[count, 3, 96, 96], columns before rows as in the file, and for labelled splits labels u8[count] in 0..9
 * @throws EngineError DATA-NOT-FOUND, DATA-RECORD-LENGTH (not whole images), DATA-EMPTY, DATA-COUNT-MISMATCH, DATA-LABEL, DATA-TOO-FEW,
 *         DATA-TRUNCATED, DATA-OPTION
 */
export async function readStl10(folder: DataFolder, options: Stl10Options = {}): Promise<ImageSet> {
  const split = options.split ?? "train";
  const file = await openImages(folder, split);
  return readRange(folder, split, file, options.first ?? 0, options.limit);
}

/**
 * A split as a file of images read in runs: for what does not fit into memory.
 *
 * @throws EngineError as `readStl10`; reading beyond the end: DATA-OUT-OF-RANGE
 */
export async function openStl10(folder: DataFolder, split: Stl10Split = "unlabeled"): Promise<ImageFile> {
  const { source, available } = await openImages(folder, split);
  return {
    name: `stl10-${split}`,
    count: available,
    height: SIDE,
    width: SIDE,
    channels: CHANNELS,
    layout: LAYOUT,
    read: (first, target) => readInto(source, first * IMAGE_BYTES, target),
  };
}

/**
 * The images of a split in consecutive sets of `chunk` (the last may be smaller), each read when it is asked for.
 *
 * @throws EngineError as `readStl10`
 */
export async function* stl10Chunks(
  folder: DataFolder,
  options: Stl10Options & { readonly chunk: number },
): AsyncGenerator<ImageSet> {
  const split = options.split ?? "unlabeled";
  assertLimit(options.chunk, folder.name);
  const file = await openImages(folder, split);
  const first = requireFirst(folder, options.first ?? 0);
  const end = first + countFrom(file, first, options.limit);
  for (let at = first; at < end; at += options.chunk) {
    yield await readRange(folder, split, file, at, Math.min(options.chunk, end - at));
  }
}

interface ImagesFile {
  readonly source: ByteSource;
  readonly available: number;
}

async function openImages(folder: DataFolder, split: Stl10Split): Promise<ImagesFile> {
  const name = IMAGE_FILES[split];
  const source = await openFile(folder, name);
  const available = Math.floor(source.sizeBytes / IMAGE_BYTES);
  const spareBytes = source.sizeBytes % IMAGE_BYTES;
  const detail = { sizeBytes: source.sizeBytes, imageBytes: IMAGE_BYTES, images: available, spareBytes };
  if (source.sizeBytes === 0) {
    throw dataError("DATA-EMPTY", name, `"${name}" has 0 bytes.`, "Download or copy the file again.", detail);
  }
  if (spareBytes !== 0) {
    throw dataError(
      "DATA-RECORD-LENGTH",
      name,
      `"${name}" has ${source.sizeBytes} bytes, which is ${available} images of ${IMAGE_BYTES} bytes and ${spareBytes} spare bytes.`,
      "Use a complete file of STL-10's binary version.",
      detail,
    );
  }
  return { source, available };
}

async function openFile(folder: DataFolder, name: string): Promise<ByteSource> {
  const names = await folder.list();
  if (names.includes(name)) return folder.open(name);
  const isAbove = names.includes("stl10_binary/");
  const archive = names.find((entry) => /^stl10_binary\.(tar\.gz|tgz|tar)$/.test(entry));
  throw dataError(
    "DATA-NOT-FOUND",
    folder.name,
    `"${folder.name}" holds no file ${name} of STL-10${isAbove ? ", but it has the subfolder stl10_binary" : ""}.`,
    isAbove
      ? `Point to the subfolder, "${folder.name.replace(/\/+$/, "")}/stl10_binary".`
      : archive
        ? `Extract it with "tar -xzf ${archive}" and point to stl10_binary.`
        : "Download stl10_binary.tar.gz, extract it, and point to stl10_binary.",
    { expected: name, entries: names.slice(0, 20) },
  );
}

function requireFirst(folder: DataFolder, first: number): number {
  if (Number.isSafeInteger(first) && first >= 0) return first;
  throw dataError(
    "DATA-OPTION",
    folder.name,
    `first is ${first}, which is not an integer of at least 0.`,
    "Give the number of images to skip.",
    { option: "first", value: first },
  );
}

/** Images to read from `first` on. @throws EngineError DATA-TOO-FEW, DATA-OPTION */
function countFrom({ source, available }: ImagesFile, first: number, limit: number | undefined): number {
  assertLimit(limit, source.name);
  const count = limit ?? Math.max(1, available - first);
  if (first + count > available) throw tooFewImages(source.name, available, first + count);
  return count;
}

async function readRange(
  folder: DataFolder,
  split: Stl10Split,
  file: ImagesFile,
  first: number,
  limit: number | undefined,
): Promise<ImageSet> {
  requireFirst(folder, first);
  const count = countFrom(file, first, limit);
  const labels = split === "unlabeled" ? undefined : await readLabels(folder, split, file.available, first, count);
  const pixels = new Uint8Array(count * IMAGE_BYTES);
  await readInto(file.source, first * IMAGE_BYTES, pixels);
  return finishImageSet({
    name: `stl10-${split}`,
    count,
    height: SIDE,
    width: SIDE,
    channels: CHANNELS,
    pixels,
    layout: LAYOUT,
    ...(labels ? { labels } : {}),
  });
}

async function readLabels(
  folder: DataFolder,
  split: keyof typeof LABEL_FILES,
  images: number,
  first: number,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const name = LABEL_FILES[split];
  const source = await openFile(folder, name);
  if (source.sizeBytes !== images) {
    throw dataError(
      "DATA-COUNT-MISMATCH",
      name,
      `"${IMAGE_FILES[split]}" holds ${images} images, but "${name}" holds ${source.sizeBytes} labels.`,
      "Use the images and labels files of the same split.",
      { images, labels: source.sizeBytes },
    );
  }
  const bytes = await readExactly(source, first, count);
  const bad = bytes.findIndex((label) => label < 1 || label > CLASSES);
  if (bad >= 0) {
    throw dataError(
      "DATA-LABEL",
      name,
      `Label ${first + bad} of "${name}" is ${bytes[bad]}; STL-10's files have labels 1 to ${CLASSES}.`,
      "Check that the file is STL-10's labels file and is not damaged.",
      { record: first + bad, label: bytes[bad] },
    );
  }
  return Uint8Array.from(bytes, (label) => label - 1);
}
