/** Derivatives of every loss in the middle of a graph, against finite differences of its float64 definition. */
import { describe, expect, it } from "vitest";
import { affine, multiply, reshape, slice, sum } from "../../src/autodiff/functions.ts";
import { grad, vjp } from "../../src/autodiff/grad.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { stopGradient } from "../../src/autodiff/ssl.ts";
import type { Target } from "../../src/ops/opDefinition.ts";
import { ntXent } from "../../src/ssl/index.ts";
import { useEngine } from "../support/device.ts";
import { evaluate, REGISTER_TARGET } from "../support/graphs.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { type Arrays, LOSS_CASES, type LossCase } from "./lossCases.ts";

const engine = useEngine({ unrollsLoops: false });

/** Affine map before the loss, so that its operands are not leaves. */
const BEFORE = { alpha: 1.3, beta: 0.1 };
const prepared = (leaves: Arrays): Arrays => leaves.map((leaf) => leaf.map((x) => BEFORE.alpha * x + BEFORE.beta));

/** Fourth-order central differences; h = 1e-3 leaves about 1e-12 of a function of unit scale. */
function numericalGradient(testCase: LossCase, leaves: Arrays, size: { n: number; d: number }): Float64Array[] {
  const h = 1e-3;
  const frozen = prepared(leaves);
  const value = (input: number, index: number, shift: number): number => {
    const moved = leaves.map((leaf, i) => leaf.map((x, j) => (i === input && j === index ? x + shift : x)));
    return testCase.reference(prepared(moved), frozen, size);
  };
  return leaves.map((leaf, i) =>
    leaf.map(
      (_, j) => (8 * (value(i, j, h) - value(i, j, -h)) - (value(i, j, 2 * h) - value(i, j, -2 * h))) / (12 * h),
    ),
  );
}

const maxAbs = (arrays: Iterable<ArrayLike<number>>): number =>
  Math.max(...[...arrays].flatMap((array) => Array.from(array, Math.abs)));

const SIZES = [
  { n: 6, d: 3 },
  { n: 9, d: 6 },
];
const GPU_TARGET: Target = { isSoftware: false, matmulFamily: "workgroup" };

describe("every loss in the middle of a graph, value and derivatives by each operand", () => {
  for (const testCase of LOSS_CASES) {
    it(testCase.name, async () => {
      for (const size of SIZES) {
        const random = new TestRandom(testCase.name.length + size.n);
        const shapes = testCase.shapes(size.n, size.d);
        const feeds: Record<string, Float32Array<ArrayBuffer>> = { g: Float32Array.of(-0.7), r: Float32Array.of(1.9) };
        const graph = new Graph();
        // Related views, as in training: the second is the first with noise.
        const first = random.normals(size.n * size.d);
        const leaves = shapes.map((shape, i) => {
          const noise = random.normals(shape.reduce((a, b) => a * b, 1));
          feeds[`p${i}`] = noise.length === first.length ? noise.map((x, at) => first[at]! + 0.7 * x) : noise;
          return graph.input(`p${i}`, shape);
        });
        const loss = testCase.build(leaves.map((leaf) => affine(leaf, BEFORE.alpha, BEFORE.beta)));
        expect(loss.shape).toEqual([1]);
        // Once with a cotangent that is known only on the GPU, once with the constant 1, which plans fold away.
        const after = multiply(loss, graph.input("r", [1]));
        const wanted: Record<string, Tensor> = { loss };
        vjp([after], [graph.input("g", [1])], leaves).forEach((gradient, i) => {
          wanted[`inside ${i}`] = gradient;
        });
        grad(loss, leaves).forEach((gradient, i) => {
          wanted[`plain ${i}`] = gradient;
        });
        const arrays = leaves.map((_, i) => Float64Array.from(feeds[`p${i}`]!));
        const value = testCase.reference(prepared(arrays), prepared(arrays), size);
        const expected = numericalGradient(testCase, arrays, size);
        const bound = { factor: (testCase.gradientError ?? 20) * U, scale: maxAbs(expected), absolute: 1e-10 };
        const upstream = Math.fround(-0.7) * Math.fround(1.9);
        const withGpuKnobs = testCase.withGpuKnobs && size !== SIZES[0];
        for (const target of withGpuKnobs ? [REGISTER_TARGET, GPU_TARGET] : [REGISTER_TARGET]) {
          const results = await evaluate(engine(), graph, feeds, wanted, target);
          // Differences of terms of order 1 cancel in some losses; the largest error seen is 6u.
          expect(results.loss!).toMatchOracle([value], { factor: 16 * U, scale: Math.max(1, Math.abs(value)) });
          for (const [i, gradient] of expected.entries()) {
            expect(results[`plain ${i}`]!).toMatchOracle(gradient, bound);
            expect(results[`inside ${i}`]!).toMatchOracle(
              gradient.map((entry) => upstream * entry),
              { ...bound, scale: Math.abs(upstream) * bound.scale },
            );
          }
        }
      }
    });
  }
});

describe("views and stops", () => {
  it("views side by side in one tensor need no copy; apart they need two", () => {
    const count = (build: (graph: Graph) => [Tensor, Tensor]): number => {
      const graph = new Graph();
      const loss = ntXent(...build(graph));
      return planGraph({ graph, programs: { main: [loss] }, target: REGISTER_TARGET }).calls.length;
    };
    const beside = (graph: Graph): [Tensor, Tensor] => {
      const z = graph.input("z", [8, 4]);
      return [slice(z, 0, 4), slice(z, 4, 8)];
    };
    expect(count(beside)).toBe(3);
    expect(count((graph) => [graph.input("a", [4, 4]), graph.input("b", [4, 4])])).toBe(5);
    expect(count((graph) => beside(graph).reverse() as [Tensor, Tensor])).toBe(5);
  });

  it("gradient of views side by side equals that of separate views, bit for bit", async () => {
    const random = new TestRandom(3);
    const [n, d] = [7, 5];
    const data = random.normals(2 * n * d);
    const together = new Graph();
    const z = together.parameter("z", [2 * n, d]);
    const [dZ] = grad(ntXent(slice(z, 0, n), slice(z, n, 2 * n)), [z]);
    const whole = await evaluate(engine(), together, { z: data }, { dZ: dZ! });
    const apart = new Graph();
    const leaves = [apart.input("a", [n, d]), apart.input("b", [n, d])];
    const [dA, dB] = grad(ntXent(leaves[0]!, leaves[1]!), leaves);
    const feeds = { a: data.slice(0, n * d), b: data.slice(n * d) };
    const parts = await evaluate(engine(), apart, feeds, { dA: affine(dA!, 1, 0), dB: affine(dB!, 1, 0) });
    expect([...whole.dZ]).toEqual([...parts.dA, ...parts.dB]);
  });

  it("stopGradient: the value passes, the derivative does not, through reshapes and slices of it neither", async () => {
    const graph = new Graph();
    const x = graph.input("x", [4, 2]);
    const y = affine(x, 3, 0);
    const stopped = slice(reshape(stopGradient(y), [2, 4]), 0, 1);
    const live = slice(reshape(y, [2, 4]), 1, 2);
    const product = sum(multiply(live, stopped));
    const [dX, dY] = grad(product, [x, y]);
    const [none] = grad(sum(stopGradient(y)), [x]);
    const data = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const results = await evaluate(
      engine(),
      graph,
      { x: data },
      { product, dX: dX!, dY: affine(dY!, 1, 0), none: none! },
    );
    expect([...results.product]).toEqual([9 * (5 + 12 + 21 + 32)]);
    expect([...results.dX]).toEqual([0, 0, 0, 0, 9, 18, 27, 36]);
    expect([...results.dY]).toEqual([0, 0, 0, 0, 3, 6, 9, 12]);
    expect([...results.none]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it("stopGradient takes no dispatch", () => {
    const graph = new Graph();
    const x = graph.input("x", [4, 2]);
    const loss = sum(multiply(x, stopGradient(x)));
    expect(planGraph({ graph, programs: { main: [loss] }, target: REGISTER_TARGET }).calls).toHaveLength(2);
  });
});
