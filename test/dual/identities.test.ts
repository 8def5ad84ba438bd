/**
 * The covariance operators of dual networks in float64: every identity within 1e-9 of derivatives that know nothing of connections, and
 * wrong operators outside it.
 */
import { describe, expect, it } from "vitest";
import * as oracle from "../oracle/dual.ts";
import { lossValue, negativeGradient } from "../oracle/dualGradient.ts";
import { eigh } from "../oracle/eigh.ts";
import { TestRandom } from "../support/random.ts";
import {
  BETAS,
  connectionsOf,
  type LayerConnections,
  LOSSES,
  lossOf,
  randomNetwork,
  randomSamples,
  randomTuples,
} from "./support.ts";

const WIDTHS = [6, 5, 4, 3];
const OUTPUTS = 3;
const IDENTITY = 1e-9;
/** A wrong operator is off by at least this at some layer. */
const WRONG = 1e-2;

function setting(seed: number, images: number, augmentations: number, widths: readonly number[] = WIDTHS) {
  const random = new TestRandom(seed);
  const network = randomNetwork(random, widths);
  const x = randomSamples(random, { images, augmentations, features: 6 });
  return { random, network, x, ...connectionsOf(network, x, augmentations) };
}

/** Relative residual of −∇ = OP·vec(W) at every layer. */
function residuals(
  layers: readonly LayerConnections[],
  gradients: readonly Float64Array[],
  operatorOf: (layer: LayerConnections) => Float64Array,
): number[] {
  return layers.map((layer, l) =>
    oracle.relativeDistance(oracle.times(operatorOf(layer), layer.weights), gradients[l]!),
  );
}

const scaledBy = (factor: number, a: Float64Array, other: Float64Array, otherFactor: number): Float64Array =>
  a.map((value, at) => factor * value + otherFactor * other[at]!);

describe("the reference derivatives", () => {
  it("agree with central differences", () => {
    const { random, network, x } = setting(3, 4, 2);
    const tuples = randomTuples(random, { images: 4, augmentations: 2, negatives: 3, rows: 5 });
    for (const kind of LOSSES) {
      for (const isNormalized of [false, true]) {
        const loss = lossOf(kind, 0.5);
        const exact = negativeGradient(network, x, tuples, loss, isNormalized);
        network.weights.forEach((w, l) => {
          const differences = w.map((_, at) => {
            const moved = (h: number) => ({
              ...network,
              weights: network.weights.map((v, m) => (m === l ? v.map((e, k) => (k === at ? e + h : e)) : v)),
            });
            const value = (h: number) => lossValue(moved(h), x, tuples, loss, isNormalized);
            return -(value(1e-5) - value(-1e-5)) / 2e-5;
          });
          expect(oracle.relativeDistance(differences, exact[l]!)).toBeLessThan(1e-8);
        });
      }
    }
  });
});

describe("connections", () => {
  it("K_l(x)ᵀ·vec(W_l) is the output at every layer", () => {
    const { layers, embeddings } = setting(1, 5, 1);
    for (const { samples, weights } of layers) {
      samples.forEach((k, i) => {
        expect(oracle.transposedTimes(k, weights)).toMatchOracle(embeddings[i]!, {
          factor: 0,
          scale: 0,
          absolute: 1e-14,
        });
      });
    }
  });

  it("rank of V_x[K̄]: at most n_L·(M − 1), and the weights of the layer", () => {
    const { layers } = setting(2, 7, 5);
    const ranks = layers.map(({ byImage, weights }) => {
      const { values } = eigh(oracle.betweenCovariance(byImage, OUTPUTS), weights.length);
      return values.filter((value) => value > 1e-12 * values[0]!).length;
    });
    expect(ranks).toEqual([18, 18, 12]);
  });
});

describe("operator identities", () => {
  it("(1) a single pair", () => {
    const { network, x, layers } = setting(4, 2, 1);
    // r₊ alone: the simple loss with its anchor as the negative, so that r₋ = 0.
    const tuples = [{ anchor: 0, positive: 1, negatives: [0] }];
    const gradients = negativeGradient(network, x, tuples, lossOf("simple", 0));
    const worst = residuals(layers, gradients, ({ samples }) => {
      const operator = new Float64Array((samples[0]!.length / OUTPUTS) ** 2);
      const d = oracle.difference(samples[0]!, samples[1]!);
      oracle.addProduct(operator, -1, d, d);
      return operator;
    });
    expect(Math.max(...worst)).toBeLessThan(IDENTITY);
  });

  for (const augmentations of [1, 3]) {
    for (const beta of BETAS) {
      it(`(2), (5) simple loss, ${augmentations} augmentations, beta ${beta}`, () => {
        const { network, x, layers } = setting(5, 5, augmentations);
        const gradients = negativeGradient(network, x, oracle.allTuples(5, augmentations), lossOf("simple", beta));
        const operator = (between: Float64Array, { byImage }: LayerConnections) =>
          scaledBy(2, between, oracle.intraCovariance(byImage, OUTPUTS), -2 * beta);
        const covariance = residuals(layers, gradients, (layer) =>
          operator(oracle.betweenCovariance(layer.byImage, OUTPUTS), layer),
        );
        const pairs = residuals(layers, gradients, (layer) =>
          operator(oracle.pairCovariance(layer.byImage, OUTPUTS), layer),
        );
        expect(Math.max(...covariance, ...pairs)).toBeLessThan(IDENTITY);
        const uncentered = residuals(layers, gradients, (layer) =>
          operator(oracle.uncenteredMoment(layer.byImage, OUTPUTS), layer),
        );
        expect(Math.min(...uncentered), "the mean not subtracted").toBeGreaterThan(WRONG);
      });
    }
  }

  it("(3) triplet and InfoNCE without augmentation, ξ in closed form", () => {
    const { network, x, layers, embeddings } = setting(6, 6, 1);
    const xi = {
      triplet: (r: number) => Math.exp(-(r - 0.2) / 0.5) / (1 + Math.exp(-(r - 0.2) / 0.5)),
      infoNce: (r: number) => Math.exp(-r / 0.5) / 0.5 / (1 + Math.exp(-r / 0.5)),
    };
    for (const kind of ["triplet", "infoNce"] as const) {
      const gradients = negativeGradient(network, x, oracle.allTuples(6, 1), lossOf(kind, 0));
      const weight = (a: number, b: number) => xi[kind](oracle.halfSquaredDistance(embeddings[a]!, embeddings[b]!));
      const twice = (operator: Float64Array) => operator.map((value) => 2 * value);
      const weighted = residuals(layers, gradients, ({ byImage }) =>
        twice(oracle.pairCovariance(byImage, OUTPUTS, weight)),
      );
      expect(Math.max(...weighted)).toBeLessThan(IDENTITY);
      const unweighted = residuals(layers, gradients, ({ byImage }) => twice(oracle.pairCovariance(byImage, OUTPUTS)));
      expect(Math.min(...unweighted), "the pair weights dropped").toBeGreaterThan(WRONG);
    }
  });

  it("(4) dropping the residue of triplet and InfoNCE with augmentation fails", () => {
    const { network, x, layers, embeddings } = setting(7, 5, 3);
    const outputs = Array.from({ length: 5 }, (_, image) =>
      oracle.meanOf([0, 1, 2].map((a) => embeddings[a * 5 + image]!)),
    );
    for (const kind of ["triplet", "infoNce"] as const) {
      const loss = lossOf(kind, 0);
      const gradients = negativeGradient(network, x, oracle.allTuples(5, 3), loss);
      const weight = (a: number, b: number) =>
        oracle.negativeWeights(loss, 0, [oracle.halfSquaredDistance(outputs[a]!, outputs[b]!)])[0]!;
      const dropped = residuals(layers, gradients, ({ byImage }) =>
        oracle.pairCovariance(byImage, OUTPUTS, weight).map((value) => 2 * value),
      );
      expect(Math.min(...dropped)).toBeGreaterThan(WRONG);
    }
  });

  for (const kind of LOSSES) {
    for (const negatives of [1, 3]) {
      for (const augmentations of [1, 3]) {
        it(`(4) exact form: ${kind}, H = ${negatives}, ${augmentations} augmentations, all betas`, () => {
          for (const beta of BETAS) {
            const { random, network, x, layers, embeddings } = setting(8 + negatives, 6, augmentations);
            const tuples = randomTuples(random, { images: 6, augmentations, negatives, rows: 12 });
            const loss = lossOf(kind, beta);
            const gradients = negativeGradient(network, x, tuples, loss);
            const exact = residuals(layers, gradients, ({ samples }) =>
              oracle.exactOperator(samples, embeddings, tuples, loss, OUTPUTS),
            );
            expect(Math.max(...exact)).toBeLessThan(IDENTITY);
          }
        });
      }
    }

    it(`(6) unit outputs: ${kind}`, () => {
      // Wide enough that no output is zero, where a direction does not exist.
      const { random, network, x, layers, embeddings } = setting(12, 6, 3, [6, 9, 8, 3]);
      for (const negatives of [1, 3]) {
        const tuples = randomTuples(random, { images: 6, augmentations: 3, negatives, rows: 12 });
        const loss = lossOf(kind, -0.5);
        const gradients = negativeGradient(network, x, tuples, loss, true);
        const exact = residuals(layers, gradients, ({ samples }) =>
          oracle.normalizedOperator(samples, embeddings, tuples, loss),
        );
        expect(Math.max(...exact)).toBeLessThan(IDENTITY);
        const unprojected = residuals(layers, gradients, ({ samples }) =>
          oracle.exactOperator(samples, embeddings, tuples, loss, OUTPUTS),
        );
        expect(Math.min(...unprojected), "the operator of un-normalised outputs").toBeGreaterThan(WRONG);
      }
    });
  }

  it("over all tuples the operator of both towers is twice that of one", () => {
    const { layers, embeddings } = setting(13, 4, 2);
    const tuples = oracle.allTuples(4, 2);
    for (const { samples, weights, byImage } of layers) {
      const applied = (convention: "both towers" | "one tower") =>
        oracle.times(
          oracle.exactOperator(samples, embeddings, tuples, lossOf("simple", 0.5), OUTPUTS, convention),
          weights,
        );
      const one = applied("one tower").map((value) => 2 * value);
      expect(oracle.relativeDistance(one, applied("both towers"))).toBeLessThan(IDENTITY);
      // (2) in the paper's own convention: V_x[K̄] − beta·E_x V_aug[K], without the factor 2.
      const theorem = scaledBy(
        1,
        oracle.betweenCovariance(byImage, OUTPUTS),
        oracle.intraCovariance(byImage, OUTPUTS),
        -0.5,
      );
      expect(oracle.relativeDistance(oracle.times(theorem, weights), applied("one tower"))).toBeLessThan(IDENTITY);
    }
  });

  it("with biases the operator misses what biases add to the outputs", () => {
    const random = new TestRandom(14);
    const network = randomNetwork(random, WIDTHS, true);
    const x = randomSamples(random, { images: 5, augmentations: 2, features: 6 });
    const { layers, embeddings } = connectionsOf(network, x, 2);
    const tuples = oracle.allTuples(5, 2);
    const gradients = negativeGradient(network, x, tuples, lossOf("simple", 0));
    const exact = residuals(layers, gradients, ({ samples }) =>
      oracle.exactOperator(samples, embeddings, tuples, lossOf("simple", 0), OUTPUTS),
    );
    // A constant drops out of differences: the last layer's own bias changes nothing there.
    expect(exact.at(-1)).toBeLessThan(IDENTITY);
    expect(Math.min(...exact.slice(0, -1))).toBeGreaterThan(WRONG);
  });
});
