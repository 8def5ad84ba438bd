/** The kernels of shaders/conv: part of library.ts. */

import conv2dBatchedShader from "../../shaders/conv/conv2d_batched.wgsl";
import conv2dBatchedSubgroupShader from "../../shaders/conv/conv2d_batched_subgroup.wgsl";
import conv2dDataGradBatchedShader from "../../shaders/conv/conv2d_data_grad_batched.wgsl";
import conv2dDataGradBatchedSubgroupShader from "../../shaders/conv/conv2d_data_grad_batched_subgroup.wgsl";
import conv2dDataGradRegisterShader from "../../shaders/conv/conv2d_data_grad_register.wgsl";
import conv2dDataGradWorkgroupShader from "../../shaders/conv/conv2d_data_grad_workgroup.wgsl";
import conv2dRegisterShader from "../../shaders/conv/conv2d_register.wgsl";
import conv2dSplitSumShader from "../../shaders/conv/conv2d_split_sum.wgsl";
import conv2dWeightGradBatchedShader from "../../shaders/conv/conv2d_weight_grad_batched.wgsl";
import conv2dWeightGradBatchedSubgroupShader from "../../shaders/conv/conv2d_weight_grad_batched_subgroup.wgsl";
import conv2dWeightGradRegisterShader from "../../shaders/conv/conv2d_weight_grad_register.wgsl";
import conv2dWeightGradWorkgroupShader from "../../shaders/conv/conv2d_weight_grad_workgroup.wgsl";
import conv2dWorkgroupShader from "../../shaders/conv/conv2d_workgroup.wgsl";
import { ceilDiv, foldGrid } from "./grid.ts";
import { defineKernel } from "./kernel.ts";

export const conv2dRegister = defineKernel(
  conv2dRegisterShader,
  ({ batch, out_h, out_w, co_quads }, { PIXELS, QUADS, WG }) =>
    foldGrid(ceilDiv(batch * out_h * ceilDiv(out_w, PIXELS) * ceilDiv(co_quads, QUADS), WG)),
);
export const conv2dDataGradRegister = defineKernel(
  conv2dDataGradRegisterShader,
  ({ batch, in_h, in_w, ci_quads }, { PIXELS, QUADS, WG }) =>
    foldGrid(ceilDiv(batch * in_h * ceilDiv(in_w, PIXELS) * ceilDiv(ci_quads, QUADS), WG)),
);
export const conv2dWeightGradRegister = defineKernel(
  conv2dWeightGradRegisterShader,
  ({ splits, kernel_h, ci_quads, co_quads }, { QUADS, WG }) =>
    foldGrid(ceilDiv(splits * kernel_h * ci_quads * ceilDiv(co_quads, QUADS), WG)),
);
type TileKnobs = Record<"WG" | "PIXELS" | "QUADS", number>;
type PixelSizes = Record<"batch" | "out_h" | "out_w" | "in_h" | "in_w" | "ci_quads" | "co_quads", number>;
const outputTiles = ({ batch, out_h, out_w, co_quads }: PixelSizes, { WG, PIXELS, QUADS }: TileKnobs) =>
  [ceilDiv(co_quads, QUADS), out_h * ceilDiv(out_w, PIXELS), ceilDiv(batch, WG)] as const;
const inputTiles = ({ batch, in_h, in_w, ci_quads }: PixelSizes, { WG, PIXELS, QUADS }: TileKnobs) =>
  [ceilDiv(ci_quads, QUADS), in_h * ceilDiv(in_w, PIXELS), ceilDiv(batch, WG)] as const;
const filterTiles = (
  { kernel_h, ci_quads, co_quads, splits }: Record<"kernel_h" | "ci_quads" | "co_quads" | "splits", number>,
  { WG, QUADS }: Record<"WG" | "QUADS", number>,
) => [ceilDiv(kernel_h * ci_quads, WG), ceilDiv(co_quads, QUADS), splits] as const;
export const conv2dBatched = defineKernel(conv2dBatchedShader, outputTiles);
export const conv2dBatchedSubgroup = defineKernel(conv2dBatchedSubgroupShader, outputTiles);
export const conv2dDataGradBatched = defineKernel(conv2dDataGradBatchedShader, inputTiles);
export const conv2dDataGradBatchedSubgroup = defineKernel(conv2dDataGradBatchedSubgroupShader, inputTiles);
export const conv2dWeightGradBatched = defineKernel(conv2dWeightGradBatchedShader, filterTiles);
export const conv2dWeightGradBatchedSubgroup = defineKernel(conv2dWeightGradBatchedSubgroupShader, filterTiles);
export const conv2dSplitSum = defineKernel(conv2dSplitSumShader, ({ quads }, { WG }) => foldGrid(ceilDiv(quads, WG)));
export const conv2dWorkgroup = defineKernel(conv2dWorkgroupShader, ({ batch, out_h, out_w, co }, { ROWS }) => [
  ceilDiv(batch * out_h * out_w, 16 * ROWS),
  ceilDiv(co, 64),
  1,
]);
export const conv2dDataGradWorkgroup = defineKernel(
  conv2dDataGradWorkgroupShader,
  ({ batch, in_h, in_w, ci }, { STRIDE_H, STRIDE_W, ROWS }) => [
    ceilDiv(batch * ceilDiv(in_h, STRIDE_H) * ceilDiv(in_w, STRIDE_W), 16 * ROWS),
    ceilDiv(ci, 64),
    STRIDE_H * STRIDE_W,
  ],
);
export const conv2dWeightGradWorkgroup = defineKernel(
  conv2dWeightGradWorkgroupShader,
  ({ kernel_h, ci, co, splits }, { KERNEL_W }) => [ceilDiv(kernel_h * KERNEL_W * ci, 64), ceilDiv(co, 64), splits],
);
