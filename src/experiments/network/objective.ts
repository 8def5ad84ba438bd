/** From the outputs for both views to the loss and the recorded spectrum that a configuration names. */
import { center, concat, slice, standardize } from "../../autodiff/functions.ts";
import type { Tensor } from "../../autodiff/graph.ts";
import { eigenvalues, spectrum } from "../../autodiff/linalg.ts";
import { l2Normalize } from "../../autodiff/ssl.ts";
import { EngineError } from "../../errors.ts";
import {
  barlowTerms,
  byol,
  crossViewInfoNce,
  exactCovariance,
  ntXent,
  simpleContrastive,
  simSiam,
  softTriplet,
  spectralContrastive,
  vicreg,
  wMse,
} from "../../ssl/index.ts";
import type { LossConfig, SpectrumMatrix } from "./config.ts";

/** Outputs for both views, all first views before all second ones: [2N, d] each. */
export interface TwoViewOutputs {
  readonly embeddings: Tensor;
  /** Of the predictor. */
  readonly predictions: Tensor | undefined;
  /** The target network's embeddings; the online network's own where there is no target. */
  readonly targets: Tensor | undefined;
  /** Embeddings [N, d] of the un-augmented images. */
  readonly unaugmented: Tensor | undefined;
}

export interface LossTerms {
  readonly loss: Tensor;
  /** The matrix that Barlow Twins' loss is a function of. */
  readonly correlation: Tensor | undefined;
}

/** @throws EngineError CONFIG-LOSS (a predictor or target network is missing), CONFIG-VALUE, GRAPH-SHAPE */
export function lossTerms(config: LossConfig, outputs: TwoViewOutputs): LossTerms {
  const [za, zb] = halves(outputs.embeddings);
  if (config.kind === "barlow") return barlowTerms(za, zb, config);
  return { loss: plainLoss(config, outputs, za, zb), correlation: undefined };
}

function plainLoss(
  config: Exclude<LossConfig, { kind: "barlow" }>,
  outputs: TwoViewOutputs,
  za: Tensor,
  zb: Tensor,
): Tensor {
  switch (config.kind) {
    case "vicreg":
      return vicreg(za, zb, config);
    case "ntXent":
      return ntXent(za, zb, config);
    case "infoNce":
      return crossViewInfoNce(za, zb, config);
    case "exactCovariance": {
      const { unaugmented } = outputs;
      return exactCovariance(za, zb, { ...config, ...(unaugmented ? { unaugmented } : {}) });
    }
    case "spectralContrastive":
      return spectralContrastive(za, zb, config);
    case "wMse":
      return wMse(za, zb);
    case "simpleContrastive":
      return simpleContrastive(za, zb, next(zb), config);
    case "softTriplet":
      return softTriplet(za, zb, next(zb), config);
    case "byol": {
      const [pa, pb] = halves(predictionsOf(outputs, "byol"));
      const [ta, tb] = halves(required(outputs.targets, "byol", "target"));
      return byol(pa, pb, ta, tb);
    }
    case "simsiam": {
      const [pa, pb] = halves(predictionsOf(outputs, "simsiam"));
      return simSiam(pa, pb, za, zb);
    }
  }
}

/** The predictor's outputs, which are compared with embeddings and must be as wide. */
function predictionsOf({ predictions, embeddings }: TwoViewOutputs, loss: string): Tensor {
  const predicted = required(predictions, loss, "predictor");
  const [ours, theirs] = [predicted.shape[1] ?? 0, embeddings.shape[1] ?? 0];
  if (ours === theirs) return predicted;
  throw new EngineError({
    code: "GRAPH-SHAPE",
    message: `predictor and projector do not chain: ${loss} compares predictions of ${ours} columns with embeddings of ${theirs}`,
    fix: `Let model.predictor.widths end with ${theirs}, as model.projector.widths does.`,
    where: "model.predictor.widths",
  });
}

/** The eigenvalues to record, descending. @throws EngineError CONFIG-SPECTRUM */
export function recordedSpectrum(of: SpectrumMatrix, embeddings: Tensor, terms: LossTerms): Tensor {
  switch (of) {
    case "correlation":
      if (terms.correlation) return eigenvalues(terms.correlation);
      throw new EngineError({
        code: "CONFIG-SPECTRUM",
        message: "spectrum.of is correlation, but only the Barlow Twins loss has a cross-correlation matrix",
        fix: "Use --set spectrum.of=covariance or normalizedCovariance.",
        where: "spectrum.of",
      });
    case "covariance":
      return spectrum(center(embeddings));
    case "normalizedCovariance":
      return spectrum(center(l2Normalize(embeddings)));
    case "standardizedCovariance":
      return spectrum(standardize(embeddings));
  }
}

function halves(both: Tensor): [Tensor, Tensor] {
  const rows = (both.shape[0] ?? 2) / 2;
  return [slice(both, 0, rows), slice(both, rows, 2 * rows)];
}

/** The rows of the next images, cyclically: independent samples, since a batch is in random order. */
function next(z: Tensor): Tensor {
  const rows = z.shape[0] ?? 1;
  return rows === 1 ? z : concat([slice(z, 1, rows), slice(z, 0, 1)]);
}

function required(tensor: Tensor | undefined, loss: string, part: string): Tensor {
  if (tensor) return tensor;
  throw new EngineError({
    code: "CONFIG-LOSS",
    message: `The loss ${loss} needs a ${part}, but model.${part}.kind is none`,
    fix: `Start from a preset of ${loss}, such as resnet18-cifar-${loss}.`,
    where: `model.${part}`,
  });
}
