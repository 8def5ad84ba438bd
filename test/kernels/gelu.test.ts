/** gelu, and the functions of lib/math.wgsl below it, over dense sweeps. */
import { describe, expect, it } from "vitest";
import { gelu } from "../../src/autodiff/activations.ts";
import { multiply } from "../../src/autodiff/functions.ts";
import { vjp } from "../../src/autodiff/grad.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { ceilDiv, foldGrid } from "../../src/kernels/grid.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import * as oracle from "../oracle/gelu.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { testKernel } from "./testShader.ts";

const engine = useEngine();
const probe = testKernel("normal_probe", ({ count = 0 }) => foldGrid(ceilDiv(count, 64)));
const COUNT = 2 ** 17;

const SWEEPS: Readonly<Record<string, (i: number) => number>> = {
  "[−14, 14], evenly": (i) => -14 + (28 * i) / (COUNT - 1),
  "[−2, 2], evenly": (i) => -2 + (4 * i) / (COUNT - 1),
  "around the joins of the polynomials": (i) =>
    (i % 2 ? -1 : 1) * (i % 4 < 2 ? 1 : 2) * Math.SQRT2 * (1 + (i - COUNT / 2) * 2 ** -24),
  tiny: (i) => (i % 2 ? -1 : 1) * 2 ** ((-80 * i) / COUNT),
};

/** Largest of errors in units of u. */
const worst = (errors: Iterable<number>): number => {
  let largest = 0;
  for (const error of errors) largest = error <= largest ? largest : error;
  return largest / U;
};

async function probeAt(x: Float32Array): Promise<Float32Array> {
  const run = { buffers: { x, y: new Float32Array(4 * x.length) }, params: { count: x.length }, read: ["y"] };
  return (await runKernel(engine(), probe, run)).y as Float32Array;
}

describe("exponential", () => {
  it("relative error at most 2u on [−87, 88], 0 below, bounded above", async () => {
    const x = Float32Array.from({ length: COUNT }, (_, i) => -87 + (175 * i) / (COUNT - 1));
    const y = await probeAt(x);
    expect(worst([...x].map((value, i) => Math.abs(y[4 * i]! / Math.exp(value) - 1)))).toBeLessThanOrEqual(2);
    const ends = await probeAt(Float32Array.of(0, -87.5, -1e30, 1e30));
    expect([ends[0], ends[4], ends[8]]).toEqual([1, 0, 0]);
    expect(ends[12]! / Math.exp(88)).toBeCloseTo(1, 5);
  });
});

describe("normal_cdf_pdf", () => {
  for (const [name, point] of Object.entries(SWEEPS)) {
    it(name, async () => {
      const x = Float32Array.from({ length: COUNT }, (_, i) => point(i));
      const y = await probeAt(x);
      expect(worst([...x].map((at, i) => Math.abs(y[4 * i + 1]! - oracle.normalCdf(at))))).toBeLessThanOrEqual(2);
      expect(worst([...x].map((at, i) => Math.abs(y[4 * i + 2]! - oracle.normalDensity(at))))).toBeLessThanOrEqual(1);
    });
  }
});

describe("gelu", () => {
  for (const [name, point] of Object.entries(SWEEPS)) {
    it(name, async () => {
      const x = Float32Array.from({ length: COUNT }, (_, i) => point(i));
      const random = new TestRandom(3);
      const graph = new Graph();
      const leaf = graph.input("x", [COUNT]);
      const y = gelu(leaf);
      const g = random.normals(COUNT);
      const [dX] = vjp([multiply(y, graph.input("two", [1]))], [graph.input("g", [COUNT])], [leaf]);
      const out = await evaluate(engine(), graph, { x, g, two: Float32Array.of(2) }, { y, dX: dX! });
      expect(worst([...x].map((at, i) => Math.abs(out.y[i]! - oracle.gelu(at)) / Math.abs(at)))).toBeLessThanOrEqual(3);
      const error = (at: number, i: number) =>
        Math.abs(out.dX[i]! - 2 * g[i]! * oracle.geluDerivative(at)) / Math.abs(2 * g[i]!);
      expect(worst([...x].map(error))).toBeLessThanOrEqual(4);
    });
  }
  it("any number of elements", async () => {
    for (const count of [1, 3, 4, 5, 257]) {
      const graph = new Graph();
      const x = Float32Array.from({ length: count }, () => -1);
      const out = await evaluate(engine(), graph, { x }, { y: gelu(graph.input("x", [count])) });
      expect(out.y).toMatchOracle(new Float64Array(count).fill(oracle.gelu(-1)), { factor: 3 * U, scale: 1 });
    }
  });
});
