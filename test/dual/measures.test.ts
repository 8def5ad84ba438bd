/** What a training step measures of its operators: growth law, population loss, bad input. */
import { describe, expect, it } from "vitest";
import { CompiledPlan } from "../../src/autodiff/compiledPlan.ts";
import { grad } from "../../src/autodiff/grad.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { connections } from "../../src/dual/connection.ts";
import { operatorMeasures } from "../../src/dual/measures.ts";
import { dualNetwork } from "../../src/dual/network.ts";
import { denseOperator, operatorFactor } from "../../src/dual/operator.ts";
import {
  betweenContrasts,
  intraContrasts,
  negativesError,
  populationPairs,
  requireTuples,
} from "../../src/dual/pairMatrix.ts";
import { populationLoss } from "../../src/dual/populationLoss.ts";
import { ParameterScope } from "../../src/nn/index.ts";
import * as oracle from "../oracle/dual.ts";
import { lossValue, negativeGradient } from "../oracle/dualGradient.ts";
import { eigh } from "../oracle/eigh.ts";
import { useEngine } from "../support/device.ts";
import { evaluate, REGISTER_TARGET } from "../support/graphs.ts";
import { TestRandom } from "../support/random.ts";
import { BETAS, connectionsOf, lossOf, randomNetwork, randomSamples } from "./support.ts";

const engine = useEngine({ unrollsLoops: false });

function network(graph: Graph, widths: readonly number[], samples: number, options = {}) {
  const x = graph.input("x", [samples, widths[0]!]);
  return dualNetwork(ParameterScope.create(graph), x, { widths, ...options });
}

describe("the simple loss over all pairs", () => {
  for (const augmentations of [1, 3]) {
    it(`is the mean over all tuples, with its gradient, ${augmentations} augmentations, all betas`, async () => {
      const random = new TestRandom(31);
      const widths = [5, 7, 3];
      const [images, samples] = [4, 4 * augmentations];
      const reference = randomNetwork(random, widths);
      const x = randomSamples(random, { images, augmentations, features: 5 });
      const weights = Object.fromEntries(reference.weights.map((w, l) => [`layers.${l}.weight`, new Float32Array(w)]));
      for (const beta of BETAS) {
        const graph = new Graph();
        const { embeddings, layers } = network(graph, widths, samples);
        const loss = populationLoss(embeddings, { images, augmentations }, beta);
        const [first, second] = grad(
          loss,
          layers.map(({ weight }) => weight),
        );
        const result = await evaluate(engine(), graph, { x, ...weights }, { loss, first: first!, second: second! });
        const tuples = oracle.allTuples(images, augmentations);
        const expected = lossValue(reference, x, tuples, lossOf("simple", beta));
        // Sums of squares of a few dozen numbers in f32.
        expect(Math.abs(result.loss[0]! / expected - 1)).toBeLessThan(1e-5);
        negativeGradient(reference, x, tuples, lossOf("simple", beta)).forEach((exact, l) => {
          const own = (l === 0 ? result.first : result.second).map((value) => -value);
          expect(oracle.relativeDistance(own, exact)).toBeLessThan(1e-5);
        });
      }
    });
  }
});

describe("operatorMeasures", () => {
  const shape = { images: 5, augmentations: 2 };
  const samples = 10;
  const widths = [6, 9, 8, 3];
  const leading = 3;
  const learningRate = 1e-3;

  it("sees what the oracle sees, and after a step of descent weights that grew by 1 + 2·rate·λ along the eigenvectors", async () => {
    const random = new TestRandom(41);
    const reference = randomNetwork(random, widths);
    const x = randomSamples(random, { ...shape, features: 6 });
    const graph = new Graph();
    const pass = network(graph, widths, samples);
    const contrasts = { between: betweenContrasts(shape), intra: intraContrasts(shape) };
    const rows = (name: keyof typeof contrasts) => graph.input(name, [contrasts[name].length / samples, samples]);
    const measures = operatorMeasures(pass, {
      loss: populationLoss(pass.embeddings, shape, 0),
      pairs: graph.input("pairs", [samples, samples]),
      between: rows("between"),
      intra: rows("intra"),
      leading,
      isDense: false,
      maxBindingBytes: 2 ** 27,
    });
    const plan = planGraph({ graph, programs: { operator: measures.nodes }, target: REGISTER_TARGET });
    const compiled = await CompiledPlan.compile(engine(), plan);
    try {
      const fixed = { x, ...contrasts, pairs: populationPairs(shape, 0, "both towers") };
      for (const [name, values] of Object.entries(fixed)) compiled.write(name, values);
      const measure = async (weights: readonly Float64Array[]) => {
        graph.segments.forEach(({ offset }, l) => {
          compiled.write("parameters", new Float32Array(weights[l]!), 4 * offset);
        });
        compiled.run("operator");
        const bytes = await engine().readBuffer(compiled.buffer("operator.measures"), 0, 4 * measures.state.elements);
        return measures.read(new Float32Array(bytes));
      };
      const before = await measure(reference.weights);
      const tuples = oracle.allTuples(shape.images, shape.augmentations);
      const gradients = negativeGradient(reference, x, tuples, lossOf("simple", 0));
      const moved = reference.weights.map((w, l) => w.map((value, at) => value + learningRate * gradients[l]![at]!));
      const after = await measure(moved);

      connectionsOf(reference, x, shape.augmentations).layers.forEach(({ byImage, weights }, l) => {
        const [between, intra] = [oracle.betweenCovariance(byImage, 3), oracle.intraCovariance(byImage, 3)];
        const { values } = eigh(between, weights.length);
        const look = before[l]!;
        expect(look.cosine).toBeGreaterThan(0.999_999);
        expect(look.residual).toBeLessThan(1e-5);
        expect(look.gradientNorm / Math.hypot(...gradients[l]!)).toBeCloseTo(1, 5);
        expect(look.intraRatio! / (Math.hypot(...between) / Math.hypot(...intra))).toBeCloseTo(1, 4);
        look.eigenvalues.forEach((value, k) => {
          expect(Math.abs(value - (values[k] ?? 0))).toBeLessThan(4e-6 * values[0]!);
        });
        // n_L·(M − 1) = 12 at every layer of at least as many weights.
        expect(look.rank).toBeLessThanOrEqual(12);
        for (let k = 0; k < leading; k++) {
          const grown = after[l]!.previousCoefficients[k]! / look.coefficients[k]!;
          // Rounding of a coefficient is relative to ‖W‖, of which it may be a small part.
          const accuracy = (1e-6 * Math.hypot(...weights)) / Math.abs(look.coefficients[k]!);
          expect(Math.abs(grown - (1 + 2 * learningRate * look.eigenvalues[k]!))).toBeLessThan(accuracy);
        }
      });
    } finally {
      compiled.destroy();
    }
    // An eigen-solver with vectors for every layer: compiling takes minutes where other programs have the cores.
  }, 240_000);
});

describe("bad input names what does not fit", () => {
  const code = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      return `${(error as { code: string }).code}: ${(error as Error).message}`;
    }
    return "nothing was thrown";
  };

  it("widths", () => {
    for (const widths of [[], [5], [5, 0], [5, 2.5, 3], [5, -1]]) {
      expect(code(() => network(new Graph(), [...widths], 4))).toMatch(/CONFIG-WIDTHS|GRAPH-SHAPE/);
    }
    expect(code(() => network(new Graph(), [5, 0, 3], 4))).toMatch(/CONFIG-WIDTHS: .*\[5, 0, 3\]/);
  });

  it("a layer too large for a dense operator", () => {
    const graph = new Graph();
    const [connection] = connections(network(graph, [432, 64, 8], 12));
    const pairs = graph.input("pairs", [12, 12]);
    expect(code(() => denseOperator(connection!, pairs, 2 ** 27))).toMatch(
      /DUAL-DENSE: Layer 1 has 64 × 432 = 27648 weights.* 27648² entries, 2916\.0 MiB.*order 2048 and take 128\.0 MiB/,
    );
    const contrasts = graph.input("contrasts", [3, 12]);
    expect(code(() => operatorFactor(connection!, contrasts, 2 ** 20))).toMatch(
      /DUAL-DENSE: .*96 × 27648, take 10\.1 MiB/,
    );
  });

  it("a dense operator of order 2048 is refused by the binding, not by the order", () => {
    const graph = new Graph();
    const [connection] = connections(network(graph, [32, 64, 2], 4));
    const pairs = graph.input("pairs", [4, 4]);
    expect(code(() => denseOperator(connection!, pairs, 2 ** 24))).toBe("nothing was thrown");
    expect(code(() => denseOperator(connection!, pairs, 2 ** 24 - 4))).toMatch(/DUAL-DENSE/);
  });

  it("tuples and negatives", () => {
    const tuples = { anchors: [0], positives: [1], negatives: [[2, 3]] };
    expect(code(() => requireTuples(tuples, 4))).toBe("nothing was thrown");
    expect(code(() => requireTuples(tuples, 3))).toMatch(/DUAL-TUPLES: .*3 samples.*index 3/);
    expect(code(() => requireTuples({ ...tuples, negatives: [[0, 1, 2, 3, 0]] }, 4))).toMatch(
      /DUAL-NEGATIVES: 5 negatives.* 4$/,
    );
    expect(code(() => requireTuples({ ...tuples, negatives: [[]] }, 4))).toMatch(/DUAL-TUPLES/);
    expect(code(() => requireTuples({ ...tuples, positives: [] }, 4))).toMatch(/DUAL-TUPLES/);
    expect(negativesError(64, 31)).toMatchObject({ fix: "Use at most 31 negatives, or a larger batch." });
  });
});

describe("populationPairs", () => {
  it("rows sum to zero in any convention: a common shift of all outputs moves nothing", () => {
    for (const beta of BETAS) {
      const pairs = populationPairs({ images: 4, augmentations: 2 }, beta, "both towers");
      for (let i = 0; i < 8; i++) {
        expect(pairs.subarray(8 * i, 8 * i + 8).reduce((sum, value) => sum + value, 0)).toBeCloseTo(0, 7);
      }
    }
  });
});
