/** Spectra of covariance operators from Gram matrices of their factors, against dense operators in float64. */
import { describe, expect, it } from "vitest";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { eigenvalues, singularValues } from "../../src/autodiff/linalg.ts";
import { type Connection, connections } from "../../src/dual/connection.ts";
import { dualNetwork } from "../../src/dual/network.ts";
import { operatorFactor } from "../../src/dual/operator.ts";
import { betweenContrasts, intraContrasts } from "../../src/dual/pairMatrix.ts";
import { operatorGram, operatorSpectrum, requireGramOrder } from "../../src/dual/spectrum.ts";
import { ParameterScope } from "../../src/nn/index.ts";
import * as oracle from "../oracle/dual.ts";
import { type Eigen, eigh } from "../oracle/eigh.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { TestRandom } from "../support/random.ts";
import { connectionsOf, randomNetwork, randomSamples } from "./support.ts";

const engine = useEngine({ unrollsLoops: false });
const [WIDTHS, OUTPUTS, IMAGES, AUGMENTATIONS, LEADING] = [[6, 5, 4, 3], 3, 7, 3, 4] as const;
const SAMPLES = IMAGES * AUGMENTATIONS;

describe("spectra in factored form", () => {
  const random = new TestRandom(26);
  const network = randomNetwork(random, WIDTHS);
  const x = randomSamples(random, { images: IMAGES, augmentations: AUGMENTATIONS, features: WIDTHS[0] });
  const shape = { images: IMAGES, augmentations: AUGMENTATIONS };
  const { layers } = connectionsOf(network, x, AUGMENTATIONS);

  /** Evaluates one tensor of every layer. */
  async function ofLayers(
    contrasts: Float32Array<ArrayBuffer>,
    build: (connection: Connection, contrasts: Tensor) => Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Float32Array>[]> {
    const graph = new Graph();
    const pass = dualNetwork(ParameterScope.create(graph), graph.input("x", [SAMPLES, WIDTHS[0]]), { widths: WIDTHS });
    const rows = graph.input("contrasts", [contrasts.length / SAMPLES, SAMPLES]);
    const wanted = connections(pass).map((connection) => build(connection, rows));
    const named = wanted.flatMap((tensors, l) =>
      Object.entries(tensors).map(([name, tensor]) => [`${name}${l}`, tensor] as const),
    );
    const weights = Object.fromEntries(network.weights.map((w, l) => [`layers.${l}.weight`, new Float32Array(w)]));
    const results = await evaluate(engine(), graph, { x, contrasts, ...weights }, Object.fromEntries(named));
    return wanted.map((tensors, l) =>
      Object.fromEntries(Object.keys(tensors).map((name) => [name, results[`${name}${l}`]!])),
    );
  }

  /** Eigenvalues of a Gram matrix in f32 are within a few roundoffs of the largest, times √order (docs/numerics.md). */
  function expectEigenvalues(found: readonly number[], { values }: Eigen): void {
    const expected = found.map((_, k) => values[k] ?? 0);
    expect(found).toMatchOracle(expected, { factor: 0, scale: 0, absolute: 4e-6 * values[0]! });
    // Nothing is left out: what the Gram matrix does not show is zero.
    expect(Math.max(0, ...Array.from(values.slice(found.length), Math.abs))).toBeLessThan(1e-12 * values[0]!);
  }

  const repeated = (values: Float32Array, times: number) =>
    [...values].flatMap((value) => new Array<number>(times).fill(value));
  const multiplicity = (l: number) => (l === layers.length - 1 ? OUTPUTS : 1);

  it("V_x[K̄]: eigenvalues and leading eigenvectors at every layer", async () => {
    const found = await ofLayers(betweenContrasts(shape), (connection, contrasts) => {
      const gram = operatorGram(connection, contrasts);
      expect(gram.multiplicity).toBe(multiplicity(connection.layer - 1));
      const { values, vectors } = operatorSpectrum(connection, gram, contrasts, LEADING);
      return { values, vectors };
    });
    layers.forEach(({ byImage, weights }, l) => {
      const operator = oracle.betweenCovariance(byImage, OUTPUTS);
      const exact = eigh(operator, weights.length);
      const values = repeated(found[l]!.values!, multiplicity(l));
      expectEigenvalues(values, exact);
      for (let k = 0; k < LEADING; k++) {
        const v = found[l]!.vectors!.subarray(k * weights.length, (k + 1) * weights.length);
        const residual = oracle.times(operator, v).map((value, at) => value - values[k]! * v[at]!);
        expect(Math.hypot(...residual)).toBeLessThan(2e-5 * exact.values[0]!);
        expect(Math.hypot(...v)).toBeCloseTo(1, 5);
      }
    });
  });

  it("E_x V_aug[K]: eigenvalues at every layer", async () => {
    const found = await ofLayers(intraContrasts(shape), (connection, contrasts) => ({
      values: eigenvalues(operatorGram(connection, contrasts).matrix),
    }));
    layers.forEach(({ byImage, weights }, l) => {
      const exact = eigh(oracle.intraCovariance(byImage, OUTPUTS), weights.length);
      expectEigenvalues(repeated(found[l]!.values!, multiplicity(l)), exact);
    });
  });

  it("singular values of the factor see the rank: n_L·(M − 1), and no more than the layer has weights", async () => {
    const found = await ofLayers(betweenContrasts(shape), (connection, contrasts) => ({
      values: singularValues(operatorFactor(connection, contrasts, 2 ** 27)),
    }));
    const ranks = layers.map(({ byImage, weights }, l) => {
      const singular = found[l]!.values!;
      const exact = eigh(oracle.betweenCovariance(byImage, OUTPUTS), weights.length);
      expectEigenvalues(
        Array.from(singular, (value) => value ** 2),
        exact,
      );
      return singular.filter((value) => value > 1e-5 * singular[0]!).length;
    });
    expect(ranks).toEqual([18, 18, 12]);
  });

  it("an order beyond the eigen-solver is refused with the numbers", () => {
    expect(requireGramOrder(255, 8)).toBe(2040);
    expect(() => requireGramOrder(300, 8)).toThrow(
      /300 contrasts and 8 outputs needs eigenvalues of order 2400; .* 2048/,
    );
  });
});
