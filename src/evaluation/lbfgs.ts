/** Limited-memory BFGS for smooth functions whose values and gradients come from elsewhere; float64 on the CPU. */

/** Value and gradient at a point. */
export interface Evaluation {
  readonly value: number;
  readonly gradient: Float64Array;
}

export interface LbfgsOptions {
  /** Largest entry of the gradient at which it stops. */
  readonly tolerance: number;
  readonly maxEvaluations: number;
  /**
   * Relative error of the values. Differences below it decide nothing: there a step is judged by the slope along it, as in Hager and
   * Zhang's approximate Wolfe conditions. 1e-7 unless given, for values in f32.
   */
  readonly noise?: number;
}

export interface Minimum extends Evaluation {
  readonly point: Float64Array;
  readonly evaluations: number;
  /** Whether the gradient met the tolerance. */
  readonly hasConverged: boolean;
}

/** Steps that the approximation of the Hessian remembers. */
const MEMORY = 10;
/** Wolfe conditions: decrease of the value, and how much of the slope may be left (Nocedal & Wright 2006, §3.1). */
const DECREASE = 1e-4;
const CURVATURE = 0.9;

interface Pair {
  readonly s: Float64Array;
  readonly y: Float64Array;
  readonly rho: number;
}

/**
 * Minimises by L-BFGS with a line search by bisection (weak Wolfe conditions): Nocedal & Wright 2006, algorithms 7.4 and 7.5.
 *
 * @returns the last point that was accepted, converged or not
 */
export async function minimize(
  evaluate: (point: Float64Array) => Promise<Evaluation>,
  start: Float64Array,
  { tolerance, maxEvaluations, noise = 1e-7 }: LbfgsOptions,
): Promise<Minimum> {
  let point = start;
  let current = await evaluate(point);
  let evaluations = 1;
  const pairs: Pair[] = [];
  while (largest(current.gradient) > tolerance && evaluations < maxEvaluations) {
    const direction = descentDirection(current.gradient, pairs);
    const slope = dot(direction, current.gradient);
    // Without any memory the gradient's length is no guide: the first trial moves by at most 1.
    let step = pairs.length === 0 ? Math.min(1, 1 / norm(current.gradient)) : 1;
    let [low, high] = [0, Number.POSITIVE_INFINITY];
    let accepted: { point: Float64Array; at: Evaluation } | undefined;
    while (evaluations < maxEvaluations && step > 1e-16) {
      const trial = point.map((value, i) => value + step * (direction[i] ?? 0));
      const at = await evaluate(trial);
      evaluations++;
      const along = dot(direction, at.gradient);
      const uncertainty = noise * Math.abs(current.value);
      const isLower =
        at.value <= current.value + DECREASE * step * slope ||
        (at.value <= current.value + uncertainty && along <= (2 * DECREASE - 1) * slope);
      if (!isLower) high = step;
      else if (along < CURVATURE * slope) low = step;
      else {
        accepted = { point: trial, at };
        break;
      }
      step = Number.isFinite(high) ? (low + high) / 2 : 2 * step;
    }
    if (!accepted) break;
    const s = accepted.point.map((value, i) => value - (point[i] ?? 0));
    const y = accepted.at.gradient.map((value, i) => value - (current.gradient[i] ?? 0));
    const product = dot(s, y);
    if (product > 0) {
      pairs.push({ s, y, rho: 1 / product });
      if (pairs.length > MEMORY) pairs.shift();
    }
    point = accepted.point;
    current = accepted.at;
  }
  return { ...current, point, evaluations, hasConverged: largest(current.gradient) <= tolerance };
}

/** −H·g by the two-loop recursion, H scaled by the last pair. */
function descentDirection(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  const q = Float64Array.from(gradient);
  const alphas: number[] = [];
  for (const { s, y, rho } of [...pairs].reverse()) {
    const alpha = rho * dot(s, q);
    alphas.push(alpha);
    addScaled(q, y, -alpha);
  }
  const last = pairs.at(-1);
  const scale = last ? 1 / (last.rho * dot(last.y, last.y)) : 1;
  for (let i = 0; i < q.length; i++) q[i] = scale * (q[i] ?? 0);
  for (const { s, y, rho } of pairs) {
    const beta = rho * dot(y, q);
    addScaled(q, s, (alphas.pop() ?? 0) - beta);
  }
  return q.map((value) => -value);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

function norm(a: Float64Array): number {
  return Math.sqrt(dot(a, a));
}

function addScaled(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i] = (a[i] ?? 0) + factor * (b[i] ?? 0);
}

function largest(a: Float64Array): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i] ?? 0));
  return most;
}
