// The common result of every image reader: raw u8 pixels in the file's own order, with strides that say where each pixel lies.
// A GPU gather kernel turns any of these layouts into NHWC; the CPU never shuffles pixels.

import { dataError } from "./dataError.ts";

/**
 * Where a pixel lies, in bytes:
 *
 *   index = offset + image·imageStride + channel·channelStride + row·rowStride + column·columnStride
 */
export interface PixelLayout {
  readonly imageStride: number;
  readonly channelStride: number;
  readonly rowStride: number;
  readonly columnStride: number;
  readonly offset: number;
}

/** Images of one size in host memory. */
export interface ImageSet {
  /** Data set and split, e.g. `cifar10-train`. */
  readonly name: string;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Pixels without labels, in the order of the file; see `layout`. */
  readonly pixels: Uint8Array<ArrayBuffer>;
  readonly layout: PixelLayout;
  /** One class index per image. */
  readonly labels?: Uint8Array<ArrayBuffer>;
  /** SHA-256 of `pixels`, lower-case hexadecimal. */
  readonly sha256: string;
}

/** What both image readers accept. */
export interface ImageReadOptions {
  /** Which part of the data set; `train` unless told. */
  readonly split?: "train" | "test";
  /** Read only the first `limit` images; all unless told. Fewer on disk is an error. */
  readonly limit?: number;
}

/** Layout of images stored one after the other, channel planes inside an image, rows inside a plane. */
export function planarLayout(channels: number, height: number, width: number): PixelLayout {
  return {
    imageStride: channels * height * width,
    channelStride: height * width,
    rowStride: width,
    columnStride: 1,
    offset: 0,
  };
}

/** One pixel, 0..255. The semantics of `layout` in one line; for tests and oracles, not for loops over a data set. */
export function pixelAt(set: ImageSet, image: number, channel: number, row: number, column: number): number {
  const { offset, imageStride, channelStride, rowStride, columnStride } = set.layout;
  const index = offset + image * imageStride + channel * channelStride + row * rowStride + column * columnStride;
  const isInside =
    isIndex(image, set.count) &&
    isIndex(channel, set.channels) &&
    isIndex(row, set.height) &&
    isIndex(column, set.width);
  const value = isInside ? set.pixels[index] : undefined;
  if (value !== undefined) return value;
  const shape = `[${set.count}, ${set.channels}, ${set.height}, ${set.width}]`;
  throw dataError(
    "DATA-OUT-OF-RANGE",
    set.name,
    `Pixel [${image}, ${channel}, ${row}, ${column}] lies outside ${shape} (image, channel, row, column).`,
    "Ask for a pixel inside the set.",
    { image, channel, row, column },
  );
}

function isIndex(value: number, count: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < count;
}

/** Adds the digest. `set.pixels` is kept, not copied. */
export async function finishImageSet(set: Omit<ImageSet, "sha256">): Promise<ImageSet> {
  return { ...set, sha256: await sha256Hex(set.pixels, set.name) };
}

/**
 * SHA-256 by WebCrypto, lower-case hexadecimal.
 * @throws EngineError DATA-NO-WEBCRYPTO where a browser hides it (pages not served from https or localhost).
 */
export async function sha256Hex(bytes: Uint8Array<ArrayBuffer>, where: string): Promise<string> {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (subtle === undefined) {
    throw dataError(
      "DATA-NO-WEBCRYPTO",
      where,
      "crypto.subtle, needed for the SHA-256 of the data, is missing here: browsers hide it on insecure pages.",
      "Open the page over https or from localhost.",
    );
  }
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @throws EngineError DATA-OPTION for a limit that is not a positive integer. */
export function assertLimit(limit: number | undefined, where: string): void {
  if (limit === undefined || (Number.isSafeInteger(limit) && limit > 0)) return;
  throw dataError(
    "DATA-OPTION",
    where,
    `limit is ${limit}, which is not a positive integer.`,
    "Give a limit of 1 or more, or none to read every image.",
    { option: "limit", value: limit },
  );
}

/** DATA-TOO-FEW: the files hold fewer images than asked. */
export function tooFewImages(where: string, available: number, limit: number) {
  return dataError(
    "DATA-TOO-FEW",
    where,
    `${limit} images were asked of "${where}", which holds ${available}.`,
    `Ask for at most ${available} images, or add the missing files.`,
    { available, limit },
  );
}
