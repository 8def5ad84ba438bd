/**
 * Pair matrices A [N, N]: every covariance operator of the theory is OP_l = Σ_ij A_ij K_l(x_i) K_l(x_j)ᵀ with one A for all layers, in which
 * the loss, the sampling and the augmentation stand. Here as numbers, where they are constants; and on the GPU, where they depend on the
 * loss's weights β.
 */
import { add, affine, matmul, multiply, reshape, sumOverColumns } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import { EngineError } from "../errors.ts";

/**
 * Which derivative the operator stands for: `one tower`, W of the anchor's tower alone, as the paper writes it; `both towers`, what
 * differentiating a shared W gives. Over all pairs the latter is twice the former.
 */
export type Convention = "one tower" | "both towers";

/** A batch: sample a·images + x is augmentation a of image x. */
export interface BatchShape {
  readonly images: number;
  readonly augmentations: number;
}

/** Anchors, their positives and their negatives, as sample indices. */
export interface Tuples {
  readonly anchors: readonly number[];
  readonly positives: readonly number[];
  /** Of each anchor, H of them. */
  readonly negatives: readonly (readonly number[])[];
}

/**
 * Rows of contrasts of the averages over augmentations, orthonormal up to 1/√images: Σ_r C_ri C_rj = A_ij of V_x[K̄] = E[K̄ K̄ᵀ] − E[K̄]E[K̄]ᵀ.
 *
 * @returns [images − 1, N]
 */
export function betweenContrasts({ images, augmentations }: BatchShape): Float32Array<ArrayBuffer> {
  const samples = images * augmentations;
  const contrasts = new Float32Array((images - 1) * samples);
  helmert(images).forEach((row, r) => {
    for (let i = 0; i < samples; i++) {
      contrasts[r * samples + i] = (row[i % images] ?? 0) / augmentations / Math.sqrt(images);
    }
  });
  return contrasts;
}

/**
 * The same for E_x V_{aug|x}[K]: contrasts between the augmentations of each image.
 *
 * @returns [images·(augmentations − 1), N]
 */
export function intraContrasts({ images, augmentations }: BatchShape): Float32Array<ArrayBuffer> {
  const samples = images * augmentations;
  const contrasts = new Float32Array(images * (augmentations - 1) * samples);
  helmert(augmentations).forEach((row, r) => {
    for (let x = 0; x < images; x++) {
      row.forEach((value, a) => {
        contrasts[(r * images + x) * samples + a * images + x] = value / Math.sqrt(samples);
      });
    }
  });
  return contrasts;
}

/** n − 1 orthonormal rows orthogonal to (1, …, 1) (Helmert). */
function helmert(n: number): number[][] {
  return Array.from({ length: n - 1 }, (_, row) => {
    const scale = 1 / Math.sqrt((row + 1) * (row + 2));
    return Array.from({ length: n }, (_unused, column) =>
      column <= row ? scale : column === row + 1 ? -(row + 1) * scale : 0,
    );
  });
}

/**
 * A of V_x[K̄] − beta·E_x V_{aug|x}[K]: the simple contrastive loss (+ beta·r₊) over all pairs, one tower; both towers: twice that.
 *
 * @returns [N, N]
 */
export function populationPairs(
  { images, augmentations }: BatchShape,
  beta: number,
  convention: Convention,
): Float32Array<ArrayBuffer> {
  const samples = images * augmentations;
  const factor = convention === "both towers" ? 2 : 1;
  return Float32Array.from({ length: samples * samples }, (_, at) => {
    const [i, j] = [Math.floor(at / samples), at % samples];
    const isSameImage = i % images === j % images;
    const between = (isSameImage ? 1 / (images * augmentations ** 2) : 0) - 1 / samples ** 2;
    const intra = ((i === j ? 1 : 0) - (isSameImage ? 1 / augmentations : 0)) / samples;
    return factor * (between - beta * intra);
  });
}

/** One-hot rows [indices, samples]. */
export function selection(indices: readonly number[], samples: number): Float32Array<ArrayBuffer> {
  const rows = new Float32Array(indices.length * samples);
  indices.forEach((index, row) => {
    rows[row * samples + index] = 1;
  });
  return rows;
}

/**
 * @throws EngineError DUAL-TUPLES for indices outside the batch or unequal counts, DUAL-NEGATIVES for more negatives than the batch has samples
 */
export function requireTuples({ anchors, positives, negatives }: Tuples, samples: number): void {
  const count = negatives[0]?.length ?? 0;
  const all = [...anchors, ...positives, ...negatives.flat()];
  const areEqual = positives.length === anchors.length && negatives.length === anchors.length;
  if (!areEqual || anchors.length === 0 || negatives.some(({ length }) => length !== count || length === 0)) {
    throw tuplesError("unequally many anchors, positives and negatives, or none", samples);
  }
  if (count > samples) throw negativesError(count, samples);
  const strange = all.find((index) => !Number.isInteger(index) || index < 0 || index >= samples);
  if (strange !== undefined) throw tuplesError(`the index ${strange}`, samples);
}

function tuplesError(what: string, samples: number): EngineError {
  return new EngineError({
    code: "DUAL-TUPLES",
    message: `The tuples of a batch of ${samples} samples have ${what}`,
    fix: `Give every anchor one positive and equally many negatives, by indices from 0 to ${samples - 1}.`,
    where: "tuples",
    detail: { samples },
  });
}

/** @param available samples that can be negatives of an anchor */
export function negativesError(negatives: number, available: number): EngineError {
  return new EngineError({
    code: "DUAL-NEGATIVES",
    message: `${negatives} negatives for each anchor are asked for; the batch has ${available}`,
    fix: `Use at most ${available} negatives, or a larger batch.`,
    where: "negatives",
    detail: { negatives, available },
  });
}

/** One-hot rows of tuples on the GPU. */
export interface TupleTensors {
  /** [rows, N]. */
  readonly anchors: Tensor;
  /** [rows, N]. */
  readonly positives: Tensor;
  /** [rows·H, N]. */
  readonly negatives: Tensor;
  /** Anchors, each H times, [rows·H, N]. */
  readonly repeatedAnchors: Tensor;
}

/**
 * A of the exact operator of any loss of the family on given tuples, without approximation (A.4 (4) of the theory):
 *
 *   −∇ = mean Σ_k { β_k·[(K_1 − K_k)(K_1 − K_k)ᵀ − (K_1 − K_2)(K_1 − K_2)ᵀ] } − beta·mean (K_1 − K_2)(K_1 − K_2)ᵀ, applied to vec(W)
 *
 * @param weights β_k = −∂L/∂r_k of every tuple, [rows, H]
 * @returns [N, N]; symmetric for both towers
 */
export function exactPairs(tuples: TupleTensors, weights: Tensor, beta: number, convention: Convention): Tensor {
  const [rows = 1, count = 1] = weights.shape;
  const { anchors, positives, negatives, repeatedAnchors } = tuples;
  const attraction = affine(reshape(sumOverColumns(weights), [rows, 1]), 1, beta);
  const side = (left: Tensor, others: Tensor, factors: Tensor): Tensor => {
    const difference = add(left, others, 1, -1);
    const weighted = multiply(difference, factors);
    return matmul(convention === "both towers" ? difference : left, weighted, { transposeA: true, scale: 1 / rows });
  };
  return weights.graph.scope("pairMatrix", () =>
    add(
      side(repeatedAnchors, negatives, reshape(weights, [rows * count, 1])),
      side(anchors, positives, attraction),
      1,
      -1,
    ),
  );
}
