/**
 * Float64 references of the theory tests, written from the matrix equations and independent of src/theory: seeded random
 * matrices, gradient flow dW/dt = −4 (W Γ Wᵀ − I) W Γ by classical RK4, and gradient descent with heavy-ball momentum.
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";

/** Uniform in [0, 1), seeded (mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

/** Standard normal from a uniform source (Box–Muller). */
export function normal(random: () => number): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

export function normals(count: number, seed: number, scale = 1): Float64Array {
  const draw = normal(uniform(seed));
  return Float64Array.from({ length: count }, () => scale * draw());
}

/** Random orthogonal [n, n], rows orthonormal: Gram–Schmidt twice on normal rows. */
export function orthogonal(n: number, seed: number): Float64Array {
  const q = normals(n * n, seed);
  for (let i = 0; i < n; i++) {
    for (let pass = 0; pass < 2; pass++) {
      for (let k = 0; k < i; k++) {
        let dot = 0;
        for (let c = 0; c < n; c++) dot += q[i * n + c]! * q[k * n + c]!;
        for (let c = 0; c < n; c++) q[i * n + c]! -= dot * q[k * n + c]!;
      }
      let norm = 0;
      for (let c = 0; c < n; c++) norm += q[i * n + c]! ** 2;
      for (let c = 0; c < n; c++) q[i * n + c]! /= Math.sqrt(norm);
    }
  }
  return q;
}

/** Σ_k values_k v_k v_kᵀ with v_k the rows of `vectors`. Exactly symmetric. */
export function fromSpectrum(values: readonly number[], vectors: Float64Array): Float64Array {
  const n = values.length;
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += values[k]! * vectors[k * n + i]! * vectors[k * n + j]!;
      a[i * n + j] = sum;
      a[j * n + i] = sum;
    }
  }
  return a;
}

/** Row-major product [r, k] · [k, c]. */
export function multiply(a: Float64Array, b: Float64Array, r: number, k: number, c: number): Float64Array {
  const out = new Float64Array(r * c);
  for (let i = 0; i < r; i++) {
    for (let l = 0; l < k; l++) {
      const x = a[i * k + l]!;
      for (let j = 0; j < c; j++) out[i * c + j]! += x * b[l * c + j]!;
    }
  }
  return out;
}

export function transpose(a: Float64Array, rows: number, columns: number): Float64Array {
  return Float64Array.from({ length: a.length }, (_, i) => a[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** The model's matrices: C = W Γ Wᵀ, the flow's right-hand side, and the loss. Γ diagonal may be given by its diagonal alone. */
export interface Problem {
  readonly d: number;
  readonly m: number;
  /** Full Γ [m, m], or its diagonal [m] in the eigenbasis (an orthogonal change of basis leaves the dynamics unchanged). */
  readonly gamma: Float64Array;
}

function timesGamma(w: Float64Array, { d, m, gamma }: Problem): Float64Array {
  if (gamma.length === m * m) return multiply(w, gamma, d, m, m);
  return w.map((x, i) => x * gamma[i % m]!);
}

export function crossCorrelation(w: Float64Array, problem: Problem): Float64Array {
  return productTransposed(timesGamma(w, problem), w, problem);
}

function productTransposed(wg: Float64Array, w: Float64Array, { d, m }: Problem): Float64Array {
  const c = new Float64Array(d * d);
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) {
      let sum = 0;
      for (let k = 0; k < m; k++) sum += wg[i * m + k]! * w[j * m + k]!;
      c[i * d + j] = sum;
    }
  }
  return c;
}

/** −∇L = −4 (W Γ Wᵀ − I) W Γ. */
export function descent(w: Float64Array, problem: Problem): Float64Array {
  const { d, m } = problem;
  const wg = timesGamma(w, problem);
  const c = productTransposed(wg, w, problem);
  const out = new Float64Array(d * m);
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++) {
      const factor = -4 * (c[i * d + j]! - (i === j ? 1 : 0));
      for (let k = 0; k < m; k++) out[i * m + k]! += factor * wg[j * m + k]!;
    }
  }
  return out;
}

export function loss(w: Float64Array, problem: Problem): number {
  const { d } = problem;
  return crossCorrelation(w, problem).reduce((sum, c, i) => sum + (c - (i % (d + 1) === 0 ? 1 : 0)) ** 2, 0);
}

/** One RK4 step of length h. */
export function flowStep(w: Float64Array, problem: Problem, h: number): Float64Array {
  const along = (k: Float64Array, by: number) => w.map((x, i) => x + by * k[i]!);
  const k1 = descent(w, problem);
  const k2 = descent(along(k1, h / 2), problem);
  const k3 = descent(along(k2, h / 2), problem);
  const k4 = descent(along(k3, h), problem);
  return w.map((x, i) => x + (h / 6) * (k1[i]! + 2 * k2[i]! + 2 * k3[i]! + k4[i]!));
}

export function flow(w: Float64Array, problem: Problem, time: number, steps: number): Float64Array {
  let state = w;
  for (let k = 0; k < steps; k++) state = flowStep(state, problem, time / steps);
  return state;
}

/** Gradient descent with v ← μ v + ∇L, W ← W − lr v. */
export function gradientDescent(
  w: Float64Array,
  problem: Problem,
  options: { lr: number; steps: number; momentum?: number },
): Float64Array {
  let state = w;
  let velocity: Float64Array = new Float64Array(w.length);
  for (let k = 0; k < options.steps; k++) {
    const minusGradient = descent(state, problem);
    velocity = velocity.map((v, i) => (options.momentum ?? 0) * v - minusGradient[i]!);
    state = state.map((x, i) => x - options.lr * velocity[i]!);
  }
  return state;
}

/** Eigenvalues by ml-matrix (JAMA's tred2/tql2), descending. */
export function referenceEigenvalues(a: Float64Array, n: number): number[] {
  const matrix = Matrix.from1DArray(n, n, Array.from(a));
  return new EigenvalueDecomposition(matrix, { assumeSymmetric: true }).realEigenvalues.sort((x, y) => y - x);
}

/** How many eigenvalues of the symmetric [d, d] matrix exceed `level`: inertia of A − level·I (Sylvester), O(d³/3). */
function countAbove(a: Float64Array, d: number, level: number): number {
  const l = a.slice();
  for (let i = 0; i < d; i++) l[i * d + i]! -= level;
  let count = 0;
  for (let p = 0; p < d; p++) {
    const pivot = l[p * d + p]! || 1e-300;
    if (pivot > 0) count++;
    for (let i = p + 1; i < d; i++) {
      const factor = l[i * d + p]! / pivot;
      for (let j = p + 1; j < d; j++) l[i * d + j]! -= factor * l[p * d + j]!;
    }
  }
  return count;
}

/**
 * Times at which the sorted eigenvalues of C cross 1/2 along the flow. Between RK4 steps the logit is interpolated, which is
 * exact for a logistic, so the step h is limited by RK4 alone: relative error of a growth rate (4γ₁h)⁴/120.
 */
export function flowStepTimes(w0: Float64Array, problem: Problem, horizon: number, h: number): number[] {
  const { d } = problem;
  const times: number[] = new Array<number>(d).fill(Number.POSITIVE_INFINITY);
  const logit = (x: number) => Math.log(Math.max(x, 1e-300) / (1 - x));
  let w = w0;
  let found = 0;
  for (let t = 0; t < horizon && found < d; t += h) {
    const next = flowStep(w, problem, h);
    const c = crossCorrelation(next, problem);
    const count = countAbove(c, d, 0.5);
    if (count > found) {
      const after = referenceEigenvalues(c, d);
      const before = referenceEigenvalues(crossCorrelation(w, problem), d);
      for (let j = found; j < count; j++) {
        times[j] = before[j]! >= 0.5 ? t : t + (h * -logit(before[j]!)) / (logit(after[j]!) - logit(before[j]!));
      }
      found = count;
    }
    w = next;
  }
  return times;
}

/** Identity [n, n]: the eigenvectors of a diagonal Γ. */
export function identity(n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
}

/** Unit roundoff of float64. */
export const U = 2 ** -53;
