/** Softmax cross-entropy in graphs: value, derivative in the middle of a graph, rows of a batch, shapes. */
import { describe, expect, it } from "vitest";
import { gatherRows, softmaxCrossEntropy } from "../../src/autodiff/classification.ts";
import { affine, matmul, multiply } from "../../src/autodiff/functions.ts";
import { grad } from "../../src/autodiff/grad.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import * as oracle from "../oracle/classification.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine({ unrollsLoops: false });
const [ROWS, FEATURES, CLASSES, COUNT] = [6, 5, 4, 9];

describe("softmaxCrossEntropy", () => {
  it("of a batch chosen by index: loss and derivative against float64 differences, with a cotangent of its own", async () => {
    const random = new TestRandom(4);
    const graph = new Graph();
    const table = graph.input("table", [COUNT, FEATURES]);
    const allLabels = graph.input("labels", [COUNT], "u32");
    const indices = graph.input("indices", [ROWS], "u32");
    const weight = graph.input("weight", [CLASSES, FEATURES]);
    const logits = matmul(gatherRows(table, indices), affine(weight, 1.3, 0.1), { transposeB: true });
    const loss = softmaxCrossEntropy(logits, gatherRows(allLabels, indices));
    // −0.7·loss² as the objective: the cotangent that arrives at the loss is −1.4·loss.
    const [gradient] = grad(multiply(affine(loss, -0.7, 0), loss), [weight]);
    const feeds = {
      table: random.normals(COUNT * FEATURES),
      labels: Uint32Array.from({ length: COUNT }, () => random.integer(CLASSES)),
      indices: Uint32Array.of(8, 0, 3, 3, 1, 7),
      weight: random.normals(CLASSES * FEATURES),
    };
    const result = await evaluate(engine(), graph, feeds, { loss, gradient: gradient! });

    const rows = oracle.gatherRows(feeds.table, feeds.indices, FEATURES);
    const labels = oracle.gatherRows(feeds.labels, feeds.indices, 1);
    const meanLoss = (moved: Float64Array) => {
      const scores = new Float64Array(ROWS * CLASSES);
      for (let i = 0; i < ROWS; i++) {
        for (let c = 0; c < CLASSES; c++) {
          for (let f = 0; f < FEATURES; f++) {
            scores[i * CLASSES + c]! += rows[i * FEATURES + f]! * (1.3 * moved[c * FEATURES + f]! + 0.1);
          }
        }
      }
      return oracle.softmaxCrossEntropy(scores, labels, CLASSES).terms.reduce((sum, term) => sum + term / ROWS, 0);
    };
    const start = Float64Array.from(feeds.weight);
    const value = meanLoss(start);
    // Logits to γ_8 of terms below 10, the header's bound with distances below 20, a mean of six.
    expect(Math.abs(result.loss[0]! - value)).toBeLessThan(gamma(10 + 108 + 80) * 1);
    const expected = start.map((_, at) => {
      const objective = (step: number) => -0.7 * meanLoss(start.map((w, i) => w + (i === at ? step : 0))) ** 2;
      return (objective(1e-5) - objective(-1e-5)) / 2e-5;
    });
    // The residual's bound (2·4 + 12 + 8·20) on terms |residual·x| ≤ 3, six of them, times 1.3·1.4·loss; differences to 1e-9.
    expect(result.gradient).toMatchOracle(expected, {
      factor: gamma(180 + 6 + 10),
      scale: 3 * 1.3 * 1.4 * value,
      absolute: 1e-8,
    });
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(0.05);
  });

  it("shapes that do not fit are named", () => {
    const graph = new Graph();
    const logits = graph.input("logits", [4, 3]);
    expect(() => softmaxCrossEntropy(logits, graph.input("short", [3], "u32"))).toThrow(/\[4, 3\] and \[3\]/);
    expect(() => softmaxCrossEntropy(logits, graph.input("real", [4]))).toThrow(/u32 labels/);
    expect(() => gatherRows(logits, graph.input("indices", [2]))).toThrow(/no u32 vector/);
  });
});
