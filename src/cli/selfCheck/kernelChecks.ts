/**
 * One case for each kernel of the training step of a linear encoder, against the float64 oracles that the tests use: what `eigenstep info` runs to tell whether
 * this adapter and driver compute what they should. Small shapes, one above a tile each.
 */
import * as data from "../../../test/oracle/data.ts";
import * as eigen from "../../../test/oracle/eigh.ts";
import * as elementwise from "../../../test/oracle/elementwise.ts";
import * as product from "../../../test/oracle/matmul.ts";
import * as norm from "../../../test/oracle/norm.ts";
import * as optim from "../../../test/oracle/optim.ts";
import * as random from "../../../test/oracle/random.ts";
import * as reduce from "../../../test/oracle/reduce.ts";
import * as ssl from "../../../test/oracle/ssl.ts";
import { CounterRandom } from "../../data/index.ts";
import type { Kernel } from "../../kernels/kernel.ts";
import * as kernels from "../../kernels/library.ts";
import type { KernelRun } from "../../kernels/runKernel.ts";

export interface KernelCheck {
  readonly kernel: Kernel;
  readonly run: KernelRun;
  /** Largest error allowed at each element of a binding, and the exact values. */
  readonly expected: Readonly<Record<string, { readonly values: ArrayLike<number>; readonly tolerance: number }>>;
}

/** Unit roundoff of f32. */
const U = 2 ** -24;
const normals = (count: number, stream: number): Float32Array =>
  Float32Array.from(new CounterRandom(1, stream).normals(count));
const zeros = (count: number): Float32Array => new Float32Array(count);
const largest = (values: ArrayLike<number>): number => Array.from(values).reduce((m, v) => Math.max(m, Math.abs(v)), 0);

/** Tolerance of sums of `terms` products of the size of `values`: terms·u of their magnitude, which exceeds every stated bound. */
const within = (values: ArrayLike<number>, terms: number) => ({
  values,
  tolerance: 4 * terms * U * (1 + largest(values)),
});

/** Each kernel once, matrix products in each orientation. */
export function kernelChecks(): KernelCheck[] {
  return [
    ...elementwiseChecks(),
    ...reductionChecks(),
    ...[kernels.matmulRegister, kernels.matmulWorkgroup].flatMap(matmulChecks),
    ...objectiveChecks(),
    ...bookkeepingChecks(),
    eighCheck(),
  ];
}

function elementwiseChecks(): KernelCheck[] {
  const [count, columns] = [77, 7];
  const [a, b, row] = [normals(count, 1), normals(count, 2), normals(columns, 3)];
  const options = { operation: "add", broadcast: "row", columns, alpha: 1.5, beta: -2 } as const;
  return [
    {
      kernel: kernels.elementwiseBinary,
      run: {
        buffers: { a, b: row, y: zeros(count + 3) },
        params: { count, columns, alpha: 1.5, beta: -2 },
        knobs: { OP: 0, BROADCAST: 1 },
        read: ["y"],
      },
      expected: { y: within(elementwise.elementwiseBinary(a, row, options), 3) },
    },
    {
      kernel: kernels.elementwiseUnary,
      run: {
        buffers: { x: b, y: zeros(count + 3) },
        params: { count, alpha: 2, beta: 0.5 },
        knobs: { RELU: true },
        read: ["y"],
      },
      expected: { y: within(elementwise.elementwiseUnary(b, { alpha: 2, beta: 0.5, relu: true }), 2) },
    },
    {
      kernel: kernels.copyRange,
      run: { buffers: { x: a, y: zeros(count) }, params: { count: 70, x_offset: 5, y_offset: 3 }, read: ["y"] },
      expected: {
        y: {
          values: Float32Array.from({ length: count }, (_, i) => (i >= 3 && i < 73 ? (a[i + 2] ?? 0) : 0)),
          tolerance: 0,
        },
      },
    },
  ];
}

function reductionChecks(): KernelCheck[] {
  const shape = { batch: 2, rows: 37, columns: 19 };
  const count = shape.batch * shape.rows * shape.columns;
  const [x, dY] = [normals(count, 4), normals(count, 5)];
  const standardized = norm.columnStandardize(x, shape, { epsilon: 1e-5, standardize: true });
  const y = Float32Array.from(standardized.y);
  const inverseStd = Float32Array.from(standardized.inverseStd);
  return [
    {
      kernel: kernels.reduceColumns,
      run: { buffers: { x, y: zeros(38) }, params: { ...shape, scale: 0.5 }, read: ["y"] },
      expected: { y: within(reduce.reduceColumns(x, { ...shape, scale: 0.5 }), 37) },
    },
    {
      kernel: kernels.reduceRows,
      run: {
        buffers: { x, y: zeros(74) },
        params: { rows: 74, columns: 19, scale: 0.5 },
        knobs: { SQUARE: true },
        read: ["y"],
      },
      expected: { y: within(reduce.reduceRows(x, { rows: 74, columns: 19, scale: 0.5, square: true }), 19) },
    },
    {
      kernel: kernels.columnStandardize,
      run: {
        buffers: { x, y: zeros(count), inverse_std: zeros(38) },
        params: { ...shape, epsilon: 1e-5 },
        read: ["y", "inverse_std"],
      },
      expected: { y: within(standardized.y, 60), inverse_std: within(standardized.inverseStd, 60) },
    },
    {
      kernel: kernels.columnStandardizeGrad,
      run: { buffers: { d_y: dY, y, inverse_std: inverseStd, d_x: zeros(count) }, params: shape, read: ["d_x"] },
      expected: { d_x: within(norm.columnStandardizeGrad(dY, y, inverseStd, shape).dX, 60) },
    },
  ];
}

function matmulChecks(kernel: Kernel): KernelCheck[] {
  const [m, n, k] = [67, 34, 21];
  const [a, b] = [normals(m * k + 3, 6), normals(k * n + 2, 7)];
  const [bias, addend] = [normals(n, 8), normals(m * n, 9)];
  return [
    [false, false],
    [false, true],
    [true, false],
  ].map(([transposeA = false, transposeB = false]) => {
    const [lda, ldb] = [transposeA ? m : k, transposeB ? k : n];
    const shared = { batch: 1, m, n, k, lda, ldb, scale: 0.5 };
    const spec = {
      ...shared,
      transposeA,
      transposeB,
      relu: true,
      ldy: n,
      aOffset: 3,
      bOffset: 2,
      yOffset: 0,
      addendOffset: 0,
      biasOffset: 0,
      aBatchStride: 0,
      bBatchStride: 0,
      yBatchStride: 0,
    };
    return {
      kernel,
      run: {
        buffers: { a, b, bias, addend, y: zeros(m * n) },
        params: {
          ...shared,
          ldy: n,
          a_offset: 3,
          b_offset: 2,
          y_offset: 0,
          addend_offset: 0,
          bias_offset: 0,
          a_batch_stride: 0,
          b_batch_stride: 0,
          y_batch_stride: 0,
        },
        knobs: { TRANSPOSE_A: transposeA, TRANSPOSE_B: transposeB, HAS_BIAS: true, HAS_ADDEND: true, RELU: true },
        read: ["y"],
      },
      expected: { y: within(product.matmul({ a, b, bias, addend }, spec, zeros(m * n)), k + 3) },
    };
  });
}

function objectiveChecks(): KernelCheck[] {
  const [rows, columns] = [53, 6];
  const [a, b] = [normals(rows * columns, 10), normals(rows * columns, 11)];
  const exact = ssl.crossCorrelation(a, b, { rows, columns, scale: 1 / rows, symmetric: true });
  const c = Float32Array.from(exact);
  const { loss, residual } = ssl.frobeniusIdentity(c, { n: columns, offDiagonal: 0.3 });
  return [
    {
      kernel: kernels.crossCorrelation,
      run: {
        buffers: { a, b, c: zeros(36) },
        params: { rows, columns, a_offset: 0, b_offset: 0, scale: 1 / rows },
        read: ["c"],
      },
      expected: { c: within(exact, rows) },
    },
    {
      kernel: kernels.frobeniusIdentity,
      run: {
        buffers: { c, loss: zeros(1), residual: zeros(36) },
        params: { n: columns, off_diagonal: 0.3 },
        read: ["loss", "residual"],
      },
      expected: { loss: within([loss], 40), residual: within(residual, 2) },
    },
  ];
}

function bookkeepingChecks(): KernelCheck[] {
  const [parameters, gradients, velocity] = [normals(64, 12), normals(64, 13), normals(64, 14)];
  const rate = Math.fround(0.1);
  const updated = optim.sgd({ parameters, velocity, gradients }, { learningRate: rate, momentum: 0.5 });
  const state = (step: number, records: number): Uint32Array => {
    const words = new Uint32Array([step, records, 0xffffffff, 0]);
    new Float32Array(words.buffer)[3] = rate;
    return words;
  };
  const pixels = new Uint8Array(4 * 9 * 8 * 3).map((_, i) => (i * 37) % 251);
  const crop = {
    views: 2,
    channels: 3,
    cropHeight: 5,
    cropWidth: 4,
    height: 9,
    width: 8,
    imageStride: 216,
    channelStride: 72,
    rowStride: 8,
    columnStride: 1,
    pixelsOffset: 0,
    seed: 3,
    stream: 2,
    step: 1,
    scale: 1 / 255,
  };
  const indices = Uint32Array.of(2, 0, 3);
  return [
    {
      kernel: kernels.sgd,
      run: {
        buffers: { state: state(3, 0), gradients, parameters, velocity },
        params: { count: 64, momentum: 0.5 },
        knobs: { MOMENTUM: true },
        read: ["parameters", "velocity"],
      },
      expected: { parameters: within(updated.parameters, 3), velocity: within(updated.velocity, 2) },
    },
    {
      kernel: kernels.stepAdvance,
      run: { buffers: { loss: Float32Array.of(Number.NaN), state: state(3, 1) }, read: ["state"] },
      expected: { state: { values: [4, 1, 3, state(0, 0)[3] ?? 0], tolerance: 0 } },
    },
    {
      kernel: kernels.noteNonfinite,
      run: {
        buffers: {
          parameters: Float32Array.of(1, 2, Number.NaN, 3),
          averages: Float32Array.of(1, 2, 3, 4),
          state: state(3, 1),
        },
        params: { parameter_count: 4, average_count: 4 },
        read: ["state"],
      },
      expected: { state: { values: [3, 1, 4, state(0, 0)[3] ?? 0], tolerance: 0 } },
    },
    {
      kernel: kernels.metricsRecord,
      run: {
        buffers: { loss: Float32Array.of(2), spectrum: Float32Array.of(1, 0.5), ring: zeros(9), state: state(3, 4) },
        params: { d: 2, capacity: 3 },
        read: ["ring", "state"],
      },
      expected: {
        ring: { values: [0, 0, 0, 2, 1, 0.5, 0, 0, 0], tolerance: 0 },
        state: { values: [3, 5, 0xffffffff, state(0, 0)[3] ?? 0], tolerance: 0 },
      },
    },
    {
      kernel: kernels.randomFill,
      run: {
        buffers: { y: zeros(101) },
        params: { count: 101, y_offset: 0, seed: 5, stream: 1, scale: 1, offset: 0 },
        knobs: { NORMAL: true },
        read: ["y"],
      },
      expected: {
        y: {
          values: random.randomFill(101, { seed: 5, stream: 1, normal: true, scale: 1, offset: 0 }),
          tolerance: 2 ** -19,
        },
      },
    },
    {
      kernel: kernels.gatherCrop,
      run: {
        buffers: { pixels: new Uint32Array(pixels.buffer), indices, y: zeros(2 * 3 * 60) },
        params: {
          views: 2,
          images: 3,
          channels: 3,
          crop_height: 5,
          crop_width: 4,
          height: 9,
          width: 8,
          image_stride: 216,
          channel_stride: 72,
          row_stride: 8,
          column_stride: 1,
          pixels_offset: 0,
          seed: 3,
          stream: 2,
          step: 1,
          scale: 1 / 255,
        },
        read: ["y"],
      },
      expected: { y: within(data.gatherCrop(pixels, indices, crop), 1) },
    },
  ];
}

function eighCheck(): KernelCheck {
  const n = 12;
  const g = normals(n * n, 15);
  const a = g.map((_, at) => (g[at] ?? 0) + (g[(at % n) * n + Math.floor(at / n)] ?? 0));
  const { values } = eigen.eigh(a, n);
  return {
    kernel: kernels.jacobiEigh,
    run: {
      buffers: {
        a,
        work: zeros(n * n),
        basis: zeros(4),
        values: zeros(n),
        vectors: zeros(4),
        status: new Uint32Array(4),
      },
      params: { batch: 1, n },
      read: ["values"],
    },
    // c·√n·u·|λ|_max with c = 4, the constant of docs/numerics.md.
    expected: { values: { values, tolerance: 4 * Math.sqrt(n) * U * largest(values) } },
  };
}
