import { describe, expect, it } from "vitest";
import {
  add,
  affine,
  concat,
  crossCorrelation,
  matmul,
  pack,
  relu,
  reshape,
  slice,
  sumOverRows,
} from "../../src/autodiff/functions.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { frobeniusIdentityOp } from "../../src/ops/crossCorrelation.ts";
import { stepAdvanceOp } from "../../src/ops/update.ts";
import { useEngine } from "../support/device.ts";
import { evaluate, REGISTER_TARGET } from "../support/graphs.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine({ unrollsLoops: false });
const random = new TestRandom(21);

/** The kernels of a plan, in order, without their folders. */
const kernelsOf = (graph: Graph, wanted: Readonly<Record<string, Tensor>>): string[] =>
  planGraph({ graph, programs: { main: Object.values(wanted) }, outputs: wanted, target: REGISTER_TARGET }).calls.map(
    ({ kernel }) => kernel.name.split("/").pop() ?? "",
  );

/** Small whole numbers, so that sums and products are exact and results can be compared to the bit. */
const integers = (count: number) => Float32Array.from({ length: count }, () => random.integer(9) - 4);

describe("a slice that starts inside an aligned unit", () => {
  it("is copied for an op that must start at 256 bytes", async () => {
    const graph = new Graph();
    const x = graph.input("x", [6, 3]);
    const y = sumOverRows(slice(x, 1, 5));
    expect(kernelsOf(graph, { y })).toEqual(["copy_range", "reduce_columns"]);
    const data = integers(18);
    const result = await evaluate(engine(), graph, { x: data }, { y });
    const expected = [0, 1, 2].map((j) => [1, 2, 3, 4].reduce((sum, i) => sum + data[3 * i + j]!, 0));
    expect([...result.y]).toEqual(expected);
  });

  it("is not copied at a multiple of 64 elements", async () => {
    const graph = new Graph();
    const x = graph.input("x", [6, 32]);
    const y = sumOverRows(slice(x, 2, 5));
    expect(kernelsOf(graph, { y })).toEqual(["reduce_columns"]);
    const data = integers(192);
    const result = await evaluate(engine(), graph, { x: data }, { y });
    expect([...result.y]).toEqual(Array.from({ length: 32 }, (_, j) => data[64 + j]! + data[96 + j]! + data[128 + j]!));
  });

  it("is read in place by matmul (either operand, bias, addend) and crossCorrelation", async () => {
    const graph = new Graph();
    const x = graph.input("x", [9, 3]);
    const [a, b, row, rest] = [slice(x, 1, 4), slice(x, 2, 5), reshape(slice(x, 5, 6), [3]), slice(x, 6, 9)];
    const y = add(add(matmul(a, b), row), rest);
    const c = crossCorrelation(a, b, { symmetric: false });
    expect(kernelsOf(graph, { y, c })).toEqual(["matmul_register", "cross_correlation"]);
    const data = integers(27);
    const result = await evaluate(engine(), graph, { x: data }, { y, c });
    const at = (start: number, i: number, j: number) => data[3 * (start + i) + j]!;
    const expected: number[] = [];
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 3; j++) {
        const product = [0, 1, 2].reduce((sum, k) => sum + at(1, i, k) * at(2, k, j), 0);
        expected.push(product + at(5, 0, j) + at(6, i, j));
      }
    }
    expect([...result.y]).toEqual(expected);
    const gram = (i: number, j: number) => [0, 1, 2].reduce((sum, k) => sum + at(1, k, i) * at(2, k, j), 0);
    // The average over three rows rounds the factor 1/3 and the product.
    expect(result.c).toMatchOracle(
      [0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => gram(i, j) / 3)),
      { factor: 2 ** -23, scale: 50 },
    );
  });

  it("of a computed tensor is copied after it was computed, each time it is needed", async () => {
    const graph = new Graph();
    const x = graph.input("x", [5, 3]);
    const doubled = affine(x, 2, 1);
    const y = add(slice(doubled, 1, 3), slice(doubled, 3, 5));
    expect(kernelsOf(graph, { y })).toEqual(["elementwise_unary", "copy_range", "copy_range", "elementwise_binary"]);
    const data = integers(15);
    const result = await evaluate(engine(), graph, { x: data }, { y });
    expect([...result.y]).toEqual(Array.from({ length: 6 }, (_, i) => 2 * data[3 + i]! + 1 + 2 * data[9 + i]! + 1));
  });

  it("cannot be written in place by an op that updates state: GRAPH-ALIGNMENT, not a lost update", () => {
    const graph = new Graph();
    const loss = graph.input("loss", [1]);
    const states = graph.state("states", [2, 4], "u32");
    graph.add(stepAdvanceOp, [loss, slice(states, 1, 2)], {});
    const request = { graph, programs: { main: graph.nodes }, target: REGISTER_TARGET };
    expect(() => planGraph(request)).toThrow(expect.objectContaining({ code: "GRAPH-ALIGNMENT" }));
  });
});

describe("concat", () => {
  it("of computed parts costs nothing where they land on 256 bytes, and a copy elsewhere", async () => {
    const graph = new Graph();
    const x = graph.input("x", [2, 32]);
    const y = concat([affine(x, 2, 0), affine(x, 3, 1), affine(slice(x, 0, 1), 1, 5), affine(x, 1, 7)]);
    // The fourth part starts at element 160, no multiple of 64.
    const kernels = kernelsOf(graph, { y });
    expect(kernels).toEqual([...Array.from({ length: 4 }, () => "elementwise_unary"), "copy_range"]);
    const data = integers(64);
    const result = await evaluate(engine(), graph, { x: data }, { y });
    const part = (alpha: number, beta: number) => [...data].map((value) => alpha * value + beta);
    expect([...result.y]).toEqual([...part(2, 0), ...part(3, 1), ...part(1, 5).slice(0, 32), ...part(1, 7)]);
  });

  it("of products costs nothing at any element", async () => {
    const graph = new Graph();
    const [a, b] = [graph.input("a", [3, 3]), graph.input("b", [3, 3])];
    const y = concat([matmul(a, b), matmul(b, a), matmul(a, a)]);
    expect(kernelsOf(graph, { y })).toEqual(["matmul_register", "matmul_register", "matmul_register"]);
    const feeds = { a: integers(9), b: integers(9) };
    const result = await evaluate(engine(), graph, feeds, { y });
    const product = (left: Float32Array, right: Float32Array) =>
      Array.from({ length: 9 }, (_, at) =>
        [0, 1, 2].reduce((sum, k) => sum + left[3 * Math.floor(at / 3) + k]! * right[3 * k + (at % 3)]!, 0),
      );
    expect([...result.y]).toEqual([
      ...product(feeds.a, feeds.b),
      ...product(feeds.b, feeds.a),
      ...product(feeds.a, feeds.a),
    ]);
  });

  it("of cross-correlations, whose kernel writes at 256 bytes only", async () => {
    const graph = new Graph();
    const [a, b] = [graph.input("a", [4, 3]), graph.input("b", [4, 3])];
    const y = concat([crossCorrelation(a, b, { symmetric: false }), crossCorrelation(b, b, { symmetric: false })]);
    const feeds = { a: integers(12), b: integers(12) };
    const result = await evaluate(engine(), graph, feeds, { y });
    // 1/4 is exact.
    const mean = (left: Float32Array) =>
      Array.from({ length: 9 }, (_, at) =>
        [0, 1, 2, 3].reduce((sum, k) => sum + (left[3 * k + Math.floor(at / 3)]! * feeds.b[3 * k + (at % 3)]!) / 4, 0),
      );
    expect([...result.y]).toEqual([...mean(feeds.a), ...mean(feeds.b)]);
  });

  it("copies leaves, views, and parts that are read elsewhere by a writer of the same whole", async () => {
    const graph = new Graph();
    const x = graph.input("x", [2, 32]);
    const first = affine(x, 2, 0);
    // Reads the first part and would write beside it, into the same buffer.
    const second = affine(first, 3, 1);
    const y = concat([first, second, x, slice(second, 1, 2), first]);
    const data = integers(64);
    const result = await evaluate(engine(), graph, { x: data }, { y });
    const doubled = [...data].map((value) => 2 * value);
    const both = doubled.map((value) => 3 * value + 1);
    expect([...result.y]).toEqual([...doubled, ...both, ...data, ...both.slice(32), ...doubled]);
  });

  it("within concat: the inner parts land inside the outer whole, at any element, written or copied", async () => {
    const graph = new Graph();
    const [a, b] = [graph.input("a", [3, 3]), graph.input("b", [3, 3])];
    const inner = concat([matmul(a, b), b, affine(a, 2, 0)]);
    const y = concat([a, inner, matmul(b, b), slice(inner, 2, 5)]);
    const feeds = { a: integers(9), b: integers(9) };
    const [result, alone] = [
      await evaluate(engine(), graph, feeds, { y }),
      await evaluate(engine(), graph, feeds, { inner, square: matmul(b, b) }),
    ];
    expect([...alone.inner.slice(9)]).toEqual([...feeds.b, ...feeds.a.map((value) => 2 * value)]);
    expect([...result.y]).toEqual([...feeds.a, ...alone.inner, ...alone.square, ...alone.inner.slice(6, 15)]);
  });

  it("within concat, once more", async () => {
    const graph = new Graph();
    const [a, b] = [graph.input("a", [3]), graph.input("b", [5])];
    const y = concat([b, concat([a, concat([b, a])]), a]);
    const feeds = { a: integers(3), b: integers(5) };
    const result = await evaluate(engine(), graph, feeds, { y });
    const { a: p, b: q } = feeds;
    expect([...result.y]).toEqual([...q, ...p, ...q, ...p, ...p]);
  });

  it("of one tensor twice, and of two outputs of one op", async () => {
    const graph = new Graph();
    const c = graph.input("c", [8, 8]);
    const doubled = affine(c, 2, 0);
    const [loss, residual] = graph.add(frobeniusIdentityOp, [c], { offDiagonal: 1 });
    const twice = concat([doubled, doubled]);
    const both = pack(graph, [residual!, loss!], [0, 64], [65]);
    const data = integers(64);
    const result = await evaluate(engine(), graph, { c: data }, { twice, both });
    const two = [...data].map((value) => 2 * value);
    expect([...result.twice]).toEqual([...two, ...two]);
    const expected = [...data].map((value, at) => value - (at % 9 === 0 ? 1 : 0));
    expect([...result.both]).toEqual([...expected, expected.reduce((sum, value) => sum + value * value, 0)]);
  });
});

describe("pack", () => {
  it("leaves the gaps of a buffer of its own at zero", async () => {
    const graph = new Graph();
    const x = graph.input("x", [4]);
    const y = pack(graph, [affine(x, 1, 1), x], [64, 130], [3, 64]);
    const data = integers(4);
    const result = await evaluate(engine(), graph, { x: data }, { y });
    const expected = new Float32Array(192);
    expected.set(
      data.map((value) => value + 1),
      64,
    );
    expected.set(data, 130);
    expect([...result.y]).toEqual([...expected]);
  });
});

describe("reshape chains", () => {
  it("change nothing but the shape, before, between and after ops", async () => {
    const graph = new Graph();
    const x = graph.input("x", [4, 6]);
    const tall = reshape(reshape(reshape(x, [24]), [2, 3, 4]), [12, 2]);
    const y = reshape(relu(reshape(affine(tall, 1, 1), [3, 8])), [2, 12]);
    const total = sumOverRows(reshape(y, [24, 1]));
    const data = integers(24);
    const result = await evaluate(engine(), graph, { x: data }, { y, total });
    const expected = [...data].map((value) => Math.max(value + 1, 0));
    expect([...result.y]).toEqual(expected);
    expect([...result.total]).toEqual([expected.reduce((sum, value) => sum + value, 0)]);
  });
});
