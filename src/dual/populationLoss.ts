/** The simple contrastive loss over all pairs of a batch. */
import { add, center, reshape, scale, sumOverRows, sumSquares } from "../autodiff/functions.ts";
import type { Tensor } from "../autodiff/graph.ts";
import type { BatchShape } from "./pairMatrix.ts";

/**
 * E[r₊] − E[r₋] + beta·E[r₊] with r = ½‖f − f'‖², exactly, over all choices: images x, x' and augmentations a, a', b independent and uniform,
 * r₊ between (x, a) and (x, a'), r₋ between (x, a) and (x', b).
 *
 * E[r₊] is the trace of the mean covariance within images and E[r₋] that of the whole covariance, so that the loss is −(1 + beta)·tr V_x[f̄] +
 * beta·tr V[f]. Equal to `simpleContrastive` over images²·augmentations³ tuples, at the cost of two means.
 *
 * @param embeddings [augmentations·images, n_L], augmentation by augmentation
 * @returns [1]; unbounded below: the outputs grow without end
 */
export function populationLoss(embeddings: Tensor, { images, augmentations }: BatchShape, beta: number): Tensor {
  const [samples = 1, outputs = 1] = embeddings.shape;
  return embeddings.graph.scope("populationLoss", () => {
    const byAugmentation = reshape(embeddings, [augmentations, images * outputs]);
    const means = reshape(sumOverRows(byAugmentation, 1 / augmentations), [images, outputs]);
    const between = sumSquares(center(means), 1 / images);
    if (beta === 0) return scale(between, -1);
    return add(between, sumSquares(center(embeddings), 1 / samples), -(1 + beta), beta);
  });
}
