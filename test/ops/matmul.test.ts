import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { add, matmul, relu, slice } from "../../src/autodiff/functions.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { chooseMatmul } from "../../src/ops/matmul.ts";
import type { Target } from "../../src/ops/opDefinition.ts";
import { absolute } from "../oracle/elementwise.ts";
import * as oracle from "../oracle/matmul.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine({ unrollsLoops: false });

const SOFTWARE: Target = { isSoftware: true, matmulFamily: "register" };
const SUBGROUPS: Target = { ...SOFTWARE, hasSubgroups: true };
const GPU_REGISTER: Target = { isSoftware: false, matmulFamily: "register" };
const GPU_WORKGROUP: Target = { isSoftware: false, matmulFamily: "workgroup" };

interface Product {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** One plain b for all of a batched a. */
  readonly isShared: boolean;
  /** Rows by which a view into a larger tensor starts late, so that it starts at any element. */
  readonly shift: number;
  readonly seed: number;
}

/** The product of views of random matrices, against the oracle: |error| ≤ γ_{K+3}·|scale|·Σ|a||b|, as in the kernels' headers. */
async function check(product: Product, target: Target): Promise<void> {
  const { batch, m, n, k, transposeA, transposeB, shift } = product;
  const isShared = product.isShared && !transposeA;
  const random = new TestRandom(product.seed);
  const graph = new Graph();
  const [aRows, aColumns] = transposeA ? [k, m] : [m, k];
  const [bRows, bColumns] = transposeB ? [n, k] : [k, n];
  const bBatch = isShared ? 1 : batch;
  const [a, b] = [
    graph.input("a", [shift + batch, aRows, aColumns]),
    graph.input("b", [shift + bBatch, bRows, bColumns]),
  ];
  const feeds = { a: random.normals(a.elements), b: random.normals(b.elements) };
  const scale = Math.fround(0.5 + random.uniform());
  const y = matmul(slice(a, shift, shift + batch), slice(b, shift, shift + bBatch), { transposeA, transposeB, scale });
  const result = await evaluate(engine(), graph, feeds, { y }, target);
  const spec: oracle.MatmulSpec = {
    batch,
    m,
    n,
    k,
    transposeA,
    transposeB,
    lda: aColumns,
    ldb: bColumns,
    ldy: n,
    aOffset: shift * m * k,
    bOffset: shift * k * n,
    yOffset: 0,
    addendOffset: 0,
    biasOffset: 0,
    aBatchStride: m * k,
    bBatchStride: isShared ? 0 : k * n,
    yBatchStride: m * n,
    scale,
    relu: false,
  };
  const zeros = new Float64Array(batch * m * n);
  expect(result.y).toMatchOracle(oracle.matmul(feeds, spec, zeros), {
    factor: gamma(k + 3),
    scale: oracle.matmul({ a: absolute(feeds.a), b: absolute(feeds.b) }, spec, zeros),
  });
}

describe("matmul equals its oracle for any shape, transposition, batch and start", () => {
  // Extents are drawn around the tiles' edges (4 to 10 rows, 4 or 8 columns, 4 of k), few enough to share pipelines between runs.
  const small = fc.record({
    batch: fc.constantFrom(1, 3),
    m: fc.constantFrom(1, 3, 8, 9),
    n: fc.constantFrom(1, 4, 7, 8),
    k: fc.constantFrom(1, 3, 4, 9),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    isShared: fc.boolean(),
    shift: fc.constantFrom(0, 1),
    seed: fc.nat(1000),
  });

  it.each([
    ["registers on a software adapter", SOFTWARE, 14],
    ["registers on a GPU", GPU_REGISTER, 8],
  ] as const)("%s", async (_name, target, numRuns) => {
    await fc.assert(
      fc.asyncProperty(small, (product) => check(product, target)),
      { numRuns, seed: 42 },
    );
  });

  // Multiples of 4 throughout, but for rows, start inside a unit of 64 elements included.
  const vectors = fc.record({
    batch: fc.constantFrom(1, 2),
    m: fc.constantFrom(16, 33, 68),
    n: fc.constantFrom(4, 12, 20),
    k: fc.constantFrom(8, 12),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    isShared: fc.boolean(),
    shift: fc.constantFrom(0, 1),
    seed: fc.nat(1000),
  });
  it("registers on a software adapter with subgroups", async (context) => {
    if (!engine().device.features.has("subgroups")) context.skip("the device has no subgroups");
    await fc.assert(
      fc.asyncProperty(vectors, (product) => check(product, SUBGROUPS)),
      { numRuns: 10, seed: 42 },
    );
  });

  const large = fc.record({
    batch: fc.constantFrom(1, 2),
    m: fc.constantFrom(64, 67),
    n: fc.constantFrom(32, 66),
    k: fc.constantFrom(64, 67),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    isShared: fc.boolean(),
    shift: fc.constantFrom(0, 1),
    seed: fc.nat(1000),
  });
  it("workgroup memory on a GPU", async () => {
    await fc.assert(
      fc.asyncProperty(large, (product) => check(product, GPU_WORKGROUP)),
      { numRuns: 5, seed: 42 },
    );
  });
});

describe("the epilogue: bias, then addend, or bias, then max with 0", () => {
  it.each([
    ["registers", SOFTWARE, [5, 6, 7]],
    ["workgroup memory", GPU_WORKGROUP, [64, 33, 65]],
  ] as const)("%s", async (family, target, [m, n, k]) => {
    const random = new TestRandom(31);
    const graph = new Graph();
    const [a, b] = [graph.input("a", [m, k]), graph.input("b", [k, n])];
    const [bias, addend] = [graph.input("bias", [n]), graph.input("addend", [m, n])];
    const feeds = {
      a: random.normals(m * k),
      b: random.normals(k * n),
      bias: random.normals(n),
      addend: random.normals(m * n),
    };
    const wanted = { added: add(add(matmul(a, b), bias), addend), rectified: relu(add(matmul(a, b), bias)) };
    const { calls } = planGraph({ graph, programs: { main: Object.values(wanted) }, outputs: wanted, target });
    expect(calls.map(({ kernel, knobs }) => [kernel.name, knobs.HAS_BIAS, knobs.HAS_ADDEND, knobs.RELU])).toEqual([
      [`matmul/matmul_${family === "registers" ? "register" : "workgroup"}`, true, true, false],
      [`matmul/matmul_${family === "registers" ? "register" : "workgroup"}`, true, false, true],
    ]);
    const result = await evaluate(engine(), graph, feeds, wanted, target);
    const spec = {
      ...{ batch: 1, m, n, k, transposeA: false, transposeB: false, lda: k, ldb: n, ldy: n, aOffset: 0, bOffset: 0 },
      ...{ yOffset: 0, addendOffset: 0, biasOffset: 0, aBatchStride: 0, bBatchStride: 0, yBatchStride: 0, scale: 1 },
    };
    const zeros = new Float64Array(m * n);
    const magnitude = oracle.matmul(
      { a: absolute(feeds.a), b: absolute(feeds.b), bias: absolute(feeds.bias), addend: absolute(feeds.addend) },
      { ...spec, relu: false },
      zeros,
    );
    const bound = { factor: gamma(k + 3), scale: magnitude };
    expect(result.added).toMatchOracle(oracle.matmul(feeds, { ...spec, relu: false }, zeros), bound);
    const { addend: _unused, ...rest } = feeds;
    expect(result.rectified).toMatchOracle(oracle.matmul(rest, { ...spec, relu: true }, zeros), bound);
  });
});

describe("the table that picks a kernel", () => {
  const aligned = { transposeA: false, aAligned: true, bAligned: true, yAligned: true };
  const name = (m: number, n: number, k: number, target: Target) =>
    chooseMatmul({ batch: 1, m, n, k }, target, aligned).kernel.name;

  it("never gives a software adapter the workgroup family of its own accord, and gives a GPU both by size", () => {
    expect(name(512, 512, 512, SOFTWARE)).toBe("matmul/matmul_register");
    expect(name(512, 512, 512, GPU_WORKGROUP)).toBe("matmul/matmul_workgroup");
    expect(name(64, 32, 64, GPU_WORKGROUP)).toBe("matmul/matmul_workgroup");
    for (const [m, n, k] of [
      [63, 32, 64],
      [64, 31, 64],
      [64, 32, 63],
    ] as const) {
      expect(name(m, n, k, GPU_WORKGROUP)).toBe("matmul/matmul_register");
    }
  });

  it("lets four neighbours share loads on software adapters with subgroups, where all is vec4 and there are rows for them", () => {
    expect(name(512, 512, 512, SUBGROUPS)).toBe("matmul/matmul_subgroup");
    expect(name(16, 4, 4, SUBGROUPS)).toBe("matmul/matmul_subgroup");
    expect(name(15, 4, 4, SUBGROUPS)).toBe("matmul/matmul_register");
    expect(name(16, 4, 6, SUBGROUPS)).toBe("matmul/matmul_register");
    for (const missing of ["aAligned", "bAligned", "yAligned"]) {
      const { kernel } = chooseMatmul({ batch: 1, m: 64, n: 64, k: 64 }, SUBGROUPS, { ...aligned, [missing]: false });
      expect(kernel.name).toBe("matmul/matmul_register");
    }
    // Real GPUs keep their kernels.
    expect(name(512, 512, 512, { ...GPU_WORKGROUP, hasSubgroups: true })).toBe("matmul/matmul_workgroup");
    expect(name(512, 512, 512, { ...GPU_REGISTER, hasSubgroups: true })).toBe("matmul/matmul_register");
  });

  it("gives every shape a tile that WebGPU allows and a grid that covers it", () => {
    for (const target of [SOFTWARE, SUBGROUPS, GPU_REGISTER, GPU_WORKGROUP]) {
      for (const m of [1, 4, 5, 10, 63, 64, 129, 5000]) {
        for (const n of [1, 2, 4, 5, 12, 13, 31, 64, 100, 3000]) {
          for (const transposeA of [false, true]) {
            const shape = { batch: 2, m, n, k: 72 };
            // What the caller finds aligned.
            const [isN, isM] = [n % 4 === 0, m % 4 === 0];
            const found = { transposeA, aAligned: !transposeA || isM, bAligned: isN, yAligned: isN };
            const { kernel, knobs } = chooseMatmul(shape, target, found);
            const all = kernel.knobs(knobs);
            const [x, y, z] = kernel.grid(shape, knobs);
            const tiles: Record<string, readonly [width: number, height: number]> = {
              "matmul/matmul_register": [4 * Number(all.QUADS) * Number(all.WG_X), Number(all.ROWS) * Number(all.WG_Y)],
              "matmul/matmul_subgroup": [4 * Number(all.QUADS), Number(all.ROWS) * Number(all.WG)],
              "matmul/matmul_workgroup": [64, 16 * Number(all.ROWS)],
            };
            const [width, height] = tiles[kernel.name]!;
            expect([x * width >= n, (x - 1) * width < n, y * height >= m, (y - 1) * height < m, z]).toEqual([
              ...[true, true, true, true],
              2,
            ]);
            if (kernel.name === "matmul/matmul_register") {
              expect(Number.isInteger(all.WG_Y) && Number(all.WG_X) * Number(all.WG_Y) <= 256).toBe(true);
              // Transposed and read as vec4, rows come in groups of four.
              if (transposeA && all.A_ALIGNED) expect(Number(all.ROWS) % 4).toBe(0);
            }
          }
        }
      }
    }
  });
});
