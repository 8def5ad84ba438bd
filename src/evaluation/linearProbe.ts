/** Linear probe: a linear classifier on frozen features, standardised by the training rows. */
import type { Engine } from "../device/engine.ts";
import { type AdamOptions, adamProbe } from "./adamProbe.ts";
import { type ConvergedOptions, convergedProbe, type PenaltyResult } from "./convergedProbe.ts";
import { type Accuracy, checkSplits, type FeatureSplits, standardized } from "./features.ts";

/**
 * `converged`, the default: L-BFGS on the full batch until the gradient vanishes, with an L2 penalty chosen on held-out training rows. Its
 * result depends on the features and the data alone, whatever the number of images. `adam`: 50 epochs of minibatches of 128 (luckmatters,
 * ssl/real-dataset), made for 50,000 images; with a few thousand it takes so few steps that it stops far from the optimum.
 */
export type ProbeOptions =
  | ({ readonly protocol: "converged" } & ConvergedOptions)
  | ({ readonly protocol: "adam" } & AdamOptions);

export interface ProbeResult {
  readonly protocol: ProbeOptions["protocol"];
  readonly test: Accuracy;
  readonly train: Accuracy;
  /** Last training loss; with its penalty for `converged`. */
  readonly loss: number;
  /** `converged`: the chosen λ, what every λ tried gave on the held-out rows, and how the last fit ended. */
  readonly penalty?: number;
  readonly penalties?: readonly PenaltyResult[];
  readonly evaluations?: number;
  readonly hasConverged?: boolean;
  /** `adam`: the best test accuracy of all epochs, which the reference reports; chosen on the test set, hence too high. */
  readonly bestOverEpochs?: number;
}

/** @throws EngineError EVAL-FEATURES, LIMIT-… of the device */
export async function linearProbe(
  engine: Engine,
  splits: FeatureSplits,
  options: ProbeOptions = { protocol: "converged" },
): Promise<ProbeResult> {
  checkSplits(splits);
  const ready = standardized(splits);
  return options.protocol === "converged" ? convergedProbe(engine, ready, options) : adamProbe(engine, ready, options);
}
