/** Every kernel with marked loops: written out and rolled, the same bits. */
import { describe, expect, it } from "vitest";
import type { KernelCall } from "../../src/kernels/call.ts";
import type { Kernel } from "../../src/kernels/kernel.ts";
import * as kernels from "../../src/kernels/library.ts";
import { library } from "../../src/kernels/registry.ts";
import type { KernelRun } from "../../src/kernels/runKernel.ts";
import { eighCalls } from "../../src/linalg/eighCalls.ts";
import { svdCalls } from "../../src/linalg/svdCalls.ts";
import { useEngine } from "../support/device.ts";
import { skipWithoutFeatures } from "../support/features.ts";
import { TestRandom } from "../support/random.ts";
import { isThorough } from "../support/thorough.ts";
import { runCalls } from "./runCalls.ts";
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
const batchedTiles = {
  forward: [
    { PIXELS: 2, EDGE_RIGHT: 2 },
    { PIXELS: 3, EDGE_RIGHT: 0, WHOLE_ROW: true },
  ],
  dataGrad: [
    { PIXELS: 4, EDGE_RIGHT: 2 },
    { PIXELS: 6, EDGE_RIGHT: 1, WHOLE_ROW: true },
  ],
  weightGrad: [
    { PIXELS: 2, EDGE_RIGHT: 2, RAGGED: true },
    { PIXELS: 3, EDGE_RIGHT: 0, WHOLE_ROW: true },
  ],
};
const convTile = { KERNEL_W: 3, STRIDE_W: 2, EDGE_LEFT: 1, EDGE_RIGHT: 4, WG: 4 };
const similarityParams = {
  pairs: 9,
  column_start: 0,
  columns: 18,
  quads: 2,
  weight_quads: 1,
  scale: 0.3,
  inverse_temperature: 2,
  negative_weight: 0.1,
  beta: 0.2,
};
/** One pair of blocks of 16 for block Jacobi; its matrix is symmetric. */
const tile = Float32Array.from(
  { length: 1024 },
  (_, at) => Math.cos((at >> 5) * 7 + 7 * (at & 31)) + (at % 33 ? 0 : 3),
);
const block = {
  state: new Uint32Array(4),
  counters: Uint32Array.of(1, 1, 1, 1),
  rotations: random.normals(2048).map((entry) => entry / 32),
};
const VARIANTS: readonly Variant[] = [
  ...[false, true].flatMap((CROSS): Variant[] =>
    [8, 16].map((WG) => ({
      kernel: kernels.blockPairSolve,
      run: {
        buffers: { ...block, matrix: tile, tile: unwritten(4) },
        params: { batch: 1, n: 32, blocks: 2, round: 0, groups: 1 },
        knobs: { SHARED: false, CROSS, WG },
      },
      output: "rotations",
    })),
  ),
  {
    kernel: kernels.blockTileRotate,
    run: {
      buffers: { ...block, matrix: random.normals(64 * 64) },
      params: { batch: 1, n: 64, blocks: 4, round: 1, groups: 1 },
      knobs: { WG: 8, QUADS: 2 },
    },
    output: "matrix",
  },
  {
    kernel: kernels.blockRowsRotate,
    run: {
      buffers: { ...block, rows: random.normals(64 * 8) },
      params: { batch: 1, row_quads: 2, blocks: 4, round: 1, groups: 1 },
      knobs: { WG: 8, QUADS: 2 },
    },
    output: "rows",
  },
  {
    kernel: kernels.eighResidual,
    run: {
      buffers: { a: x, values: b.subarray(0, 17), vectors: b, partial: unwritten(1) },
      params: { batch: 1, n: 17, rows: 17, row_start: 0, part_start: 0, parts: 1 },
      knobs: { ROWS: 4 },
    },
    output: "partial",
  },
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
    kernel: kernels.multiplyAdd,
    run: {
      buffers: { y: unwritten(64) },
      params: { groups: 2, rounds: 3, factor: 0.9, shift: -1.1, start: 0.7 },
      knobs: { WG: 8, CHAINS: 4 },
    },
    output: "y",
  },
  {
    kernel: kernels.copyRange,
    run: { buffers: { x, y: unwritten(301) }, params: { count: 290, x_offset: 3, y_offset: 5 }, knobs: { WG: 16 } },
    output: "y",
  },
  // Two images of 7 × 5 to 4 × 3, both interpolations; draws are a crop at (1, 1) of 5 × 3 and colour factors.
  ...[
    { TAPS: 2, SAMPLES: 2, PACKED: true },
    { TAPS: 4, SAMPLES: 1, PACKED: false },
  ].map((knobs) => ({
    kernel: kernels.augmentImage,
    run: {
      buffers: {
        pixels: Uint32Array.from({ length: 70 }, (_, i) => Math.imul(i + 1, 0x9e3779b1)),
        indices: Uint32Array.of(1, 0),
        draws: Float32Array.from({ length: 40 }, (_, i) => [1, 1, 5, 3, 1, 1, 1.1, 0.9, 1.2, 0.1, 228][i % 20] ?? 0),
        y: unwritten(96),
      },
      params: {
        views: 1,
        images: 2,
        record: 20,
        height: 7,
        width: 5,
        out_height: 4,
        out_width: 3,
        image_stride: 140,
        channel_stride: 1,
        row_stride: 20,
        column_stride: 4,
        pixels_offset: 0,
        cubic_a: -0.75,
        mean_r: 0,
        mean_g: 0,
        mean_b: 0,
        inverse_std_r: 1,
        inverse_std_g: 1,
        inverse_std_b: 1,
      },
      knobs: { WG: 4, ...knobs },
    },
    output: "y",
  })),
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
  matmul(kernels.matmulSubgroup, { ROWS: 4, QUADS: 2, STEPS: 1, WG: 4 }),
  matmul(kernels.matmulSubgroup, { ROWS: 4, QUADS: 3, STEPS: 3, WG: 4, TRANSPOSE_A: true }),
  matmul(kernels.matmulSubgroup, { ROWS: 3, QUADS: 2, STEPS: 1, WG: 4, TRANSPOSE_B: true }),
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
  conv(kernels.conv2dDataGradRegister, ["d_y", "filter_taps", "addend"], ["d_x", 240], convQuads, {
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
  // A row of dy or y in two tiles, or in one.
  ...[kernels.conv2dBatched, kernels.conv2dBatchedSubgroup].map((kernel, index) =>
    conv(
      kernel,
      convInputs,
      ["y", 108],
      { ...convQuads, pad_w: 1 },
      { ...convEpilogue, ...convTile, STEP: 2, QUADS: 2, ...batchedTiles.forward[index]! },
    ),
  ),
  ...[kernels.conv2dDataGradBatched, kernels.conv2dDataGradBatchedSubgroup].map((kernel, index) =>
    conv(kernel, ["d_y", "filter_taps", "addend"], ["d_x", 240], convQuads, {
      ...convTile,
      PAD_W: 1,
      EDGE_LEFT: 0,
      QUADS: 2,
      HAS_ADDEND: true,
      ...batchedTiles.dataGrad[index]!,
    }),
  ),
  ...[kernels.conv2dWeightGradBatched, kernels.conv2dWeightGradBatchedSubgroup].map((kernel, index) =>
    conv(
      kernel,
      ["x", "d_y"],
      ["d_filter", 2 * 864],
      { ...convQuads, ...convWeight },
      { ...convTile, STEP: 2, QUADS: 2, ROWS: 2, ...batchedTiles.weightGrad[index]! },
    ),
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
    ["d_y", "filter_taps", "addend"],
    ["d_x", 240],
    { pad_w: 1, kernel_w: 3, ci: 8 },
    { ROWS: 8, CO: 12, STRIDE_H: 2, STRIDE_W: 2, HAS_ADDEND: true },
  ),
  conv(
    kernels.conv2dWeightGradWorkgroup,
    ["x", "d_y"],
    ["d_filter", 2 * 864],
    { ...convWeight, stride_h: 2, stride_w: 2, ci: 8, co: 12 },
    {},
  ),
  ...[0, 1].flatMap((MODE): Variant[] => [
    {
      kernel: kernels.similarityRows,
      run: {
        buffers: { u: x, v: b, stats: unwritten(36), terms: unwritten(18) },
        params: { ...similarityParams, rows: 18 },
        knobs: { WG: 4, ROWS: 4, MODE, SEPARATE_WEIGHTS: MODE === 1 },
      },
      output: "terms",
    },
    {
      kernel: kernels.similarityWeights,
      run: {
        buffers: { u: x, v: b, stats: b, w: unwritten(18 * 18) },
        params: { ...similarityParams, row_start: 0, rows: 18, factor: 0.5 },
        knobs: { WG_X: 2, WG_Y: 2, ROWS: 4, MODE, SEPARATE_WEIGHTS: MODE === 1 },
      },
      output: "w",
    },
  ]),
];

/** Solvers as wholes: all ways they are assembled, on matrices that are no multiple of any tile. */
const SOFTWARE = { isSoftware: true, matmulFamily: "register" } as const;
const GPU = { isSoftware: false, matmulFamily: "workgroup" } as const;
const SOLVERS: readonly {
  readonly name: string;
  readonly input: number;
  readonly outputs: readonly number[];
  readonly calls: readonly KernelCall[];
}[] = [
  ...[SOFTWARE, GPU].flatMap((target) => {
    const on = target.isSoftware ? "software" : "GPU";
    return [
      {
        name: `eigh, n = 170, ${on}`,
        input: 170 * 170,
        outputs: [170, 4, 170 * 170],
        calls: eighCalls({ n: 170, batch: 1, vectors: true }, target),
      },
      {
        name: `svd of 140 × 131, ${on}`,
        input: 140 * 131,
        outputs: [131, 4],
        calls: svdCalls({ rows: 140, columns: 131, batch: 1, left: false, right: false }, target),
      },
      {
        name: `svd of 40 × 12, ${on}`,
        input: 480,
        outputs: [12, 4],
        calls: svdCalls({ rows: 40, columns: 12, batch: 1, left: false, right: false }, target),
      },
      {
        name: `svd of 40 × 21 with vectors, ${on}`,
        input: 840,
        outputs: [21, 4, 21 * 21, 40 * 21],
        calls: svdCalls({ rows: 40, columns: 21, batch: 1, left: true, right: true }, target),
      },
    ];
  }),
];

/** Solvers in blocks take minutes in all. */
const TRIED = isThorough ? SOLVERS : SOLVERS.filter(({ input }) => input < 1e4);

const localShape = { views: 1, trials: 2, rows: 8, nodes: 1, fan_in: 4, fan_out: 2, parts: 4 };
const localBuffers = { x: random.normals(64), w: random.normals(20) };
/** Two networks of one node each. */
const LOCAL: readonly Variant[] = [
  {
    kernel: kernels.locallyConnected,
    run: {
      buffers: { ...localBuffers, y: unwritten(32) },
      params: localShape,
      knobs: { WG: 4, IN: 2, OUT: 2, CHUNKED: true, RELU: true },
    },
    output: "y",
  },
  ...["dx", "partial"].map((output) => ({
    kernel: kernels.locallyConnectedGrad,
    run: {
      buffers: { ...localBuffers, dy: random.normals(32), dx: unwritten(64), partial: unwritten(80) },
      params: { ...localShape, x_views: 1, slice: 20 },
      knobs: { WG: 4, IN: 4, OUT: 2, RELU: true },
    },
    output,
  })),
  {
    kernel: kernels.gatherRows,
    run: {
      buffers: {
        x: Uint32Array.from({ length: 35 }, (_, at) => at),
        indices: Uint32Array.of(4, 0, 3, 1),
        y: new Uint32Array(28),
      },
      params: { rows: 4, columns: 7 },
      knobs: { WG: 4 },
    },
    output: "y",
  },
];

/** Kernels of blocked solvers that no solver of small order has. */
const prepared = random.normals(36);
const BLOCKED: readonly Variant[] = [
  ...["work", "basis"].map((output) => ({
    kernel: kernels.eighPrepare,
    run: {
      buffers: {
        a: prepared,
        partial: new Uint32Array(Float32Array.of(Math.max(...prepared.map(Math.abs))).buffer),
        work: unwritten(64),
        basis: unwritten(64),
        counters: new Uint32Array(2),
        state: new Uint32Array(4),
      },
      params: { batch: 1, n: 6, quads: 2, parts: 1, counter_words: 2 },
      knobs: { WG: 2, ROWS: 4, VECTORS: true },
    },
    output,
  })),
  {
    kernel: kernels.svdGram,
    run: {
      buffers: {
        state: new Uint32Array(4),
        x: random.normals(32 * 8),
        gram: unwritten(1024),
        cosines: new Uint32Array(1),
      },
      params: { batch: 1, blocks: 2, quads: 2, round: 0 },
      knobs: { WG: 64 },
    },
    output: "gram",
  },
];

const POWER: Variant = {
  kernel: kernels.symmetricPower,
  run: {
    buffers: { values: random.normals(6).map(Math.abs), vectors: random.normals(36), y: unwritten(36) },
    params: { batch: 1, n: 6, cutoff: 0 },
    knobs: { WG_X: 2, WG_Y: 2 },
  },
  output: "y",
};

describe("rolled and unrolled", () => {
  for (const { name, input, outputs, calls } of TRIED) {
    it(name, async () => {
      const data = new TestRandom(input).normals(input);
      const bits = (run: { readonly outputs: readonly ArrayBuffer[] }) =>
        run.outputs.map((words) => [...new Uint32Array(words)]);
      const unrolled = bits(await runCalls(engine(), calls, data, outputs));
      expect(unrolled).toEqual(bits(await runCalls(engine(), calls, data, outputs, { unroll: false })));
      // Swept, and well.
      expect(unrolled[1]![0]).toBeGreaterThan(2);
      expect(unrolled[1]![1]).toBe(0);
    });
  }

  for (const { kernel, run, output } of [...VARIANTS, ...LOCAL, ...BLOCKED, POWER]) {
    it(`${kernel.name} ${output} ${JSON.stringify(run.knobs)}`, async (context) => {
      skipWithoutFeatures(context, engine(), [kernel]);
      const unrolled = await runF32(engine(), kernel, run, output);
      const rolled = await runF32(engine(), kernel, { ...run, unroll: false }, output);
      expect(bitsOf(unrolled)).toEqual(bitsOf(rolled));
      expect(unrolled.some((value) => value !== -12345 && value !== 0)).toBe(true);
    });
  }

  it("every kernel with a marked loop is here", () => {
    const marked = Object.values(library).filter((kernel) => kernel.shader.code.includes("//#unroll"));
    const covered = [...VARIANTS, ...LOCAL, ...BLOCKED, POWER, ...TRIED.flatMap(({ calls }) => calls)].map(
      ({ kernel }) => kernel,
    );
    const named = new Set(covered.filter((kernel) => marked.includes(kernel)).map(({ name }) => name));
    expect([...named].sort()).toEqual([...new Set(marked.map(({ name }) => name))].sort());
  });
});
