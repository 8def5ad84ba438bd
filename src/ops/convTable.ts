/** The table that picks the kernels of a convolution's three products (docs/kernels.md). */
import type { Target } from "../kernels/call.ts";
import { ceilDiv, MAX_GRID_DIMENSION } from "../kernels/grid.ts";
import type { ConvVariant } from "./convCalls.ts";
import type { ConvGeometry } from "./convGeometry.ts";
import { batchedTile, batchedWeightGrad, leastWaste, SMALLEST_BATCH } from "./convSoftware.ts";

export type ConvProduct = "forward" | "dataGrad" | "weightGrad";

export interface ConvChoice {
  readonly variant: ConvVariant;
  /** Parts of the weight gradient's sum over pixels; 1 for the other products. */
  readonly splits: number;
}

/**
 * GPUs: the workgroup family where its tiles of 64 × 64 are mostly filled, register tiles of 4 pixels × 8 channels otherwise, small enough
 * for ten waves. A weight gradient with kernels wider than 3 would spill in registers and takes the workgroup family whatever its size, or
 * the family that was asked for.
 * Software adapters: register tiles with images side by side (convSoftware.ts), from a batch of four on.
 */
export function chooseConv(geometry: ConvGeometry, product: ConvProduct, target: Target): ConvChoice {
  if (product === "weightGrad") return chooseWeightGrad(geometry, target);
  const isForward = product === "forward";
  const { batch, input, output, kernel, stride, inChannels, outChannels } = geometry;
  const [channels, depth] = isForward ? [outChannels, inChannels] : [inChannels, outChannels];
  const [height, width] = isForward ? output : input;
  const phases = isForward ? 1 : stride[0] * stride[1];
  const pixels = ceilDiv(batch * height * width, phases);
  const isFilled = pixels >= 64 && channels >= 48 && ceilDiv(depth * kernel[0] * kernel[1], phases) >= 64;
  if (target.matmulFamily === "workgroup" && isFilled && ceilDiv(pixels, 64) + height <= MAX_GRID_DIMENSION) {
    // Tall tiles only when enough of them remain to fill a GPU.
    const isTall = phases * ceilDiv(pixels, 128) * ceilDiv(channels, 64) >= 128;
    return { variant: { family: "workgroup", rows: isTall ? 8 : 4 }, splits: 1 };
  }
  if (target.isSoftware && batch >= SMALLEST_BATCH) {
    return { variant: batchedTile(geometry, product, target), splits: 1 };
  }
  const unit = isForward ? 1 : stride[1];
  const tile = target.isSoftware ? softwareTile(width, channels / 4, unit) : gpuTile(channels / 4, unit);
  return { variant: { family: "register", ...tile, workgroup: target.isSoftware ? 8 : 64 }, splits: 1 };
}

interface Tile {
  readonly pixels: number;
  readonly quads: number;
}

/** About eight vec4, a multiple of `unit` pixels wide. */
function gpuTile(channelQuads: number, unit: number): Tile {
  const pixels = ceilDiv(unit <= 4 ? 4 : unit, unit) * unit;
  return { pixels, quads: channelQuads > 1 && pixels <= 4 ? 2 : 1 };
}

/** About 32 vec4 as wide as the image allows: an input column serves all taps of a row, a filter entry all pixels of the tile. */
function softwareTile(width: number, channelQuads: number, unit: number): Tile {
  const wide = width >= 16 && unit <= 8 ? 16 : width >= 6 ? 8 : 4;
  const pixels = ceilDiv(wide, unit) * unit;
  const most = Math.max(1, Math.min(4, Math.floor(36 / pixels)));
  return {
    pixels,
    quads: leastWaste(
      channelQuads,
      [most, 3, 2, 1].filter((quads) => quads <= most),
    ),
  };
}

function chooseWeightGrad(geometry: ConvGeometry, target: Target): ConvChoice {
  const { batch, output, kernel, inChannels, outChannels } = geometry;
  const rows = batch * output[0];
  const entries = kernel[0] * kernel[1] * inChannels;
  const isFilled = entries >= 64 && outChannels >= 48;
  // Registers hold no filter row wider than 3 on a GPU, even where that family is asked for.
  const isWide = !target.isSoftware && kernel[1] > 3;
  if (isWide || (target.matmulFamily === "workgroup" && isFilled)) {
    // 512 workgroups fill a GPU; a split keeps at least 256 pixels.
    const tiles = ceilDiv(entries, 64) * ceilDiv(outChannels, 64);
    const splits = Math.min(ceilDiv(512, tiles), ceilDiv(rows * output[1], 256), rows);
    return { variant: { family: "workgroup", rows: 4 }, splits };
  }
  if (target.isSoftware) return batchedWeightGrad(geometry, target);
  // Invocations side by side that fill a GPU.
  const invocations = kernel[0] * (inChannels / 4) * (outChannels / 4);
  return {
    variant: { family: "register", pixels: 4, quads: 1, workgroup: 64 },
    splits: Math.min(ceilDiv(16_384, invocations), rows),
  };
}
