// Images of another size, once, on the host: for nets whose input differs from the data set's (MNIST's 28 to 32).

import { assertInteger } from "./dataError.ts";
import { finishImageSet, type ImageSet, planarLayout } from "./imageSet.ts";

/**
 * Resizes every image bilinearly: source coordinate (i + ½)·side/newSide − ½ (align_corners = false, no antialiasing), taps clamped to the
 * image, rounded to the nearest integer, halves up.
 *
 * @returns a new set, planar; the same set when the size is the same
 * @throws EngineError DATA-OPTION unless both sides are integers from 1 to 4096
 */
export async function resizeImages(set: ImageSet, height: number, width: number): Promise<ImageSet> {
  assertInteger("resizeImages", "height", height, 1, 4096);
  assertInteger("resizeImages", "width", width, 1, 4096);
  if (height === set.height && width === set.width) return set;
  const { imageStride, channelStride, rowStride, columnStride, offset } = set.layout;
  const rows = taps(set.height, height, rowStride);
  const columns = taps(set.width, width, columnStride);
  const source = set.pixels;
  const pixels = new Uint8Array(set.count * set.channels * height * width);
  let at = 0;
  for (let image = 0; image < set.count; image++) {
    for (let channel = 0; channel < set.channels; channel++) {
      const plane = offset + image * imageStride + channel * channelStride;
      for (const row of rows) {
        for (const column of columns) {
          const value = (first: number, second: number): number => source[plane + first + second] ?? 0;
          const upper = mix(value(row.low, column.low), value(row.low, column.high), column.weight);
          const lower = mix(value(row.high, column.low), value(row.high, column.high), column.weight);
          pixels[at++] = Math.floor(mix(upper, lower, row.weight) + 0.5);
        }
      }
    }
  }
  const layout = planarLayout(set.channels, height, width);
  const { name, count, channels, labels } = set;
  return finishImageSet({ name, count, channels, height, width, pixels, layout, ...(labels ? { labels } : {}) });
}

interface Tap {
  /** Byte offsets of the two source entries. */
  readonly low: number;
  readonly high: number;
  /** Of the second. */
  readonly weight: number;
}

function taps(from: number, to: number, stride: number): Tap[] {
  return Array.from({ length: to }, (_, i) => {
    const position = Math.max(0, ((i + 0.5) * from) / to - 0.5);
    const low = Math.min(Math.floor(position), from - 1);
    const high = Math.min(low + 1, from - 1);
    return { low: low * stride, high: high * stride, weight: position - low };
  });
}

function mix(a: number, b: number, weight: number): number {
  return a + weight * (b - a);
}
