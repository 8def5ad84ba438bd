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
import type { BindingInfo } from "../../src/kernels/shaderModule.ts";
import { type KnobValues, specialize } from "../../src/kernels/specialize.ts";
import { TestRandom } from "../support/random.ts";

/** Kernels that the interpreter cannot run, with the reason. */
const EXCLUDED: Record<string, string> = {
  jacobi_eigh:
    "ends its loop by workgroupUniformLoad, which the interpreter mis-runs; equal bits for workgroups of 1 to 64 stand in",
};

interface TinyRun {
  readonly kernel: Kernel;
  readonly knobs: KnobValues;
  readonly params: Record<string, number>;
  /** Elements of each storage binding. */
  readonly sizes: Record<string, number>;
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
    sizes: { d_y: 36, filter_taps: 144, d_x: 36 },
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
  metrics_record: {
    kernel: kernels.metricsRecord,
    knobs: { WG: 4 },
    params: { d: 5, capacity: 2 },
    sizes: { loss: 1, spectrum: 5, ring: 12, state: 4 },
  },
};

// The package's main file is CommonJS under "type": "module", which Node cannot import; its module build can, but has no types.
const reflectModule = "wgsl_reflect/wgsl_reflect.module.js";
const { detectRaces } = (await import(reflectModule)) as { detectRaces: typeof DetectRaces };

const BARRIER = /(?:workgroup|storage)Barrier\(\);/g;
const UNWRITTEN = -12345;

/** Runs code in the interpreter; the outputs' arrays hold the results afterwards. */
function interpret({ kernel, knobs, params, sizes }: TinyRun, code: string) {
  const random = new TestRandom(1);
  const group: Record<number, unknown> = {};
  const outputs: Record<string, Float32Array> = {};
  for (const [name, info] of Object.entries(kernel.shader.bindings as Record<string, BindingInfo>)) {
    if (info.type === "uniform") group[info.binding] = { uniform: packParams(kernel, params) };
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
        expect(values.slice(0, output === "ring" ? 6 : values.length).includes(UNWRITTEN), output).toBe(false);
      }
    });

    it(`${name}: without its first barrier there is one`, () => {
      const { races } = interpret(run, code.replace(new RegExp(BARRIER.source), ""));
      expect(races.length).toBeGreaterThan(0);
    });
  }

  it("every kernel with a barrier is here or excluded with a reason", () => {
    const withBarrier = Object.values(kernels.library)
      .filter((kernel) => kernel.shader.code.search(BARRIER) >= 0)
      .map((kernel) => kernel.shader.entry);
    expect([...Object.keys(RUNS), ...Object.keys(EXCLUDED)].sort()).toEqual(withBarrier.sort());
    for (const name of Object.keys(EXCLUDED)) {
      const kernel = Object.values(kernels.library).find(({ shader }) => shader.entry === name);
      expect(kernel?.shader.code, `${name} still needs its exclusion`).toContain("workgroupUniformLoad");
    }
  });
});
