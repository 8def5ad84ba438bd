/** max_pool, max_pool_grad, average_pool and average_pool_grad, as their ops bind them. */
import { describe, expect, it } from "vitest";
import { multiply } from "../../src/autodiff/functions.ts";
import { vjp } from "../../src/autodiff/grad.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { averagePool, globalAveragePool, maxPool, type PoolOptions } from "../../src/autodiff/pool.ts";
import * as oracle from "../oracle/pool.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine();

/** Values of the op and cotangents of x in the middle of a graph: the loss is Σ g·(r·pool(s·x)), with s = 2 exact. */
async function run(pool: typeof maxPool, x: Float32Array<ArrayBuffer>, shape: oracle.PoolShape) {
  const random = new TestRandom(x.length);
  const graph = new Graph();
  const leaf = graph.input("x", [shape.batch, shape.height, shape.width, shape.channels]);
  const options: PoolOptions = { kernel: shape.kernel, stride: shape.stride, padding: shape.padding };
  const y = pool(multiply(leaf, graph.input("two", [1])), options);
  const [r, g] = [random.normals(y.elements), random.normals(y.elements)];
  const after = multiply(y, graph.input("r", y.shape));
  const [dX] = vjp([after], [graph.input("g", y.shape)], [leaf]);
  expect(y.shape).toEqual([shape.batch, ...oracle.pooledSize(shape), shape.channels]);
  const out = await evaluate(engine(), graph, { x, two: Float32Array.of(2), r, g }, { y, dX: dX! });
  return { ...out, dY: g.map((value, i) => value * r[i]!) };
}

const SHAPES: Readonly<Record<string, oracle.PoolShape>> = {
  "3 × 3, stride 2, padding 1, even": {
    batch: 2,
    height: 8,
    width: 6,
    channels: 8,
    kernel: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
  },
  "3 × 3, stride 2, padding 1, odd": {
    batch: 1,
    height: 7,
    width: 5,
    channels: 4,
    kernel: [3, 3],
    stride: [2, 2],
    padding: [1, 1],
  },
  "2 × 2, stride 2, a row left over": {
    batch: 3,
    height: 5,
    width: 4,
    channels: 12,
    kernel: [2, 2],
    stride: [2, 2],
    padding: [0, 0],
  },
  "3 × 2, stride 1 × 3, padding 1 × 0": {
    batch: 2,
    height: 4,
    width: 9,
    channels: 4,
    kernel: [3, 2],
    stride: [1, 3],
    padding: [1, 0],
  },
  "stride beyond the kernel": {
    batch: 1,
    height: 9,
    width: 9,
    channels: 4,
    kernel: [2, 2],
    stride: [3, 4],
    padding: [1, 1],
  },
  "one pixel": { batch: 2, height: 1, width: 1, channels: 4, kernel: [1, 1], stride: [1, 1], padding: [0, 0] },
  "the whole image": { batch: 2, height: 3, width: 5, channels: 8, kernel: [3, 5], stride: [3, 5], padding: [0, 0] },
};

describe("max_pool and max_pool_grad", () => {
  const check = async (x: Float32Array<ArrayBuffer>, shape: oracle.PoolShape) => {
    const { y, dX, dY } = await run(maxPool, x, shape);
    const doubled = x.map((value) => 2 * value);
    expect([...y]).toEqual([...oracle.maxPool(doubled, shape)]);
    const expected = oracle.maxPoolGrad(dY, doubled, shape);
    // The product g·r, at most nine windows, the factor 2.
    expect(dX).toMatchOracle(
      expected.dX.map((value) => 2 * value),
      { factor: gamma(11), scale: expected.magnitude.map((value) => 2 * value) },
    );
  };
  for (const [name, shape] of Object.entries(SHAPES)) {
    const count = shape.batch * shape.height * shape.width * shape.channels;
    it(name, () => check(new TestRandom(count).normals(count), shape));
    it(`${name}: ties, as after a ReLU, go to the first`, async () => {
      const random = new TestRandom(count + 1);
      await check(
        random.normals(count).map((value) => Math.max(0, Math.round(value))),
        shape,
      );
      await check(new Float32Array(count).fill(-1), shape);
    });
  }
  it("a window of 16 × 16 keeps its positions apart; a larger one is refused", async () => {
    const shape: oracle.PoolShape = {
      batch: 1,
      height: 16,
      width: 16,
      channels: 4,
      kernel: [16, 16],
      stride: [1, 1],
      padding: [0, 0],
    };
    for (const at of [0, 255]) {
      const x = new Float32Array(1024);
      x.fill(1, 4 * at, 4 * at + 4);
      await check(x, shape);
    }
    const graph = new Graph();
    expect(() => maxPool(graph.input("x", [1, 20, 20, 4]), { kernel: 17 })).toThrow(/17, 17\] is too large/);
  });
});

describe("average_pool and average_pool_grad", () => {
  for (const [name, shape] of Object.entries(SHAPES)) {
    it(name, async () => {
      const count = shape.batch * shape.height * shape.width * shape.channels;
      const x = new TestRandom(count).normals(count);
      const { y, dX, dY } = await run(averagePool, x, shape);
      const entries = shape.kernel[0] * shape.kernel[1];
      const forward = oracle.averagePool(x, shape);
      const double = (values: Float64Array) => values.map((value) => 2 * value);
      // Additions, the scale and its own rounding.
      expect(y).toMatchOracle(double(forward.y), { factor: gamma(entries + 1), scale: double(forward.magnitude) });
      const backward = oracle.averagePoolGrad(dY, shape);
      expect(dX).toMatchOracle(double(backward.dX), { factor: gamma(entries + 4), scale: double(backward.magnitude) });
    });
  }
  it("global average pooling is one dispatch and gives [B, C]", async () => {
    const graph = new Graph();
    const y = globalAveragePool(graph.input("x", [2, 2, 2, 4]));
    expect(y.shape).toEqual([2, 4]);
    const x = Float32Array.from({ length: 32 }, (_, i) => i);
    const out = await evaluate(engine(), graph, { x }, { y: y.view!.base });
    expect([...out.y]).toEqual([6, 7, 8, 9, 22, 23, 24, 25]);
  });
});

describe("what pooling refuses", () => {
  const graph = new Graph();
  const x = graph.input("x", [1, 8, 8, 4]);
  it.each([
    ["three dimensions", () => maxPool(graph.input("a", [8, 8, 4]), { kernel: 2 }), /needs \[B, H, W, C\]/],
    [
      "channels that are no multiple of 4",
      () => maxPool(graph.input("b", [1, 8, 8, 3]), { kernel: 2 }),
      /multiple of 4/,
    ],
    ["a window larger than the image", () => averagePool(x, { kernel: 9 }), /\[9, 9\] does not fit/],
    ["padding above half the kernel", () => averagePool(x, { kernel: 2, padding: 2 }), /do not go together/],
    ["a stride of 0", () => maxPool(x, { kernel: 2, stride: 0 }), /do not go together/],
    ["a matrix for global pooling", () => globalAveragePool(graph.input("c", [4, 4])), /needs \[B, H, W, C\]/],
  ])("%s", (_name, build, message) => {
    expect(build).toThrow(message);
  });
});
