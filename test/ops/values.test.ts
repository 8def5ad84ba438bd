import { describe, expect, it } from "vitest";
import {
  add,
  affine,
  center,
  constant,
  crossCorrelation,
  frobeniusIdentity,
  multiply,
  relu,
  scale,
  standardize,
  subtract,
  sum,
  sumOverColumns,
  sumOverRows,
  sumSquares,
} from "../../src/autodiff/functions.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { eigenvalues } from "../../src/autodiff/linalg.ts";
import { randomOp } from "../../src/ops/random.ts";
import { standardizeGradOp, standardizeOp } from "../../src/ops/standardize.ts";
import * as eighOracle from "../oracle/eigh.ts";
import { absolute, elementwiseBinary, elementwiseUnary } from "../oracle/elementwise.ts";
import * as normOracle from "../oracle/norm.ts";
import { reduceColumns, reduceRows } from "../oracle/reduce.ts";
import * as sslOracle from "../oracle/ssl.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { gamma, U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine({ unrollsLoops: false });

/** One op on random inputs of given shapes: the result, and the inputs it was computed from. */
async function run(seed: number, shapes: readonly (readonly number[])[], make: (...inputs: Tensor[]) => Tensor) {
  const graph = new Graph();
  const random = new TestRandom(seed);
  const inputs = shapes.map((shape, index) => graph.input(`x${index}`, shape));
  const data = inputs.map(({ elements }) => random.normals(elements));
  const feeds = Object.fromEntries(inputs.map(({ name }, index) => [name, data[index]!]));
  const { y } = await evaluate(engine(), graph, feeds, { y: make(...inputs) });
  return { y, data };
}

describe("elementwise", () => {
  const [alpha, beta] = [Math.fround(-1.3), Math.fround(0.7)];

  it.each([
    ["none", [5, 6], [5, 6]],
    ["row", [5, 6], [6]],
    ["row", [2, 3, 5], [1, 5]],
    ["column", [5, 6], [5, 1]],
    ["column", [2, 3, 5], [2, 3, 1]],
    ["scalar", [5, 6], [1]],
    // Square: the vector is the row.
    ["row", [4, 4], [4]],
    ["column", [4, 4], [4, 1]],
  ] as const)("add and multiply with broadcast %s of %j and %j", async (broadcast, a, b) => {
    const columns = a.at(-1) ?? 1;
    const sums = await run(1, [a, b], (x, y) => add(x!, y!, alpha, beta));
    const options = { operation: "add", broadcast, columns, alpha, beta } as const;
    // Two products and a sum, of which the kernel may fuse one: γ_2 of the absolute terms.
    expect(sums.y).toMatchOracle(elementwiseBinary(sums.data[0]!, sums.data[1]!, options), {
      factor: gamma(2),
      scale: elementwiseBinary(absolute(sums.data[0]!), absolute(sums.data[1]!), { ...options, alpha: 1.3, beta: 0.7 }),
    });
    const products = await run(2, [a, b], (x, y) => multiply(x!, y!));
    const reference = elementwiseBinary(products.data[0]!, products.data[1]!, {
      ...options,
      operation: "multiply",
      alpha: 1,
      beta: 1,
    });
    // alpha = beta = 1 are exact; one product remains.
    expect(products.y).toMatchOracle(reference, { factor: gamma(1), scale: absolute(reference) });
  });

  it("subtract is exact to one rounding", async () => {
    const { y, data } = await run(
      3,
      [
        [3, 5],
        [3, 5],
      ],
      (a, b) => subtract(a!, b!),
    );
    const reference = data[0]!.map((value, i) => Math.fround(value - data[1]![i]!));
    expect([...y]).toEqual([...reference]);
  });

  it("affine, scale and relu", async () => {
    for (const [name, make, options] of [
      ["affine", (x: Tensor) => affine(x, alpha, beta), { alpha, beta }],
      ["scale", (x: Tensor) => scale(x, alpha), { alpha, beta: 0 }],
      ["relu", (x: Tensor) => relu(x), { alpha: 1, beta: 0, relu: true }],
    ] as const) {
      const { y, data } = await run(4, [[7, 3]], (x) => make(x!));
      expect(y, name).toMatchOracle(elementwiseUnary(data[0]!, options), {
        factor: gamma(2),
        scale: elementwiseUnary(absolute(data[0]!), { alpha: Math.abs(options.alpha), beta: options.beta }),
      });
    }
  });

  it("scale by 1 is the tensor itself; multiply by a constant number is a scale", () => {
    const graph = new Graph();
    const x = graph.input("x", [2, 2]);
    expect(scale(x, 1)).toBe(x);
    const doubled = multiply(x, constant(graph, [1], 2));
    expect(doubled.node?.op.name).toBe("affine");
    expect(doubled.node?.attributes).toMatchObject({ alpha: 2, beta: 0 });
    // A constant matrix is no number.
    expect(multiply(x, constant(graph, [2, 2], 2)).node?.op.name).toBe("binary");
  });
});

describe("sums", () => {
  // reduce_columns: ⌈rows/LANES⌉ + log2 LANES, LANES = 64/COLUMNS; the factor is one more.
  const overRows = (rows: number, columns: number) => {
    const lanes = 64 / (columns >= 64 ? 16 : 4);
    return Math.ceil(rows / lanes) + Math.log2(lanes) + 1;
  };
  // reduce_rows: ⌈columns/64⌉ + log2 64 + 1, and one for the factor.
  const overColumns = (columns: number) => Math.ceil(columns / 64) + 6 + 2;

  it.each([
    { shape: [5, 3], factor: 0.25 },
    { shape: [33, 70], factor: 1 },
    { shape: [2, 17, 3], factor: -1.5 },
  ])("over rows of $shape", async ({ shape, factor }) => {
    const { y, data } = await run(5, [shape], (x) => sumOverRows(x!, factor));
    const [rows = 1, columns = 1] = shape.slice(-2);
    const size = { batch: shape.length > 2 ? shape[0]! : 1, rows, columns };
    expect(y).toMatchOracle(reduceColumns(data[0]!, { ...size, scale: factor }), {
      factor: gamma(overRows(rows, columns)),
      scale: reduceColumns(absolute(data[0]!), { ...size, scale: Math.abs(factor) }),
    });
  });

  it.each([
    { shape: [5, 3], factor: 0.25 },
    { shape: [3, 65], factor: 1 },
    { shape: [2, 3, 7], factor: -1.5 },
    { shape: [9], factor: 1 },
  ])("over columns of $shape", async ({ shape, factor }) => {
    const { y, data } = await run(6, [shape], (x) => sumOverColumns(x!, factor));
    const columns = shape.at(-1)!;
    const size = { rows: data[0]!.length / columns, columns };
    expect(y).toMatchOracle(reduceRows(data[0]!, { ...size, scale: factor }), {
      factor: gamma(overColumns(columns)),
      scale: reduceRows(absolute(data[0]!), { ...size, scale: Math.abs(factor) }),
    });
  });

  // 16,384 columns are the most that one workgroup sums; 17,000 = 125·136, and 16,411 is prime: it cannot be cut into equal parts.
  it.each([
    { columns: 16_384, dispatches: 1 },
    { columns: 17_000, dispatches: 2 },
    { columns: 16_411, dispatches: 1 },
  ])("of everything: $columns elements take $dispatches dispatch(es), and of squares likewise", async ({ columns }) => {
    for (const [square, make] of [
      [false, sum],
      [true, sumSquares],
    ] as const) {
      const { y, data } = await run(7, [[columns / (columns % 2 === 0 ? 2 : 1), columns % 2 === 0 ? 2 : 1]], (x) =>
        make(x!, 0.5),
      );
      expect(y).toMatchOracle(reduceRows(data[0]!, { rows: 1, columns, scale: 0.5, square }), {
        // Two stages: 17,000 = 125 parts of 136, each summed in a tree. Fewer roundings than in one, which bounds both.
        factor: gamma(overColumns(columns) + 8),
        scale: reduceRows(absolute(data[0]!), { rows: 1, columns, scale: 0.5, square }),
      });
    }
  });

  it("of several long rows, in two stages, keep rows apart", async () => {
    const { y, data } = await run(8, [[3, 17_000]], (x) => sumOverColumns(x!));
    expect(y).toMatchOracle(reduceRows(data[0]!, { rows: 3, columns: 17_000 }), {
      factor: gamma(overColumns(17_000)),
      scale: reduceRows(absolute(data[0]!), { rows: 3, columns: 17_000 }),
    });
  });
});

describe("columns", () => {
  it.each([
    [9, 5],
    [2, 7, 3],
  ])("center and standardize %j", async (...shape) => {
    const [rows = 1, columns = 1] = shape.slice(-2);
    const size = { batch: shape.length > 2 ? shape[0]! : 1, rows, columns };
    // The mean is off by δ = γ_k·mean|x| with k = ⌈rows/16⌉ + log2 16 + 5 (four columns a workgroup leave 16 lanes); x − mean rounds once.
    const k = Math.ceil(rows / 16) + 4 + 5;
    const centred = await run(9, [shape], (x) => center(x!));
    const largest = 4; // of |x| over these seeds, asserted below
    expect(Math.max(...absolute(centred.data[0]!))).toBeLessThan(largest);
    const reference = normOracle.columnStandardize(centred.data[0]!, size, { epsilon: 0, standardize: false });
    expect(centred.y).toMatchOracle(reference.y, { factor: gamma(k + 1), scale: 2 * largest });

    const epsilon = Math.fround(1e-3);
    const standard = await run(10, [shape], (x) => standardize(x!, epsilon));
    expect(Math.max(...absolute(standard.data[0]!))).toBeLessThan(largest);
    const exact = normOracle.columnStandardize(standard.data[0]!, size, { epsilon, standardize: true });
    // y = (x − mean)·s. The deviation is off by e = γ_{k+1}·2·largest. The variance is a sum of squares of deviations: off by
    // γ_{k+2}·var + 2·e·√var + e², so s = (var + ε)^{−1/2} by half of that relative to var + ε, and the division and the root by 5u
    // each at most. Together |Δy| ≤ s·e + |y|·(e/√(var + ε) + γ_{k+12}), and |y| ≤ √rows.
    const smallest = 1 / Math.max(...exact.inverseStd);
    const e = gamma(k + 1) * 2 * largest;
    const bound = e / smallest + Math.sqrt(rows) * (e / smallest + gamma(k + 12));
    expect(standard.y).toMatchOracle(exact.y, { factor: 0, scale: 0, absolute: bound });
  });

  it("standardize's other output and its cotangent", async () => {
    const graph = new Graph();
    const random = new TestRandom(11);
    const size = { batch: 2, rows: 7, columns: 3 };
    const [x, dY] = [graph.input("x", [2, 7, 3]), graph.input("dY", [2, 7, 3])];
    const [y, inverseStd] = graph.add(standardizeOp, [x], { standardize: true, epsilon: 0 });
    const [dX] = graph.add(standardizeGradOp, [dY, y!, inverseStd!], {});
    const feeds = { x: random.normals(42), dY: random.normals(42) };
    const got = await evaluate(engine(), graph, feeds, { y: y!, inverseStd: inverseStd!, dX: dX! });
    const reference = normOracle.columnStandardizeGrad(feeds.dY, got.y, got.inverseStd, size);
    // As in the kernel's header: k = ⌈rows/LANES⌉ + log2 LANES + 9 with 16 lanes.
    expect(got.dX).toMatchOracle(reference.dX, { factor: gamma(1 + 4 + 9), scale: reference.magnitude });
    const exact = normOracle.columnStandardize(feeds.x, size, { epsilon: 0, standardize: true });
    // A mean over 7 numbers below 4 is off by less than γ_10·4; deviations, squares, division and root as above: 2⁻¹⁸ is ample and
    // still far below any mistake.
    expect(got.inverseStd).toMatchOracle(exact.inverseStd, { factor: 2 ** -18, scale: exact.inverseStd });
  });
});

describe("losses", () => {
  const [rows, columns] = [19, 5];
  it.each([true, false])("crossCorrelation, symmetric: %s, is an average over rows", async (symmetric) => {
    const { y, data } = await run(
      12,
      [
        [rows, columns],
        [rows, columns],
      ],
      (a, b) => crossCorrelation(a!, b!, { symmetric }),
    );
    const options = { rows, columns, scale: Math.fround(1 / rows), symmetric };
    // ⌈19/16⌉ products a lane, twice as many with symmetric; log2 16 additions; the factor.
    expect(y).toMatchOracle(sslOracle.crossCorrelation(data[0]!, data[1]!, options), {
      factor: gamma(2 * (symmetric ? 2 : 1) + 4 + 1),
      scale: sslOracle.crossCorrelation(absolute(data[0]!), absolute(data[1]!), options),
    });
  });

  it.each([1, 0.005])("frobeniusIdentity with off-diagonal weight %s", async (weight) => {
    const offDiagonal = Math.fround(weight);
    const { y, data } = await run(13, [[5, 5]], (c) => frobeniusIdentity(c!, offDiagonal));
    const { loss } = sslOracle.frobeniusIdentity(data[0]!, { n: 5, offDiagonal });
    // 25 terms fit one round of 64 lanes: k = 1 + log2 64 + 2; each term is up to three roundings of its own.
    expect(y).toMatchOracle([loss], { factor: gamma(1 + 6 + 2 + 3), scale: loss });
  });

  it("eigenvalues of a batch of symmetric matrices, descending", async () => {
    const n = 6;
    const { y, data } = await run(14, [[2, n, n]], (a) => eigenvalues(a!));
    for (const batch of [0, 1]) {
      const { values } = eighOracle.eigh(data[0]!.subarray(batch * n * n, (batch + 1) * n * n), n);
      const top = Math.max(...absolute(values));
      // The kernel's bound: 4·√n·u·|λ|_max.
      const bound = { factor: 4 * Math.sqrt(n) * U, scale: top };
      expect(y.subarray(batch * n, (batch + 1) * n)).toMatchOracle(values, bound);
    }
  });
});

describe("constants and random tensors", () => {
  it("a constant is that number everywhere, zero and negative included", async () => {
    for (const value of [0, Math.fround(-2.7), 1]) {
      const graph = new Graph();
      const { y } = await evaluate(engine(), graph, {}, { y: constant(graph, [3, 7], value) });
      expect([...y]).toEqual(Array.from({ length: 21 }, () => value));
    }
  });

  it("random tensors are functions of seed and stream", async () => {
    const graph = new Graph();
    const make = (seed: number, stream: number) =>
      graph.add(randomOp, [], { shape: [9], distribution: "normal", scale: 1, offset: 0, seed, stream })[0]!;
    const got = await evaluate(engine(), graph, {}, { a: make(1, 2), b: make(1, 2), c: make(2, 2), d: make(1, 3) });
    expect(got.a).toEqual(got.b);
    expect(got.a).not.toEqual(got.c);
    expect(got.a).not.toEqual(got.d);
  });
});
