import { describe, expect, it } from "vitest";
import {
  add,
  affine,
  center,
  concat,
  constant,
  crossCorrelation,
  frobeniusIdentity,
  matmul,
  multiply,
  pack,
  relu,
  requireScalar,
  reshape,
  scale,
  slice,
  standardize,
  subtract,
  sum,
  sumOverColumns,
  sumOverRows,
  sumSquares,
} from "../../src/autodiff/functions.ts";
import { Graph, SEGMENT_ALIGNMENT, type Tensor } from "../../src/autodiff/graph.ts";
import { eigenvalues } from "../../src/autodiff/linalg.ts";
import { crossCorrelationOp, frobeniusIdentityOp } from "../../src/ops/crossCorrelation.ts";
import { eighOp } from "../../src/ops/eigh.ts";
import { affineOp, binaryOp, broadcastOf } from "../../src/ops/elementwise.ts";
import { matmulOp } from "../../src/ops/matmul.ts";
import { copyOp, fillOp } from "../../src/ops/memory.ts";
import type { OpDefinition } from "../../src/ops/opDefinition.ts";
import { gatherCropOp, randomOp } from "../../src/ops/random.ts";
import { sumOverColumnsOp, sumOverRowsOp } from "../../src/ops/reduce.ts";
import { standardizeGradOp, standardizeOp } from "../../src/ops/standardize.ts";
import { metricsRecordOp, noteNonfiniteOp, sgdOp, stepAdvanceOp } from "../../src/ops/update.ts";

type Shape = readonly number[];
type Build = (...tensors: Tensor[]) => Tensor;

/** Inputs of these shapes in a new graph. */
const tensors = (...shapes: readonly Shape[]): Tensor[] => {
  const graph = new Graph();
  return shapes.map((shape, index) => graph.input(`input ${index}`, shape));
};
const build = (make: Build, ...shapes: readonly Shape[]): Tensor => make(...tensors(...shapes));
const text = (shape: Shape): string => `[${shape.join(", ")}]`;

/** The error that `make` throws. */
function thrown(make: () => unknown): { readonly code?: string; readonly message: string } {
  try {
    make();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

const tt = { transposeA: true, transposeB: true };
const pair: Build = (a, b) => concat([a!, b!]);

describe("the shape that each function infers", () => {
  const RIGHT: readonly (readonly [string, Build, readonly Shape[], Shape])[] = [
    [
      "matmul",
      (a, b) => matmul(a!, b!),
      [
        [2, 3],
        [3, 5],
      ],
      [2, 5],
    ],
    [
      "matmul, a transposed",
      (a, b) => matmul(a!, b!, { transposeA: true }),
      [
        [3, 2],
        [3, 5],
      ],
      [2, 5],
    ],
    [
      "matmul, b transposed",
      (a, b) => matmul(a!, b!, { transposeB: true }),
      [
        [2, 3],
        [5, 3],
      ],
      [2, 5],
    ],
    [
      "matmul, both transposed",
      (a, b) => matmul(a!, b!, tt),
      [
        [3, 2],
        [5, 3],
      ],
      [2, 5],
    ],
    [
      "matmul of batches",
      (a, b) => matmul(a!, b!),
      [
        [4, 2, 3],
        [4, 3, 5],
      ],
      [4, 2, 5],
    ],
    [
      "matmul of batches, both transposed",
      (a, b) => matmul(a!, b!, tt),
      [
        [4, 3, 2],
        [4, 5, 3],
      ],
      [4, 2, 5],
    ],
    [
      "matmul of two batch dimensions",
      (a, b) => matmul(a!, b!),
      [
        [4, 6, 2, 3],
        [4, 6, 3, 5],
      ],
      [4, 6, 2, 5],
    ],
    [
      "matmul, one plain b for a batch",
      (a, b) => matmul(a!, b!),
      [
        [4, 2, 3],
        [3, 5],
      ],
      [4, 2, 5],
    ],
    [
      "matmul, a batch of one is plain",
      (a, b) => matmul(a!, b!),
      [
        [4, 2, 3],
        [1, 3, 5],
      ],
      [4, 2, 5],
    ],
    [
      "matmul, an outer product",
      (a, b) => matmul(a!, b!),
      [
        [7, 1],
        [1, 9],
      ],
      [7, 9],
    ],
    [
      "add",
      (a, b) => add(a!, b!),
      [
        [2, 3],
        [2, 3],
      ],
      [2, 3],
    ],
    ["add of a row", (a, b) => add(a!, b!), [[2, 3], [3]], [2, 3]],
    [
      "add of a row matrix",
      (a, b) => add(a!, b!),
      [
        [4, 2, 3],
        [1, 1, 3],
      ],
      [4, 2, 3],
    ],
    [
      "add of a column",
      (a, b) => add(a!, b!),
      [
        [2, 3],
        [2, 1],
      ],
      [2, 3],
    ],
    [
      "add of a column of a batch",
      (a, b) => add(a!, b!),
      [
        [4, 2, 3],
        [4, 2, 1],
      ],
      [4, 2, 3],
    ],
    ["add of a number", (a, b) => add(a!, b!), [[2, 3], [1]], [2, 3]],
    ["subtract", (a, b) => subtract(a!, b!), [[2, 3], [3]], [2, 3]],
    [
      "multiply",
      (a, b) => multiply(a!, b!),
      [
        [2, 3],
        [2, 1],
      ],
      [2, 3],
    ],
    ["affine", (x) => affine(x!, 2, 1), [[2, 3, 4]], [2, 3, 4]],
    ["scale", (x) => scale(x!, 2), [[2]], [2]],
    ["relu", (x) => relu(x!), [[2, 3]], [2, 3]],
    ["sumOverRows", (x) => sumOverRows(x!), [[2, 3]], [3]],
    ["sumOverRows of a batch", (x) => sumOverRows(x!), [[4, 2, 3]], [4, 3]],
    ["sumOverColumns", (x) => sumOverColumns(x!), [[2, 3]], [2, 1]],
    ["sumOverColumns of a vector", (x) => sumOverColumns(x!), [[3]], [1]],
    ["sum", (x) => sum(x!), [[4, 2, 3]], [1]],
    ["sumSquares", (x) => sumSquares(x!), [[4, 2, 3]], [1]],
    ["center", (x) => center(x!), [[4, 2, 3]], [4, 2, 3]],
    ["standardize", (x) => standardize(x!), [[2, 3]], [2, 3]],
    ["reshape", (x) => reshape(x!, [3, 4]), [[2, 6]], [3, 4]],
    ["slice", (x) => slice(x!, 1, 3), [[4, 2, 3]], [2, 2, 3]],
    ["slice of everything", (x) => slice(x!, 0, 4), [[4]], [4]],
    [
      "concat",
      pair,
      [
        [2, 3],
        [5, 3],
      ],
      [7, 3],
    ],
    ["concat of vectors", pair, [[2], [5]], [7]],
    ["pack", (a, b) => pack(a!.graph, [a!, b!], [0, 8], [4, 4]), [[2, 3], [8]], [4, 4]],
    ["constant", (x) => constant(x!.graph, [2, 3], 1), [[1]], [2, 3]],
    [
      "crossCorrelation",
      (a, b) => crossCorrelation(a!, b!, { symmetric: true }),
      [
        [9, 3],
        [9, 3],
      ],
      [3, 3],
    ],
    ["frobeniusIdentity", (c) => frobeniusIdentity(c!), [[3, 3]], [1]],
    ["eigenvalues", (c) => eigenvalues(c!), [[3, 3]], [3]],
    ["eigenvalues of a batch", (c) => eigenvalues(c!), [[5, 2, 3, 3]], [5, 2, 3]],
    ["eigenvalues of the largest order", (c) => eigenvalues(c!), [[2048, 2048]], [2048]],
  ];
  it.each(RIGHT)("%s", (_name, make, shapes, expected) => {
    const result = build(make, ...shapes);
    expect(result.shape).toEqual(expected);
    expect(result.dtype).toBe("f32");
    expect(result.elements).toBe(expected.reduce((product, extent) => product * extent, 1));
  });
});

describe("shapes that do not fit are refused, naming the op and every shape", () => {
  const WRONG: readonly (readonly [string, Build, readonly Shape[]])[] = [
    [
      "matmul",
      (a, b) => matmul(a!, b!),
      [
        [2, 3],
        [4, 5],
      ],
    ],
    [
      "matmul",
      (a, b) => matmul(a!, b!, { transposeA: true }),
      [
        [2, 3],
        [3, 5],
      ],
    ],
    [
      "matmul",
      (a, b) => matmul(a!, b!, { transposeB: true }),
      [
        [2, 3],
        [3, 5],
      ],
    ],
    ["matmul", (a, b) => matmul(a!, b!), [[2, 3], [3]]],
    ["matmul", (a, b) => matmul(a!, b!), [[3], [3, 2]]],
    [
      "matmul",
      (a, b) => matmul(a!, b!),
      [
        [4, 2, 3],
        [2, 3, 5],
      ],
    ],
    // One plain matrix serves a batch only where the batch's rows lie one under the other.
    [
      "matmul",
      (a, b) => matmul(a!, b!, { transposeA: true }),
      [
        [4, 3, 2],
        [3, 5],
      ],
    ],
    [
      "matmul",
      (a, b) => matmul(a!, b!),
      [
        [2, 3],
        [4, 3, 5],
      ],
    ],
    [
      "add",
      (a, b) => add(a!, b!),
      [
        [2, 3],
        [3, 2],
      ],
    ],
    ["add", (a, b) => add(a!, b!), [[2, 3], [2]]],
    ["add", (a, b) => add(a!, b!), [[3], [2, 3]]],
    [
      "add",
      (a, b) => add(a!, b!),
      [
        [4, 2, 3],
        [2, 3],
      ],
    ],
    ["add", (a, b) => subtract(a!, b!), [[2, 3], [4]]],
    [
      "add",
      (a, b) => add(a!, b!),
      [
        [2, 3],
        [3, 1],
      ],
    ],
    ["multiply", (a, b) => multiply(a!, b!), [[2, 3], [6]]],
    ["sumOverRows", (x) => sumOverRows(x!), [[3]]],
    ["standardize", (x) => center(x!), [[3]]],
    ["standardize", (x) => standardize(x!), [[3]]],
    ["reshape", (x) => reshape(x!, [4]), [[2, 3]]],
    ["slice", (x) => slice(x!, 0, 3), [[2, 3]]],
    ["slice", (x) => slice(x!, 1, 1), [[2, 3]]],
    ["slice", (x) => slice(x!, -1, 1), [[2, 3]]],
    ["slice", (x) => slice(x!, 0, 1.5), [[2, 3]]],
    ["slice", (x) => slice(x!, 0.5, 1.5), [[2, 2]]],
    ["slice", (x) => slice(x!, Number.NaN, 1), [[2, 3]]],
    [
      "concat",
      pair,
      [
        [2, 3],
        [2, 4],
      ],
    ],
    ["concat", pair, [[2, 3], [6]]],
    // Overlapping parts, and a part beyond the end.
    ["concat", (a, b) => pack(a!.graph, [a!, b!], [0, 5], [4, 4]), [[2, 3], [8]]],
    ["concat", (a, b) => pack(a!.graph, [a!, b!], [0, 9], [4, 4]), [[2, 3], [8]]],
    [
      "crossCorrelation",
      (a, b) => crossCorrelation(a!, b!, { symmetric: true }),
      [
        [9, 3],
        [8, 3],
      ],
    ],
    [
      "crossCorrelation",
      (a, b) => crossCorrelation(a!, b!, { symmetric: false }),
      [
        [9, 3],
        [9, 4],
      ],
    ],
    [
      "crossCorrelation",
      (a, b) => crossCorrelation(a!, b!, { symmetric: false }),
      [
        [3, 3, 3],
        [3, 3, 3],
      ],
    ],
    ["frobeniusIdentity", (c) => frobeniusIdentity(c!), [[3, 4]]],
    ["frobeniusIdentity", (c) => frobeniusIdentity(c!), [[2, 3, 3]]],
    ["eigh", (c) => eigenvalues(c!), [[3, 4]]],
    ["eigh", (c) => eigenvalues(c!), [[9]]],
    ["eigh", (c) => eigenvalues(c!), [[2049, 2049]]],
  ];
  it.each(WRONG)("%s %#", (op, make, shapes) => {
    const error = thrown(() => build(make, ...shapes));
    expect(error).toMatchObject({ code: "GRAPH-SHAPE", where: op, detail: { op, shapes } });
    expect(error.message.startsWith(`${op}: `)).toBe(true);
    expect(error.message).toContain(shapes.map(text).join(" and "));
  });

  it("leaves no node behind", () => {
    const [a, b] = tensors([2, 3], [4, 5]);
    thrown(() => matmul(a!, b!));
    expect(a!.graph.nodes).toEqual([]);
  });

  it("standardizeGrad: dY, y and one inverse deviation per column", () => {
    const [dY, y, inverseStd, wrong] = tensors([4, 2, 3], [4, 2, 3], [4, 3], [4, 2]);
    const { graph } = dY!;
    expect(graph.add(standardizeGradOp, [dY!, y!, inverseStd!], {})[0]?.shape).toEqual([4, 2, 3]);
    for (const bad of [
      [dY!, inverseStd!, inverseStd!],
      [dY!, y!, wrong!],
    ]) {
      expect(thrown(() => graph.add(standardizeGradOp, bad, {}))).toMatchObject({ code: "GRAPH-SHAPE" });
    }
  });
});

describe("a second operand that several rules would spread", () => {
  const spread = (a: Shape, b: Shape) => broadcastOf({ shape: a, dtype: "f32" }, { shape: b, dtype: "f32" });
  it.each([
    [[3, 3], [3, 3], "none"],
    [[1, 3], [1, 3], "none"],
    [[1, 1], [1, 1], "none"],
    [[1], [1], "none"],
    // One number is one number, whatever its rank.
    [[1, 1], [1], "scalar"],
    [[2, 1], [1, 1], "scalar"],
    [[1, 3], [1], "scalar"],
    // Square: a vector is a row, a column says so.
    [[3, 3], [3], "row"],
    [[3, 3], [1, 3], "row"],
    [[3, 3], [3, 1], "column"],
    [[2, 3, 3], [2, 3, 1], "column"],
    [[2, 3, 3], [6, 1], "column"],
    [[1, 3], [3], "row"],
    [[2, 3, 4], [3, 1], undefined],
    [[2, 3, 4], [3, 4], undefined],
  ] as const)("%j with %j: %s", (a, b, expected) => {
    expect(spread(a, b)).toBe(expected);
  });
});

describe("u32 operands are refused by arithmetic", () => {
  const FUNCTIONS: readonly (readonly [string, (x: Tensor, f: Tensor) => unknown])[] = [
    ["matmul", (x, f) => matmul(x, f)],
    ["matmul", (x, f) => matmul(f, x)],
    ["add", (x, f) => add(x, f)],
    ["add", (x, f) => add(f, x)],
    ["multiply", (x, f) => multiply(f, x)],
    ["affine", (x) => affine(x, 2, 1)],
    ["affine", (x) => scale(x, 2)],
    ["affine", (x) => relu(x)],
    ["sumOverRows", (x) => sumOverRows(x)],
    ["sumOverColumns", (x) => sumOverColumns(x)],
    ["sumOverColumns", (x) => sum(x)],
    ["sumOverColumns", (x) => sumSquares(x)],
    ["standardize", (x) => center(x)],
    ["standardize", (x) => standardize(x)],
    ["concat", (x, f) => concat([f, x])],
    ["crossCorrelation", (x, f) => crossCorrelation(f, x, { symmetric: true })],
    ["frobeniusIdentity", (x) => frobeniusIdentity(x)],
    ["eigh", (x) => eigenvalues(x)],
  ];
  it.each(FUNCTIONS)("%s %#", (op, make) => {
    const graph = new Graph();
    const [x, f] = [graph.input("x", [3, 3], "u32"), graph.input("f", [3, 3])];
    const error = thrown(() => make(x, f));
    expect(error).toMatchObject({ code: "GRAPH-SHAPE", where: op });
    expect(error.message).toMatch(/operand [01] has element type u32/);
  });

  it("but reshape and slice keep the element type", () => {
    const x = new Graph().input("x", [4, 3], "u32");
    expect([reshape(x, [12]).dtype, slice(x, 1, 2).dtype]).toEqual(["u32", "u32"]);
  });
});

describe("the number of operands", () => {
  // biome-ignore lint/suspicious/noExplicitAny: a list of ops with differing attributes
  const OPS: readonly (readonly [string, OpDefinition<any>, object, number])[] = [
    ["matmul", matmulOp, { hasBias: false, hasAddend: false }, 2],
    ["matmul", matmulOp, { hasBias: true, hasAddend: true }, 4],
    ["add", binaryOp, { kind: "add", alpha: 1, beta: 1 }, 2],
    ["affine", affineOp, { alpha: 1, beta: 0, relu: false }, 1],
    ["copy", copyOp, {}, 1],
    ["fill", fillOp, { shape: [2, 2], value: 0 }, 0],
    ["random", randomOp, { shape: [2, 2] }, 0],
    ["gatherCrop", gatherCropOp, { layout: {} }, 2],
    ["sumOverRows", sumOverRowsOp, { scale: 1 }, 1],
    ["sumOverColumns", sumOverColumnsOp, { scale: 1, square: false }, 1],
    ["standardize", standardizeOp, { standardize: true, epsilon: 0 }, 1],
    ["standardizeGrad", standardizeGradOp, {}, 3],
    ["crossCorrelation", crossCorrelationOp, { scale: 1, symmetric: true }, 2],
    ["frobeniusIdentity", frobeniusIdentityOp, { offDiagonal: 1 }, 1],
    ["eigh", eighOp, { vectors: false }, 1],
    ["sgd", sgdOp, { momentum: 0 }, 4],
    ["stepAdvance", stepAdvanceOp, {}, 2],
    ["noteNonfinite", noteNonfiniteOp, { hasAverages: false }, 2],
    ["noteNonfinite", noteNonfiniteOp, { hasAverages: true }, 3],
    ["metricsRecord", metricsRecordOp, {}, 4],
  ];
  it.each(OPS)("%s: one too many or too few is GRAPH-ARITY with both numbers (%#)", (name, op, attributes, count) => {
    const graph = new Graph();
    const x = graph.input("x", [2, 2]);
    for (const given of [count + 1, count - 1].filter((number) => number >= 0)) {
      const error = thrown(() =>
        graph.add(
          op,
          Array.from({ length: given }, () => x),
          attributes,
        ),
      );
      expect(error).toMatchObject({ code: "GRAPH-ARITY", where: name });
      expect(error.message).toBe(`${name} takes ${count} inputs, given ${given}`);
    }
  });

  it("concat of nothing is GRAPH-ARITY", () => {
    expect(thrown(() => concat([]))).toMatchObject({ code: "GRAPH-ARITY", where: "concat" });
  });
});

describe("names", () => {
  it("are given once, over inputs, states and parameters: GRAPH-NAME", () => {
    for (const second of ["input", "state", "parameter"] as const) {
      const graph = new Graph();
      graph.parameter("w", [2]);
      const error = thrown(() => graph[second]("w", [2]));
      expect(error).toMatchObject({ code: "GRAPH-NAME", where: "w" });
      expect(error.message).toContain("w");
    }
  });

  it("of the plan's own memories are refused: GRAPH-NAME", () => {
    for (const name of ["parameters", "slot:0", "uniforms", "unused"]) {
      for (const kind of ["input", "state", "parameter"] as const) {
        expect(thrown(() => new Graph()[kind](name, [2]))).toMatchObject({ code: "GRAPH-NAME", where: name });
      }
    }
  });

  it("of nodes are paths of scopes, also after a scope failed", () => {
    const graph = new Graph();
    const x = graph.input("x", [2, 2]);
    thrown(() => graph.scope("broken", () => reshape(x, [5])));
    graph.scope("encoder", () => graph.scope("head", () => relu(x)));
    expect(graph.nodes.map(({ label }) => label)).toEqual(["encoder/head/relu"]);
    expect(`${x}`).toBe("x[2, 2]");
  });
});

describe("tensors of another graph", () => {
  const foreign = new Graph().input("theirs", [3, 3]);
  it.each([
    ["matmul", (x: Tensor) => matmul(x, foreign)],
    ["binary", (x: Tensor) => add(x, foreign)],
    ["binary", (x: Tensor) => multiply(x, foreign)],
    ["concat", (x: Tensor) => concat([x, foreign])],
    ["crossCorrelation", (x: Tensor) => crossCorrelation(x, slice(foreign, 0, 3), { symmetric: false })],
  ])("%s: GRAPH-FOREIGN-TENSOR naming the tensor", (op, make) => {
    const error = thrown(() => make(new Graph().input("ours", [3, 3])));
    expect(error).toMatchObject({ code: "GRAPH-FOREIGN-TENSOR", where: op });
    expect(error.message).toContain("theirs[3, 3]");
  });
});

describe("extents are positive integers", () => {
  const BAD: readonly Shape[] = [
    [0],
    [2, 0],
    [-1],
    [-2, -3],
    [1.5],
    [4, 1.5],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
  ];
  it.each(BAD.map((shape) => [shape]))("%j is refused for leaves, constants, random tensors and packs", (shape) => {
    const graph = new Graph();
    const x = graph.input("x", [2, 3]);
    const attempts = [
      () => graph.input("a", shape),
      () => graph.state("b", shape),
      () => graph.parameter("c", shape),
      () => constant(graph, shape, 1),
      () => graph.add(randomOp, [], { shape, distribution: "normal", scale: 1, offset: 0, seed: 0, stream: 0 }),
      () => pack(graph, [], [], shape),
      () => reshape(x, shape),
    ];
    for (const attempt of attempts) expect(thrown(attempt)).toMatchObject({ code: "GRAPH-SHAPE" });
    // Nothing of a refused leaf stays: the flat parameter buffer has not grown and the name is free.
    expect(graph.parameterElements).toBe(0);
    expect(graph.nodes).toEqual([]);
    graph.parameter("c", [1]);
  });

  it("a view stays inside its base and starts at a whole element", () => {
    const x = new Graph().input("x", [2, 3]);
    for (const [shape, offset] of [
      [[4], 3],
      [[7], 0],
      [[1], -1],
      [[1], 0.5],
      [[-1, -1], 0],
    ] as const) {
      expect(thrown(() => x.graph.view(x, shape, offset))).toMatchObject({ code: "GRAPH-SHAPE" });
    }
    expect(x.graph.view(x, [3], 3).view).toEqual({ base: x, offset: 3, isDetached: false });
  });
});

describe("views and parameters", () => {
  it("a view of a view is a view of the base", () => {
    const x = new Graph().input("x", [6, 4]);
    const inner = slice(reshape(slice(x, 1, 5), [8, 2]), 3, 4);
    expect(inner.view).toEqual({ base: x, offset: 4 + 6, isDetached: false });
    expect(reshape(x, [6, 4])).toBe(x);
  });

  it("parameters are segments that start at multiples of 256 bytes", () => {
    const graph = new Graph();
    graph.parameter("a", [1]);
    graph.parameter("b", [8, 8]);
    graph.parameter("c", [65]);
    graph.parameter("d", [2]);
    expect(graph.segments.map(({ name, offset, elements }) => [name, offset, elements])).toEqual([
      ["a", 0, 1],
      ["b", 64, 64],
      ["c", 128, 65],
      ["d", 256, 2],
    ]);
    expect(4 * SEGMENT_ALIGNMENT).toBe(256);
    expect(graph.allParameters().shape).toEqual([320]);
    expect(graph.allParameters()).toBe(graph.allParameters());
  });

  it("requireScalar: GRAPH-NOT-SCALAR for more than one element", () => {
    const [one, two] = tensors([1, 1], [2]);
    requireScalar(one!, "grad");
    const error = thrown(() => requireScalar(two!, "grad"));
    expect(error).toMatchObject({ code: "GRAPH-NOT-SCALAR" });
    expect(error.message).toContain("[2]");
  });
});
