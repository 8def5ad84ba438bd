import { describe, expect, it } from "vitest";
import {
  add,
  affine,
  matmul,
  relu,
  reshape,
  scale,
  slice,
  subtract,
  sumOverRows,
} from "../../src/autodiff/functions.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { sgdOp } from "../../src/ops/update.ts";
import * as elementwise from "../oracle/elementwise.ts";
import { useEngine } from "../support/device.ts";
import { evaluate, REGISTER_TARGET } from "../support/graphs.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine({ unrollsLoops: false });
const [M, N, K] = [5, 6, 7];

/** A graph with operands of the product [5, 7] × [7, 6] and its epilogue. */
function operands() {
  const graph = new Graph();
  return {
    graph,
    a: graph.input("a", [M, K]),
    b: graph.input("b", [K, N]),
    row: graph.input("row", [N]),
    column: graph.input("column", [M, 1]),
    full: graph.input("full", [M, N]),
  };
}
type Operands = ReturnType<typeof operands>;

/** What a plan runs: kernel and epilogue of each dispatch. */
function dispatches(graph: Graph, wanted: readonly Tensor[]): string[] {
  const outputs = Object.fromEntries(wanted.map((tensor, index) => [`output ${index}`, tensor]));
  return planGraph({ graph, programs: { main: wanted }, outputs, target: REGISTER_TARGET }).calls.map(
    ({ kernel, knobs }) => {
      const epilogue = [knobs.HAS_BIAS && "bias", knobs.HAS_ADDEND && "addend", knobs.RELU && "relu"].filter(Boolean);
      return [kernel.name.split("/").pop(), ...epilogue].join(" ");
    },
  );
}

/** The scale of the only product of a plan, as the kernel gets it. */
const scaleOf = (graph: Graph, wanted: Tensor) =>
  planGraph({ graph, programs: { main: [wanted] }, outputs: { y: wanted }, target: REGISTER_TARGET }).calls.find(
    ({ op }) => op === "matmul",
  )?.params.scale;

/** A row of the fusion table: a chain and the tensors inside it that disappear. */
interface Row {
  readonly name: string;
  readonly build: (o: Operands) => { readonly y: Tensor; readonly inner: readonly Tensor[] };
  readonly fused: readonly string[];
  readonly separate: number;
}

const chain = (...tensors: readonly Tensor[]) => ({ y: tensors.at(-1)!, inner: tensors.slice(0, -1) });

const TABLE: readonly Row[] = [
  {
    name: "matmul(scale(x), y) is a matmul with scale",
    build: ({ a, b }) => {
      const s = scale(a, 0.7);
      return chain(s, matmul(s, b));
    },
    fused: ["matmul_register"],
    separate: 2,
  },
  {
    name: "matmul(x, scale(y)) is a matmul with scale",
    build: ({ a, b }) => {
      const s = scale(b, -0.3);
      return chain(s, matmul(a, s, { scale: 2 }));
    },
    fused: ["matmul_register"],
    separate: 2,
  },
  {
    name: "scale(matmul) is a matmul with scale",
    build: ({ a, b }) => {
      const y = matmul(a, b, { scale: 3 });
      return chain(y, scale(y, 0.7));
    },
    fused: ["matmul_register"],
    separate: 2,
  },
  {
    name: "matmul + row is a matmul with bias",
    build: ({ a, b, row }) => {
      const y = matmul(a, b);
      return chain(y, add(y, row));
    },
    fused: ["matmul_register bias"],
    separate: 2,
  },
  {
    name: "matmul + tensor of its shape is a matmul with addend",
    build: ({ a, b, full }) => {
      const y = matmul(a, b);
      return chain(y, add(y, full));
    },
    fused: ["matmul_register addend"],
    separate: 2,
  },
  {
    name: "tensor + matmul likewise",
    build: ({ a, b, full }) => {
      const y = matmul(a, b);
      return chain(y, add(full, y));
    },
    fused: ["matmul_register addend"],
    separate: 2,
  },
  {
    name: "tensor − matmul is a matmul with scale −1 and addend",
    build: ({ a, b, full }) => {
      const y = matmul(a, b);
      return chain(y, subtract(full, y));
    },
    fused: ["matmul_register addend"],
    separate: 2,
  },
  {
    name: "relu(matmul) is a matmul with ReLU",
    build: ({ a, b }) => {
      const y = matmul(a, b);
      return chain(y, relu(y));
    },
    fused: ["matmul_register relu"],
    separate: 2,
  },
  {
    name: "scale(scale(x)) is a scale",
    build: ({ a }) => {
      const s = scale(a, 0.7);
      return chain(s, scale(s, -3));
    },
    fused: ["elementwise_unary"],
    separate: 2,
  },
  {
    name: "relu(scale(x)) is one dispatch",
    build: ({ a }) => {
      const s = scale(a, -0.7);
      return chain(s, relu(s));
    },
    fused: ["elementwise_unary relu"],
    separate: 2,
  },
  {
    name: "scale, product, bias and ReLU are one dispatch",
    build: ({ a, b, row }) => {
      const s = scale(a, 0.7);
      const y = matmul(s, b);
      const z = add(y, row);
      return chain(s, y, z, relu(z));
    },
    fused: ["matmul_register bias relu"],
    separate: 4,
  },
  {
    name: "the sum of two products is two dispatches",
    build: ({ a, b }) => {
      const [x, y] = [matmul(a, b), matmul(a, b, { scale: -2 })];
      return { y: add(x, y), inner: [x, y] };
    },
    fused: ["matmul_register", "matmul_register addend"],
    separate: 3,
  },
  {
    name: "through a reshape that keeps rows whole",
    build: ({ a, b, row }) => {
      const y = matmul(a, b);
      return chain(y, add(reshape(y, [1, M, N]), row));
    },
    fused: ["matmul_register bias"],
    separate: 2,
  },
];

describe("each row of the fusion table", () => {
  it.each(TABLE.map((row) => [row.name, row] as const))("%s", async (_name, { build, fused, separate }) => {
    const plain = operands();
    const chainOf = build(plain);
    expect(dispatches(plain.graph, [chainOf.y])).toEqual(fused);
    // Asking for the inner tensors keeps them: nothing is fused.
    expect(dispatches(plain.graph, [chainOf.y, ...chainOf.inner])).toHaveLength(separate);

    const random = new TestRandom(41);
    const feeds = {
      a: random.normals(M * K),
      b: random.normals(K * N),
      row: random.normals(N),
      full: random.normals(M * N),
    };
    const kept = Object.fromEntries(chainOf.inner.map((tensor, index) => [`inner ${index}`, tensor]));
    const one = await evaluate(engine(), plain.graph, feeds, { y: chainOf.y });
    const other = (await evaluate(engine(), plain.graph, feeds, { ...kept, y: chainOf.y })) as { y: Float32Array };
    // Each way rounds every term at most K + 3 times in the product, and at most 4 times around it (a scale before, one after, bias and
    // addend), so each is within γ_{K+7} of the exact value and the two within twice that. Σ|a||b| over K = 7 terms of normal numbers
    // below 4 is below 112; no scale here exceeds 3, and at most two products and one addend are summed.
    const largest = 4;
    for (const data of Object.values(feeds)) expect(Math.max(...elementwise.absolute(data))).toBeLessThan(largest);
    const magnitude = 3 * K * largest ** 2 + 2 * largest;
    expect(one.y).toMatchOracle(other.y, { factor: 2 * gamma(K + 7), scale: magnitude });
    // The chain does something: an empty result would match as well.
    expect(one.y.some((value) => value !== 0)).toBe(true);
  });
});

describe("what is not fused", () => {
  it("a product with two consumers", () => {
    for (const consume of [
      (y: Tensor, o: Operands) => [add(y, o.row), relu(y)],
      (y: Tensor) => [scale(y, 2), slice(y, 0, 2)].map((x) => affine(x, 1, 1)),
      (y: Tensor) => [add(y, y)],
    ]) {
      const o = operands();
      const wanted = consume(matmul(o.a, o.b), o);
      expect(dispatches(o.graph, wanted)[0]).toBe("matmul_register");
    }
    const o = operands();
    const y = matmul(o.a, o.b);
    expect(dispatches(o.graph, [add(y, o.row), relu(y)])).toEqual([
      "matmul_register",
      "elementwise_binary",
      "elementwise_unary relu",
    ]);
  });

  it("a scale with two consumers is folded into the product and stays for the other", () => {
    const o = operands();
    const s = scale(o.a, 2);
    const y = matmul(s, o.b);
    expect(dispatches(o.graph, [y, sumOverRows(s)])).toEqual([
      "elementwise_unary",
      "matmul_register",
      "reduce_columns",
    ]);
    expect(scaleOf(o.graph, y)).toBe(2);
  });

  it("a tensor that is wanted as an output or as a program's root", () => {
    const o = operands();
    const y = matmul(o.a, o.b);
    const z = relu(y);
    expect(dispatches(o.graph, [y, z])).toEqual(["matmul_register", "elementwise_unary relu"]);
    const plan = planGraph({ graph: o.graph, programs: { y: [y], z: [z] }, target: REGISTER_TARGET });
    expect(plan.calls.map(({ programs }) => programs)).toEqual([["y", "z"], ["z"]]);
  });

  it("what comes after the ReLU: bias, addend, another scale", () => {
    for (const after of [
      (y: Tensor, o: Operands) => add(y, o.row),
      (y: Tensor, o: Operands) => add(y, o.full),
      (y: Tensor) => scale(y, 2),
      (y: Tensor) => relu(y),
    ]) {
      const o = operands();
      expect(dispatches(o.graph, [after(relu(matmul(o.a, o.b)), o)])).toHaveLength(2);
    }
  });

  it("a bias after the addend, a second bias, a second addend", () => {
    const twice: readonly ((y: Tensor, o: Operands) => Tensor)[] = [
      (y, o) => add(add(y, o.full), o.row),
      (y, o) => add(add(y, o.row), o.row),
      (y, o) => add(add(y, o.full), o.full),
    ];
    for (const build of twice) {
      const o = operands();
      expect(dispatches(o.graph, [build(matmul(o.a, o.b), o)])).toHaveLength(2);
    }
    const o = operands();
    expect(dispatches(o.graph, [add(add(matmul(o.a, o.b), o.row), o.full)])).toEqual(["matmul_register bias addend"]);
  });

  it("a scale after bias or addend, which it would have to multiply too", () => {
    for (const build of [
      (y: Tensor, o: Operands) => scale(add(y, o.row), 2),
      (y: Tensor, o: Operands) => add(add(y, o.row), o.full, 2, 1),
      (y: Tensor, o: Operands) => scale(add(y, o.full), 2),
    ]) {
      const o = operands();
      expect(dispatches(o.graph, [build(matmul(o.a, o.b), o)])).toHaveLength(2);
    }
  });

  it("a sum whose other term has a factor, a column, a number", () => {
    for (const build of [
      (y: Tensor, o: Operands) => add(y, o.full, 1, 2),
      (y: Tensor, o: Operands) => add(y, o.row, 1, -1),
      (y: Tensor, o: Operands) => add(y, o.column),
      (y: Tensor, o: Operands) => add(y, reshape(slice(o.row, 0, 1), [1])),
      (y: Tensor) => affine(y, 1, 1),
    ]) {
      const o = operands();
      const calls = dispatches(o.graph, [build(matmul(o.a, o.b), o)]);
      expect(calls.at(-1)).toMatch(/^elementwise/);
    }
  });

  it("a row spread over a product that is itself the row", () => {
    const o = operands();
    const product = matmul(slice(o.a, 0, 1), o.b);
    expect(dispatches(o.graph, [add(o.full, reshape(product, [N]))])).toEqual([
      "matmul_register",
      "elementwise_binary",
    ]);
  });

  it("through a view that is part of the product, or that changes its rows", () => {
    for (const build of [
      (y: Tensor) => relu(slice(y, 0, 2)),
      (y: Tensor) => relu(reshape(y, [N, M])),
      (y: Tensor, o: Operands) => add(reshape(y, [N, M]), reshape(o.full, [N, M])),
    ]) {
      const o = operands();
      expect(dispatches(o.graph, [build(matmul(o.a, o.b), o)]).length).toBeGreaterThan(1);
    }
  });

  it("a product with what follows an update of its operand: it would read the updated one", async () => {
    const graph = new Graph();
    const w = graph.parameter("w", [4, 4]);
    const x = graph.input("x", [4, 4]);
    const state = graph.state("stepState", [4], "u32");
    const gradients = graph.input("gradients", [64]);
    const y = matmul(x, w);
    const s = scale(w, 2);
    graph.add(sgdOp, [state, gradients, graph.allParameters(), graph.state("velocity", [4])], { momentum: 0 });
    const update = graph.nodes.at(-1)!;
    const z = relu(y);
    const t = matmul(s, x);
    const outputs = { z, t };
    const plan = planGraph({ graph, programs: { main: [update, z, t] }, outputs, target: REGISTER_TARGET });
    expect(plan.calls.map(({ op }) => op)).toEqual(["matmul", "affine", "sgd", "affine", "matmul"]);
  });
});

describe("folded scales", () => {
  it("multiply in f64, without a rounding in between", () => {
    const o = operands();
    // 0.1 and 0.3 are rounded differently in f32 and in f64; their product must be that of f64.
    const y = scale(matmul(scale(scale(o.a, 0.1), 0.3), scale(o.b, 0.7), { scale: 1.1 }), 1.3);
    expect(dispatches(o.graph, [y])).toEqual(["matmul_register"]);
    const product = scaleOf(o.graph, y) ?? Number.NaN;
    // Five factors in any order: four f64 roundings, 4·2⁻⁵³ relative; one f32 rounding would be 2⁻²⁴.
    expect(Math.abs(product / (0.1 * 0.3 * 0.7 * 1.1 * 1.3) - 1)).toBeLessThan(8 * 2 ** -53);
    expect(product).not.toBe(Math.fround(product));
  });

  it("both operands scaled by one tensor: squared", () => {
    const graph = new Graph();
    const s = scale(graph.input("x", [3, 3]), 3);
    const y = matmul(s, s, { transposeB: true });
    expect(dispatches(graph, [y])).toEqual(["matmul_register"]);
    expect(scaleOf(graph, y)).toBe(9);
  });

  it("do not touch bias and addend", async () => {
    const o = operands();
    const y = add(matmul(scale(o.a, 2), o.b), o.row);
    expect(dispatches(o.graph, [y])).toEqual(["matmul_register bias"]);
    const ones = (count: number) => new Float32Array(count).fill(1);
    const result = await evaluate(engine(), o.graph, { a: ones(M * K), b: ones(K * N), row: ones(N) }, { y });
    expect([...result.y]).toEqual(Array.from({ length: M * N }, () => 2 * K + 1));
  });
});
