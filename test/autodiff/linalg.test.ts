/** Derivatives of decompositions in the middle of graphs, against finite differences of the float64 oracle. */
import { describe, expect, it } from "vitest";
import { matmul, multiply, scale, sum } from "../../src/autodiff/functions.ts";
import { grad } from "../../src/autodiff/grad.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { eigenvalues, eigh, powSym, singularValues, spectrum, svd } from "../../src/autodiff/linalg.ts";
import * as oracle from "../oracle/eigh.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine({ unrollsLoops: false });

/** Central differences of a float64 function. */
function numericalGradient(f: (x: Float64Array) => number, at: ArrayLike<number>): Float64Array {
  const h = 1e-5;
  return Float64Array.from({ length: at.length }, (_, i) => {
    const shifted = (step: number): number => {
      const x = Float64Array.from({ length: at.length }, (__, k) => at[k]!);
      x[i]! += step;
      return f(x);
    };
    return (8 * (shifted(h) - shifted(-h)) - (shifted(2 * h) - shifted(-2 * h))) / (12 * h);
  });
}

/** s·XᵀX of [rows, n], in float64. */
function gram(x: ArrayLike<number>, rows: number, n: number, s: number): Float64Array {
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      for (let r = 0; r < rows; r++) a[i * n + j]! += s * x[r * n + i]! * x[r * n + j]!;
    }
  }
  return a;
}

const S = 0.5;
const maxAbs = (values: ArrayLike<number>): number => Math.max(...Array.from(values, Math.abs));

interface Problem {
  readonly x: Float32Array<ArrayBuffer>;
  readonly rows: number;
  readonly n: number;
  /** Smallest distance of two eigenvalues of S·XᵀX, relative to the largest. */
  readonly gap: number;
}

function problem(rows: number, n: number, seed: number): Problem {
  const random = new TestRandom(seed);
  // Columns of falling size keep the eigenvalues apart.
  const x = random.normals(rows * n).map((value, at) => value * 0.8 ** (at % n));
  const { values } = oracle.eigh(gram(x, rows, n, S), n);
  const distances = Array.from({ length: n - 1 }, (_, i) => values[i]! - values[i + 1]!);
  return { x, rows, n, gap: Math.min(...distances, values[0]!) / values[0]! };
}

/** Runs grad of a loss built from A = S·XᵀX, which the loss reaches through further nodes. */
async function gradientOf(
  { x, rows, n }: Problem,
  feeds: Readonly<Record<string, Float32Array<ArrayBuffer>>>,
  loss: (a: Tensor, inputs: Readonly<Record<string, Tensor>>) => Tensor,
): Promise<Float32Array> {
  const graph = new Graph();
  const leaf = graph.parameter("x", [rows, n]);
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([name, data]) => [name, graph.input(name, data.length === n ? [n] : [n, n])]),
  );
  const a = matmul(leaf, leaf, { transposeA: true, scale: S });
  const [dX] = grad(scale(loss(a, inputs), 1.5), [leaf]);
  return (await evaluate(engine(), graph, { x, ...feeds }, { dX: dX! })).dX;
}

/**
 * Eigenvectors move by at most √2·‖residual‖/gap (Davis & Kahan 1970) with ‖residual‖ ≤ 2·n·u·‖A‖_F, asserted for the solver; the gradient
 * 2S·X·dA carries that error twice (V on both sides), rounding of the products is smaller by a factor of the gap.
 */
function eigenvectorError({ n, gap }: Problem): number {
  return (2 * Math.SQRT2 * 2 * n * Math.sqrt(n) * U) / gap;
}

describe("derivatives of eigen-decompositions", () => {
  for (const n of [1, 2, 5, 12]) {
    it(`eigenvalues, n = ${n}, and the same through eigh`, async () => {
      const p = problem(n + 3, n, n);
      const r = new TestRandom(n + 50).normals(n);
      const expected = numericalGradient(
        (x) =>
          1.5 *
          oracle.eigh(gram(x, p.rows, n, S), n).values.reduce((total, value, k) => total + value * value * r[k]!, 0),
        p.x,
      );
      for (const build of [eigenvalues, (a: Tensor) => eigh(a).values]) {
        const actual = await gradientOf(p, { r }, (a, { r: weights }) => {
          const values = build(a);
          return sum(multiply(multiply(values, values), weights!));
        });
        // d(λ²) doubles the relative error of λ, which is below that of the vectors.
        const factor = 2 * eigenvectorError(p) + 16 * Math.sqrt(n) * U;
        expect(actual).toMatchOracle(expected, { factor, scale: maxAbs(expected) * Math.sqrt(n), absolute: 1e-8 });
      }
    });

    it(`eigenvectors, n = ${n}: a loss in their squares, which do not depend on signs`, async () => {
      const p = problem(n + 3, n, n + 7);
      const weights = new TestRandom(n + 60).normals(n * n);
      const expected = numericalGradient((x) => {
        const { vectors } = oracle.eigh(gram(x, p.rows, n, S), n);
        return 1.5 * vectors.reduce((total, v, at) => total + v * v * weights[at]!, 0);
      }, p.x);
      const actual = await gradientOf(p, { weights }, (a, inputs) => {
        const { vectors } = eigh(a);
        return sum(multiply(multiply(vectors, vectors), inputs.weights!));
      });
      // Three factors V and the gaps themselves, which are as good as the eigenvalues: 4·√n·u over the gap.
      const factor = 3 * eigenvectorError(p) + (16 * Math.sqrt(n) * U) / p.gap;
      expect(actual).toMatchOracle(expected, { factor, scale: n * maxAbs(expected), absolute: 1e-7 });
    });
  }

  it("a function of a degenerate eigenspace: the projector onto it", async () => {
    // A = S·XᵀX with X orthogonal columns of lengths √2, √2, 1, ½: λ = 1, 1, ½, ⅛; the first two span one eigenspace.
    const n = 4;
    const lengths = [Math.SQRT2, Math.SQRT2, 1, 0.5];
    const random = new TestRandom(3);
    const { vectors } = oracle.eigh(gram(random.normals(n * n), n, n, 1), n);
    const x = Float32Array.from(vectors, (v, at) => v * lengths[Math.floor(at / n)]!);
    const weights = random.normals(n * n);
    const first = Float32Array.of(1, 1, 0, 0);
    const projector = (y: Float64Array): number => {
      const { vectors: v } = oracle.eigh(gram(y, n, n, S), n);
      let total = 0;
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++)
          total += weights[i * n + j]! * (v[i * n]! * v[j * n]! + v[i * n + 1]! * v[j * n + 1]!);
      }
      return 1.5 * total;
    };
    const expected = numericalGradient(projector, x);
    const actual = await gradientOf({ x, rows: n, n, gap: 0.375 }, { weights, first }, (a, inputs) => {
      const { vectors: v } = eigh(a);
      return sum(multiply(matmul(multiply(v, inputs.first!), v, { transposeB: true }), inputs.weights!));
    });
    expect(maxAbs(expected)).toBeGreaterThan(0.1);
    const factor = 4 * eigenvectorError({ x, rows: n, n, gap: 0.375 });
    // The f32 matrix is degenerate up to 1e-7; the oracle's projector does not see that split.
    expect(actual).toMatchOracle(expected, { factor, scale: n * maxAbs(expected), absolute: 1e-6 });
  });

  it("a batch of matrices", async () => {
    const [n, batch] = [3, 4];
    const graph = new Graph();
    const leaf = graph.parameter("a", [batch, n, n]);
    const r = graph.input("r", [batch, n]);
    const [dA] = grad(sum(multiply(eigenvalues(leaf), r)), [leaf]);
    const random = new TestRandom(4);
    const a = random.normals(batch * n * n);
    for (let g = 0; g < batch; g++) {
      for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) a[g * 9 + i * n + j] = a[g * 9 + j * n + i]!;
    }
    const weights = random.normals(batch * n);
    const { dA: actual } = await evaluate(engine(), graph, { a, r: weights }, { dA: dA! });
    for (let g = 0; g < batch; g++) {
      const { vectors, values } = oracle.eigh(a.subarray(9 * g, 9 * g + 9), n);
      const gap = Math.min(values[0]! - values[1]!, values[1]! - values[2]!) / maxAbs(values);
      const expected = Float64Array.from({ length: 9 }, (_, at) => {
        let total = 0;
        for (let k = 0; k < n; k++)
          total += vectors[Math.floor(at / n) * n + k]! * weights[g * n + k]! * vectors[(at % n) * n + k]!;
        return total;
      });
      const bound = { factor: eigenvectorError({ x: a, rows: n, n, gap }), scale: n * maxAbs(weights) };
      expect(actual.subarray(9 * g, 9 * g + 9)).toMatchOracle(expected, bound);
    }
  });
});

describe("powSym", () => {
  for (const exponent of [0.5, -0.5, -1] as const) {
    it(`exponent ${exponent}: value and derivative, with a repeated eigenvalue`, async () => {
      const n = 4;
      const random = new TestRandom(11);
      const { vectors } = oracle.eigh(gram(random.normals(n * n), n, n, 1), n);
      const lengths = [1.5, 1.5, 1, 0.7];
      const x = Float32Array.from(vectors, (v, at) => v * lengths[Math.floor(at / n)]!);
      const weights = random.normals(n * n);
      const f = (y: ArrayLike<number>): Float64Array => {
        const { values, vectors: v } = oracle.eigh(gram(y, n, n, S), n);
        return Float64Array.from({ length: n * n }, (_, at) => {
          let total = 0;
          for (let k = 0; k < n; k++)
            total += v[Math.floor(at / n) * n + k]! * values[k]! ** exponent * v[(at % n) * n + k]!;
          return total;
        });
      };
      const graph = new Graph();
      const leaf = graph.parameter("x", [n, n]);
      const w = graph.input("w", [n, n]);
      const y = powSym(matmul(leaf, leaf, { transposeA: true, scale: S }), exponent);
      const [dX] = grad(scale(sum(multiply(y, w)), 1.5), [leaf]);
      const results = await evaluate(engine(), graph, { x, w: weights }, { y, dX: dX! });
      // κ = (1.5/0.7)² = 4.6 enters λ^p at most once, its derivative twice; solver errors 2·n·√n·u.
      const error = 2 * Math.SQRT2 * 2 * n * Math.sqrt(n) * U;
      expect(results.y).toMatchOracle(f(x), { factor: 4.6 * error, scale: maxAbs(f(x)) * n });
      const expected = numericalGradient((z) => 1.5 * f(z).reduce((total, v, at) => total + v * weights[at]!, 0), x);
      expect(results.dX).toMatchOracle(expected, {
        factor: 4.6 ** 2 * error,
        scale: n * maxAbs(expected),
        absolute: 1e-7,
      });
    });
  }

  it("a singular matrix: pseudo-inverse powers above the cut-off, derivative finite", async () => {
    const graph = new Graph();
    const a = graph.parameter("a", [3, 3]);
    const y = powSym(a, -0.5, { cutoff: 1e-4 });
    const [dA] = grad(sum(y), [a]);
    const data = Float32Array.of(4, 0, 0, 0, 1e-5, 0, 0, 0, 0);
    const results = await evaluate(engine(), graph, { a: data }, { y, dA: dA! });
    expect([...results.y]).toEqual([0.5, 0, 0, 0, 0, 0, 0, 0, 0]);
    // Diagonal 0.5·4^(−3/2)·(−1); off-diagonal across the cut-off (f(4) − 0)/(4 − λ).
    expect(results.dA[0]).toBeCloseTo(-1 / 16, 7);
    expect(results.dA[1]).toBeCloseTo(0.5 / (4 - 1e-5), 6);
    expect(results.dA[8]).toBe(0);
  });

  it("refuses a cut-off outside [0, 1)", () => {
    const graph = new Graph();
    const a = graph.input("a", [3, 3]);
    for (const cutoff of [-0.1, 1, Number.NaN])
      expect(() => powSym(a, 0.5, { cutoff })).toThrow(/cut-off .* is outside/);
  });
});

describe("derivatives of singular values", () => {
  for (const [rows, n] of [
    [9, 4],
    [4, 4],
    [3, 5],
  ] as const) {
    it(`${rows} × ${n}`, async () => {
      const k = Math.min(rows, n);
      const random = new TestRandom(rows);
      const z = random.normals(rows * n);
      const r = random.normals(k);
      const graph = new Graph();
      const leaf = graph.parameter("z", [rows, n]);
      const weights = graph.input("r", [k]);
      const outputs = {
        own: sum(multiply(singularValues(scale(leaf, 2)), weights)),
        shared: sum(multiply(svd(scale(leaf, 2)).values, weights)),
      };
      const gradients = {
        own: grad(outputs.own, [leaf])[0]!,
        shared: grad(outputs.shared, [leaf])[0]!,
      };
      const results = await evaluate(engine(), graph, { z, r }, gradients);
      const f = (x: Float64Array): number => {
        const { values } = oracle.eigh(gram(x, rows, n, 4), n);
        let total = 0;
        for (let i = 0; i < k; i++) total += Math.sqrt(Math.max(values[i]!, 0)) * r[i]!;
        return total;
      };
      const expected = numericalGradient(f, z);
      const { values } = oracle.eigh(gram(z, rows, n, 4), n);
      const sigma = Array.from({ length: k }, (_, i) => Math.sqrt(values[i]!));
      const gap = Math.min(...sigma.slice(1).map((s, i) => sigma[i]! - s)) / sigma[0]!;
      const factor = (4 * Math.SQRT2 * 2 * n * Math.sqrt(n) * U) / gap;
      for (const actual of [results.own, results.shared]) {
        expect(actual).toMatchOracle(expected, { factor, scale: 2 * k * maxAbs(r), absolute: 1e-7 });
      }
    });
  }

  it("spectrum is the eigenvalues of the second moments, and a zero singular value passes nothing back", async () => {
    const graph = new Graph();
    const z = graph.parameter("z", [4, 2]);
    const lambda = spectrum(z);
    const [dZ] = grad(sum(lambda), [z]);
    const data = Float32Array.of(1, 0, 1, 0, 1, 0, 1, 0);
    const results = await evaluate(engine(), graph, { z: data }, { lambda, dZ: dZ! });
    expect(results.lambda[0]).toBeCloseTo(1, 6);
    expect(results.lambda[1]).toBe(0);
    [...results.dZ].forEach((value, at) => {
      expect(value).toBeCloseTo(at % 2 ? 0 : 0.5, 6);
    });
  });

  it("the spectrum of more than 1024 rows and columns is that of the smaller product, above 2048 of neither", () => {
    const opsOf = (rows: number, columns: number) => {
      const graph = new Graph();
      const lambda = spectrum(graph.input("z", [rows, columns]));
      expect(lambda.shape).toEqual([Math.min(rows, columns)]);
      return graph.nodes.map(({ op, attributes }) => [op.name, attributes]);
    };
    const product = { scale: 1, hasBias: false, hasAddend: false, relu: false };
    for (const [rows, columns, sides] of [
      [2048, 1025, { transposeA: true, transposeB: false }],
      [1025, 2048, { transposeA: false, transposeB: true }],
      [70_000, 8, { transposeA: true, transposeB: false }],
    ] as const) {
      const [first, second, third] = opsOf(rows, columns);
      expect(first).toEqual(["matmul", { ...product, ...sides }]);
      expect(second).toEqual(["eigh", { vectors: false }]);
      expect(third).toMatchObject(["affine", { alpha: 1 / rows, beta: 0 }]);
    }
    expect(opsOf(1024, 2048)[0]?.[0]).toBe("svd");
    expect(() => opsOf(2049, 2049)).toThrow(/2049 rows and 2049 columns are both above 2048/);
  });

  it("singular vectors are not differentiable, said by name", () => {
    const graph = new Graph();
    const z = graph.parameter("z", [4, 2]);
    expect(() => grad(sum(svd(z).left), [z])).toThrow(/singular vectors are not differentiable/);
  });
});
