/** Data sets of images in files: read whole, and as they lie on the GPU. */
import type { DataFolder } from "../data/byteSource.ts";
import { type ImageSet, readCifar10, readMnist, readStl10 } from "../data/index.ts";
import { EngineError } from "../errors.ts";
import { packedLayout } from "../ops/augment.ts";
import type { PixelLayout } from "../ops/random.ts";

/** Sides of the images of each source. */
export const IMAGE_SIDES = { mnist: 28, cifar10: 32, stl10: 96 } as const;

export type ImageSource = keyof typeof IMAGE_SIDES;

/** Layout of a source's files, for plans without data. */
export function fileLayout(source: ImageSource): PixelLayout {
  const side = IMAGE_SIDES[source];
  const channels = source === "mnist" ? 1 : 3;
  const plane = side * side;
  const strides = source === "stl10" ? { rowStride: 1, columnStride: side } : { rowStride: side, columnStride: 1 };
  return {
    height: side,
    width: side,
    channels,
    imageStride: channels * plane,
    channelStride: plane,
    ...strides,
    offset: 0,
  };
}

/** The first `limit` images of the training files. @throws EngineError DATA-… */
export async function readImages(
  source: ImageSource,
  limit: number,
  folder: DataFolder | undefined,
): Promise<ImageSet> {
  const files = requireFolder(source, folder);
  switch (source) {
    case "mnist":
      return readMnist(files, { limit });
    case "cifar10":
      return readCifar10(files, { limit });
    case "stl10":
      return readStl10(files, { split: "unlabeled", limit });
  }
}

/** All images of a split, with their labels. @throws EngineError DATA-… */
export async function readLabelledImages(
  source: ImageSource,
  split: "train" | "test",
  folder: DataFolder | undefined,
): Promise<ImageSet & Required<Pick<ImageSet, "labels">>> {
  const files = requireFolder(source, folder);
  const read = { mnist: readMnist, cifar10: readCifar10, stl10: readStl10 }[source];
  const set = await read(files, { split });
  if (!set.labels) throw new Error(`unreachable: ${set.name} is a labelled split`);
  return { ...set, labels: set.labels };
}

/** @throws EngineError DATA-NO-FOLDER */
export function requireFolder(source: ImageSource, folder: DataFolder | undefined): DataFolder {
  if (folder) return folder;
  throw new EngineError({
    code: "DATA-NO-FOLDER",
    message: `The data set ${source} needs a folder with its files`,
    fix: "Pass --data DIR.",
    where: source,
  });
}

export function layoutOf({ layout, height, width, channels }: ImageSet): PixelLayout {
  return { ...layout, height, width, channels };
}

/** Images on the GPU, as a training step reads them. */
export interface PixelSource {
  /** Elements of the u32 buffer. */
  readonly words: number;
  readonly layout: PixelLayout;
  /** Images that are there at a time, of a streamed set; all of them unless given. */
  readonly window?: number;
}

/** How images lie on the GPU: a u32 per pixel where a buffer of them can be bound, else as in the file. */
export function pixelsOnGpu(count: number, raw: PixelLayout, largestBinding: number): PixelSource {
  const words = count * raw.height * raw.width;
  if (4 * words <= largestBinding) return { words, layout: packedLayout(raw.height, raw.width) };
  return { words: Math.ceil((count * raw.imageStride) / 4), layout: raw };
}

/** Bytes with zeros behind, so that they are whole u32 words. */
export function paddedPixels(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (bytes.byteLength % 4 === 0) return bytes;
  const whole = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
  whole.set(bytes);
  return whole;
}
