/** Configuration of an operator run: a dual deep ReLU network on images, its covariance operators measured while it trains. Plain data. */
import type { RunConfigBase } from "../contract.ts";
import type { ImageSource } from "../imageFiles.ts";
import type { AugmentationConfig } from "../network/config.ts";

export interface OperatorTrainingConfig extends RunConfigBase {
  readonly kind: "operator-training";
  readonly data: {
    readonly source: ImageSource;
    /** Images taken from the start of the training files. */
    readonly images: number;
    /** Images of a step, in a new order in every epoch. */
    readonly batch: number;
    /** Views of each image in a step, drawn anew: one or an even number. */
    readonly augmentations: number;
    /** Side of the views in pixels; the network sees side²·3 features. */
    readonly side: number;
    readonly augmentation: AugmentationConfig;
  };
  readonly model: {
    /** Widths of the hidden layers; none for a linear network. */
    readonly hidden: readonly number[];
    readonly outputs: number;
    /** False in the theory. */
    readonly bias: boolean;
    /** Hidden pre-activations standardised over all views of the batch. */
    readonly batchNorm: boolean;
    /** The loss sees f/‖f‖. */
    readonly normalized: boolean;
    /** Multiplies the first weights (He normal). */
    readonly initScale: number;
  };
  readonly loss: {
    readonly kind: "simple" | "triplet" | "infoNce";
    /** τ; not used by the simple loss. */
    readonly temperature: number;
    /** r₀ of the triplet loss. */
    readonly margin: number;
    /** The family L + beta·r₊. */
    readonly beta: number;
    /**
     * `all`: the expectation over all pairs of the batch, exactly (simple loss only). `sampled`: every view is an anchor, with another view
     * of its image and one view each of `negatives` other images.
     */
    readonly pairs: "all" | "sampled";
    /** H, of sampled pairs. */
    readonly negatives: number;
  };
  readonly optimizer: { readonly learningRate: number; readonly momentum: number };
  readonly operator: {
    /** Measured before every so many updates, a multiple of record.every. */
    readonly every: number;
    /** Eigenvectors along which the weights' growth is followed. */
    readonly leading: number;
    /** Eigenvalues of each layer that are kept in a record. */
    readonly eigenvalues: number;
    /** `factored`: never larger than a backward pass. `dense`: as a matrix, for small layers. */
    readonly form: "factored" | "dense";
  };
  /** Loss and eigenvalues of the outputs' covariance, every so many updates. */
  readonly record: { readonly every: number };
}
