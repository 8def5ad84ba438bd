/** Golden losses (float64, independent implementations): within 1e-6 relative. */
import { describe, expect, it } from "vitest";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import {
  barlowCorrelation,
  barlowTwins,
  byol,
  byolDirection,
  exactCovariance,
  ntXent,
  simSiam,
  spectralContrastive,
  vicreg,
} from "../../src/ssl/index.ts";
import * as oracle from "../oracle/sslLosses.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";

const engine = useEngine({ unrollsLoops: false });

const Z1 = [1, 2, -1, 3, -1, 0.5, 0.5, 0.5, 2, -1, 0, 1];
const Z2 = [0.8, 1.5, -0.5, 2.5, -0.5, 0, 1, 0, 1.5, -1.5, 0.5, 1];
const SIZE = { n: 4, d: 3 };

async function evaluateLoss(build: (a: Tensor, b: Tensor) => Tensor): Promise<Float32Array> {
  const graph = new Graph();
  const value = build(graph.input("a", [4, 3]), graph.input("b", [4, 3]));
  return (await evaluate(engine(), graph, { a: Float32Array.from(Z1), b: Float32Array.from(Z2) }, { value })).value;
}

const onDiagonal = 0.0110602344387;
const offDiagonal = 1.1122655671448;
const cases: Record<string, readonly [expected: number, build: (a: Tensor, b: Tensor) => Tensor]> = {
  "Barlow Twins, on-diagonal": [onDiagonal, (a, b) => barlowTwins(a, b, { lambda: 0 })],
  "Barlow Twins, off-diagonal": [onDiagonal + offDiagonal, (a, b) => barlowTwins(a, b, { lambda: 1 })],
  "Barlow Twins, λ = 0.0051": [0.0167327888311, (a, b) => barlowTwins(a, b)],
  "Barlow Twins, λ = 0.005": [0.0166215622744, (a, b) => barlowTwins(a, b, { lambda: 0.005 })],
  "Barlow Twins, solo-learn, scale 0.1": [0.0016621562274, (a, b) => barlowTwins(a, b, { lambda: 0.005, scale: 0.1 })],
  "Barlow Twins, toy form (Simon et al.)": [2.60875, (a, b) => barlowTwins(a, b, { form: "raw" })],
  "VICReg, invariance": [0.2116666666667, (a, b) => vicreg(a, b, { invariance: 1, variance: 0, covariance: 0 })],
  "VICReg, variance": [0.0388505307309, (a, b) => vicreg(a, b, { invariance: 0, variance: 1, covariance: 0 })],
  "VICReg, covariance": [1.5337384259259, (a, b) => vicreg(a, b, { invariance: 0, variance: 0, covariance: 1 })],
  "VICReg, facebook and lightly": [7.796668360864, (a, b) => vicreg(a, b)],
  "VICReg, solo-learn": [8.7679316291353, (a, b) => vicreg(a, b, { form: "solo" })],
  "NT-Xent, τ = 0.5": [0.724676678855, (a, b) => ntXent(a, b)],
  "NT-Xent, τ = 0.1": [0.0229694433779, (a, b) => ntXent(a, b, { temperature: 0.1 })],
  "NT-Xent, τ = 0.07": [0.0054471958734, (a, b) => ntXent(a, b, { temperature: 0.07 })],
  "BYOL, one direction": [0.0845551265478, (a, b) => byolDirection(a, b)],
  "BYOL, both directions": [2 * 0.0845551265478, (a, b) => byol(a, b, a, b)],
  SimSiam: [-0.9577224367261, (a, b) => simSiam(a, b, a, b)],
  "spectral contrastive, μ = 10": [-0.4925892980094, (a, b) => spectralContrastive(a, b, { mu: 10 })],
};

describe("golden losses", () => {
  for (const [name, [expected, build]] of Object.entries(cases)) {
    it(name, async () => {
      const [actual] = await evaluateLoss(build);
      expect(Math.abs(actual! / expected - 1)).toBeLessThan(1e-6);
    });
  }

  it("Barlow Twins, cross-correlation", async () => {
    const c = await evaluateLoss((a, b) => barlowCorrelation(a, b));
    const golden = [0.959213, -0.428276, -0.552573, -0.234163, 0.917334, -0.292115, -0.129193, -0.683121, 0.949374];
    expect(c).toMatchOracle(golden, { factor: 0, scale: 0, absolute: 6e-7 });
  });

  it("the toy form's correlation matrix", async () => {
    const c = await evaluateLoss((a, b) => barlowCorrelation(a, b, { form: "raw" }));
    const golden = [2.575, -0.1125, 0.025, -0.1125, 0.875, -0.1875, 0.025, -0.1875, 1.125];
    expect(c).toMatchOracle(golden, { factor: 0, scale: 0, absolute: 3e-7 });
  });

  it("the float64 definitions give the same numbers", () => {
    const size = SIZE;
    const vicregOptions = { invariance: 25, variance: 25, covariance: 1, epsilon: 1e-4, isHalved: true };
    const { inv, variance, cov, total } = oracle.vicreg(Z1, Z2, size, vicregOptions);
    const spectral = oracle.spectralContrastive(Z1, Z2, size, 10);
    const pairs: [number, number][] = [
      [oracle.barlowTwins(Z1, Z2, size, { form: "standardized", lambda: 0.0051 }), 0.0167327888311],
      [oracle.barlowTwins(Z1, Z2, size, { form: "raw", lambda: 1 }), 2.60875],
      [inv, 0.2116666666667],
      [variance, 0.0388505307309],
      [cov, 1.5337384259259],
      [total, 7.796668360864],
      [oracle.vicreg(Z1, Z2, size, { ...vicregOptions, isHalved: false }).total, 8.7679316291353],
      [oracle.ntXent(Z1, Z2, size, { tau: 0.5 }), 0.724676678855],
      [oracle.ntXent(Z1, Z2, size, { tau: 0.07 }), 0.0054471958734],
      [oracle.byolDirection(Z1, Z2, size), 0.0845551265478],
      [oracle.simSiam(Z1, Z2, Z1, Z2, size), -0.9577224367261],
      [spectral.near, -0.9100918386599],
      [spectral.far, 0.4175025406504],
      [spectral.total, -0.4925892980094],
    ];
    for (const [actual, expected] of pairs) expect(Math.abs(actual - expected)).toBeLessThan(2e-12);
  });

  it("exactCovariance: where both views agree, weights from the embeddings and from un-augmented images coincide", async () => {
    const [a] = await evaluateLoss((x) => exactCovariance(x, x));
    const [b] = await evaluateLoss((x) => exactCovariance(x, x, { unaugmented: x }));
    expect(Math.abs(a! / b! - 1)).toBeLessThan(1e-6);
  });
});
