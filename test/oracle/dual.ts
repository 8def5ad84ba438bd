/**
 * Float64 references of dual deep ReLU networks and their covariance operators, dense and by plain loops, written from Tian et al. 2020
 * (arXiv 2010.00578v6). Matrices are row-major; vec(W_l) runs over W_l [n_l, n_{l−1}] row by row.
 */

export interface Network {
  /** n_0 … n_L. */
  readonly widths: readonly number[];
  /** W_l [n_l, n_{l−1}] for l = 1 … L at index l − 1. */
  readonly weights: readonly Float64Array[];
  /** b_l [n_l]; none in the theory. */
  readonly biases?: readonly Float64Array[];
}

/** One input through the network. */
export interface Pass {
  /** f_0 … f_L; the last is before any normalisation. */
  readonly activations: readonly Float64Array[];
  /** J_l = d f_L / d (W_l f_{l−1}), [n_L, n_l], at index l − 1. */
  readonly jacobians: readonly Float64Array[];
}

export function forward({ widths, weights, biases }: Network, x: ArrayLike<number>): Pass {
  const layers = weights.length;
  const activations = [Float64Array.from(x)];
  const gates: Float64Array[] = [];
  for (let l = 0; l < layers; l++) {
    const [rows, columns, w, input] = [widths[l + 1]!, widths[l]!, weights[l]!, activations[l]!];
    const output = new Float64Array(rows);
    const gate = new Float64Array(rows);
    for (let i = 0; i < rows; i++) {
      let sum = biases ? biases[l]![i]! : 0;
      for (let k = 0; k < columns; k++) sum += w[i * columns + k]! * input[k]!;
      const isOpen = l === layers - 1 || sum > 0;
      gate[i] = isOpen ? 1 : 0;
      output[i] = isOpen ? sum : 0;
    }
    gates.push(gate);
    activations.push(output);
  }
  const outputs = widths[layers]!;
  const jacobians: Float64Array[] = new Array(layers);
  const identity = new Float64Array(outputs * outputs);
  for (let o = 0; o < outputs; o++) identity[o * outputs + o] = 1;
  jacobians[layers - 1] = identity;
  for (let l = layers - 2; l >= 0; l--) {
    const [above, here, w] = [widths[l + 2]!, widths[l + 1]!, weights[l + 1]!];
    const jacobian = new Float64Array(outputs * here);
    for (let o = 0; o < outputs; o++) {
      for (let j = 0; j < here; j++) {
        let sum = 0;
        for (let i = 0; i < above; i++) sum += jacobians[l + 1]![o * above + i]! * w[i * here + j]!;
        jacobian[o * here + j] = sum * gates[l]![j]!;
      }
    }
    jacobians[l] = jacobian;
  }
  return { activations, jacobians };
}

/** K_l(x) = f_{l−1} ⊗ J_lᵀ, [n_l·n_{l−1}, n_L]; layer l = 1 … L. */
export function connection({ activations, jacobians }: Pass, l: number): Float64Array {
  const [f, j] = [activations[l - 1]!, jacobians[l - 1]!];
  const outputs = activations.at(-1)!.length;
  const rows = j.length / outputs;
  const k = new Float64Array(rows * f.length * outputs);
  for (let a = 0; a < rows; a++) {
    for (let b = 0; b < f.length; b++) {
      for (let o = 0; o < outputs; o++) k[(a * f.length + b) * outputs + o] = f[b]! * j[o * rows + a]!;
    }
  }
  return k;
}

/** Aᵀ·v of A [rows, columns]. */
export function transposedTimes(a: ArrayLike<number>, v: ArrayLike<number>): Float64Array {
  const columns = a.length / v.length;
  const y = new Float64Array(columns);
  for (let i = 0; i < v.length; i++) for (let j = 0; j < columns; j++) y[j]! += a[i * columns + j]! * v[i]!;
  return y;
}

/** A·v of A [rows, columns]. */
export function times(a: ArrayLike<number>, v: ArrayLike<number>): Float64Array {
  const rows = a.length / v.length;
  const y = new Float64Array(rows);
  for (let i = 0; i < rows; i++) for (let j = 0; j < v.length; j++) y[i]! += a[i * v.length + j]! * v[j]!;
  return y;
}

/** target += weight·A·Bᵀ of A, B [rows, inner]. */
export function addProduct(target: Float64Array, weight: number, a: Float64Array, b: Float64Array): void {
  const rows = Math.sqrt(target.length);
  const inner = a.length / rows;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < rows; j++) {
      let sum = 0;
      for (let o = 0; o < inner; o++) sum += a[i * inner + o]! * b[j * inner + o]!;
      target[i * rows + j]! += weight * sum;
    }
  }
}

export function difference(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, at) => value - b[at]!);
}

export function meanOf(all: readonly Float64Array[]): Float64Array {
  const mean = new Float64Array(all[0]!.length);
  for (const one of all) for (let i = 0; i < mean.length; i++) mean[i]! += one[i]! / all.length;
  return mean;
}

/** Connections [P, n_L] of all augmentations of every image: `all[x][a]`. */
export type Connections = readonly (readonly Float64Array[])[];

function zeros(like: Float64Array, outputs: number): Float64Array {
  return new Float64Array((like.length / outputs) ** 2);
}

/** V_x[K̄(x)] = E_x[K̄ K̄ᵀ] − E_x[K̄]·E_x[K̄]ᵀ, K̄ the mean over augmentations. */
export function betweenCovariance(all: Connections, outputs: number): Float64Array {
  const means = all.map(meanOf);
  const mean = meanOf(means);
  const operator = zeros(mean, outputs);
  for (const one of means) addProduct(operator, 1 / all.length, one, one);
  addProduct(operator, -1, mean, mean);
  return operator;
}

/** The same from pairs: ½·E_{x, x' iid}[(K̄ − K̄')(K̄ − K̄')ᵀ], with pair weights ξ(x, x') where they are given. */
export function pairCovariance(
  all: Connections,
  outputs: number,
  xi: (x: number, other: number) => number = () => 1,
): Float64Array {
  const means = all.map(meanOf);
  const operator = zeros(means[0]!, outputs);
  means.forEach((one, x) => {
    means.forEach((other, y) => {
      const d = difference(one, other);
      addProduct(operator, xi(x, y) / 2 / all.length ** 2, d, d);
    });
  });
  return operator;
}

/** E_x V_{aug|x}[K]. */
export function intraCovariance(all: Connections, outputs: number): Float64Array {
  const operator = zeros(all[0]![0]!, outputs);
  for (const views of all) {
    const mean = meanOf(views);
    for (const view of views) {
      const d = difference(view, mean);
      addProduct(operator, 1 / all.length / views.length, d, d);
    }
  }
  return operator;
}

/** E_x[K̄ K̄ᵀ]: a wrong operator, the mean is not subtracted. */
export function uncenteredMoment(all: Connections, outputs: number): Float64Array {
  const means = all.map(meanOf);
  const operator = zeros(means[0]!, outputs);
  for (const one of means) addProduct(operator, 1 / all.length, one, one);
  return operator;
}

export interface Loss {
  readonly kind: "simple" | "triplet" | "infoNce";
  readonly tau: number;
  /** r₀ of the triplet loss. */
  readonly margin: number;
  /** The family L + beta·r₊. */
  readonly beta: number;
}

/** An anchor, its positive and its negatives, as sample indices. */
export interface Tuple {
  readonly anchor: number;
  readonly positive: number;
  readonly negatives: readonly number[];
}

/** r = ½‖a − b‖². */
export function halfSquaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum / 2;
}

/**
 * β_k = −∂L/∂r_k of one tuple. With several negatives the simple and the triplet loss are means over them.
 *
 *   simple 1/H · triplet σ((r₊ − r_k + r₀)/τ)/H · InfoNCE (1/τ)·e^{−r_k/τ}/(e^{−r₊/τ} + Σ_j e^{−r_j/τ})
 */
export function negativeWeights({ kind, tau, margin }: Loss, near: number, far: readonly number[]): number[] {
  if (kind === "simple") return far.map(() => 1 / far.length);
  if (kind === "triplet") return far.map((r) => 1 / (1 + Math.exp(-(near - r + margin) / tau)) / far.length);
  // Relative to the positive, so that nothing overflows.
  const terms = far.map((r) => Math.exp((near - r) / tau));
  const total = 1 + terms.reduce((a, b) => a + b, 0);
  return terms.map((term) => term / total / tau);
}

/**
 * The exact operator of any tuples, both towers: mean Σ_k β_k {(K_1 − K_k)(K_1 − K_k)ᵀ − (K_1 − K_2)(K_1 − K_2)ᵀ} − beta·(K_1 − K_2)(K_1 −
 * K_2)ᵀ. One tower: K_1·(K_1 − K_k)ᵀ in place of the first product's left factor, and so on.
 */
export function exactOperator(
  samples: readonly Float64Array[],
  embeddings: readonly ArrayLike<number>[],
  tuples: readonly Tuple[],
  loss: Loss,
  outputs: number,
  convention: "both towers" | "one tower" = "both towers",
): Float64Array {
  const operator = zeros(samples[0]!, outputs);
  for (const { anchor, positive, negatives } of tuples) {
    const r = (other: number) => halfSquaredDistance(embeddings[anchor]!, embeddings[other]!);
    const betas = negativeWeights(loss, r(positive), negatives.map(r));
    const term = (weight: number, other: number) => {
      const d = difference(samples[anchor]!, samples[other]!);
      addProduct(operator, weight / tuples.length, convention === "both towers" ? d : samples[anchor]!, d);
    };
    betas.forEach((beta, k) => {
      term(beta, negatives[k]!);
    });
    term(-(betas.reduce((a, b) => a + b, 0) + loss.beta), positive);
  }
  return operator;
}

/**
 * The exact operator for unit outputs f/‖f‖, both towers: a pair's −∇r is (K_1 P_1 K_2ᵀ + K_2 P_2 K_1ᵀ)·vec(W)/(‖f_1‖‖f_2‖) with
 * P = I − f fᵀ/‖f‖², r = 1 − cos.
 */
export function normalizedOperator(
  samples: readonly Float64Array[],
  raw: readonly Float64Array[],
  tuples: readonly Tuple[],
  loss: Loss,
): Float64Array {
  const outputs = raw[0]!.length;
  const operator = zeros(samples[0]!, outputs);
  const norms = raw.map((f) => Math.sqrt(f.reduce((sum, value) => sum + value * value, 0)));
  const units = raw.map((f, i) => f.map((value) => value / norms[i]!));
  const projected = samples.map((k, i) => {
    const u = units[i]!;
    const y = new Float64Array(k.length);
    for (let row = 0; row < k.length / outputs; row++) {
      let along = 0;
      for (let o = 0; o < outputs; o++) along += k[row * outputs + o]! * u[o]!;
      for (let o = 0; o < outputs; o++) y[row * outputs + o] = (k[row * outputs + o]! - along * u[o]!) / norms[i]!;
    }
    return y;
  });
  const scaled = samples.map((k, i) => k.map((value) => value / norms[i]!));
  for (const { anchor, positive, negatives } of tuples) {
    const r = (other: number) => halfSquaredDistance(units[anchor]!, units[other]!);
    const betas = negativeWeights(loss, r(positive), negatives.map(r));
    // −∇r of a pair, hence weight −∂L/∂r … of the loss: attraction enters with +, repulsion with −.
    const term = (weight: number, other: number) => {
      addProduct(operator, weight / tuples.length, projected[anchor]!, scaled[other]!);
      addProduct(operator, weight / tuples.length, projected[other]!, scaled[anchor]!);
    };
    betas.forEach((beta, k) => {
      term(-beta, negatives[k]!);
    });
    term(betas.reduce((a, b) => a + b, 0) + loss.beta, positive);
  }
  return operator;
}

/** All (x, a), (x, a'), (x', b) of images × augmentations: the population of iid draws, exactly. Samples are numbered a·images + x. */
export function allTuples(images: number, augmentations: number): Tuple[] {
  const tuples: Tuple[] = [];
  const samples = images * augmentations;
  for (let x = 0; x < images; x++) {
    for (let a = 0; a < augmentations; a++) {
      for (let b = 0; b < augmentations; b++) {
        for (let negative = 0; negative < samples; negative++) {
          tuples.push({ anchor: a * images + x, positive: b * images + x, negatives: [negative] });
        }
      }
    }
  }
  return tuples;
}

/** ‖a − b‖/‖b‖. */
export function relativeDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [distance, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    distance += (a[i]! - b[i]!) ** 2;
    size += b[i]! ** 2;
  }
  return Math.sqrt(distance / size);
}
