/** All kernels of this engine: shader file and dispatch grid. Which variant a plan takes is decided in ops. */

import gatherCropShader from "../../shaders/data/gather_crop.wgsl";
import copyRangeShader from "../../shaders/elementwise/copy_range.wgsl";
import elementwiseBinaryShader from "../../shaders/elementwise/elementwise_binary.wgsl";
import elementwiseUnaryShader from "../../shaders/elementwise/elementwise_unary.wgsl";
import eighGradShader from "../../shaders/linalg/eigh_grad.wgsl";
import jacobiEighShader from "../../shaders/linalg/jacobi_eigh.wgsl";
import symmetricPowerShader from "../../shaders/linalg/symmetric_power.wgsl";
import symmetricPowerGradShader from "../../shaders/linalg/symmetric_power_grad.wgsl";
import matmulRegisterShader from "../../shaders/matmul/matmul_register.wgsl";
import matmulWorkgroupShader from "../../shaders/matmul/matmul_workgroup.wgsl";
import columnStandardizeShader from "../../shaders/norm/column_standardize.wgsl";
import columnStandardizeGradShader from "../../shaders/norm/column_standardize_grad.wgsl";
import sgdShader from "../../shaders/optim/sgd.wgsl";
import randomFillShader from "../../shaders/random/random_fill.wgsl";
import reduceColumnsShader from "../../shaders/reduce/reduce_columns.wgsl";
import reduceRowsShader from "../../shaders/reduce/reduce_rows.wgsl";
import crossCorrelationShader from "../../shaders/ssl/cross_correlation.wgsl";
import frobeniusIdentityShader from "../../shaders/ssl/frobenius_identity.wgsl";
import metricsRecordShader from "../../shaders/train/metrics_record.wgsl";
import stepAdvanceShader from "../../shaders/train/step_advance.wgsl";
import { ceilDiv, foldGrid } from "./grid.ts";
import { defineKernel, type Kernel } from "./kernel.ts";

export const elementwiseBinary = defineKernel(elementwiseBinaryShader, ({ count }, { WG, QUADS }) =>
  foldGrid(ceilDiv(count, 4 * QUADS * WG)),
);
export const elementwiseUnary = defineKernel(elementwiseUnaryShader, ({ count }, { WG, QUADS }) =>
  foldGrid(ceilDiv(count, 4 * QUADS * WG)),
);
const columnGrid = ({ batch, columns }: { batch: number; columns: number }, { COLUMNS }: { COLUMNS: number }) =>
  [ceilDiv(columns, COLUMNS), batch, 1] as const;
export const copyRange = defineKernel(copyRangeShader, ({ count }, { WG }) => foldGrid(ceilDiv(count, 4 * WG)));
export const reduceColumns = defineKernel(reduceColumnsShader, columnGrid);
export const reduceRows = defineKernel(reduceRowsShader, ({ rows }) => foldGrid(rows));
export const columnStandardize = defineKernel(columnStandardizeShader, columnGrid);
export const columnStandardizeGrad = defineKernel(columnStandardizeGradShader, columnGrid);
export const matmulRegister = defineKernel(matmulRegisterShader, ({ batch, m, n }, { ROWS, QUADS, WG_X, WG_Y }) => [
  ceilDiv(n, 4 * QUADS * WG_X),
  ceilDiv(m, ROWS * WG_Y),
  batch,
]);
export const matmulWorkgroup = defineKernel(matmulWorkgroupShader, ({ batch, m, n }, { ROWS }) => [
  ceilDiv(n, 64),
  ceilDiv(m, 16 * ROWS),
  batch,
]);
export const crossCorrelation = defineKernel(crossCorrelationShader, ({ columns }) => [
  ceilDiv(columns, 4),
  ceilDiv(columns, 4),
  1,
]);
export const frobeniusIdentity = defineKernel(frobeniusIdentityShader, () => [1, 1, 1]);
export const sgd = defineKernel(sgdShader, ({ count }, { WG }) => foldGrid(ceilDiv(count, 4 * WG)));
export const randomFill = defineKernel(randomFillShader, ({ count }, { WG }) => foldGrid(ceilDiv(count, 2 * WG)));
export const gatherCrop = defineKernel(
  gatherCropShader,
  ({ views, images, channels, crop_height, crop_width }, { WG }) =>
    foldGrid(ceilDiv(views * images * channels * crop_height * crop_width, WG)),
);
export const stepAdvance = defineKernel(stepAdvanceShader, () => [1, 1, 1]);
export const metricsRecord = defineKernel(metricsRecordShader, () => [1, 1, 1]);
export const jacobiEigh = defineKernel(jacobiEighShader, ({ batch }) => [batch, 1, 1]);

export const eighGrad = defineKernel(eighGradShader, ({ batch, n }, { WG }) => foldGrid(ceilDiv(batch * n * n, WG)));
export const symmetricPower = defineKernel(symmetricPowerShader, ({ batch, n }, { WG_X, WG_Y }) => [
  ceilDiv(n, 4 * WG_X),
  ceilDiv(n, 4 * WG_Y),
  batch,
]);
export const symmetricPowerGrad = defineKernel(symmetricPowerGradShader, ({ batch, n }, { WG }) =>
  foldGrid(ceilDiv(batch * n * n, WG)),
);

export const library: Readonly<Record<string, Kernel>> = {
  elementwiseBinary,
  elementwiseUnary,
  copyRange,
  reduceColumns,
  reduceRows,
  columnStandardize,
  columnStandardizeGrad,
  matmulRegister,
  matmulWorkgroup,
  crossCorrelation,
  frobeniusIdentity,
  sgd,
  randomFill,
  gatherCrop,
  stepAdvance,
  metricsRecord,
  jacobiEigh,
  eighGrad,
  symmetricPower,
  symmetricPowerGrad,
};
