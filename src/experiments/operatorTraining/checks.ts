/** What a configuration must fulfil before anything is read or allocated. */
import { type BatchShape, negativesError } from "../../dual/pairMatrix.ts";
import { requireGramOrder } from "../../dual/spectrum.ts";
import { EngineError } from "../../errors.ts";
import { IMAGE_SIDES } from "../imageFiles.ts";
import type { OperatorTrainingConfig } from "./config.ts";

export function batchShape({ data }: OperatorTrainingConfig): BatchShape {
  return { images: data.batch, augmentations: data.augmentations };
}

/** n_0 … n_L: every pixel of a view with its three channels, hidden widths, outputs. */
export function widthsOf({ data, model }: OperatorTrainingConfig): number[] {
  return [3 * data.side ** 2, ...model.hidden, model.outputs];
}

/**
 * @throws EngineError CONFIG-SIDE, CONFIG-BATCH, CONFIG-AUGMENTATIONS, CONFIG-PAIRS, CONFIG-RECORD, CONFIG-LEADING, DUAL-NEGATIVES, DUAL-ORDER
 */
export function checkConfig(config: OperatorTrainingConfig): void {
  const { data, loss, operator, record, model } = config;
  const sides = IMAGE_SIDES[data.source];
  const refuse = (code: string, where: string, message: string, fix: string): never => {
    throw new EngineError({ code, message, fix, where });
  };
  if (data.side > 4 * sides) {
    refuse(
      "CONFIG-SIDE",
      "data.side",
      `data.side is ${data.side}; images of ${data.source} are ${sides}×${sides}`,
      `Use --set data.side=${sides} or less.`,
    );
  }
  if (data.batch < 2 || data.batch > data.images) {
    refuse(
      "CONFIG-BATCH",
      "data.batch",
      `data.batch is ${data.batch}; an operator needs 2 images at least, and data.images is ${data.images}`,
      `Use --set data.batch=${Math.max(2, Math.min(data.batch, data.images))}, or more images.`,
    );
  }
  if (data.augmentations !== 1 && data.augmentations % 2 !== 0) {
    refuse(
      "CONFIG-AUGMENTATIONS",
      "data.augmentations",
      `data.augmentations is ${data.augmentations}; views are drawn in pairs`,
      `Use --set data.augmentations=${data.augmentations + 1}, or 1.`,
    );
  }
  if (loss.pairs === "all" && loss.kind !== "simple") {
    refuse(
      "CONFIG-PAIRS",
      "loss.pairs",
      `The ${loss.kind} loss over all pairs has no closed form; loss.pairs is "all"`,
      "Use --set loss.pairs=sampled, or the simple loss.",
    );
  }
  if (loss.pairs === "sampled" && loss.negatives > data.batch - 1) throw negativesError(loss.negatives, data.batch - 1);
  if (operator.every % record.every !== 0) {
    refuse(
      "CONFIG-RECORD",
      "operator.every",
      `operator.every is ${operator.every}, no multiple of record.every = ${record.every}`,
      `Use --set operator.every=${Math.ceil(operator.every / record.every) * record.every}.`,
    );
  }
  requireGramOrder(data.batch - 1, model.outputs);
  const widths = widthsOf(config);
  const rank = Math.min(...widths.slice(1).map((width, l) => Math.min(width * (widths[l] ?? 1), rankBound(config))));
  if (operator.leading > rank) {
    refuse(
      "CONFIG-LEADING",
      "operator.leading",
      `operator.leading is ${operator.leading}; the operator of a batch of ${data.batch} images with ${model.outputs} outputs has rank ${rank} at some layer`,
      `Use --set operator.leading=${rank} or less.`,
    );
  }
}

/** Largest rank of V_x[K̄]: n_L·(M − 1). */
export function rankBound({ data, model }: OperatorTrainingConfig): number {
  return model.outputs * (data.batch - 1);
}
