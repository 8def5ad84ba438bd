/** Dispatches of the three products of a convolution in a given variant: parameters and knobs of the kernels of shaders/conv. */
import type { KernelCall, Operand } from "../kernels/call.ts";
import { ceilDiv } from "../kernels/grid.ts";
import {
  conv2dBatched,
  conv2dBatchedSubgroup,
  conv2dDataGradBatched,
  conv2dDataGradBatchedSubgroup,
  conv2dDataGradRegister,
  conv2dDataGradWorkgroup,
  conv2dRegister,
  conv2dSplitSum,
  conv2dWeightGradBatched,
  conv2dWeightGradBatchedSubgroup,
  conv2dWeightGradRegister,
  conv2dWeightGradWorkgroup,
  conv2dWorkgroup,
} from "../kernels/library.ts";
import type { ConvGeometry } from "./convGeometry.ts";

/** Tile of an invocation in registers, or of a workgroup in its memory. */
export type ConvVariant =
  | RegisterVariant
  | BatchedVariant
  | {
      readonly family: "workgroup";
      /** Pixels per invocation, 4 or 8. */
      readonly rows: number;
    };

/** Neighbouring invocations have neighbouring channels (F, D) or filter entries (W). */
export interface RegisterVariant {
  readonly family: "register";
  /** Neighbours in a row; a multiple of the stride for the data gradient, of 4 for the weight gradient. */
  readonly pixels: number;
  /** Groups of four channels. */
  readonly quads: number;
  /** Invocations per workgroup. */
  readonly workgroup: number;
}

/** Registers, too: neighbouring invocations have the same tile of other images (F, D) or other filter rows and input channels (W). */
export interface BatchedVariant extends Omit<RegisterVariant, "family"> {
  readonly family: "batched";
  /** Rows of dy that the weight gradient takes at once. */
  readonly rows: number;
  /** Four neighbours share loads; `workgroup` is a multiple of 4. */
  readonly hasSubgroups: boolean;
}

/** What follows the sum, in this order; the operands follow x and the filter in this order. */
export interface ConvEpilogue {
  readonly hasScale: boolean;
  readonly hasBias: boolean;
  readonly hasAddend: boolean;
  readonly relu: boolean;
}

const UNUSED: Operand = { kind: "unused" };
const OUTPUT: Operand = { kind: "output", index: 0 };

function input(index: number): Operand {
  return { kind: "input", index };
}

/** Column of the input, from a tile's first one, that entry `at` of the tile's loaded columns is: a stride wider than the kernel skips. */
function loadedColumn(at: number, step: number, stride: number): number {
  return Math.floor(at / step) * stride + (at % step);
}

/** Knobs that tell which of a tile's loaded input columns can lie outside, so that only those are tested. */
function tileColumns({ input: [, width], output, kernel, stride, padding }: ConvGeometry, pixels: number) {
  const [step, kernelWidth, border] = [Math.min(stride[1], kernel[1]), kernel[1], padding[1]];
  const columns = Array.from({ length: (pixels - 1) * step + kernelWidth }, (_, at) =>
    loadedColumn(at, step, stride[1]),
  );
  const lastTile = Math.floor((output[1] - 1) / pixels) * pixels * stride[1];
  return {
    STEP: step,
    STRIDE_W: stride[1],
    KERNEL_W: kernelWidth,
    EDGE_LEFT: columns.filter((column) => column < border).length,
    EDGE_RIGHT: columns.filter((column) => lastTile + column >= width + border).length,
  };
}

function extents({ batch, input: [in_h, in_w], output: [out_h, out_w] }: ConvGeometry) {
  return { batch, in_h, in_w, out_h, out_w };
}

/** Operands x, filter, then those of the epilogue. */
export function forwardCalls(geometry: ConvGeometry, variant: ConvVariant, epilogue: ConvEpilogue): KernelCall[] {
  const { kernel, stride, padding, inChannels, outChannels } = geometry;
  const { hasScale, hasBias, hasAddend, relu } = epilogue;
  const [biasIndex, addendIndex] = [2 + Number(hasScale), 2 + Number(hasScale) + Number(hasBias)];
  const bindings = {
    x: input(0),
    filter_taps: input(1),
    scale: hasScale ? input(2) : UNUSED,
    bias: hasBias ? input(biasIndex) : UNUSED,
    addend: hasAddend ? input(addendIndex) : UNUSED,
    y: OUTPUT,
  };
  const knobs = { HAS_SCALE: hasScale, HAS_BIAS: hasBias, HAS_ADDEND: hasAddend, RELU: relu };
  const params = {
    ...extents(geometry),
    kernel_h: kernel[0],
    stride_h: stride[0],
    pad_h: padding[0],
    pad_w: padding[1],
  };
  if (variant.family === "workgroup") {
    return [
      {
        kernel: conv2dWorkgroup,
        knobs: { ...knobs, ROWS: variant.rows, CI: inChannels, KERNEL_W: kernel[1] },
        params: { ...params, stride_w: stride[1], co: outChannels },
        bindings,
      },
    ];
  }
  return [
    {
      ...(variant.family === "register"
        ? {
            kernel: conv2dRegister,
            knobs: { ...knobs, ...tileColumns(geometry, variant.pixels), ...tileKnobs(variant) },
          }
        : {
            kernel: variant.hasSubgroups ? conv2dBatchedSubgroup : conv2dBatched,
            knobs: {
              ...knobs,
              ...tileColumns(geometry, variant.pixels),
              ...tileKnobs(variant),
              WHOLE_ROW: variant.pixels >= geometry.output[1],
            },
          }),
      params: { ...params, ci_quads: inChannels / 4, co_quads: outChannels / 4 },
      bindings,
    },
  ];
}

function tileKnobs({ pixels, quads, workgroup }: RegisterVariant | BatchedVariant) {
  return { PIXELS: pixels, QUADS: quads, WG: workgroup };
}

/** Operands dy, filter and with `hasAddend` what is added; the output is dx. */
export function dataGradCalls(geometry: ConvGeometry, variant: ConvVariant, hasAddend = false): KernelCall[] {
  const { input: inputSize, output, kernel, stride, padding, inChannels, outChannels } = geometry;
  const addend = hasAddend ? input(2) : UNUSED;
  const bindings = { d_y: input(0), filter_taps: input(1), addend, d_x: OUTPUT };
  const params = { ...extents(geometry), kernel_h: kernel[0], pad_h: padding[0] };
  if (variant.family === "workgroup") {
    return [
      {
        kernel: conv2dDataGradWorkgroup,
        knobs: {
          ROWS: variant.rows,
          CO: outChannels,
          STRIDE_H: stride[0],
          STRIDE_W: stride[1],
          HAS_ADDEND: hasAddend,
        },
        params: { ...params, kernel_w: kernel[1], pad_w: padding[1], ci: inChannels },
        bindings,
      },
    ];
  }
  const { pixels } = variant;
  // Columns of dy that a tile meets, as the constants of the shader.
  const shift = padding[1] + stride[1] * kernel[1];
  const first = Math.floor((shift - kernel[1] + stride[1]) / stride[1]);
  const columns = Math.floor((pixels - 1 + shift) / stride[1]) - first + 1;
  const lastTile = (Math.floor((inputSize[1] - 1) / pixels) * pixels) / stride[1];
  const clamp = (count: number): number => Math.min(columns, Math.max(0, count));
  const knobs = {
    ...tileKnobs(variant),
    KERNEL_W: kernel[1],
    STRIDE_W: stride[1],
    PAD_W: padding[1],
    EDGE_LEFT: clamp(kernel[1] - first),
    EDGE_RIGHT: clamp(columns - (output[1] + kernel[1] - first - lastTile)),
    HAS_ADDEND: hasAddend,
  };
  return [
    {
      ...(variant.family === "register"
        ? { kernel: conv2dDataGradRegister, knobs }
        : {
            kernel: variant.hasSubgroups ? conv2dDataGradBatchedSubgroup : conv2dDataGradBatched,
            knobs: { ...knobs, WHOLE_ROW: pixels >= inputSize[1] },
          }),
      params: { ...params, stride_h: stride[0], ci_quads: inChannels / 4, co_quads: outChannels / 4 },
      bindings,
    },
  ];
}

/**
 * Operands x, dy; the output is the cotangent of the filter.
 *
 * @param splits parts of the sum over pixels that run side by side; their partial sums are added by a second dispatch
 */
export function weightGradCalls(geometry: ConvGeometry, variant: ConvVariant, splits: number): KernelCall[] {
  const { batch, output, kernel, stride, padding, inChannels, outChannels } = geometry;
  const splitRows = ceilDiv(batch * output[0], splits);
  // Whole rows go to a split, so that the last ones may be left without any.
  const used = ceilDiv(batch * output[0], splitRows);
  const elements = kernel[0] * kernel[1] * inChannels * outChannels;
  const partial: Operand = used === 1 ? OUTPUT : { kind: "scratch", name: "partial", elements: used * elements };
  const bindings = { x: input(0), d_y: input(1), d_filter: partial };
  const params = {
    ...extents(geometry),
    kernel_h: kernel[0],
    stride_h: stride[0],
    pad_h: padding[0],
    pad_w: padding[1],
    splits: used,
    split_rows: splitRows,
  };
  const calls: KernelCall[] = [
    variant.family === "workgroup"
      ? {
          kernel: conv2dWeightGradWorkgroup,
          knobs: { KERNEL_W: kernel[1] },
          params: { ...params, stride_w: stride[1], ci: inChannels, co: outChannels },
          bindings,
        }
      : {
          ...weightGradKernel(geometry, variant),
          params: { ...params, ci_quads: inChannels / 4, co_quads: outChannels / 4 },
          bindings,
        },
  ];
  if (used > 1) {
    calls.push({
      kernel: conv2dSplitSum,
      knobs: { WG: variant.family === "workgroup" ? 64 : Math.min(64, variant.workgroup) },
      params: { quads: elements / 4, splits: used },
      bindings: { partial, y: OUTPUT },
    });
  }
  return calls;
}

function weightGradKernel(geometry: ConvGeometry, variant: RegisterVariant | BatchedVariant) {
  const width = geometry.output[1];
  const { pixels } = variant;
  const knobs = { ...tileColumns(geometry, pixels), ...tileKnobs(variant), RAGGED: width % pixels !== 0 };
  if (variant.family === "register") return { kernel: conv2dWeightGradRegister, knobs };
  return {
    kernel: variant.hasSubgroups ? conv2dWeightGradBatchedSubgroup : conv2dWeightGradBatched,
    knobs: { ...knobs, ROWS: variant.rows, WHOLE_ROW: pixels >= width },
  };
}
