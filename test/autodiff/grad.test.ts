import { describe, expect, it } from "vitest";
import {
  add,
  affine,
  center,
  concat,
  crossCorrelation,
  frobeniusIdentity,
  matmul,
  multiply,
  relu,
  reshape,
  slice,
  standardize,
  subtract,
  sum,
  sumOverColumns,
  sumOverRows,
  sumSquares,
} from "../../src/autodiff/functions.ts";
import { grad, vjp } from "../../src/autodiff/grad.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { batchContrast, locallyConnected } from "../../src/autodiff/hltm.ts";
import * as local from "../oracle/local.ts";
import * as losses from "../oracle/sslKernels.ts";
import * as oracle from "../oracle/tensorFunctions.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine({ unrollsLoops: false });

type Arrays = readonly Float64Array[];

interface GradientCase {
  readonly name: string;
  readonly inputs: readonly (readonly number[])[];
  build(tensors: readonly Tensor[]): Tensor;
  /** The same function in float64, from the mathematics. */
  reference(arrays: Arrays): Float64Array;
  /** Longest chain of roundings from an input to a gradient entry. */
  readonly roundings: number;
  /**
   * How much larger the intermediate terms are than the Jacobian's entries: differences of means cancel, so that the sum of absolute
   * terms exceeds |J|. 1 where every Jacobian entry is a single product.
   */
  readonly cancellation?: number;
}

const matmulCase = (transposeA: boolean, transposeB: boolean): GradientCase => ({
  name: `matmul ${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`,
  inputs: [transposeA ? [5, 3] : [3, 5], transposeB ? [4, 5] : [5, 4]],
  build: ([a, b]) => matmul(a!, b!, { transposeA, transposeB, scale: 0.7 }),
  reference: ([a, b]) => oracle.matmul(a!, b!, 3, 4, 5, { transposeA, transposeB, scale: 0.7 }),
  roundings: 5 + 8,
});

const broadcastCases = (
  [
    ["none", [3, 5]],
    ["row", [5]],
    ["column", [3, 1]],
    ["scalar", [1]],
  ] as const
).flatMap(([kind, shape]): GradientCase[] => [
  {
    name: `add, b a ${kind}`,
    inputs: [[3, 5], shape],
    build: ([a, b]) => add(a!, b!, 1.5, -0.5),
    reference: ([a, b]) => oracle.broadcast(a!, b!, 3, 5, kind, (x, y) => 1.5 * x - 0.5 * y),
    roundings: 15 + 8,
  },
  {
    name: `multiply, b a ${kind}`,
    inputs: [[3, 5], shape],
    build: ([a, b]) => multiply(a!, b!),
    reference: ([a, b]) => oracle.broadcast(a!, b!, 3, 5, kind, (x, y) => x * y),
    roundings: 15 + 8,
  },
]);

const cases: readonly GradientCase[] = [
  matmulCase(false, false),
  matmulCase(false, true),
  matmulCase(true, false),
  matmulCase(true, true),
  {
    name: "matmul of batches",
    inputs: [
      [2, 3, 4],
      [2, 5, 4],
    ],
    build: ([a, b]) => matmul(a!, b!, { transposeB: true }),
    reference: ([a, b]) =>
      oracle.join(
        [0, 1].map((g) =>
          oracle.matmul(a!.subarray(12 * g, 12 * g + 12), b!.subarray(20 * g, 20 * g + 20), 3, 5, 4, {
            transposeB: true,
          }),
        ),
      ),
    roundings: 5 + 8,
  },
  {
    name: "matmul of a batch with one shared matrix",
    inputs: [
      [2, 3, 4],
      [4, 5],
    ],
    build: ([a, b]) => matmul(a!, b!),
    reference: ([a, b]) => oracle.matmul(a!, b!, 6, 5, 4, {}),
    roundings: 6 + 8,
  },
  ...broadcastCases,
  {
    name: "subtract a tensor from itself scaled",
    inputs: [[3, 4]],
    build: ([a]) => subtract(affine(a!, 3, 1), a!),
    reference: ([a]) => a!.map((x) => 2 * x + 1),
    roundings: 8,
    cancellation: 2,
  },
  {
    name: "relu",
    inputs: [[4, 6]],
    build: ([a]) => relu(a!),
    reference: ([a]) => a!.map((x) => Math.max(x, 0)),
    roundings: 6,
  },
  {
    name: "sumOverRows of one matrix",
    inputs: [[7, 3]],
    build: ([a]) => sumOverRows(a!, 0.5),
    reference: ([a]) => oracle.sumOverRows(a!, 1, 7, 3, 0.5),
    roundings: 8,
  },
  {
    name: "sumOverRows of a batch",
    inputs: [[2, 5, 3]],
    build: ([a]) => sumOverRows(a!, 0.5),
    reference: ([a]) => oracle.sumOverRows(a!, 2, 5, 3, 0.5),
    roundings: 8,
  },
  {
    name: "sumOverColumns",
    inputs: [[4, 6]],
    build: ([a]) => sumOverColumns(a!, -2),
    reference: ([a]) => oracle.sumOverColumns(a!, 4, 6, -2, (x) => x),
    roundings: 8,
  },
  {
    name: "sumSquares",
    inputs: [[4, 6]],
    build: ([a]) => sumSquares(a!, 0.25),
    reference: ([a]) => oracle.sumOverColumns(a!, 1, 24, 0.25, (x) => x * x),
    roundings: 10,
  },
  {
    name: "center, batch of matrices",
    inputs: [[2, 6, 3]],
    build: ([a]) => center(a!),
    reference: ([a]) => oracle.standardizeColumns(a!, 2, 6, 3, undefined),
    roundings: 6 + 12,
    cancellation: 2,
  },
  {
    name: "standardize, batch of matrices",
    inputs: [[2, 6, 3]],
    build: ([a]) => standardize(a!, 1e-5),
    reference: ([a]) => oracle.standardizeColumns(a!, 2, 6, 3, 1e-5),
    // Statistics and cotangent sums over 6 rows, and the quotient chain of the inverse deviation.
    roundings: 6 + 6 + 20,
    // dY, its mean and y·mean(dY·y) with |y| ≤ √5: 1 + 1 + 5 terms for one Jacobian entry, and again through y's own error.
    cancellation: 14,
  },
  ...[true, false].map(
    (symmetric): GradientCase => ({
      name: `crossCorrelation${symmetric ? ", symmetric" : ""}`,
      inputs: [
        [6, 4],
        [6, 4],
      ],
      build: ([a, b]) => crossCorrelation(a!, b!, { symmetric }),
      reference: ([a, b]) => oracle.crossCorrelation(a!, b!, 6, 4, symmetric),
      roundings: 4 + 10,
    }),
  ),
  ...[1, 0.3].map(
    (lambda): GradientCase => ({
      name: `frobeniusIdentity, off-diagonal weight ${lambda}`,
      inputs: [[4, 4]],
      build: ([c]) => frobeniusIdentity(c!, lambda),
      reference: ([c]) => oracle.frobeniusIdentity(c!, 4, lambda),
      roundings: 10,
      // 2(c_ii − 1): the difference cancels against |c_ii| + 1, with c up to about 4.
      cancellation: 60,
    }),
  ),
  ...[true, false].map(
    (relu): GradientCase => ({
      name: `locallyConnected${relu ? ", ReLU before" : ""}`,
      inputs: [
        [2, 2, 3, 8],
        [2, 2, 3, 5],
      ],
      build: ([x, w]) => locallyConnected(x!, w!, { relu }),
      reference: ([x, w]) =>
        local.locallyConnected(x!, w!, { views: 2, trials: 2, rows: 3, nodes: 2, fanIn: 4, fanOut: 3, relu }).values,
      roundings: 6 + 8,
    }),
  ),
  ...[0.5, undefined].map(
    (temperature): GradientCase => ({
      name: `batchContrast, ${temperature ? "sigmoid" : "difference"}`,
      inputs: [[3, 2, 4, 3]],
      build: ([z]) => batchContrast(z!, temperature),
      reference: ([z]) => losses.batchContrast(z!, 2, 12, temperature && 1 / temperature).losses,
      // The slope carries the error of both sums over 12 numbers and of the sigmoid; a difference of two numbers cancels.
      roundings: 12 + 20,
      cancellation: 20,
    }),
  ),
  {
    name: "two disjoint slices",
    inputs: [[6, 4]],
    build: ([a]) => multiply(slice(a!, 0, 3), slice(a!, 3, 6)),
    reference: ([a]) => Float64Array.from({ length: 12 }, (_, i) => a![i]! * a![12 + i]!),
    roundings: 8,
  },
  {
    name: "overlapping slices with a gap",
    inputs: [[5, 3]],
    build: ([a]) => multiply(slice(a!, 0, 2), slice(a!, 1, 3)),
    reference: ([a]) => Float64Array.from({ length: 6 }, (_, i) => a![i]! * a![3 + i]!),
    roundings: 9,
  },
  {
    name: "concat and reshape",
    inputs: [
      [2, 3],
      [1, 3],
    ],
    build: ([a, b]) => multiply(reshape(concat([a!, b!, a!]), [3, 5]), reshape(concat([b!, a!, a!]), [3, 5])),
    reference: ([a, b]) => {
      const left = [...a!, ...b!, ...a!];
      const right = [...b!, ...a!, ...a!];
      return Float64Array.from(left, (x, i) => x * right[i]!);
    },
    roundings: 10,
  },
  {
    name: "a two-layer network with bias",
    inputs: [[4, 5], [6, 5], [6], [3, 6]],
    build: ([x, w1, b1, w2]) =>
      matmul(relu(add(matmul(x!, w1!, { transposeB: true }), b1!)), w2!, { transposeB: true }),
    reference: ([x, w1, b1, w2]) => {
      const pre = oracle.matmul(x!, w1!, 4, 6, 5, { transposeB: true });
      const hidden = oracle.broadcast(pre, b1!, 4, 6, "row", (u, v) => Math.max(u + v, 0));
      return oracle.matmul(hidden, w2!, 4, 3, 6, { transposeB: true });
    },
    roundings: 5 + 6 + 6 + 12,
    // Two sums of five and six terms whose absolute values exceed the Jacobian's entry.
    cancellation: 12,
  },
];

/** Affine map before the op, so that it is not a leaf: x = 1.3·p + 0.1. */
const BEFORE = { alpha: 1.3, beta: 0.1 };

function numericalJacobian(testCase: GradientCase, leaves: Arrays, input: number): Float64Array[] {
  // Central differences of a float64 function of unit scale: truncation h², rounding 1e-16/h; h = 1e-5 leaves about 1e-10.
  const h = 1e-5;
  const at = (shift: number, index: number): Float64Array => {
    const arrays = leaves.map((leaf, i) =>
      leaf.map((value, j) => BEFORE.alpha * (value + (i === input && j === index ? shift : 0)) + BEFORE.beta),
    );
    return testCase.reference(arrays);
  };
  return Array.from(leaves[input]!, (_, index) => {
    const [plus, minus] = [at(h, index), at(-h, index)];
    return plus.map((value, k) => (value - minus[k]!) / (2 * h));
  });
}

describe("every VJP in the middle of a graph, with random cotangents, each input alone", () => {
  for (const testCase of cases) {
    it(testCase.name, async () => {
      const random = new TestRandom(testCase.name.length);
      const feeds: Record<string, Float32Array<ArrayBuffer>> = {};
      const graph = new Graph();
      const leaves = testCase.inputs.map((shape, i) => {
        feeds[`p${i}`] = random.normals(shape.reduce((a, b) => a * b, 1));
        return graph.input(`p${i}`, shape);
      });
      const y = testCase.build(leaves.map((leaf) => affine(leaf, BEFORE.alpha, BEFORE.beta)));
      feeds.r = random.normals(y.elements);
      feeds.g = random.normals(y.elements);
      const after = multiply(y, graph.input("r", y.shape));
      const upstream = graph.input("g", y.shape);
      const wanted: Record<string, Tensor> = {};
      leaves.forEach((leaf, i) => {
        wanted[`alone ${i}`] = vjp([after], [upstream], [leaf])[0]!;
      });
      vjp([after], [upstream], leaves).forEach((gradient, i) => {
        wanted[`together ${i}`] = gradient;
      });
      const results = await evaluate(engine(), graph, feeds, wanted);

      const arrays = leaves.map((_, i) => Float64Array.from(feeds[`p${i}`]!));
      leaves.forEach((leaf, i) => {
        const jacobian = numericalJacobian(testCase, arrays, i);
        const weight = (k: number): number => feeds.g![k]! * feeds.r![k]!;
        const expected = jacobian.map((row) => row.reduce((total, entry, k) => total + entry * weight(k), 0));
        const magnitude = jacobian.map((row) =>
          row.reduce((total, entry, k) => total + Math.abs(entry * weight(k)), 0),
        );
        // Where an entry of the Jacobian cancels to nearly zero, the terms are of the size of the cotangents.
        const floor = Math.max(...magnitude);
        const bound = {
          factor: gamma(testCase.roundings) * (testCase.cancellation ?? 1),
          scale: magnitude.map((value) => ((testCase.cancellation ?? 1) > 1 ? floor : value)),
          // The finite differences' own error.
          absolute: 1e-9 * (1 + floor),
        };
        expect(leaf.shape).toEqual(wanted[`alone ${i}`]!.shape);
        expect(results[`alone ${i}`]!).toMatchOracle(expected, bound);
        expect(results[`together ${i}`]!).toMatchOracle(expected, bound);
      });
    });
  }
});

describe("grad", () => {
  it("of a loss that does not depend on a parameter is zero", async () => {
    const graph = new Graph();
    const [a, b] = [graph.parameter("a", [3]), graph.parameter("b", [2, 2])];
    const [, dB] = grad(sumSquares(a), [a, b]);
    const { dB: zeros } = await evaluate(engine(), graph, { a: new Float32Array(3) }, { dB: dB! });
    expect([...zeros]).toEqual([0, 0, 0, 0]);
  });

  it("with respect to an intermediate tensor and to a view", async () => {
    const graph = new Graph();
    const x = graph.input("x", [4, 2]);
    const middle = affine(x, 2, 0);
    const half = slice(middle, 1, 3);
    const loss = sum(multiply(half, half));
    const [dMiddle, dHalf] = grad(loss, [middle, half]);
    const data = Float32Array.from({ length: 8 }, (_, i) => i);
    const values = await evaluate(engine(), graph, { x: data }, { dMiddle: dMiddle!, dHalf: affine(dHalf!, 1, 0) });
    expect([...values.dMiddle]).toEqual([0, 0, 8, 12, 16, 20, 0, 0]);
    expect([...values.dHalf]).toEqual([8, 12, 16, 20]);
  });

  it("takes a seed cotangent", async () => {
    const graph = new Graph();
    const x = graph.input("x", [3]);
    const seed = graph.input("seed", [1]);
    const [dX] = grad(sumSquares(x), [x], seed);
    const { dX: value } = await evaluate(
      engine(),
      graph,
      { x: Float32Array.of(1, 2, 3), seed: Float32Array.of(-0.5) },
      { dX: dX! },
    );
    expect([...value]).toEqual([-1, -2, -3]);
  });

  it("refuses a loss of several numbers and an op without a rule, by name", () => {
    const graph = new Graph();
    const x = graph.input("x", [3]);
    expect(() => grad(x, [x])).toThrow(/x\[3\] is not a single number/);
  });
});
