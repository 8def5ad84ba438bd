/** Configuration of an identity run: gradients of small random networks against their covariance operators. Plain data. */
import type { RunConfigBase } from "../contract.ts";

export interface OperatorIdentityConfig extends RunConfigBase {
  readonly kind: "operator-identity";
  /** Here `steps` is the number of random networks and data sets of every architecture. */
  readonly model: {
    /** Widths n_0 … n_L of each architecture. */
    readonly widths: readonly (readonly number[])[];
  };
  readonly data: {
    readonly images: number;
    /** Augmentations of each image where there are any: the image plus Gaussian noise. */
    readonly augmentations: number;
    /** Standard deviation of that noise; images have variance 1. */
    readonly noise: number;
    /** Sampled anchors. */
    readonly tuples: number;
  };
  readonly loss: {
    readonly kinds: readonly ("simple" | "triplet" | "infoNce")[];
    /** H. */
    readonly negatives: readonly number[];
    readonly betas: readonly number[];
    readonly temperature: number;
    readonly margin: number;
  };
  /** Relative residual up to which an identity holds in f32. */
  readonly tolerance: number;
}
