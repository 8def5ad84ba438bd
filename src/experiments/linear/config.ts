/** Configuration of a linear run. */
import type { RunConfigBase } from "../contract.ts";

/** Images cropped twice at random: the two views of a positive pair. */
export interface ImageData {
  readonly source: "mnist" | "cifar10";
  /** Number of images = positive pairs. */
  readonly images: number;
  /** Side of the square crop, pixels. */
  readonly crop: number;
  /** Subtract each view's mean over the images from every feature. */
  readonly centered: boolean;
}

/** Gaussian pairs whose feature cross-correlation Γ has the eigenvalues decay^-j, j = 0 … modes − 1, then the listed negative ones. */
export interface SyntheticData {
  readonly source: "synthetic-spectrum";
  readonly pairs: number;
  readonly modes: number;
  readonly decay: number;
  readonly negative: readonly number[];
  /** Variance of the difference between the views in every direction. */
  readonly noise: number;
  readonly centered: boolean;
}

/** The two toy data sets with a strong and a weak feature. */
export interface BiasData {
  readonly source: "extent-bias" | "amplitude-bias";
  readonly pairs: number;
  readonly noise: number;
  readonly centered: boolean;
}

/** A linear encoder z = W x trained by full-batch gradient descent on ‖C − I‖_F² (Simon et al. 2023, §4). */
export interface LinearConfig extends RunConfigBase {
  readonly kind: "linear";
  readonly data: ImageData | SyntheticData | BiasData;
  readonly model: {
    /** Embedding dimension d. */
    readonly outputs: number;
    /** Standard deviation of the entries of the initial W. */
    readonly initScale: number;
  };
  readonly optimizer: { readonly learningRate: number; readonly momentum: number };
  /** A record (loss and spectrum) every so many steps, and one of the initial and the final state. */
  readonly record: { readonly every: number };
  /** Run although the learning rate is above its bound. */
  readonly force: boolean;
}
