/** Operator runs. Ranges that depend on several values are checked where the run begins. */
import { z } from "zod";
import type { OperatorTrainingConfig } from "../../../experiments/operatorTraining/config.ts";
import { base, count, momentum, nonNegative, positive } from "./common.ts";

/** Pairs of views have a stream of random numbers each. */
const MOST_AUGMENTATIONS = 64;

export const operatorTrainingSchema = z.strictObject({
  ...base,
  kind: z.literal("operator-training"),
  data: z.strictObject({
    source: z.enum(["cifar10", "mnist", "stl10"]),
    images: count,
    batch: count,
    augmentations: count.max(MOST_AUGMENTATIONS),
    side: count,
    augmentation: z.discriminatedUnion("recipe", [
      z.strictObject({ recipe: z.literal("staircase"), minArea: positive.max(1), jitter: nonNegative.max(1) }),
      z.strictObject({ recipe: z.enum(["simclr", "barlow", "byol", "asymmetric", "weak"]) }),
    ]),
  }),
  model: z.strictObject({
    hidden: z.array(count),
    outputs: count,
    bias: z.boolean(),
    batchNorm: z.boolean(),
    normalized: z.boolean(),
    initScale: positive,
  }),
  loss: z.strictObject({
    kind: z.enum(["simple", "triplet", "infoNce"]),
    temperature: positive,
    margin: nonNegative,
    beta: z.number(),
    pairs: z.enum(["all", "sampled"]),
    negatives: count,
  }),
  optimizer: z.strictObject({ learningRate: positive, momentum }),
  operator: z.strictObject({
    every: count,
    leading: count,
    eigenvalues: count,
    form: z.enum(["factored", "dense"]),
  }),
  record: z.strictObject({ every: count }),
}) satisfies z.ZodType<OperatorTrainingConfig>;
