// Where a random crop lies: the exact integer semantic that the augmentation kernel shares.

import { assertInteger, dataError } from "./dataError.ts";
import { MAX_SEED, RandomStream, threefry2x32 } from "./random.ts";

/** One draw: which image, at which step, for which view, and the sizes. */
export interface CropDraw {
  /** u32 */
  readonly seed: number;
  /** Training step, 0 to 2³¹ − 1. */
  readonly step: number;
  /** Index of the image in the data set (not in the batch), u32. */
  readonly image: number;
  /** 0 or 1 */
  readonly view: number;
  readonly height: number;
  readonly width: number;
  readonly cropHeight: number;
  readonly cropWidth: number;
}

/**
 * Upper left corner of a random crop, uniform over the places where it fits.
 *
 *   (bits0, bits1) = threefry2x32(key = (seed, RandomStream.crops), counter = (image, 2·step + view))
 *   y0 = mulhi(bits0, height − cropHeight + 1)        x0 = mulhi(bits1, width − cropWidth + 1)
 *
 * Integers only, hence equal on every device. With n places, no place is drawn more than n/2³² above or below its share of 1/n,
 * relatively.
 *
 * @throws EngineError DATA-OPTION (a number out of range), DATA-CROP (the crop does not fit)
 */
export function cropOrigin(draw: CropDraw): { y0: number; x0: number } {
  assertInteger("cropOrigin", "seed", draw.seed, 0, MAX_SEED);
  assertInteger("cropOrigin", "step", draw.step, 0, 0x7fff_ffff);
  assertInteger("cropOrigin", "image", draw.image, 0, 0xffff_ffff);
  assertInteger("cropOrigin", "view", draw.view, 0, 1);
  for (const side of ["height", "width", "cropHeight", "cropWidth"] as const) {
    assertInteger("cropOrigin", side, draw[side], 1, 0x7fff_ffff);
  }
  if (draw.cropHeight > draw.height || draw.cropWidth > draw.width) {
    throw dataError(
      "DATA-CROP",
      "cropOrigin",
      `A crop of ${draw.cropHeight}×${draw.cropWidth} does not fit into an image of ${draw.height}×${draw.width}.`,
      "Give a crop no larger than the image.",
      { ...draw },
    );
  }
  const [bits0, bits1] = threefry2x32(draw.seed, RandomStream.crops, draw.image, draw.step * 2 + draw.view);
  return {
    y0: mulhi(bits0, draw.height - draw.cropHeight + 1),
    x0: mulhi(bits1, draw.width - draw.cropWidth + 1),
  };
}

/** High 32 bits of the 64-bit product of two u32, by 16-bit halves as in WGSL, which has no 64-bit integers. */
export function mulhi(a: number, b: number): number {
  const aHigh = a >>> 16;
  const aLow = a & 0xffff;
  const bHigh = b >>> 16;
  const bLow = b & 0xffff;
  // Neither sum overflows a u32: (2¹⁶ − 1)² + (2¹⁶ − 1) < 2³².
  const middle = aHigh * bLow + (Math.imul(aLow, bLow) >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (cross >>> 16)) >>> 0;
}
