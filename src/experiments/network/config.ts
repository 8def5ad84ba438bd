/** Configuration of a network run: an encoder trained on two augmented views of images. Plain data; every key is always there. */
import type { RunConfigBase } from "../contract.ts";

/** How the views of an image are drawn. */
export type AugmentationConfig =
  /** Square crops of area U(minArea, 1), flips, brightness, contrast and saturation each times U(1 − jitter, 1 + jitter). */
  | { readonly recipe: "staircase"; readonly minArea: number; readonly jitter: number }
  /** A recipe of the literature by name (src/augment/recipes.ts). */
  | { readonly recipe: "simclr" | "barlow" | "byol" | "asymmetric" | "vicreg" | "weak" };

/** One pair of views of each of the first `pairs` images, drawn once: a full batch, deterministic gradient descent. */
export interface FixedSampling {
  readonly kind: "fixed";
  readonly pairs: number;
}

/** New views of `batch` images in every step, in a new order in every epoch. */
export interface FreshSampling {
  readonly kind: "fresh";
  /** Images taken from the start of the training files. */
  readonly images: number;
  /** Positive pairs of a step. */
  readonly batch: number;
  /** Pairs of views, drawn once, whose loss and spectrum are recorded. */
  readonly probe: number;
}

export interface NetworkData {
  readonly source: "cifar10" | "mnist" | "stl10";
  readonly sampling: FixedSampling | FreshSampling;
  /**
   * Bytes of device memory for the images that fresh views are drawn from; 0: what the device binds. More images than fit are streamed
   * from the files or the host's memory: a window of them at a time, in a new order every epoch.
   */
  readonly maxBytes: number;
  /** Side of the views in pixels. */
  readonly side: number;
  readonly augmentation: AugmentationConfig;
}

export type EncoderConfig =
  /** Net R of the staircase settings: 3 × 3 stem with stride 2, three basic blocks of w, 2w, 4w channels with BatchNorm, pooled. */
  | { readonly kind: "residual"; readonly width: number }
  /** Net C: three 3 × 3 convolutions of w, 2w, 4w channels. */
  | {
      readonly kind: "convolutional";
      readonly width: number;
      readonly batchNorm: boolean;
      readonly pooling: "average" | "flatten";
    }
  /** The pixels themselves: with the head a linear map. */
  | { readonly kind: "linear" }
  /** Pixels through one hidden ReLU layer. */
  | { readonly kind: "mlp"; readonly hidden: number }
  | {
      readonly kind: "resnet";
      readonly depth: 18 | 34 | 50 | 101;
      readonly stem: "imagenet" | "cifar";
      readonly width: number;
      readonly zeroInitResidual: boolean;
    };

export type ProjectorConfig =
  /** One linear layer; weights on U(±weightScale/√fan_in), biases on U(±biasScale/√fan_in), none when biasScale is 0. */
  | { readonly kind: "head"; readonly outputs: number; readonly weightScale: number; readonly biasScale: number }
  /** Of the reference implementations, by the widths of their layers. */
  | { readonly kind: "barlow" | "vicreg" | "simclr" | "byol" | "simsiam"; readonly widths: readonly number[] };

export type PredictorConfig =
  | { readonly kind: "none" }
  | { readonly kind: "byol" | "simsiam"; readonly widths: readonly [hidden: number, out: number] };

export type TargetConfig =
  | { readonly kind: "none" }
  /** θ' ← decay·θ' + (1 − decay)·θ; the decay rises to 1 over the run when `rises` (Grill et al. 2020). */
  | {
      readonly kind: "movingAverage";
      readonly decay: number;
      readonly rises: boolean;
      readonly init: "copy" | "independent";
    };

export type LossConfig =
  | {
      readonly kind: "barlow";
      readonly form: "standardized" | "centered" | "raw";
      readonly lambda: number;
      readonly epsilon: number;
      readonly scale: number;
    }
  | {
      readonly kind: "vicreg";
      readonly form: "facebook" | "solo";
      readonly invariance: number;
      readonly variance: number;
      readonly covariance: number;
      readonly epsilon: number;
    }
  | { readonly kind: "ntXent"; readonly temperature: number; readonly beta: number }
  /** One direction, cosine logits, the other images of the batch as negatives. */
  | { readonly kind: "infoNce"; readonly temperature: number }
  /** `unaugmented`: weights from the embeddings of the whole, un-augmented images, as the theorem assumes (fresh views only). */
  | {
      readonly kind: "exactCovariance";
      readonly temperature: number;
      readonly beta: number;
      readonly weights: "augmented" | "unaugmented";
    }
  | { readonly kind: "spectralContrastive"; readonly mu: number }
  | { readonly kind: "wMse" }
  /** With the next image of the batch as the negative; outputs are not normalised. */
  | { readonly kind: "simpleContrastive"; readonly beta: number }
  | { readonly kind: "softTriplet"; readonly temperature: number; readonly margin: number; readonly beta: number }
  | { readonly kind: "byol" }
  | { readonly kind: "simsiam" };

export type ScheduleConfig =
  | { readonly kind: "constant" }
  /** Linear warm-up from `warmupStart`, then half a cosine to `end` at the run's last step. */
  | { readonly kind: "cosine"; readonly warmupSteps: number; readonly warmupStart: number; readonly end: number }
  | {
      readonly kind: "step";
      readonly warmupSteps: number;
      readonly warmupStart: number;
      readonly every: number;
      readonly gamma: number;
    };

/** Parameters with a rate of their own: those whose name contains one of `names`. */
export interface GroupConfig {
  readonly names: readonly string[];
  readonly rateFactor: number;
  readonly fixedRate: number;
}

interface OptimizerBase {
  /** Of the step after the warm-up. */
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly schedule: ScheduleConfig;
  readonly groups: readonly GroupConfig[];
}

export type OptimizerConfig =
  | (OptimizerBase & {
      readonly kind: "sgd";
      readonly momentum: number;
      readonly nesterov: boolean;
      /** Largest norm of all gradients together; 0: not clipped. */
      readonly clipNorm: number;
    })
  | (OptimizerBase & {
      readonly kind: "adam" | "adamw";
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly clipNorm: number;
    })
  | (OptimizerBase & {
      readonly kind: "lars";
      readonly variant: "facebook" | "lightly" | "solo-learn" | "google";
      readonly momentum: number;
      readonly eta: number;
      readonly clipRate: boolean;
    });

/**
 * The matrix whose eigenvalues are recorded:
 * `correlation`: the loss's own cross-correlation matrix C (Barlow Twins only);
 * `covariance`: of the embeddings of both views;
 * `normalizedCovariance`: of the embeddings of both views divided by their norms;
 * `standardizedCovariance`: of the embeddings of both views with each dimension brought to variance 1.
 */
export type SpectrumMatrix = "correlation" | "covariance" | "normalizedCovariance" | "standardizedCovariance";

export interface NetworkConfig extends RunConfigBase {
  readonly kind: "network";
  readonly data: NetworkData;
  readonly model: {
    readonly encoder: EncoderConfig;
    readonly projector: ProjectorConfig;
    readonly predictor: PredictorConfig;
    readonly target: TargetConfig;
    /** Multiplies the first values of all weight matrices and filters of encoder and projector. */
    readonly initScale: number;
  };
  readonly loss: LossConfig;
  readonly optimizer: OptimizerConfig;
  readonly spectrum: {
    readonly of: SpectrumMatrix;
    /** Of fresh views: what is recorded, and with it the loss, is of the probe pairs or of the step's own batch. */
    readonly over: "probe" | "batch";
    /** Layers whose spectra are recorded beside it (`encoder.layer3.0`): eigenvalues of the covariance of their pooled outputs. */
    readonly layers: readonly string[];
    /** Record the first three principal components of every probe embedding. */
    readonly pca: boolean;
  };
  /** Records every so many steps, at `logSpaced` steps evenly spaced on a logarithmic axis, and of the initial and final state. */
  readonly record: { readonly every: number; readonly logSpaced: number };
}
