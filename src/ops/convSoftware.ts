/**
 * Tiles of the convolution kernels that software adapters run: images (or filter entries) side by side, so that what neighbours share is
 * loaded once, since there a load costs as much as twenty multiply-adds (docs/kernels.md).
 */
import type { Target } from "../kernels/call.ts";
import { ceilDiv } from "../kernels/grid.ts";
import type { BatchedVariant } from "./convCalls.ts";
import { type ConvGeometry, convFlops } from "./convGeometry.ts";

/** Neighbouring invocations have an image each; below four, too few work. */
export const SMALLEST_BATCH = 4;

/** Invocations side by side in a workgroup. */
const WORKGROUP = 16;

/** Work of a dispatch from which on a pipeline that compiles twice as long, and runs 20 to 30 % faster, pays within a few dozen steps. */
const LARGE_FLOPS = 2.5e8;

/** Groups of four lanes that keep some cores busy (SwiftShader divides a dispatch by 16); each has its own partial sums. */
const WEIGHT_GRAD_TEAMS = 8;

/** Widest tile of a row: a row up to this width is one tile, whose padding is known when compiling. */
const WIDEST = 8;

/** Forward and data gradient: a whole narrow row or about 8 pixels, times 4 to 16 channels. */
export function batchedTile(
  geometry: ConvGeometry,
  product: "forward" | "dataGrad",
  { hasSubgroups = false }: Target,
): BatchedVariant {
  const { batch, input, output, kernel, stride, inChannels, outChannels } = geometry;
  const isForward = product === "forward";
  const [width, channels, unit] = isForward ? [output[1], outChannels, 1] : [input[1], inChannels, stride[1]];
  const pixels = stripWidth(width, unit);
  // Code, and with it the time to compile, is proportional to the kernel's width.
  const widthFactor = kernel[1] === 1 ? 2 : kernel[1] > 3 ? 0.5 : 1;
  const entries = (convFlops(geometry) >= LARGE_FLOPS ? 32 : 16) * widthFactor;
  return {
    family: "batched",
    pixels,
    quads: fewQuads(channels / 4, entries / pixels),
    rows: 1,
    workgroup: Math.min(WORKGROUP, 4 * ceilDiv(batch, 4)),
    hasSubgroups,
  };
}

/** Weight gradient: a filter row × 4 × 4 to 16 channels, 3 to 8 pixels at once. */
export function batchedWeightGrad(
  geometry: ConvGeometry,
  { hasSubgroups = false }: Target,
): { readonly variant: BatchedVariant; readonly splits: number } {
  const { batch, output, kernel, inChannels, outChannels } = geometry;
  const pixels = stripWidth(output[1], 1);
  const filterRows = kernel[0] * (inChannels / 4);
  const entries = convFlops(geometry) >= LARGE_FLOPS ? 12 : 6;
  const quads = fewQuads(outChannels / 4, entries / kernel[1]);
  const teams = ceilDiv(filterRows, 4) * ceilDiv(outChannels / 4, quads);
  return {
    variant: {
      family: "batched",
      pixels,
      quads,
      rows: Math.max(1, Math.floor(4 / pixels)),
      // One team each: a workgroup of another size would be another pipeline.
      workgroup: 4,
      hasSubgroups,
    },
    splits: Math.min(ceilDiv(WEIGHT_GRAD_TEAMS, teams), batch * output[0]),
  };
}

/** The whole row where it is narrow, else a width from 8 down to 5 that leaves the least of the last strip empty; a multiple of `unit`. */
function stripWidth(width: number, unit: number): number {
  if (width <= WIDEST) return ceilDiv(width, unit) * unit;
  const candidates = [8, 7, 6, 5].filter((size) => size % unit === 0);
  return candidates.length > 0 ? leastWaste(width, candidates) : unit;
}

/** One to four groups of four channels, at most `limit`. */
function fewQuads(channelQuads: number, limit: number): number {
  return leastWaste(
    channelQuads,
    [4, 3, 2, 1].filter((quads) => quads <= Math.max(1, limit)),
  );
}

/** The candidate that leaves the least of its last tile empty; the earlier one of equals. */
export function leastWaste(extent: number, candidates: readonly number[]): number {
  const padded = (size: number): number => ceilDiv(extent, size) * size;
  return candidates.reduce((best, size) => (padded(size) < padded(best) ? size : best));
}
