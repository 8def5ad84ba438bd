/** The losses of src/ssl in float64, by plain loops from their definitions. */
import * as eigh from "./eigh.ts";

export type Matrix = ArrayLike<number>;

interface Size {
  /** Rows of a view. */
  readonly n: number;
  readonly d: number;
}

const row = (x: Matrix, i: number, d: number): number[] => Array.from({ length: d }, (_, k) => x[i * d + k]!);
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, k) => sum + x * b[k]!, 0);
const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export function halfSquaredDistance(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, k) => sum + (x - b[k]!) ** 2, 0) / 2;
}

export interface DistanceSize extends Size {
  readonly negatives: number;
}

/** Per anchor (r₊, r_1 … r_H). */
function distances(a: Matrix, p: Matrix, negatives: Matrix, { n, d, negatives: h }: DistanceSize): number[][] {
  return range(n).map((i) => [
    halfSquaredDistance(row(a, i, d), row(p, i, d)),
    ...range(h).map((k) => halfSquaredDistance(row(a, i, d), row(negatives, i * h + k, d))),
  ]);
}

export function simpleContrastive(a: Matrix, p: Matrix, negatives: Matrix, size: DistanceSize, beta = 0): number {
  return mean(distances(a, p, negatives, size).map(([near = 0, far = 0]) => near - far + beta * near));
}

export function softTriplet(
  a: Matrix,
  p: Matrix,
  negatives: Matrix,
  size: DistanceSize,
  { tau, margin, beta }: { tau: number; margin: number; beta: number },
): number {
  return mean(
    distances(a, p, negatives, size).map(
      ([near = 0, far = 0]) => tau * Math.log(1 + Math.exp((near - far + margin) / tau)) + beta * near,
    ),
  );
}

export function infoNce(
  a: Matrix,
  p: Matrix,
  negatives: Matrix,
  size: DistanceSize,
  { tau, beta }: { tau: number; beta: number },
): number {
  return mean(
    distances(a, p, negatives, size).map(([near = 0, ...far]) => {
      const own = Math.exp(-near / tau);
      return -Math.log(own / (own + far.reduce((sum, r) => sum + Math.exp(-r / tau), 0))) + beta * near;
    }),
  );
}

/** x/max(‖x‖, ε), x/√(‖x‖² + ε), x/(‖x‖ + ε), x·min(1, ε/‖x‖). */
export function normalize(
  x: readonly number[],
  form: "max" | "inside" | "outside" | "clip",
  epsilon: number,
): number[] {
  const norm = Math.sqrt(dot(x, x));
  const factor = {
    max: 1 / Math.max(norm, epsilon),
    inside: 1 / Math.sqrt(norm * norm + epsilon),
    outside: 1 / (norm + epsilon),
    clip: Math.min(1, epsilon / norm),
  }[form];
  return x.map((value) => factor * value);
}

/** Both views' rows, normalised. */
function units(a: Matrix, b: Matrix, { n, d }: Size): number[][] {
  return [a, b].flatMap((z) => range(n).map((i) => normalize(row(z, i, d), "max", 1e-12)));
}

export function ntXent(a: Matrix, b: Matrix, size: Size, { tau, beta = 0 }: { tau: number; beta?: number }): number {
  const u = units(a, b, size);
  const entropy = u.map((x, i) => {
    const partner = (i + size.n) % u.length;
    const others = u.flatMap((y, j) => (j === i ? [] : [dot(x, y) / tau]));
    const highest = Math.max(...others);
    const logSum = highest + Math.log(others.reduce((sum, s) => sum + Math.exp(s - highest), 0));
    const own = dot(x, u[partner]!) / tau;
    return (logSum - own - beta * own) / (1 + beta);
  });
  return mean(entropy);
}

export function crossViewInfoNce(a: Matrix, b: Matrix, { n, d }: Size, tau: number): number {
  const unit = (z: Matrix, i: number): number[] => normalize(row(z, i, d), "inside", 1e-8);
  return mean(
    range(n).map((i) => {
      const logits = range(n).map((j) => dot(unit(a, i), unit(b, j)) / tau);
      return Math.log(logits.reduce((sum, s) => sum + Math.exp(s), 0)) - logits[i]!;
    }),
  );
}

export interface ExactCovarianceInput {
  /** Embeddings that the distances come from. */
  readonly a: Matrix;
  readonly b: Matrix;
  /** Embeddings that the constant weights come from: those of the views, or of un-augmented images given twice. */
  readonly weightsA: Matrix;
  readonly weightsB: Matrix;
  /** Dimensions of the latter. */
  readonly weightsD: number;
}

export function exactCovariance(
  { a, b, weightsA, weightsB, weightsD }: ExactCovarianceInput,
  { n, d }: Size,
  { tau, beta }: { tau: number; beta: number },
): number {
  const u = units(a, b, { n, d });
  const v = units(weightsA, weightsB, { n, d: weightsD });
  return mean(
    u.map((x, i) => {
      const near = 1 - dot(x, u[(i + n) % (2 * n)]!);
      let term = 0;
      for (let j = 0; j < 2 * n; j++) {
        if (j % n === i % n) continue;
        const apart = Math.exp(-(1 - dot(v[i]!, v[j]!)) / tau);
        const w = apart / (1 + apart) / (tau * (2 * n - 2));
        term += w * (near - (1 - dot(x, u[j]!))) + beta * w * near;
      }
      return term;
    }),
  );
}

/** Columns centred and, with an ε, divided by √(biased variance + ε). */
export function standardized(z: Matrix, { n, d }: Size, epsilon?: number): Float64Array {
  const y = new Float64Array(n * d);
  for (let j = 0; j < d; j++) {
    const column = range(n).map((i) => z[i * d + j]!);
    const center = mean(column);
    const variance = mean(column.map((x) => (x - center) ** 2));
    for (let i = 0; i < n; i++) {
      y[i * d + j] = (column[i]! - center) / (epsilon === undefined ? 1 : Math.sqrt(variance + epsilon));
    }
  }
  return y;
}

export interface BarlowOptions {
  readonly form: "standardized" | "centered" | "raw";
  readonly lambda: number;
  readonly scale?: number;
  readonly epsilon?: number;
}

export function barlowCorrelation(
  a: Matrix,
  b: Matrix,
  { n, d }: Size,
  { form, epsilon = 1e-5 }: BarlowOptions,
): number[] {
  const prepare = (z: Matrix): Matrix =>
    form === "raw" ? z : standardized(z, { n, d }, form === "standardized" ? epsilon : undefined);
  const [x, y] = [prepare(a), prepare(b)];
  return range(d * d).map((at) => {
    const [i, j] = [Math.floor(at / d), at % d];
    const forward = mean(range(n).map((k) => x[k * d + i]! * y[k * d + j]!));
    const backward = mean(range(n).map((k) => y[k * d + i]! * x[k * d + j]!));
    return form === "standardized" ? forward : (forward + backward) / 2;
  });
}

export function barlowTwins(a: Matrix, b: Matrix, size: Size, options: BarlowOptions): number {
  const { lambda, scale = 1 } = options;
  return barlowCorrelation(a, b, size, options).reduce((sum, c, at) => {
    const isDiagonal = Math.floor(at / size.d) === at % size.d;
    return sum + scale * (isDiagonal ? (c - 1) ** 2 : lambda * c * c);
  }, 0);
}

export interface VicregOptions {
  readonly invariance: number;
  readonly variance: number;
  readonly covariance: number;
  readonly epsilon: number;
  readonly isHalved: boolean;
}

/** The three parts before their weights, and their weighted sum. */
export function vicreg(a: Matrix, b: Matrix, { n, d }: Size, options: VicregOptions) {
  const inv = mean(range(n * d).map((at) => (a[at]! - b[at]!) ** 2));
  let [hinge, cov] = [0, 0];
  for (const z of [a, b]) {
    const centered = standardized(z, { n, d });
    const covariance = (i: number, j: number): number =>
      range(n).reduce((sum, k) => sum + centered[k * d + i]! * centered[k * d + j]!, 0) / (n - 1);
    hinge += mean(range(d).map((j) => Math.max(0, 1 - Math.sqrt(covariance(j, j) + options.epsilon))));
    for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) if (i !== j) cov += covariance(i, j) ** 2 / d;
  }
  const variance = options.isHalved ? hinge / 2 : hinge;
  const total = options.invariance * inv + options.variance * variance + options.covariance * cov;
  return { inv, variance, cov, total };
}

export function cosine(a: readonly number[], b: readonly number[], epsilon: number): number {
  return dot(normalize(a, "max", epsilon), normalize(b, "max", epsilon));
}

/** mean_i (2 − 2·cos). */
export function byolDirection(p: Matrix, z: Matrix, { n, d }: Size): number {
  return mean(range(n).map((i) => 2 - 2 * cosine(row(p, i, d), row(z, i, d), 1e-12)));
}

export function simSiam(pa: Matrix, pb: Matrix, za: Matrix, zb: Matrix, { n, d }: Size): number {
  const one = (p: Matrix, z: Matrix) => mean(range(n).map((i) => cosine(row(p, i, d), row(z, i, d), 1e-8)));
  return -(one(pa, zb) + one(pb, za)) / 2;
}

/** Parts divided by μ, and their sum. */
export function spectralContrastive(a: Matrix, b: Matrix, { n, d }: Size, mu: number) {
  const clip = (z: Matrix, i: number): number[] => normalize(row(z, i, d), "clip", Math.sqrt(mu));
  const products = range(n).map((i) => range(n).map((j) => dot(clip(a, i), clip(b, j))));
  const near = (-2 * mean(products.map((values, i) => values[i]!))) / mu;
  const squares = products.flatMap((values, i) => values.filter((_, j) => j !== i).map((s) => s * s));
  const far = mean(squares) / mu;
  return { near, far, total: near + far };
}

export function wMse(a: Matrix, b: Matrix, size: Size): number {
  const { n, d } = size;
  const whiten = (z: Matrix): number[][] => {
    const x = standardized(z, size);
    const covariance = Float64Array.from({ length: d * d }, (_, at) => {
      const [i, j] = [Math.floor(at / d), at % d];
      return range(n).reduce((sum, k) => sum + x[k * d + i]! * x[k * d + j]!, 0) / (n - 1);
    });
    const { values, vectors } = eigh.eigh(covariance, d);
    const power = (i: number, j: number): number =>
      range(d).reduce((sum, k) => sum + (vectors[i * d + k]! * vectors[j * d + k]!) / Math.sqrt(values[k]!), 0);
    return range(n).map((i) => range(d).map((j) => range(d).reduce((sum, k) => sum + x[i * d + k]! * power(k, j), 0)));
  };
  const [wa, wb] = [whiten(a), whiten(b)];
  return mean(range(n).map((i) => 2 - 2 * cosine(wa[i]!, wb[i]!, 1e-12)));
}
