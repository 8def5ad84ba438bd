/**
 * Statements of the HLTM theory that a trained network can be held against: the rank-one law of activations, and the best of n random
 * nodes at initialisation.
 *
 * Source: Tian, Yu, Chen & Ganguli 2020 (arXiv 2010.00578v6).
 */

import { firstChildOf, type LatentTree, pathPolarity, polarityAbove } from "./hltmTree.ts";
import { checkAbove, checkCount, checkFinite, checkLength } from "./inputChecks.ts";

/** V_{z_0}[E[f | z_0]] = strength · direction directionᵀ, f the activations of the children of a latent. */
export interface RankOneLaw {
  /** o = ρ_{0μ}² (1 − ρ_0²), ρ_0 = P(z_0 = 1) − P(z_0 = 0). */
  readonly strength: number;
  /** a_k = ρ_{μν(k)} s_k, k over the activations of the children ν in order. */
  readonly direction: Float64Array;
}

/**
 * The rank-one law: whatever the activations are, their mean moves along one direction when the root flips, and the signal decays with
 * the squared polarities above.
 *
 * @param node          a latent μ
 * @param selectivities s_k = (E[f_k | z_ν = 1] − E[f_k | z_ν = 0])/2 of every activation of every child ν, equally many for each child
 * @throws EngineError THEORY-SHAPE, THEORY-NONFINITE
 */
export function rankOneLaw(tree: LatentTree, node: number, selectivities: ArrayLike<number>): RankOneLaw {
  const { branching, prior } = tree;
  checkFinite("selectivities", selectivities);
  const perChild = selectivities.length / branching;
  checkCount("activations of a child", perChild, 1);
  const child0 = firstChildOf(tree, node);
  const direction = Float64Array.from(selectivities, (selectivity, k) => {
    return polarityAbove(tree, child0 + Math.floor(k / perChild)) * selectivity;
  });
  const rootBias = 2 * prior - 1;
  return { strength: pathPolarity(tree, node) ** 2 * (1 - rootBias ** 2), direction };
}

/**
 * Standard deviation of the gap E[w·f | z_μ = 1] − E[w·f | z_μ = 0] = 2 w·a over random weights of variance `weightVariance`:
 * 2 ‖a‖ √weightVariance.
 *
 * With weights on U(±σ_w √(3/fan_in)), as the paper has them, the variance is σ_w²/fan_in; PyTorch's default is σ_w = 1/√3.
 */
export function gapDeviation(direction: ArrayLike<number>, weightVariance: number): number {
  checkFinite("direction", direction);
  checkAbove("weightVariance", weightVariance, 0, true);
  let squares = 0;
  for (let k = 0; k < direction.length; k++) squares += (direction[k] as number) ** 2;
  return 2 * Math.sqrt(squares * weightVariance);
}

/**
 * E max_{j ≤ n} |g_j| of n independent standard normals: how much the luckiest of n nodes exceeds a typical one. Grows like √(2 ln n).
 *
 *   ∫₀^∞ 1 − (2Φ(x) − 1)ⁿ dx
 *
 * Trapezoidal rule on [0, 10] with step 1/1000; absolute error below 1e-6 for n up to 1e6.
 *
 * @throws EngineError THEORY-SHAPE
 */
export function largestOfNormals(n: number): number {
  checkCount("n", n, 1);
  const step = 1e-3;
  const end = 10;
  // 2Φ(x) − 1 by integrating the density alongside, with the trapezoidal rule too.
  const density = (x: number): number => Math.sqrt(2 / Math.PI) * Math.exp(-0.5 * x * x);
  let inside = 0;
  let integral = 0.5 * step;
  for (let i = 1; i * step <= end; i++) {
    inside += 0.5 * step * (density((i - 1) * step) + density(i * step));
    integral += step * (1 - Math.min(1, inside) ** n);
  }
  return integral;
}

/** Cosine of the angle between two vectors; 0 when one of them is zero. @throws EngineError THEORY-SHAPE */
export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  checkLength("b", b, a.length, true);
  let [product, squaresA, squaresB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += (a[i] as number) * (b[i] as number);
    squaresA += (a[i] as number) ** 2;
    squaresB += (b[i] as number) ** 2;
  }
  const norms = Math.sqrt(squaresA * squaresB);
  return norms > 0 ? product / norms : 0;
}
