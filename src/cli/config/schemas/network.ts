/** Network runs. Ranges that depend on several values, and on the loss, are checked where the graph is built. */
import { z } from "zod";
import type { NetworkConfig } from "../../../experiments/network/config.ts";
import { base, count, momentum, nonNegative, positive } from "./common.ts";

const data = z.strictObject({
  source: z.enum(["cifar10", "mnist", "stl10"]),
  sampling: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("fixed"), pairs: count }),
    z.strictObject({ kind: z.literal("fresh"), images: count, batch: count, probe: count }),
  ]),
  maxBytes: z.int().min(0),
  side: count,
  augmentation: z.discriminatedUnion("recipe", [
    z.strictObject({ recipe: z.literal("staircase"), minArea: positive.max(1), jitter: nonNegative.max(1) }),
    z.strictObject({ recipe: z.enum(["simclr", "barlow", "byol", "asymmetric", "vicreg", "weak"]) }),
  ]),
});

const encoder = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("residual"), width: count }),
  z.strictObject({
    kind: z.literal("convolutional"),
    width: count,
    batchNorm: z.boolean(),
    pooling: z.enum(["average", "flatten"]),
  }),
  z.strictObject({ kind: z.literal("linear") }),
  z.strictObject({ kind: z.literal("mlp"), hidden: count }),
  z.strictObject({
    kind: z.literal("resnet"),
    depth: z.union([z.literal(18), z.literal(34), z.literal(50), z.literal(101)]),
    stem: z.enum(["imagenet", "cifar"]),
    width: positive,
    zeroInitResidual: z.boolean(),
  }),
]);

const model = z.strictObject({
  encoder,
  projector: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("head"), outputs: count, weightScale: positive, biasScale: nonNegative }),
    z.strictObject({
      kind: z.enum(["barlow", "vicreg", "simclr", "byol", "simsiam"]),
      widths: z.array(count).min(1),
    }),
  ]),
  predictor: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("none") }),
    z.strictObject({ kind: z.enum(["byol", "simsiam"]), widths: z.tuple([count, count]) }),
  ]),
  target: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("none") }),
    z.strictObject({
      kind: z.literal("movingAverage"),
      decay: momentum,
      rises: z.boolean(),
      init: z.enum(["copy", "independent"]),
    }),
  ]),
  initScale: positive,
});

const loss = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("barlow"),
    form: z.enum(["standardized", "centered", "raw"]),
    lambda: nonNegative,
    epsilon: nonNegative,
    scale: positive,
  }),
  z.strictObject({
    kind: z.literal("vicreg"),
    form: z.enum(["facebook", "solo"]),
    invariance: nonNegative,
    variance: nonNegative,
    covariance: nonNegative,
    epsilon: positive,
  }),
  z.strictObject({ kind: z.literal("ntXent"), temperature: positive, beta: z.number().gt(-1) }),
  z.strictObject({ kind: z.literal("infoNce"), temperature: positive }),
  z.strictObject({
    kind: z.literal("exactCovariance"),
    temperature: positive,
    beta: z.number(),
    weights: z.enum(["augmented", "unaugmented"]),
  }),
  z.strictObject({ kind: z.literal("spectralContrastive"), mu: positive }),
  z.strictObject({ kind: z.literal("wMse") }),
  z.strictObject({ kind: z.literal("simpleContrastive"), beta: z.number() }),
  z.strictObject({ kind: z.literal("softTriplet"), temperature: positive, margin: nonNegative, beta: z.number() }),
  z.strictObject({ kind: z.literal("byol") }),
  z.strictObject({ kind: z.literal("simsiam") }),
]);

const optimizerBase = {
  learningRate: positive,
  weightDecay: nonNegative,
  schedule: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("constant") }),
    z.strictObject({
      kind: z.literal("cosine"),
      warmupSteps: z.int().min(0),
      warmupStart: nonNegative,
      end: nonNegative,
    }),
    z.strictObject({
      kind: z.literal("step"),
      warmupSteps: z.int().min(0),
      warmupStart: nonNegative,
      every: count,
      gamma: positive.max(1),
    }),
  ]),
  groups: z.array(
    z.strictObject({ names: z.array(z.string().min(1)).min(1), rateFactor: nonNegative, fixedRate: nonNegative }),
  ),
};

const optimizer = z.discriminatedUnion("kind", [
  z.strictObject({
    ...optimizerBase,
    kind: z.literal("sgd"),
    momentum,
    nesterov: z.boolean(),
    clipNorm: nonNegative,
  }),
  z.strictObject({
    ...optimizerBase,
    kind: z.enum(["adam", "adamw"]),
    beta1: z.number().gt(0).lt(1),
    beta2: z.number().gt(0).lt(1),
    epsilon: positive,
    clipNorm: nonNegative,
  }),
  z.strictObject({
    ...optimizerBase,
    kind: z.literal("lars"),
    variant: z.enum(["facebook", "lightly", "solo-learn", "google"]),
    momentum,
    eta: positive,
    clipRate: z.boolean(),
  }),
]);

export const networkSchema = z.strictObject({
  ...base,
  kind: z.literal("network"),
  data,
  model,
  loss,
  optimizer,
  spectrum: z.strictObject({
    of: z.enum(["correlation", "covariance", "normalizedCovariance", "standardizedCovariance"]),
    // Runs of before there was a choice have none.
    over: z.enum(["probe", "batch"]).default("probe"),
    layers: z.array(z.string()),
    pca: z.boolean(),
  }),
  record: z.strictObject({ every: count, logSpaced: z.int().min(0) }),
}) satisfies z.ZodType<NetworkConfig>;
