/** Every kernel with marked loops: written out and rolled, the same bits. */
import { describe, expect, it } from "vitest";
import type { Kernel } from "../../src/kernels/kernel.ts";
import * as kernels from "../../src/kernels/library.ts";
import type { KernelRun } from "../../src/kernels/runKernel.ts";
import { useEngine } from "../support/device.ts";
import { TestRandom } from "../support/random.ts";
import { bitsOf, runF32, unwritten } from "./runF32.ts";

const engine = useEngine();
const random = new TestRandom(1);

interface Variant {
  readonly kernel: Kernel;
  readonly run: Omit<KernelRun, "read" | "unroll">;
  readonly output: string;
}

const matmulParams = {
  batch: 1,
  m: 12,
  n: 20,
  k: 11,
  lda: 12,
  ldb: 20,
  ldy: 20,
  a_offset: 0,
  b_offset: 0,
  y_offset: 0,
  addend_offset: 0,
  bias_offset: 0,
  a_batch_stride: 0,
  b_batch_stride: 0,
  y_batch_stride: 0,
  scale: 0.5,
};
const matmulBuffers = {
  a: random.normals(12 * 12),
  b: random.normals(20 * 20),
  bias: random.normals(20),
  addend: random.normals(240),
  y: unwritten(240),
};
const small = { ROWS: 4, QUADS: 2, WG_X: 2, WG_Y: 2 };
const matmul = (kernel: Kernel, knobs: Record<string, number | boolean>): Variant => ({
  kernel,
  run: {
    buffers: matmulBuffers,
    params: matmulParams,
    knobs: { HAS_BIAS: true, HAS_ADDEND: true, RELU: true, ...knobs },
  },
  output: "y",
});

const [x, b] = [random.normals(301), random.normals(301)];

/** Convolution of [1, 5, 6, 8] by 3 × 3 to [1, 3, 3, 12] with stride 2 and padding 1; every operand as long as the longest. */
const convParams = { batch: 1, in_h: 5, in_w: 6, out_h: 3, out_w: 3, kernel_h: 3, pad_h: 1 };
const convQuads = { ci_quads: 2, co_quads: 3, stride_h: 2 };
const conv = (
  kernel: Kernel,
  inputs: readonly string[],
  [output, elements]: readonly [string, number],
  params: Record<string, number>,
  knobs: Record<string, number | boolean>,
): Variant => ({
  kernel,
  run: {
    buffers: {
      ...Object.fromEntries(inputs.map((name) => [name, random.normals(864)])),
      [output]: unwritten(elements),
    },
    params: { ...convParams, ...params },
    knobs,
  },
  output,
});
const convInputs = ["x", "filter_taps", "scale", "bias", "addend"];
const convEpilogue = { HAS_SCALE: true, HAS_BIAS: true, HAS_ADDEND: true, RELU: true };
const convWeight = { pad_w: 1, splits: 2, split_rows: 2 };
const convTile = { KERNEL_W: 3, STRIDE_W: 2, EDGE_LEFT: 1, EDGE_RIGHT: 4, WG: 4 };
const VARIANTS: readonly Variant[] = [
  {
    kernel: kernels.elementwiseUnary,
    run: {
      buffers: { x, y: unwritten(301) },
      params: { count: 301, alpha: 1.3, beta: -0.2 },
      knobs: { WG: 16, RELU: true },
    },
    output: "y",
  },
  {
    kernel: kernels.elementwiseBinary,
    run: {
      buffers: { a: x, b, y: unwritten(301) },
      params: { count: 301, columns: 43, alpha: 1.3, beta: -0.2 },
      knobs: { WG: 16, BROADCAST: 1 },
    },
    output: "y",
  },
  {
    kernel: kernels.copyRange,
    run: { buffers: { x, y: unwritten(301) }, params: { count: 290, x_offset: 3, y_offset: 5 }, knobs: { WG: 16 } },
    output: "y",
  },
  ...[true, false].map((SYMMETRIC) => ({
    kernel: kernels.crossCorrelation,
    run: {
      buffers: { a: x, b, c: unwritten(49) },
      params: { rows: 43, columns: 7, a_offset: 0, b_offset: 0, scale: 0.1 },
      knobs: { WG: 8, SYMMETRIC },
    },
    output: "c",
  })),
  matmul(kernels.matmulRegister, small),
  matmul(kernels.matmulRegister, { ...small, QUADS: 1, TRANSPOSE_A: true, A_ALIGNED: true, B_ALIGNED: true }),
  matmul(kernels.matmulRegister, { ...small, QUADS: 1, TRANSPOSE_A: true, TRANSPOSE_B: true }),
  matmul(kernels.matmulWorkgroup, {}),
  matmul(kernels.matmulWorkgroup, { TRANSPOSE_A: true }),
  matmul(kernels.matmulWorkgroup, { TRANSPOSE_B: true }),
  conv(
    kernels.conv2dRegister,
    convInputs,
    ["y", 108],
    { ...convQuads, pad_w: 1 },
    { ...convEpilogue, ...convTile, STEP: 2, PIXELS: 4, QUADS: 2 },
  ),
  conv(kernels.conv2dDataGradRegister, ["d_y", "filter_taps"], ["d_x", 240], convQuads, {
    ...convTile,
    PAD_W: 1,
    EDGE_LEFT: 0,
    EDGE_RIGHT: 2,
    PIXELS: 4,
    QUADS: 2,
  }),
  conv(
    kernels.conv2dWeightGradRegister,
    ["x", "d_y"],
    ["d_filter", 2 * 864],
    { ...convQuads, ...convWeight },
    { ...convTile, STEP: 2, PIXELS: 8, QUADS: 2, EDGE_RIGHT: 12, RAGGED: true },
  ),
  conv(
    kernels.conv2dWorkgroup,
    convInputs,
    ["y", 108],
    { pad_w: 1, stride_h: 2, stride_w: 2, co: 12 },
    { ...convEpilogue, ROWS: 8, CI: 8 },
  ),
  conv(
    kernels.conv2dDataGradWorkgroup,
    ["d_y", "filter_taps"],
    ["d_x", 240],
    { pad_w: 1, kernel_w: 3, ci: 8 },
    { ROWS: 8, CO: 12, STRIDE_H: 2, STRIDE_W: 2 },
  ),
  conv(
    kernels.conv2dWeightGradWorkgroup,
    ["x", "d_y"],
    ["d_filter", 2 * 864],
    { ...convWeight, stride_h: 2, stride_w: 2, ci: 8, co: 12 },
    {},
  ),
];

describe("rolled and unrolled", () => {
  for (const { kernel, run, output } of VARIANTS) {
    it(`${kernel.name} ${JSON.stringify(run.knobs)}`, async () => {
      const unrolled = await runF32(engine(), kernel, run, output);
      const rolled = await runF32(engine(), kernel, { ...run, unroll: false }, output);
      expect(bitsOf(unrolled)).toEqual(bitsOf(rolled));
      expect(unrolled.some((value) => value !== -12345 && value !== 0)).toBe(true);
    });
  }

  it("every kernel with a marked loop is here", () => {
    const marked = Object.values(kernels.library).filter((kernel) => kernel.shader.code.includes("//#unroll"));
    expect(new Set(VARIANTS.map(({ kernel }) => kernel.name))).toEqual(new Set(marked.map(({ name }) => name)));
  });
});
