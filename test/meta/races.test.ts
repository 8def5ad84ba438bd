/**
 * Race lint: every kernel with a barrier runs in wgsl_reflect's lock-step interpreter on a tiny shape, and no two invocations may touch
 * one element between two barriers unless both read.
 *
 * What it cannot see: it takes workgroupBarrier as enough for storage, so a missing storageBarrier passes; and it mis-runs
 * workgroupUniformLoad, so kernels with it are excluded by name. Knobs are lowered first, since it throws on override-sized arrays.
 */
import { describe, expect, it } from "vitest";
import type { detectRaces as DetectRaces } from "wgsl_reflect";
import { type Kernel, packParams } from "../../src/kernels/kernel.ts";
import * as kernels from "../../src/kernels/library.ts";
import { library } from "../../src/kernels/registry.ts";
import type { BindingInfo } from "../../src/kernels/shaderModule.ts";
import { type KnobValues, specialize } from "../../src/kernels/specialize.ts";
import { TestRandom } from "../support/random.ts";

/** Kernels that the interpreter cannot run, with the reason. */
const EXCLUDED: Record<string, string> = {
  block_pair_solve:
    "skips pairs by workgroupUniformLoad, which the interpreter mis-runs; equal bits for workgroups of 8 to 128 stand in",
  svd_jacobi:
    "ends its loop by workgroupUniformLoad, which the interpreter mis-runs; right values with teams of 1 and 8 lanes stand in",
  jacobi_eigh:
    "ends its loop by workgroupUniformLoad, which the interpreter mis-runs; equal bits for workgroups of 1 to 64 stand in",
};

interface TinyRun {
  readonly kernel: Kernel;
  readonly knobs: KnobValues;
  readonly params: Record<string, number>;
  /** Elements of each storage binding. */
  readonly sizes: Record<string, number>;
  /** Inputs that are zero; others are random. */
  readonly zeros?: readonly string[];
  /** Outputs that are written in part; others are as a whole. */
  readonly inPart?: readonly string[];
  /** Replacements in the code that spare the interpreter time without changing who touches what between which barriers. */
  readonly shorten?: readonly (readonly [string, string])[];
}

const matmulParams = {
  batch: 1,
  m: 5,
  n: 6,
  k: 17,
  lda: 17,
  ldb: 6,
  ldy: 6,
  a_offset: 0,
  b_offset: 0,
  y_offset: 0,
  addend_offset: 0,
  bias_offset: 0,
  a_batch_stride: 0,
  b_batch_stride: 0,
  y_batch_stride: 0,
  scale: 1,
};
const columns = { batch: 1, rows: 5, columns: 3 };
// One image of 3 × 3 by a 3 × 3 kernel, four channels each.
const convParams = { batch: 1, in_h: 3, in_w: 3, out_h: 3, out_w: 3, kernel_h: 3, pad_h: 1, pad_w: 1 };
const RUNS: Record<string, TinyRun> = {
  // One tile (and its mirror) of two pairs; of each sum over 32 rows two terms are formed.
  block_tile_rotate: {
    kernel: kernels.blockTileRotate,
    knobs: { ROWS: 16, QUADS: 2, WG: 8 },
    params: { batch: 1, n: 64, blocks: 4, round: 1, groups: 1 },
    sizes: { state: 4, counters: 4, rotations: 2048, matrix: 4096 },
    zeros: ["state"],
    inPart: ["matrix"],
    shorten: [
      ["k < row_terms", "k < row_terms / 16u"],
      ["k < column_terms", "k < column_terms / 4u"],
    ],
  },
  block_rows_rotate: {
    kernel: kernels.blockRowsRotate,
    knobs: { ROWS: 16, QUADS: 1, WG: 4 },
    params: { batch: 1, row_quads: 2, blocks: 2, round: 0, groups: 1 },
    sizes: { state: 4, counters: 2, rotations: 1024, rows: 256 },
    zeros: ["state"],
  },
  operator_norm: {
    kernel: kernels.operatorNorm,
    knobs: { WG: 4 },
    params: { columns: 3, slice: 12, cells: 2, fan_in: 2, fan_out: 2 },
    sizes: { m: 36, y: 2 },
  },
  batch_contrast: {
    kernel: kernels.batchContrast,
    knobs: { WG: 4, LANES: 4 },
    params: { trials: 2, count: 10, inverse_temperature: 2 },
    sizes: { z: 60, losses: 2, slopes: 2 },
  },
  eigh_range: {
    kernel: kernels.eighRange,
    knobs: { WG: 4 },
    params: { batch: 1, n: 7, parts: 2 },
    sizes: { a: 49, partial: 2 },
  },
  eigh_off_norm: {
    kernel: kernels.eighOffNorm,
    knobs: { WG: 4 },
    params: { batch: 1, n: 7, parts: 2 },
    sizes: { work: 49, partial: 4 },
  },
  eigh_residual: {
    kernel: kernels.eighResidual,
    knobs: { WG_X: 2, WG_Y: 2, ROWS: 4 },
    params: { batch: 1, n: 7, rows: 7, row_start: 0, part_start: 0, parts: 1 },
    sizes: { a: 49, values: 7, vectors: 49, partial: 1 },
  },
  eigh_residual_end: {
    kernel: kernels.eighResidualEnd,
    knobs: { WG: 4 },
    params: { batch: 2, n: 5, parts: 9 },
    sizes: { partial: 18, values: 10, status: 8 },
    inPart: ["status"],
  },
  svd_order: {
    kernel: kernels.svdOrder,
    knobs: { WG: 4, COLUMNS: 8 },
    params: { batch: 1, rows: 3, columns: 5, quads: 2, row_stride: 5, column_stride: 1 },
    sizes: { z: 15, order: 12 },
  },
  qr_reduce: {
    kernel: kernels.qrReduce,
    knobs: { WG: 4, GROUPS: 2, STRIPES: 2, ORDERED: false },
    params: {
      batch: 1,
      rows: 9,
      columns: 7,
      quads: 2,
      chunks: 1,
      chunk_rows: 9,
      work_rows: 9,
      row_stride: 7,
      column_stride: 1,
      matrix_stride: 63,
    },
    sizes: { source: 63, order: 16, work: 72, r: 56 },
  },
  qr_panel: {
    kernel: kernels.qrPanel,
    knobs: { WG: 8, GROUPS: 4, STRIPES: 2 },
    params: { batch: 1, rows: 17, quads: 4, first: 0, panels: 1, count: 16, x_count: 16, x_quads: 4 },
    sizes: { work: 272, t: 256, x: 256 },
  },
  svd_gram: {
    kernel: kernels.svdGram,
    knobs: { WG: 36 },
    params: { batch: 1, blocks: 2, quads: 1, round: 0 },
    sizes: { state: 4, x: 128, gram: 1024, cosines: 1 },
    zeros: ["state"],
  },
  svd_values: {
    kernel: kernels.svdValues,
    knobs: { WG: 4, COUNT: 8 },
    params: { batch: 1, count: 5, x_count: 5, quads: 2, order_words: 12, pairs: 1 },
    sizes: { x: 40, order: 12, state: 4, cosines: 1, values: 5, ranking: 10, status: 4 },
    zeros: ["order", "state", "cosines"],
  },
  reduce_rows: {
    kernel: kernels.reduceRows,
    knobs: { WG: 4 },
    params: { rows: 2, columns: 7, scale: 1 },
    sizes: { x: 14, y: 2 },
  },
  reduce_columns: {
    kernel: kernels.reduceColumns,
    knobs: { WG: 8, COLUMNS: 2 },
    params: { ...columns, scale: 1 },
    sizes: { x: 15, y: 3 },
  },
  column_standardize: {
    kernel: kernels.columnStandardize,
    knobs: { WG: 8, COLUMNS: 2 },
    params: { ...columns, epsilon: 1e-5 },
    sizes: { x: 15, y: 15, inverse_std: 3 },
  },
  column_standardize_grad: {
    kernel: kernels.columnStandardizeGrad,
    knobs: { WG: 8, COLUMNS: 2 },
    params: columns,
    sizes: { d_y: 15, y: 15, inverse_std: 3, d_x: 15 },
  },
  // 256 invocations, two passes over K; of each tile's 16 slices of K one is multiplied (all are written).
  matmul_workgroup: {
    kernel: kernels.matmulWorkgroup,
    knobs: {},
    params: matmulParams,
    sizes: { a: 85, b: 102, bias: 1, addend: 1, y: 30 },
    shorten: [["k < TILE_K; k++", "k < 1u; k++"]],
  },
  // As matmul_workgroup: several passes over K, one slice of each multiplied.
  conv2d_workgroup: {
    kernel: kernels.conv2dWorkgroup,
    knobs: { CI: 4 },
    params: { ...convParams, stride_h: 1, stride_w: 1, co: 4 },
    sizes: { x: 36, filter_taps: 144, scale: 4, bias: 4, addend: 4, y: 36 },
    shorten: [["k < TILE_K; k++", "k < 1u; k++"]],
  },
  conv2d_data_grad_workgroup: {
    kernel: kernels.conv2dDataGradWorkgroup,
    knobs: { CO: 4 },
    params: { ...convParams, kernel_w: 3, ci: 4 },
    sizes: { d_y: 36, filter_taps: 144, addend: 4, d_x: 36 },
    shorten: [["k < TILE_K; k++", "k < 1u; k++"]],
  },
  conv2d_weight_grad_workgroup: {
    kernel: kernels.conv2dWeightGradWorkgroup,
    knobs: {},
    params: { ...convParams, batch: 2, stride_h: 1, stride_w: 1, ci: 4, co: 4, splits: 1, split_rows: 6 },
    sizes: { x: 72, d_y: 72, d_filter: 144 },
    shorten: [["k < TILE_K; k++", "k < 1u; k++"]],
  },
  cross_correlation: {
    kernel: kernels.crossCorrelation,
    knobs: { WG: 4 },
    params: { rows: 6, columns: 3, a_offset: 0, b_offset: 0, scale: 1 },
    sizes: { a: 18, b: 18, c: 9 },
  },
  frobenius_identity: {
    kernel: kernels.frobeniusIdentity,
    knobs: { WG: 4 },
    params: { n: 3, off_diagonal: 1 },
    sizes: { c: 9, loss: 1, residual: 9 },
  },
  batch_norm_stats: {
    kernel: kernels.batchNormStats,
    knobs: { WG: 8, QUADS: 2, SHARED: true },
    params: { rows: 9, quads: 3, parts: 2, chunk: 5 },
    sizes: { x: 108, partials: 48 },
  },
  batch_norm_apply: {
    kernel: kernels.batchNormApply,
    knobs: { WG: 8, QUADS: 2, SHARED: true },
    params: {
      rows: 9,
      quads: 3,
      parts: 2,
      part_rows: 5,
      chunk: 5,
      padded_quads: 16,
      epsilon: 1,
      variance_factor: 1,
    },
    sizes: { partials: 48, x: 108, weight: 12, bias: 12, addend: 108, y: 108, moments: 64 },
  },
  batch_norm_grad_reduce: {
    kernel: kernels.batchNormGradReduce,
    knobs: { WG: 8, QUADS: 2, SHARED: true, RELU: true },
    params: { rows: 9, quads: 3, parts: 2, chunk: 5, epsilon: 1, variance_factor: 0 },
    sizes: { d_y: 108, x: 108, y: 108, moments: 64, partials: 48, masked: 108 },
    shorten: [["select(vec4<f32>(), d, y[at] > vec4<f32>())", "d"]],
  },
  batch_norm_grad_apply: {
    kernel: kernels.batchNormGradApply,
    knobs: { WG: 8, QUADS: 2, SHARED: true },
    params: {
      rows: 9,
      quads: 3,
      parts: 2,
      chunk: 5,
      bias_quads: 16,
      epsilon: 1,
      variance_factor: 0,
      variance_weight: 0.1,
    },
    sizes: { partials: 48, d: 108, x: 108, moments: 64, weight: 12, d_x: 108, d_affine: 76 },
  },
  layer_norm: {
    kernel: kernels.layerNorm,
    knobs: { WG: 8, LANES: 4 },
    params: { rows: 3, quads: 5, epsilon: 1 },
    sizes: { x: 60, weight: 20, bias: 20, y: 60, stats: 6 },
  },
  layer_norm_grad: {
    kernel: kernels.layerNormGrad,
    knobs: { WG: 8, LANES: 4 },
    params: { rows: 3, quads: 5 },
    sizes: { d_y: 60, x: 60, stats: 6, weight: 20, d_x: 60 },
  },
  layer_norm_grad_affine: {
    kernel: kernels.layerNormGradAffine,
    knobs: { WG: 8, QUADS: 2 },
    params: { rows: 5, quads: 3 },
    sizes: { d_y: 60, x: 60, stats: 10, d_weight: 12, d_bias: 12 },
  },
  l2_normalize: {
    kernel: kernels.l2Normalize,
    knobs: { WG: 8, LANES: 4 },
    params: { rows: 3, columns: 5, stride: 8, x_offset: 0, epsilon: 1e-6 },
    sizes: { x: 15, y: 24, stats: 6 },
  },
  l2_normalize_grad: {
    kernel: kernels.l2NormalizeGrad,
    knobs: { WG: 8, LANES: 4 },
    params: { rows: 3, columns: 5, stride: 8 },
    sizes: { d_y: 24, y: 24, stats: 6, d_x: 15 },
  },
  softmax_cross_entropy: {
    kernel: kernels.softmaxCrossEntropy,
    knobs: { WG: 8, LANES: 4 },
    params: { rows: 2, columns: 5 },
    sizes: { logits: 10, labels: 2, terms: 2, residual: 10 },
    zeros: ["labels"],
  },
  cosine_rows: {
    kernel: kernels.cosineRows,
    knobs: { WG: 8, LANES: 4 },
    params: { rows: 4, columns: 5, shift: 2, p_offset: 0, z_offset: 0, epsilon: 1e-6, offset: 0, slope: 1 },
    sizes: { p: 20, z: 20, stats: 16, terms: 4 },
  },
  similarity_rows: {
    kernel: kernels.similarityRows,
    knobs: { WG: 4, ROWS: 2, MODE: 1 },
    params: {
      pairs: 2,
      rows: 4,
      column_start: 0,
      columns: 4,
      quads: 1,
      weight_quads: 1,
      scale: 1,
      inverse_temperature: 1,
      negative_weight: 1,
      beta: 0,
    },
    sizes: { u: 16, v: 8, stats: 8, terms: 4 },
  },
  matrix_penalty: {
    kernel: kernels.matrixPenalty,
    knobs: { WG: 4, HAS_TERMS: true },
    params: { n: 3, count: 18, span: 10, term_count: 5, diagonal: 1, target_value: 1, off_diagonal: 1 },
    sizes: { c: 18, terms: 5, shortfall: 3, residual: 18, partial: 2 },
  },
  barlow_columns: {
    kernel: kernels.barlowColumns,
    knobs: { WG: 8, COLUMNS: 2 },
    params: { rows: 5, columns: 3, epsilon: 1e-5 },
    sizes: { z: 30, y: 30, inverse_std: 6, shortfall: 3 },
  },
  vicreg_columns: {
    kernel: kernels.vicregColumns,
    knobs: { WG: 8, COLUMNS: 2 },
    params: { rows: 5, columns: 3, epsilon: 1e-4, invariance: 1, variance: 1 },
    sizes: { z: 30, centered: 30, slope: 6, terms: 3 },
  },
  metrics_record: {
    kernel: kernels.metricsRecord,
    knobs: { WG: 4 },
    params: { d: 5, capacity: 2 },
    sizes: { loss: 1, spectrum: 5, ring: 12, state: 4 },
  },
  augment_image: {
    kernel: kernels.augmentImage,
    knobs: { WG: 4, INTEGER: false, HUE: false },
    params: {
      views: 1,
      images: 2,
      record: 20,
      height: 2,
      width: 2,
      out_height: 3,
      out_width: 2,
      image_stride: 12,
      channel_stride: 4,
      row_stride: 2,
      column_stride: 1,
      pixels_offset: 0,
      cubic_a: 0,
      mean_r: 0,
      mean_g: 0,
      mean_b: 0,
      inverse_std_r: 1,
      inverse_std_g: 1,
      inverse_std_b: 1,
    },
    sizes: { pixels: 6, indices: 2, draws: 40, y: 48 },
    zeros: ["pixels", "indices", "draws"],
    // The interpreter has no select by a vector.
    shorten: [["select(color, 1.0 - color, color >= vec3<f32>(threshold))", "color"]],
  },
  segment_norms: {
    kernel: kernels.segmentNorms,
    knobs: { WG: 4 },
    params: { chunks: 1 },
    sizes: { chunks: 4, segments: 8, gradients: 64, parameters: 64, partials: 2 },
    zeros: ["chunks", "segments"],
  },
  optimizer_factors: {
    kernel: kernels.optimizerFactors,
    knobs: { WG: 4, CLIP: true },
    params: {
      segments: 2,
      peak: 1,
      start: 0,
      end: 0,
      warmup: 0,
      total: 1,
      every: 1,
      interval: 1,
      log_gamma: 0,
      max_norm: 1,
      eta: 0,
      log_beta1: -1,
      log_beta2: -1,
    },
    sizes: { segments: 16, partials: 4, state: 4, factors: 8 },
    zeros: ["segments"],
  },
};

// The package's main file is CommonJS under "type": "module", which Node cannot import; its module build can, but has no types.
const reflectModule = "wgsl_reflect/wgsl_reflect.module.js";
const { detectRaces } = (await import(reflectModule)) as { detectRaces: typeof DetectRaces };

const BARRIER = /(?:workgroup|storage)Barrier\(\);/g;
const UNWRITTEN = -12345;

/** Runs code in the interpreter; the outputs' arrays hold the results afterwards. */
function interpret({ kernel, knobs, params, sizes, zeros = [] }: TinyRun, code: string) {
  const random = new TestRandom(1);
  const group: Record<number, unknown> = {};
  const outputs: Record<string, Float32Array> = {};
  for (const [name, info] of Object.entries(kernel.shader.bindings as Record<string, BindingInfo>)) {
    if (info.type === "uniform") group[info.binding] = { uniform: packParams(kernel, params) };
    else if (zeros.includes(name)) group[info.binding] = new Uint32Array(sizes[name]!);
    else if (info.type === "read-only-storage") group[info.binding] = random.normals(sizes[name]!);
    else if (name === "state") group[info.binding] = new Uint32Array(sizes[name]!);
    else {
      outputs[name] = new Float32Array(sizes[name]!).fill(UNWRITTEN);
      group[info.binding] = outputs[name];
    }
  }
  const grid = [...kernel.grid(params, knobs)];
  return { ...detectRaces(code, kernel.shader.entry, grid, { 0: group }), outputs };
}

describe("no race between barriers", () => {
  for (const [name, run] of Object.entries(RUNS)) {
    let { code } = specialize(run.kernel.shader, run.knobs, { unroll: false });
    for (const [from, to] of run.shorten ?? []) {
      if (code.split(from).length !== 2) throw new Error(`"${from}" does not occur once in ${name}`);
      code = code.replace(from, to);
    }

    it(name, () => {
      const { races, errors, outputs } = interpret(run, code);
      expect(errors).toEqual([]);
      expect(races.map(({ message }) => message)).toEqual([]);
      // The interpreter did run the kernel: every output was written (the ring only in its first record).
      for (const [output, values] of Object.entries(outputs)) {
        const written = values
          .slice(0, output === "ring" ? 6 : values.length)
          .map((value) => Number(value !== UNWRITTEN));
        if (run.inPart?.includes(output)) expect(written, output).toContain(1);
        else expect(written, output).not.toContain(0);
      }
    });

    it(`${name}: without its first barrier there is one`, () => {
      const { races } = interpret(run, code.replace(new RegExp(BARRIER.source), ""));
      expect(races.length).toBeGreaterThan(0);
    });
  }

  it("every kernel with a barrier is here or excluded with a reason", () => {
    const withBarrier = Object.values(library)
      .filter((kernel) => kernel.shader.code.search(BARRIER) >= 0)
      .map((kernel) => kernel.shader.entry);
    expect([...Object.keys(RUNS), ...Object.keys(EXCLUDED)].sort()).toEqual(withBarrier.sort());
    for (const name of Object.keys(EXCLUDED)) {
      const kernel = Object.values(library).find(({ shader }) => shader.entry === name);
      expect(kernel?.shader.code, `${name} still needs its exclusion`).toContain("workgroupUniformLoad");
    }
  });
});
