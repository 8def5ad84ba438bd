/**
 * The covariance-operator identity of Tian et al. 2020 for InfoNCE with H = 3 negatives, exact for any loss of the family:
 *
 *   −∇_{vec W_l} L = mean Σ_k β_k·{ (K_1 − K_k)(K_1 − K_k)ᵀ − (K_1 − K_2)(K_1 − K_2)ᵀ }·vec(W_l),  K_l(x) = f_{l−1}(x) ⊗ J_l(x)ᵀ
 *
 * for a bias-free ReLU net: the engine's gradient against connections built in float64, and against differences of the loss in float64.
 */
import { describe, expect, it } from "vitest";
import { matmul, relu, reshape } from "../../src/autodiff/functions.ts";
import { grad } from "../../src/autodiff/grad.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { infoNce } from "../../src/ssl/index.ts";
import * as oracle from "../oracle/sslLosses.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine();

/** n_0 … n_L; W_l is [n_l, n_{l−1}]. */
const WIDTHS = [6, 5, 4, 3];
const LAYERS = WIDTHS.length - 1;
const [BATCH, NEGATIVES, TAU] = [4, 3, 0.5];

type Weights = readonly Float64Array[];

interface Pass {
  /** f_0 … f_L. */
  readonly activations: readonly Float64Array[];
  /** J_l = d f_L / d (pre-activation of layer l), [n_L, n_l], for l = 1 … L at index l − 1. */
  readonly jacobians: readonly Float64Array[];
}

function forward(x: Float64Array, weights: Weights): Pass {
  const activations = [x];
  const gates: Float64Array[] = [];
  weights.forEach((w, l) => {
    const [input, rows, columns] = [activations[l]!, WIDTHS[l + 1]!, WIDTHS[l]!];
    const pre = Float64Array.from({ length: rows }, (_, i) =>
      input.reduce((sum, value, k) => sum + w[i * columns + k]! * value, 0),
    );
    const isTop = l === LAYERS - 1;
    gates.push(pre.map((value) => (isTop || value > 0 ? 1 : 0)));
    activations.push(pre.map((value) => (isTop ? value : Math.max(value, 0))));
  });
  const outputs = WIDTHS[LAYERS]!;
  const jacobians: Float64Array[] = [];
  // From the top: J_L = I, J_l = J_{l+1}·W_{l+1}·diag(gate of l).
  let current = Float64Array.from({ length: outputs * outputs }, (_, at) => (at % (outputs + 1) === 0 ? 1 : 0));
  jacobians.unshift(current);
  for (let l = LAYERS - 2; l >= 0; l--) {
    const [above, here, w] = [WIDTHS[l + 2]!, WIDTHS[l + 1]!, weights[l + 1]!];
    const next = new Float64Array(outputs * here);
    for (let o = 0; o < outputs; o++) {
      for (let j = 0; j < here; j++) {
        for (let i = 0; i < above; i++) next[o * here + j]! += current[o * above + i]! * w[i * here + j]!;
        next[o * here + j]! *= gates[l]![j]!;
      }
    }
    current = next;
    jacobians.unshift(current);
  }
  return { activations, jacobians };
}

/** K_l as rows (i, k) of W_l in row-major order, [n_l·n_{l−1}, n_L]: K[(i, k), o] = f_{l−1}[k]·J_l[o, i]. */
function connection({ activations, jacobians }: Pass, l: number): Float64Array {
  const [rows, columns, outputs] = [WIDTHS[l + 1]!, WIDTHS[l]!, WIDTHS[LAYERS]!];
  return Float64Array.from({ length: rows * columns * outputs }, (_, at) => {
    const [o, k, i] = [at % outputs, Math.floor(at / outputs) % columns, Math.floor(at / (outputs * columns))];
    return activations[l]![k]! * jacobians[l]![o * rows + i]!;
  });
}

/** D·Dᵀ·w with D = K − K'. */
function operatorTimes(a: Float64Array, b: Float64Array, w: Float64Array): Float64Array {
  const outputs = WIDTHS[LAYERS]!;
  const difference = a.map((value, at) => value - b[at]!);
  const product = new Float64Array(outputs);
  difference.forEach((value, at) => {
    product[at % outputs]! += value * w[Math.floor(at / outputs)]!;
  });
  return w.map((_, row) => product.reduce((sum, value, o) => sum + value * difference[row * outputs + o]!, 0));
}

describe("covariance operator of InfoNCE, H = 3, in a bias-free ReLU net", () => {
  const random = new TestRandom(11);
  const weights = WIDTHS.slice(1).map((rows, l) => random.normals(rows * WIDTHS[l]!, 1 / Math.sqrt(WIDTHS[l]!)));
  const inputs = WIDTHS[0]!;
  const x1 = random.normals(BATCH * inputs);
  const x2 = x1.map((value) => value + 0.3 * random.normal());
  const xn = random.normals(BATCH * NEGATIVES * inputs);
  const doubles = weights.map((w) => Float64Array.from(w));
  const passOf = (x: Float32Array, i: number, w: Weights) =>
    forward(Float64Array.from(x.subarray(i * inputs, (i + 1) * inputs)), w);
  const outputsOf = (x: Float32Array, count: number, w: Weights): number[] =>
    Array.from({ length: count }, (_, i) => [...passOf(x, i, w).activations[LAYERS]!]).flat();

  /** −∇ by the identity. */
  const predicted = doubles.map((w, l) => {
    const sum = new Float64Array(w.length);
    for (let i = 0; i < BATCH; i++) {
      const [first, second] = [passOf(x1, i, doubles), passOf(x2, i, doubles)];
      const others = Array.from({ length: NEGATIVES }, (_, k) => passOf(xn, i * NEGATIVES + k, doubles));
      const distance = (a: Pass, b: Pass) =>
        oracle.halfSquaredDistance([...a.activations[LAYERS]!], [...b.activations[LAYERS]!]);
      const near = Math.exp(-distance(first, second) / TAU);
      const far = others.map((other) => Math.exp(-distance(first, other) / TAU));
      const total = near + far.reduce((a, b) => a + b, 0);
      const attraction = operatorTimes(connection(first, l), connection(second, l), w);
      others.forEach((other, k) => {
        const beta = far[k]! / total / TAU;
        const repulsion = operatorTimes(connection(first, l), connection(other, l), w);
        repulsion.forEach((value, at) => {
          sum[at]! += (beta * (value - attraction[at]!)) / BATCH;
        });
      });
    }
    return sum;
  });

  it("K_l(x)ᵀ·vec(W_l) is the output, for every layer", () => {
    const pass = passOf(x1, 0, doubles);
    doubles.forEach((w, l) => {
      const outputs = WIDTHS[LAYERS]!;
      const product = new Float64Array(outputs);
      connection(pass, l).forEach((value, at) => {
        product[at % outputs]! += value * w[Math.floor(at / outputs)]!;
      });
      expect(product).toMatchOracle(pass.activations[LAYERS]!, { factor: 0, scale: 0, absolute: 1e-14 });
    });
  });

  it("the identity holds against differences of the loss, in float64", () => {
    const d = WIDTHS[LAYERS]!;
    const loss = (w: Weights): number =>
      oracle.infoNce(
        outputsOf(x1, BATCH, w),
        outputsOf(x2, BATCH, w),
        outputsOf(xn, BATCH * NEGATIVES, w),
        { n: BATCH, d, negatives: NEGATIVES },
        { tau: TAU, beta: 0 },
      );
    const h = 1e-5;
    doubles.forEach((layer, l) => {
      const differences = layer.map((_, at) => {
        const moved = (step: number) =>
          doubles.map((w, m) => (m === l ? w.map((v, k) => (k === at ? v + step : v)) : w));
        return -(loss(moved(h)) - loss(moved(-h))) / (2 * h);
      });
      expect(differences).toMatchOracle(predicted[l]!, { factor: 0, scale: 0, absolute: 1e-8 });
    });
  });

  it("the engine's gradient is the operator applied to the weights", async () => {
    const graph = new Graph();
    const parameters = weights.map((_, l) => graph.parameter(`w${l}`, [WIDTHS[l + 1]!, WIDTHS[l]!]));
    const encode = (x: Tensor): Tensor =>
      parameters.reduce((value, w, l) => {
        const next = matmul(value, w, { transposeB: true });
        return l === LAYERS - 1 ? next : relu(next);
      }, x);
    const d = WIDTHS[LAYERS]!;
    const [f1, f2] = [encode(graph.input("x1", [BATCH, inputs])), encode(graph.input("x2", [BATCH, inputs]))];
    const negatives = encode(graph.input("xn", [BATCH * NEGATIVES, inputs]));
    const loss = infoNce(f1, f2, reshape(negatives, [BATCH, NEGATIVES, d]), { temperature: TAU });
    const gradients = grad(loss, parameters);
    const feeds = { x1, x2: Float32Array.from(x2), xn, ...Object.fromEntries(weights.map((w, l) => [`w${l}`, w])) };
    const wanted = Object.fromEntries(gradients.map((gradient, l) => [`d${l}`, gradient]));
    const results = await evaluate(engine(), graph, feeds, wanted);
    // Three layers of at most 6 terms forward and backward, 20 rows: about 60 roundings of terms up to the largest entry.
    predicted.forEach((expected, l) => {
      const scale = Math.max(...Array.from(expected, Math.abs));
      expect(results[`d${l}`]!.map((value) => -value)).toMatchOracle(expected, { factor: 60 * U, scale });
    });
  });
});
