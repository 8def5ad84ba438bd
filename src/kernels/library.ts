/** All kernels of this engine: shader file and dispatch grid. Which variant a plan takes is decided in ops. */

import augmentDrawShader from "../../shaders/augment/augment_draw.wgsl";
import augmentImageShader from "../../shaders/augment/augment_image.wgsl";
import epochIndicesShader from "../../shaders/augment/epoch_indices.wgsl";
import gaussianBlurShader from "../../shaders/augment/gaussian_blur.wgsl";
import packPixelsShader from "../../shaders/augment/pack_pixels.wgsl";
import multiplyAddShader from "../../shaders/bench/multiply_add.wgsl";
import gatherCropShader from "../../shaders/data/gather_crop.wgsl";
import gatherRowsShader from "../../shaders/data/gather_rows.wgsl";
import connectionGramShader from "../../shaders/dual/connection_gram.wgsl";
import copyRangeShader from "../../shaders/elementwise/copy_range.wgsl";
import elementwiseBinaryShader from "../../shaders/elementwise/elementwise_binary.wgsl";
import elementwiseUnaryShader from "../../shaders/elementwise/elementwise_unary.wgsl";
import geluShader from "../../shaders/elementwise/gelu.wgsl";
import movingAverageShader from "../../shaders/elementwise/moving_average.wgsl";
import blockPairSolveShader from "../../shaders/linalg/block_pair_solve.wgsl";
import blockRowsRotateShader from "../../shaders/linalg/block_rows_rotate.wgsl";
import blockSweepEndShader from "../../shaders/linalg/block_sweep_end.wgsl";
import blockTileRotateShader from "../../shaders/linalg/block_tile_rotate.wgsl";
import eighGradShader from "../../shaders/linalg/eigh_grad.wgsl";
import eighOffNormShader from "../../shaders/linalg/eigh_off_norm.wgsl";
import eighOrderShader from "../../shaders/linalg/eigh_order.wgsl";
import eighPrepareShader from "../../shaders/linalg/eigh_prepare.wgsl";
import eighRangeShader from "../../shaders/linalg/eigh_range.wgsl";
import eighResidualShader from "../../shaders/linalg/eigh_residual.wgsl";
import eighResidualEndShader from "../../shaders/linalg/eigh_residual_end.wgsl";
import eighVectorsShader from "../../shaders/linalg/eigh_vectors.wgsl";
import jacobiEighShader from "../../shaders/linalg/jacobi_eigh.wgsl";
import qrPanelShader from "../../shaders/linalg/qr_panel.wgsl";
import qrProjectShader from "../../shaders/linalg/qr_project.wgsl";
import qrReduceShader from "../../shaders/linalg/qr_reduce.wgsl";
import qrUpdateShader from "../../shaders/linalg/qr_update.wgsl";
import svdGramShader from "../../shaders/linalg/svd_gram.wgsl";
import svdJacobiShader from "../../shaders/linalg/svd_jacobi.wgsl";
import svdOrderShader from "../../shaders/linalg/svd_order.wgsl";
import svdPrepareShader from "../../shaders/linalg/svd_prepare.wgsl";
import svdRangeShader from "../../shaders/linalg/svd_range.wgsl";
import svdValuesShader from "../../shaders/linalg/svd_values.wgsl";
import svdVectorsShader from "../../shaders/linalg/svd_vectors.wgsl";
import symmetricPowerShader from "../../shaders/linalg/symmetric_power.wgsl";
import symmetricPowerGradShader from "../../shaders/linalg/symmetric_power_grad.wgsl";
import softmaxCrossEntropyShader from "../../shaders/loss/softmax_cross_entropy.wgsl";
import matmulRegisterShader from "../../shaders/matmul/matmul_register.wgsl";
import matmulSubgroupShader from "../../shaders/matmul/matmul_subgroup.wgsl";
import matmulWorkgroupShader from "../../shaders/matmul/matmul_workgroup.wgsl";
import batchNormApplyShader from "../../shaders/norm/batch_norm_apply.wgsl";
import batchNormGradApplyShader from "../../shaders/norm/batch_norm_grad_apply.wgsl";
import batchNormGradReduceShader from "../../shaders/norm/batch_norm_grad_reduce.wgsl";
import batchNormStatsShader from "../../shaders/norm/batch_norm_stats.wgsl";
import columnStandardizeShader from "../../shaders/norm/column_standardize.wgsl";
import columnStandardizeGradShader from "../../shaders/norm/column_standardize_grad.wgsl";
import layerNormShader from "../../shaders/norm/layer_norm.wgsl";
import layerNormGradShader from "../../shaders/norm/layer_norm_grad.wgsl";
import layerNormGradAffineShader from "../../shaders/norm/layer_norm_grad_affine.wgsl";
import adamShader from "../../shaders/optim/adam.wgsl";
import momentumUpdateShader from "../../shaders/optim/momentum_update.wgsl";
import optimizerFactorsShader from "../../shaders/optim/optimizer_factors.wgsl";
import segmentNormsShader from "../../shaders/optim/segment_norms.wgsl";
import sgdShader from "../../shaders/optim/sgd.wgsl";
import averagePoolShader from "../../shaders/pool/average_pool.wgsl";
import averagePoolGradShader from "../../shaders/pool/average_pool_grad.wgsl";
import maxPoolShader from "../../shaders/pool/max_pool.wgsl";
import maxPoolGradShader from "../../shaders/pool/max_pool_grad.wgsl";
import randomFillShader from "../../shaders/random/random_fill.wgsl";
import reduceColumnsShader from "../../shaders/reduce/reduce_columns.wgsl";
import reduceRowsShader from "../../shaders/reduce/reduce_rows.wgsl";
import barlowColumnsShader from "../../shaders/ssl/barlow_columns.wgsl";
import cosineRowsShader from "../../shaders/ssl/cosine_rows.wgsl";
import cosineRowsGradShader from "../../shaders/ssl/cosine_rows_grad.wgsl";
import crossCorrelationShader from "../../shaders/ssl/cross_correlation.wgsl";
import distanceContrastShader from "../../shaders/ssl/distance_contrast.wgsl";
import distanceContrastGradShader from "../../shaders/ssl/distance_contrast_grad.wgsl";
import frobeniusIdentityShader from "../../shaders/ssl/frobenius_identity.wgsl";
import l2NormalizeShader from "../../shaders/ssl/l2_normalize.wgsl";
import l2NormalizeGradShader from "../../shaders/ssl/l2_normalize_grad.wgsl";
import matrixPenaltyShader from "../../shaders/ssl/matrix_penalty.wgsl";
import similarityRowsShader from "../../shaders/ssl/similarity_rows.wgsl";
import similarityWeightsShader from "../../shaders/ssl/similarity_weights.wgsl";
import vicregColumnsShader from "../../shaders/ssl/vicreg_columns.wgsl";
import vicregPullShader from "../../shaders/ssl/vicreg_pull.wgsl";
import metricsRecordShader from "../../shaders/train/metrics_record.wgsl";
import noteNonfiniteShader from "../../shaders/train/note_nonfinite.wgsl";
import stepAdvanceShader from "../../shaders/train/step_advance.wgsl";
import { ceilDiv, foldGrid } from "./grid.ts";
import { defineKernel } from "./kernel.ts";

export * from "./conv.ts";
export * from "./hltm.ts";

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
export const matmulSubgroup = defineKernel(matmulSubgroupShader, ({ batch, m, n }, { ROWS, QUADS, WG }) => [
  ceilDiv(n, 4 * QUADS),
  ceilDiv(m, ROWS * WG),
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
export const gatherRows = defineKernel(gatherRowsShader, ({ rows, columns }, { WG }) =>
  foldGrid(ceilDiv(rows * columns, 4 * WG)),
);
export const stepAdvance = defineKernel(stepAdvanceShader, () => [1, 1, 1]);
export const noteNonfinite = defineKernel(noteNonfiniteShader, ({ parameter_count, average_count }, { WG }) =>
  foldGrid(ceilDiv(parameter_count + average_count, 4 * WG)),
);
export const metricsRecord = defineKernel(metricsRecordShader, () => [1, 1, 1]);
export const jacobiEigh = defineKernel(jacobiEighShader, ({ batch }) => [batch, 1, 1]);

export const eighGrad = defineKernel(eighGradShader, ({ batch, n }, { WG }) => foldGrid(ceilDiv(batch * n * n, WG)));
// Blocked Jacobi: `groups` workgroups stride over the pairs, tiles or strips of a matrix, so that a skipped dispatch is short.
const strided = ({ batch, groups }: { batch: number; groups: number }) => [groups, batch, 1] as const;
export const blockPairSolve = defineKernel(blockPairSolveShader, strided);
export const blockTileRotate = defineKernel(blockTileRotateShader, strided);
export const blockRowsRotate = defineKernel(blockRowsRotateShader, strided);
export const blockSweepEnd = defineKernel(blockSweepEndShader, ({ batch }, { WG }) => [ceilDiv(batch, WG), 1, 1]);
export const eighRange = defineKernel(eighRangeShader, ({ batch, parts }) => [parts, batch, 1]);
export const eighPrepare = defineKernel(eighPrepareShader, ({ batch, quads }, { WG, ROWS }) => [
  ceilDiv(quads, WG),
  ceilDiv(4 * quads, ROWS),
  batch,
]);
export const eighOffNorm = defineKernel(eighOffNormShader, ({ batch, parts }) => [parts, batch, 1]);
export const eighOrder = defineKernel(eighOrderShader, ({ batch, n }, { WG }) => [ceilDiv(n, WG), batch, 1]);
export const eighVectors = defineKernel(eighVectorsShader, ({ batch, n }, { WG }) => {
  const [x, y] = foldGrid(ceilDiv(n * n, WG));
  return [x, y, batch];
});
export const eighResidual = defineKernel(eighResidualShader, ({ batch, n, rows }, { WG_X, WG_Y, ROWS }) => [
  ceilDiv(n, 4 * WG_X),
  ceilDiv(rows, ROWS * WG_Y),
  batch,
]);
export const eighResidualEnd = defineKernel(eighResidualEndShader, ({ batch }) => [batch, 1, 1]);
export const symmetricPower = defineKernel(symmetricPowerShader, ({ batch, n }, { WG_X, WG_Y }) => [
  ceilDiv(n, 4 * WG_X),
  ceilDiv(n, 4 * WG_Y),
  batch,
]);
export const symmetricPowerGrad = defineKernel(symmetricPowerGradShader, ({ batch, n }, { WG }) =>
  foldGrid(ceilDiv(batch * n * n, WG)),
);
export const svdRange = defineKernel(svdRangeShader, ({ batch, columns, parts }, { WG }) => [
  parts,
  ceilDiv(columns, WG),
  batch,
]);
export const svdOrder = defineKernel(svdOrderShader, ({ batch }) => [batch, 1, 1]);
export const qrReduce = defineKernel(qrReduceShader, ({ batch, chunks }) => [chunks, batch, 1]);
export const svdGram = defineKernel(svdGramShader, ({ batch, blocks }) => [blocks / 2, batch, 1]);
export const svdJacobi = defineKernel(svdJacobiShader, ({ batch }) => [batch, 1, 1]);
export const svdPrepare = defineKernel(svdPrepareShader, ({ batch, work_rows, quads }, { WG }) => {
  const [x, y] = foldGrid(ceilDiv(work_rows * quads, WG));
  return [x, y, batch];
});
export const qrPanel = defineKernel(qrPanelShader, ({ batch }) => [batch, 1, 1]);
export const qrProject = defineKernel(qrProjectShader, ({ batch, splits, target_quads }, { WG }) => [
  ceilDiv(target_quads, WG),
  splits,
  batch,
]);
export const qrUpdate = defineKernel(qrUpdateShader, ({ batch, splits, target_quads }, { WG }) => [
  ceilDiv(target_quads, WG),
  splits,
  batch,
]);
export const svdValues = defineKernel(svdValuesShader, ({ batch }) => [batch, 1, 1]);
export const svdVectors = defineKernel(svdVectorsShader, ({ batch, length, count }, { WG }) => {
  const [x, y] = foldGrid(ceilDiv(length * count, WG));
  return [x, y, batch];
});
export const epochIndices = defineKernel(epochIndicesShader, ({ batch }, { WG }) => foldGrid(ceilDiv(batch, WG)));
export const augmentDraw = defineKernel(augmentDrawShader, ({ views, images }, { WG }) =>
  foldGrid(ceilDiv(views * images, WG)),
);
export const augmentImage = defineKernel(augmentImageShader, ({ views, images }) => foldGrid(views * images));
export const gaussianBlur = defineKernel(gaussianBlurShader, ({ images, height, width }, { WG }) =>
  foldGrid(ceilDiv(images * height * width, WG)),
);
export const packPixels = defineKernel(packPixelsShader, ({ count, height, width }, { WG }) =>
  foldGrid(ceilDiv(count * height * width, WG)),
);
export const segmentNorms = defineKernel(segmentNormsShader, ({ chunks }) => foldGrid(chunks));
export const optimizerFactors = defineKernel(optimizerFactorsShader, () => [1, 1, 1]);
export const momentumUpdate = defineKernel(momentumUpdateShader, ({ count }, { WG }) =>
  foldGrid(ceilDiv(count, 4 * WG)),
);
export const adam = defineKernel(adamShader, ({ count }, { WG }) => foldGrid(ceilDiv(count, 4 * WG)));

/** A workgroup owns channel quads; lanes that share them have a part of the rows each, or one together (SHARED). */
const partGrid = (
  { quads, parts }: { quads: number; parts: number },
  { WG, QUADS, SHARED }: { WG: number; QUADS: number; SHARED: number },
) => [ceilDiv(quads, QUADS), SHARED ? parts : ceilDiv(parts * QUADS, WG), 1] as const;
const chunkGrid = (
  { rows, quads, chunk }: { rows: number; quads: number; chunk: number },
  { QUADS }: { QUADS: number },
) => [ceilDiv(quads, QUADS), ceilDiv(rows, chunk), 1] as const;
const rowLaneGrid = ({ rows }: { rows: number }, { WG, LANES }: { WG: number; LANES: number }) =>
  foldGrid(ceilDiv(rows * LANES, WG));
export const batchNormStats = defineKernel(batchNormStatsShader, partGrid);
export const batchNormApply = defineKernel(batchNormApplyShader, chunkGrid);
export const batchNormGradReduce = defineKernel(batchNormGradReduceShader, partGrid);
export const batchNormGradApply = defineKernel(batchNormGradApplyShader, chunkGrid);
export const layerNorm = defineKernel(layerNormShader, rowLaneGrid);
export const layerNormGrad = defineKernel(layerNormGradShader, rowLaneGrid);
export const layerNormGradAffine = defineKernel(layerNormGradAffineShader, ({ quads }, { QUADS }) => [
  ceilDiv(quads, QUADS),
  1,
  1,
]);
type PoolSizes = Record<"batch" | "height" | "width" | "quads" | "out_height" | "out_width", number>;
const pooledGrid = ({ batch, out_height, out_width, quads }: PoolSizes, { WG }: { WG: number }) =>
  foldGrid(ceilDiv(batch * out_height * out_width * quads, WG));
const unpooledGrid = ({ batch, height, width, quads }: PoolSizes, { WG }: { WG: number }) =>
  foldGrid(ceilDiv(batch * height * width * quads, WG));
export const maxPool = defineKernel(maxPoolShader, pooledGrid);
export const maxPoolGrad = defineKernel(maxPoolGradShader, unpooledGrid);
export const averagePool = defineKernel(averagePoolShader, pooledGrid);
export const averagePoolGrad = defineKernel(averagePoolGradShader, unpooledGrid);
export const gelu = defineKernel(geluShader, ({ count }, { WG }) => foldGrid(ceilDiv(count, 4 * WG)));
export const movingAverage = defineKernel(movingAverageShader, ({ count }, { WG }) => foldGrid(ceilDiv(count, 4 * WG)));

const rowLanesGrid = ({ rows }: { rows: number }, { WG, LANES }: { WG: number; LANES: number }) =>
  foldGrid(ceilDiv(rows * LANES, WG));
export const softmaxCrossEntropy = defineKernel(softmaxCrossEntropyShader, rowLanesGrid);
export const l2Normalize = defineKernel(l2NormalizeShader, rowLanesGrid);
export const l2NormalizeGrad = defineKernel(l2NormalizeGradShader, rowLanesGrid);
export const cosineRows = defineKernel(cosineRowsShader, rowLanesGrid);
export const cosineRowsGrad = defineKernel(cosineRowsGradShader, ({ rows, columns }, { WG }) =>
  foldGrid(ceilDiv(rows * columns, WG)),
);
export const similarityRows = defineKernel(similarityRowsShader, ({ rows }, { ROWS }) => [ceilDiv(rows, ROWS), 1, 1]);
export const similarityWeights = defineKernel(similarityWeightsShader, ({ rows, columns }, { ROWS, WG_X, WG_Y }) => [
  ceilDiv(columns, 4 * WG_X),
  ceilDiv(rows, ROWS * WG_Y),
  1,
]);
export const matrixPenalty = defineKernel(matrixPenaltyShader, ({ count, span }) => [ceilDiv(count, span), 1, 1]);
export const barlowColumns = defineKernel(barlowColumnsShader, ({ columns }, { COLUMNS }) => [
  ceilDiv(columns, COLUMNS),
  1,
  1,
]);
export const vicregColumns = defineKernel(vicregColumnsShader, ({ columns }, { COLUMNS }) => [
  ceilDiv(columns, COLUMNS),
  1,
  1,
]);
export const vicregPull = defineKernel(vicregPullShader, ({ count }, { WG }) => foldGrid(ceilDiv(count, WG)));
export const distanceContrast = defineKernel(distanceContrastShader, ({ rows }, { WG }) => foldGrid(ceilDiv(rows, WG)));
export const distanceContrastGrad = defineKernel(distanceContrastGradShader, ({ rows, columns }, { WG }) =>
  foldGrid(ceilDiv(rows * columns, WG)),
);
export const multiplyAdd = defineKernel(multiplyAddShader, ({ groups }) => [groups, 1, 1]);
export const connectionGram = defineKernel(connectionGramShader, ({ outputs, samples }, { WG }) =>
  foldGrid(ceilDiv((outputs * samples) ** 2, 4 * WG)),
);
