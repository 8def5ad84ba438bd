// Images that do not fit the device: which of them lie in its window at which step. Pure functions of seed, step and counts, so that a
// resumed run needs nothing but its step.
//
// The file is cut into chunks of consecutive images; every epoch takes the chunks in a new random order, some of them at a time as a
// window. Within a window a batch is any of its images, each at most once (the step's own permutation), so that an epoch meets an image
// at most once.

import { dataError } from "./dataError.ts";
import type { ImageSet, PixelLayout } from "./imageSet.ts";
import { CounterRandom, RandomStream } from "./random.ts";

/** A file of images of one size, read in runs. */
export interface ImageFile {
  /** Data set and split, e.g. `stl10-unlabeled`. */
  readonly name: string;
  readonly count: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly layout: PixelLayout;
  /** Reads images `first`, …, as many as fill `target` exactly. @throws EngineError DATA-… */
  read(first: number, target: Uint8Array): Promise<void>;
}

/** Images that the host holds, as a file to read from. */
export function heldImageFile({ pixels, ...images }: ImageSet): ImageFile {
  const { name, count, height, width, channels, layout } = images;
  const read = async (first: number, target: Uint8Array) => {
    const start = first * layout.imageStride;
    target.set(pixels.subarray(start, start + target.byteLength));
  };
  return { name, count, height, width, channels, layout, read };
}

export interface StreamOptions {
  /** Images of the file that are used. */
  readonly images: number;
  /** Bytes of an image, a multiple of 4. */
  readonly imageBytes: number;
  /** Images of a step. */
  readonly batch: number;
  /** Memory that the window may take on the device. */
  readonly maxBytes: number;
}

/** How a file is streamed. */
export interface StreamPlan {
  readonly images: number;
  /** Consecutive images that are read and written together. */
  readonly chunk: number;
  /** Chunks of the file, the incomplete last one aside. */
  readonly chunks: number;
  readonly chunksPerWindow: number;
  /** Images in the window. */
  readonly window: number;
  readonly stepsPerWindow: number;
  readonly windowsPerEpoch: number;
}

/** Largest chunk; with windows of fewer than 32 of them, chunks are smaller, so that images far apart in the file meet in a batch. */
const LARGEST_CHUNK = 256;
const CHUNKS_PER_WINDOW = 32;

/** @throws EngineError DATA-BUDGET when a window of that size does not hold a batch, DATA-OPTION for impossible counts */
export function planStream({ images, imageBytes, batch, maxBytes }: StreamOptions): StreamPlan {
  const isPossible = [images, imageBytes, batch].every((value) => Number.isInteger(value) && value >= 1);
  if (!isPossible || imageBytes % 4 !== 0 || batch > images) {
    throw dataError(
      "DATA-OPTION",
      "stream",
      `${images} images of ${imageBytes} bytes cannot be streamed in batches of ${batch}.`,
      "Give at least as many images as a batch, and images of a multiple of 4 bytes.",
      { images, imageBytes, batch },
    );
  }
  const most = Math.min(images, Math.floor(maxBytes / imageBytes));
  if (!(most >= batch)) {
    throw dataError(
      "DATA-BUDGET",
      "data.maxBytes",
      `data.maxBytes is ${maxBytes}, room for ${Math.max(0, most || 0)} images of ${imageBytes} bytes; a batch has ${batch}.`,
      `Give at least ${batch * imageBytes}, better several times as much.`,
      { maxBytes, imageBytes, batch },
    );
  }
  const preferred = Math.max(1, Math.min(LARGEST_CHUNK, Math.floor(most / CHUNKS_PER_WINDOW)));
  // Rounding to whole chunks may cost the last batch; single images never do.
  const chunk = preferred * Math.floor(most / preferred) >= batch ? preferred : 1;
  const chunks = Math.floor(images / chunk);
  const chunksPerWindow = Math.floor(most / chunk);
  const window = chunk * chunksPerWindow;
  return {
    images,
    chunk,
    chunks,
    chunksPerWindow,
    window,
    stepsPerWindow: Math.floor(window / batch),
    windowsPerEpoch: Math.floor(chunks / chunksPerWindow),
  };
}

/** What the window holds for a run of steps. */
export interface StreamWindow {
  /** Windows before this one since step 0. */
  readonly index: number;
  /** Its steps: firstStep … endStep − 1. */
  readonly firstStep: number;
  readonly endStep: number;
  /** First image of each chunk, in the window's order. */
  readonly starts: readonly number[];
}

/** The window of a step. Chunks begin at a random image every epoch, so that the file's last images have their turn, too. */
export function windowAt(plan: StreamPlan, seed: number, step: number): StreamWindow {
  const { images, chunk, chunks, chunksPerWindow, stepsPerWindow, windowsPerEpoch } = plan;
  const index = Math.floor(step / stepsPerWindow);
  const epoch = Math.floor(index / windowsPerEpoch);
  const place = (index % windowsPerEpoch) * chunksPerWindow;
  const random = new CounterRandom(seed, RandomStream.chunks);
  const base = epoch * (chunks + 1);
  const offset = Math.floor(random.uniform(base) * (images - chunks * chunk + 1));
  // Fisher–Yates, as far as the window reaches.
  const order = Uint32Array.from({ length: chunks }, (_, at) => at);
  for (let at = 0; at < place + chunksPerWindow; at++) {
    const other = at + Math.floor(random.uniform(base + 1 + at) * (chunks - at));
    [order[at], order[other]] = [order[other] ?? 0, order[at] ?? 0];
  }
  return {
    index,
    firstStep: index * stepsPerWindow,
    endStep: (index + 1) * stepsPerWindow,
    starts: Array.from(order.subarray(place, place + chunksPerWindow), (position) => offset + position * chunk),
  };
}
