/** Both families of matrix products through the same tests: against the oracle, and against each other to the bit. */
import { describe, expect, it } from "vitest";
import type { Kernel } from "../../src/kernels/kernel.ts";
import { matmulRegister, matmulSubgroup, matmulWorkgroup } from "../../src/kernels/library.ts";
import { absolute } from "../oracle/elementwise.ts";
import { type MatmulSpec, matmul } from "../oracle/matmul.ts";
import { useEngine } from "../support/device.ts";
import { skipWithoutFeatures } from "../support/features.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { bitsOf, runF32, VALUE_SETS, type ValueSet, values } from "./runF32.ts";

const engine = useEngine();

interface Family {
  readonly kernel: Kernel;
  readonly knobs: Record<string, number>;
  /** Rows, columns and steps of K in one workgroup's tile. */
  readonly tile: readonly [m: number, n: number, k: number];
  /** Whether A_ALIGNED and B_ALIGNED exist. */
  readonly hasAligned: boolean;
  /** Tried with every transposition and alignment; otherwise with NN and TN. A pipeline takes 0.1 to 0.5 s to compile. */
  readonly isCrossed: boolean;
  readonly unroll: boolean;
}

const FAMILIES: Record<string, Family> = {
  "matmul_register, small tile": {
    kernel: matmulRegister,
    knobs: { ROWS: 4, QUADS: 1, WG_X: 2, WG_Y: 2 },
    tile: [8, 8, 4],
    hasAligned: true,
    isCrossed: true,
    // Rolled pipelines compile twice as fast; unroll.test.ts asks that both give equal bits.
    unroll: false,
  },
  "matmul_register, default tile": {
    kernel: matmulRegister,
    knobs: {},
    tile: [64, 32, 4],
    hasAligned: true,
    isCrossed: false,
    unroll: true,
  },
  "matmul_register, two quads": {
    kernel: matmulRegister,
    knobs: { ROWS: 4, QUADS: 2, WG_X: 1, WG_Y: 1 },
    tile: [4, 8, 4],
    hasAligned: true,
    isCrossed: false,
    unroll: false,
  },
  "matmul_workgroup, 4 rows": {
    kernel: matmulWorkgroup,
    knobs: { ROWS: 4 },
    tile: [64, 64, 16],
    hasAligned: false,
    isCrossed: true,
    unroll: true,
  },
  "matmul_workgroup, 8 rows": {
    kernel: matmulWorkgroup,
    knobs: { ROWS: 8 },
    tile: [128, 64, 16],
    hasAligned: false,
    isCrossed: false,
    unroll: true,
  },
};
const TRANSPOSES = { NN: [false, false], NT: [false, true], TN: [true, false], TT: [true, true] } as const;

interface Case {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch?: number;
  readonly transpose?: keyof typeof TRANSPOSES;
  readonly bias?: boolean;
  readonly addend?: boolean;
  readonly relu?: boolean;
  readonly scale?: number;
  readonly alignA?: boolean;
  readonly alignB?: boolean;
  /** The result, bias and addend. */
  readonly alignY?: boolean;
  /** Gaps between rows, between matrices and before the first: leading dimensions and offsets beyond the packed ones. */
  readonly gaps?: boolean;
  readonly set?: ValueSet;
}

const ORDERS = Object.keys(TRANSPOSES) as (keyof typeof TRANSPOSES)[];
const EPILOGUES: Record<keyof typeof TRANSPOSES, Partial<Case>> = {
  NN: {},
  NT: { bias: true, relu: true, scale: 0.7 },
  TN: { addend: true, scale: -0.3 },
  TT: { bias: true, addend: true, relu: true, scale: 1 / 3 },
};
const ALIGNMENTS = [
  [false, false],
  [true, true],
  [true, false],
  [false, true],
] as const;

/** Operands, reference and its magnitudes for a case; the same for every family. */
function prepare(options: Case) {
  const { m, n, k, batch = 1, transpose = "NN", scale = 1, gaps = false, set = "normal", relu = false } = options;
  const { bias: hasBias = false, addend: hasAddend = false, alignA = false, alignB = false, alignY = false } = options;
  const [transposeA, transposeB] = TRANSPOSES[transpose];
  const random = new TestRandom(m + 100 * n + 10_000 * k);
  // Aligned operands keep to multiples of 4, others avoid them.
  const pad = (extent: number, aligned: boolean) => extent + (gaps ? (aligned ? 4 : extent % 4 === 2 ? 3 : 1) : 0);
  const offset = (aligned: boolean) => (gaps ? (aligned ? 8 : 3) : 0);
  const lda = pad(transposeA ? m : k, alignA);
  const ldb = pad(transposeB ? k : n, alignB);
  const ldy = n + (gaps ? (alignY ? 4 : 2) : 0);
  const aBatchStride = lda * (transposeA ? k : m) + (gaps ? (alignA ? 4 : 1) : 0);
  const bBatchStride = ldb * (transposeB ? n : k) + (gaps ? (alignB ? 4 : 5) : 0);
  const yBatchStride = ldy * m + (gaps ? (alignY ? 8 : 1) : 0);
  const spec: MatmulSpec = {
    batch,
    m,
    n,
    k,
    transposeA,
    transposeB,
    lda,
    ldb,
    ldy,
    aBatchStride,
    bBatchStride,
    yBatchStride,
    relu,
    aOffset: offset(alignA),
    bOffset: offset(alignB),
    yOffset: gaps ? (alignY ? 8 : 5) : 0,
    addendOffset: gaps ? (alignY ? 4 : 2) : 0,
    biasOffset: gaps ? (alignY ? 12 : 3) : 0,
    scale: Math.fround(scale),
  };
  const a = values(set, spec.aOffset + batch * aBatchStride, random);
  const b = values(set, spec.bOffset + batch * bBatchStride, random);
  const bias = hasBias ? values(set, spec.biasOffset + n, random) : undefined;
  const addend = hasAddend ? values(set, spec.addendOffset + batch * yBatchStride, random) : undefined;
  const y = new Float32Array(spec.yOffset + batch * yBatchStride).fill(-12345);
  return { spec, a, b, bias, addend, y };
}

/** Whether a case is one that an aligned variant accepts; a test that asks for an impossible one is itself wrong. */
function assertAligned(spec: MatmulSpec, { alignA, alignB, alignY }: Case): void {
  const isMultiple = (...numbers: number[]) => numbers.every((number) => number % 4 === 0);
  if (alignA)
    expect(isMultiple(spec.lda, spec.aOffset, spec.aBatchStride, spec.transposeA ? spec.m : spec.k)).toBe(true);
  if (alignB)
    expect(isMultiple(spec.ldb, spec.bOffset, spec.bBatchStride, spec.transposeB ? spec.k : spec.n)).toBe(true);
  if (alignY) {
    const { n, k, ldy, yOffset, addendOffset, biasOffset, yBatchStride } = spec;
    expect(isMultiple(n, k, ldy, yOffset, addendOffset, biasOffset, yBatchStride)).toBe(true);
  }
}

function run(
  { kernel, knobs, hasAligned }: Family,
  options: Case,
  prepared: ReturnType<typeof prepare>,
  unroll = true,
) {
  const { spec, a, b, bias, addend, y } = prepared;
  const { alignA = false, alignB = false, relu = false } = options;
  assertAligned(spec, options);
  return runF32(engine(), kernel, {
    buffers: { a, b, bias: bias ?? new Float32Array(1), addend: addend ?? new Float32Array(1), y },
    params: {
      batch: spec.batch,
      m: spec.m,
      n: spec.n,
      k: spec.k,
      lda: spec.lda,
      ldb: spec.ldb,
      ldy: spec.ldy,
      a_offset: spec.aOffset,
      b_offset: spec.bOffset,
      y_offset: spec.yOffset,
      addend_offset: spec.addendOffset,
      bias_offset: spec.biasOffset,
      a_batch_stride: spec.aBatchStride,
      b_batch_stride: spec.bBatchStride,
      y_batch_stride: spec.yBatchStride,
      scale: spec.scale,
    },
    knobs: {
      ...knobs,
      TRANSPOSE_A: spec.transposeA,
      TRANSPOSE_B: spec.transposeB,
      HAS_BIAS: bias !== undefined,
      HAS_ADDEND: addend !== undefined,
      RELU: relu,
      ...(hasAligned ? { A_ALIGNED: alignA, B_ALIGNED: alignB } : {}),
    },
    unroll,
  });
}

/**
 * K products, K − 1 additions to the first (exactly added to zero), then scale, bias and addend: at most K + 3 roundings on any term:
 * γ_{K+3} times the same product of absolute values. Elements around the product must keep their −12345: their bound is zero.
 */
async function check(family: Family, options: Case): Promise<void> {
  const prepared = prepare(options);
  const { spec, a, b, bias, addend, y } = prepared;
  const got = await run(family, options, prepared, family.unroll);
  const magnitude = matmul(
    { a: absolute(a), b: absolute(b), bias: bias && absolute(bias), addend: addend && absolute(addend) },
    { ...spec, scale: Math.abs(spec.scale), relu: false },
    new Float64Array(y.length),
  );
  expect(got).toMatchOracle(matmul({ a, b, bias, addend }, spec, y), { factor: gamma(spec.k + 3), scale: magnitude });
}

for (const [name, family] of Object.entries(FAMILIES)) {
  describe(name, () => {
    const [tm, tn, tk] = family.tile;
    const SHAPES: readonly (readonly [number, number, number])[] = [
      [1, 1, 1],
      [1, 7, 3],
      [7, 1, 5],
      [5, 3, 1],
      // One below, at and above the tile in each dimension, others prime and non-square.
      [tm - 1, 5, 7],
      [tm, 5, 7],
      [tm + 1, 5, 7],
      [3, tn - 1, 7],
      [3, tn, 7],
      [3, tn + 1, 7],
      [5, 3, tk - 1],
      [5, 3, tk],
      [5, 3, tk + 1],
      [5, 3, 4 * tk + 3],
      [tm + 3, 2 * tn + 1, 2 * tk + 1],
    ];
    for (const [m, n, k] of SHAPES) {
      it(`${m} × ${n} × ${k}`, () => check(family, { m, n, k }));
    }

    // What can interact is crossed (transposition with alignment, edges and gaps); each transposition has its own epilogue.
    for (const transpose of family.isCrossed ? ORDERS : (["NN", "TN"] as const)) {
      for (const [alignA, alignB] of family.hasAligned && family.isCrossed ? ALIGNMENTS : [[false, false] as const]) {
        const epilogue = EPILOGUES[transpose];
        it(`${transpose}, aligned A: ${alignA}, B: ${alignB}, ${Object.keys(epilogue).join(" ") || "no epilogue"}`, async () => {
          const base = { transpose, alignA, alignB, ...epilogue };
          await check(family, { m: tm + 4, n: tn - 4, k: 2 * tk + 4, ...base });
          await check(family, { m: 12, n: tn + 8, k: 8, batch: 3, gaps: true, ...base });
          // K and, where alignment allows, M and N are no multiples of 4.
          if (!alignA && !alignB) await check(family, { m: tm + 3, n: 7, k: tk + 3, batch: 2, gaps: true, ...base });
          if (alignA && transpose === "TN") await check(family, { m: 8, n: 4, k: 7, gaps: true, ...base });
        });
      }
    }

    for (const set of VALUE_SETS) {
      it(`${set} values`, () => check(family, { m: 10, n: 9, k: 62, set }));
    }

    it("a batch of 70", () => check(family, { m: 2, n: 3, k: 4, batch: 70 }));
  });
}

/** All operands as vec4; tiles of 4 rows × 8 columns, eight of them below one another. */
const SHARED: Family = {
  kernel: matmulSubgroup,
  knobs: { ROWS: 4, QUADS: 2, STEPS: 1, WG: 8 },
  tile: [32, 8, 4],
  hasAligned: false,
  isCrossed: true,
  unroll: false,
};

describe("matmul_subgroup", () => {
  const whole = { alignA: true, alignB: true, alignY: true };
  const shapes = [
    { m: 4, n: 4, k: 4 },
    { m: 32, n: 8, k: 8 },
    { m: 36, n: 12, k: 16 },
    { m: 12, n: 20, k: 40, batch: 3, gaps: true },
    { m: 100, n: 68, k: 24, batch: 2 },
  ];
  for (const transpose of ORDERS) {
    for (const STEPS of [1, 2]) {
      it(`${transpose}, ${STEPS} steps at once`, async (context) => {
        skipWithoutFeatures(context, engine(), [matmulSubgroup]);
        const family = { ...SHARED, knobs: { ...SHARED.knobs, STEPS } };
        for (const shape of shapes) {
          if (shape.k % (4 * STEPS) !== 0) continue;
          await check(family, { ...shape, transpose, ...EPILOGUES[transpose], ...whole });
          // Only a transposed A needs rows in fours.
          if (transpose[0] === "N") await check(family, { ...shape, m: shape.m + 1, transpose, ...whole });
        }
      });
    }

    it(`${transpose}: the bits of matmul_register`, async (context) => {
      skipWithoutFeatures(context, engine(), [matmulSubgroup]);
      const options = { m: 40, n: 36, k: 48, transpose, ...EPILOGUES[transpose], ...whole };
      const prepared = prepare(options);
      const results = [SHARED, FAMILIES["matmul_register, small tile"]!].map((family) =>
        run(family, options, prepared, false),
      );
      const [shared, register] = await Promise.all(results);
      expect(bitsOf(shared!)).toEqual(bitsOf(register!));
    });
  }

  for (const set of VALUE_SETS) {
    it(`${set} values`, async (context) => {
      skipWithoutFeatures(context, engine(), [matmulSubgroup]);
      await check(SHARED, { m: 10, n: 12, k: 64, set, ...whole });
    });
  }
});

describe("equal bits", () => {
  // Every family adds the products in the order of k to an accumulator that starts at zero, so that the variants agree to the bit. This
  // supposes that the compiler fuses multiply and add in both or in neither: true for Dawn's and SwiftShader's.
  for (const transpose of ORDERS) {
    it(`all families, ${transpose}`, async () => {
      const families = Object.values(FAMILIES).filter(
        (family) => family.isCrossed || transpose === "NN" || transpose === "TN",
      );
      for (const shape of [
        { m: 20, n: 24, k: 36 },
        { m: 70, n: 36, k: 40, batch: 2 },
        { m: 13, n: 17, k: 37, gaps: true },
      ]) {
        const options = { ...shape, transpose, ...EPILOGUES[transpose] };
        const prepared = prepare(options);
        const results = await Promise.all(families.map((family) => run(family, options, prepared)));
        for (const result of results.slice(1)) expect(bitsOf(result)).toEqual(bitsOf(results[0]!));
      }
    });

    it(`aligned and unaligned loads, ${transpose}`, async () => {
      const options = { m: 12, n: 20, k: 28, transpose, ...EPILOGUES[transpose] };
      const family = FAMILIES["matmul_register, small tile"]!;
      const plain = bitsOf(await run(family, options, prepare(options)));
      for (const [alignA, alignB] of ALIGNMENTS.slice(1)) {
        const aligned = { ...options, alignA, alignB };
        expect(bitsOf(await run(family, aligned, prepare(aligned)))).toEqual(plain);
      }
    });
  }
});
