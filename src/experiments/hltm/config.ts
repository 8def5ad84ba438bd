/** Configuration of an HLTM run: networks that mirror latent trees, many seeds side by side. Plain data; every key is always there. */
import { MAX_FAN_OUT } from "../../ops/locallyConnected.ts";
import type { RunConfigBase } from "../contract.ts";

/** Most units of a node. */
export const MAX_WIDTH = MAX_FAN_OUT;

export interface HltmTree {
  /** Edges from the root to a leaf. */
  readonly depth: number;
  readonly branching: number;
  /** |ρ| of every edge is uniform between the two, its sign random. */
  readonly polarity: readonly [low: number, high: number];
  /** `symmetric`: P(child = parent) = (1 + ρ)/2. `asymmetric`: the mean of the two conditional probabilities is uniform on what ρ leaves. */
  readonly conditionals: "symmetric" | "asymmetric";
  /** P(root = 1). */
  readonly prior: number;
  /** A tree for each seed, or one for all. */
  readonly draw: "per-seed" | "shared";
}

/**
 * Over whole batches, one number for a batch (the authors' code); r₊, r₋ are mean squared differences over batch and dimensions:
 *   `batchSigmoid`     −1/(1 + e^{(r₊ − r₋)/τ}), their "nce", without a logarithm;
 *   `batchDifference`  r₊ − r₋, their "subtract".
 * Per sample (the paper), with r = ½‖·‖²: `infoNce`, `softTriplet`, `simpleContrastive`, as in src/ssl.
 */
export type HltmLoss =
  | { readonly kind: "batchSigmoid"; readonly temperature: number }
  | { readonly kind: "batchDifference" }
  | { readonly kind: "infoNce"; readonly temperature: number }
  | { readonly kind: "softTriplet"; readonly temperature: number; readonly margin: number }
  | { readonly kind: "simpleContrastive" };

export interface HltmConfig extends RunConfigBase {
  readonly kind: "hltm";
  /** Trees, initial weights and samples of seed s, seed s + 1, …: run side by side, each as if alone. */
  readonly seeds: number;
  readonly tree: HltmTree;
  /** Units of a latent's node. */
  readonly model: { readonly width: number };
  readonly data: {
    /** Triplets of a step. */
    readonly batch: number;
    /** The negative's root: drawn anew (half of the negatives are none, as in the paper), or the other value. */
    readonly negatives: "independent" | "opposite";
  };
  /** Outputs are divided by their norm + 1e-4 before it. */
  readonly loss: HltmLoss;
  readonly optimizer: { readonly learningRate: number };
  readonly record: {
    /** Steps of an epoch: measured before the first one, after every so many, and after the last. */
    readonly every: number;
    /** Fresh samples that correlations are measured on, rounded up to what divides evenly. */
    readonly samples: number;
    /** Fresh samples for the norms of the covariance operators; fewer where their backward pass would take more than 8 MiB a seed. */
    readonly operatorSamples: number;
  };
  /** Cells of a table: every width with every polarity range [low, tree.polarity[1]]. Empty lists stand for the values above. */
  readonly sweep: { readonly widths: readonly number[]; readonly polarities: readonly number[] };
}
