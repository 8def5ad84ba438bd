/**
 * Exact derivatives of contrastive losses of dual networks in float64, by forward-mode differentiation (numbers that carry a derivative):
 * nothing in common with connections, Jacobians or backward rules.
 */
import type { Loss, Network, Tuple } from "./dual.ts";

/** value + slope·ε with ε² = 0. */
interface Dual {
  readonly value: number;
  readonly slope: number;
}

const dual = (value: number, slope = 0): Dual => ({ value, slope });
const plus = (a: Dual, b: Dual): Dual => dual(a.value + b.value, a.slope + b.slope);
const minus = (a: Dual, b: Dual): Dual => dual(a.value - b.value, a.slope - b.slope);
const product = (a: Dual, b: Dual): Dual => dual(a.value * b.value, a.slope * b.value + a.value * b.slope);
const scaled = (a: Dual, factor: number): Dual => dual(a.value * factor, a.slope * factor);
const positivePart = (a: Dual): Dual => (a.value > 0 ? a : dual(0));
const exponential = (a: Dual): Dual => dual(Math.exp(a.value), Math.exp(a.value) * a.slope);
const logOnePlus = (a: Dual): Dual => dual(Math.log1p(a.value), a.slope / (1 + a.value));
const inverseRoot = (a: Dual): Dual => dual(a.value ** -0.5, -0.5 * a.value ** -1.5 * a.slope);
const total = (terms: readonly Dual[]): Dual => terms.reduce(plus, dual(0));

function halfSquaredDistance(a: readonly Dual[], b: readonly Dual[]): Dual {
  const differences = a.map((value, i) => minus(value, b[i]!));
  return scaled(total(differences.map((d) => product(d, d))), 0.5);
}

/** The loss of one tuple; with several negatives the simple and the triplet loss are means over them. */
function tupleLoss({ kind, tau, margin, beta }: Loss, near: Dual, far: readonly Dual[]): Dual {
  const gaps = far.map((r) => minus(near, r));
  const extra = scaled(near, beta);
  if (kind === "simple") return plus(scaled(total(gaps), 1 / far.length), extra);
  const powers = (shift: number) => gaps.map((gap) => exponential(scaled(plus(gap, dual(shift)), 1 / tau)));
  if (kind === "triplet") return plus(scaled(total(powers(margin).map(logOnePlus)), tau / far.length), extra);
  return plus(logOnePlus(total(powers(0))), extra);
}

/** Mean loss of the tuples of samples x [N, n_0], and its derivative along one direction of the weights of one layer. */
function meanLoss(
  { widths, weights, biases }: Network,
  x: ArrayLike<number>,
  tuples: readonly Tuple[],
  loss: Loss,
  isNormalized: boolean,
  moved: { readonly layer: number; readonly at: number },
): Dual {
  const samples = x.length / widths[0]!;
  const outputs = Array.from({ length: samples }, (_, sample) => {
    let f = Array.from({ length: widths[0]! }, (_unused, k) => dual(x[sample * widths[0]! + k]!));
    weights.forEach((w, l) => {
      const columns = widths[l]!;
      const next = Array.from({ length: widths[l + 1]! }, (_unused, i) => {
        const terms = f.map((value, k) => {
          const at = i * columns + k;
          return product(dual(w[at]!, moved.layer === l && moved.at === at ? 1 : 0), value);
        });
        return plus(total(terms), dual(biases ? biases[l]![i]! : 0));
      });
      f = l === weights.length - 1 ? next : next.map(positivePart);
    });
    if (!isNormalized) return f;
    const inverse = inverseRoot(total(f.map((value) => product(value, value))));
    return f.map((value) => product(value, inverse));
  });
  const losses = tuples.map(({ anchor, positive, negatives }) => {
    const r = (other: number) => halfSquaredDistance(outputs[anchor]!, outputs[other]!);
    return tupleLoss(loss, r(positive), negatives.map(r));
  });
  return scaled(total(losses), 1 / tuples.length);
}

/** The mean loss. */
export function lossValue(
  network: Network,
  x: ArrayLike<number>,
  tuples: readonly Tuple[],
  loss: Loss,
  isNormalized = false,
): number {
  return meanLoss(network, x, tuples, loss, isNormalized, { layer: -1, at: -1 }).value;
}

/** −∇ of the mean loss by W_l, [n_l·n_{l−1}] for each layer. */
export function negativeGradient(
  network: Network,
  x: ArrayLike<number>,
  tuples: readonly Tuple[],
  loss: Loss,
  isNormalized = false,
): Float64Array[] {
  return network.weights.map((w, layer) =>
    w.map((_, at) => -meanLoss(network, x, tuples, loss, isNormalized, { layer, at }).slope),
  );
}
