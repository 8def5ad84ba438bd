/** A network run's configuration in words. Only what is said is read, so that a report survives keys it does not know. */
import { z } from "zod";
import { recordedPairs, spectrumWords } from "../../experiments/network/spectrumWords.ts";
import { formatNumber } from "../format.ts";
import type { StoredConfig } from "../readRun.ts";

const configSchema = z.looseObject({
  data: z.object({
    source: z.string(),
    side: z.number(),
    sampling: z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("fixed"), pairs: z.number() }),
      z.object({ kind: z.literal("fresh"), images: z.number(), batch: z.number(), probe: z.number() }),
    ]),
  }),
  model: z.object({
    encoder: z.looseObject({
      kind: z.string(),
      width: z.number().optional(),
      hidden: z.number().optional(),
      depth: z.number().optional(),
      batchNorm: z.boolean().optional(),
    }),
    projector: z.looseObject({
      kind: z.string(),
      outputs: z.number().optional(),
      widths: z.array(z.number()).optional(),
    }),
  }),
  loss: z.looseObject({
    kind: z.string(),
    form: z.string().optional(),
    lambda: z.number().optional(),
    epsilon: z.number().optional(),
    temperature: z.number().optional(),
    invariance: z.number().optional(),
    variance: z.number().optional(),
    covariance: z.number().optional(),
  }),
  optimizer: z.looseObject({
    kind: z.string(),
    learningRate: z.number(),
    momentum: z.number().optional(),
    schedule: z.object({ kind: z.string() }),
  }),
  spectrum: z.looseObject({
    of: z.enum(["correlation", "covariance", "normalizedCovariance", "standardizedCovariance"]),
  }),
});

type KnownConfig = z.infer<typeof configSchema>;

export interface NetworkWords {
  /** Barlow Twins, VICReg, SimCLR, … */
  readonly method: string;
  readonly trainedOn: string;
  /** "on the training pairs". */
  readonly lossOn: string;
  readonly spectrumOf: string;
  readonly timeAxis: string;
  /** Weights trained directly on pixels: their steps are evenly spaced on a logarithmic axis, those of trained features on a linear one. */
  readonly isLogTime: boolean;
  /** The loss and the recorded matrix; runs that differ in it cannot share axes. */
  readonly axesKey: string;
}

/** undefined for a configuration that is none of a network run. */
export function networkWords(config: StoredConfig): NetworkWords | undefined {
  const known = configSchema.safeParse(config).data;
  if (!known) return undefined;
  const { loss, model, spectrum, optimizer } = known;
  const momentum = optimizer.momentum ?? 0;
  const clock = optimizer.schedule.kind === "constant" ? "learning rate × step" : "sum of the steps’ learning rates";
  return {
    method: METHODS[loss.kind] ?? loss.kind,
    trainedOn: trainedOn(known),
    lossOn: `on ${recordedPairs(known)}`,
    spectrumOf: spectrumWords(known),
    timeAxis: `t = ${clock}${momentum > 0 ? " / (1 − momentum)" : ""}`,
    isLogTime: ["linear", "mlp"].includes(model.encoder.kind),
    axesKey: [loss.kind, loss.form, spectrum.of].join(" "),
  };
}

const METHODS: Readonly<Record<string, string>> = {
  barlow: "Barlow Twins",
  vicreg: "VICReg",
  ntXent: "SimCLR",
  infoNce: "InfoNCE",
  exactCovariance: "Exact covariance",
  spectralContrastive: "Spectral contrastive",
  wMse: "W-MSE",
  simpleContrastive: "Simple contrastive",
  softTriplet: "Soft triplet",
  byol: "BYOL",
  simsiam: "SimSiam",
};

function trainedOn({ data, model, loss, optimizer }: KnownConfig): string {
  const { sampling } = data;
  const rate = `learning rate ${formatNumber(optimizer.learningRate)}`;
  const isPlain = optimizer.kind === "sgd" && (optimizer.momentum ?? 0) === 0;
  const descent =
    sampling.kind === "fixed" && isPlain
      ? "full-batch gradient descent"
      : (OPTIMIZERS[optimizer.kind] ?? optimizer.kind);
  const method = METHODS[loss.kind] ?? loss.kind;
  return `${encoderWords(model.encoder)} with ${projectorWords(model.projector)}, trained by ${descent} (${rate}) on the loss of ${method}${lossDetails(loss)}; the data are ${dataWords(data)}.`;
}

const OPTIMIZERS: Readonly<Record<string, string>> = { sgd: "SGD", adam: "Adam", adamw: "AdamW", lars: "LARS" };

function encoderWords({ kind, width, hidden, depth, batchNorm }: KnownConfig["model"]["encoder"]): string {
  switch (kind) {
    case "residual":
      return `A small residual net of width ${width}`;
    case "convolutional":
      return `Three convolutions, the first with ${width} channels, ${batchNorm ? "with" : "without"} BatchNorm,`;
    case "linear":
      return "The pixels themselves";
    case "mlp":
      return `One hidden layer of ${hidden} ReLU units`;
    case "resnet":
      return `A ResNet-${depth}${width === 1 ? "" : ` of width ${width}`}`;
    default:
      return `An encoder “${kind}”`;
  }
}

function projectorWords({ kind, outputs, widths = [] }: KnownConfig["model"]["projector"]): string {
  return kind === "head" ? `a linear head to ${outputs} outputs` : `a ${kind} projector ${widths.join("-")}`;
}

/** " (form centered, λ = 1)"; nothing for a loss without options. */
function lossDetails(loss: KnownConfig["loss"]): string {
  const { kind, form, lambda, temperature, invariance, variance, covariance } = loss;
  const weights = [invariance, variance, covariance].filter((weight) => weight !== undefined);
  const parts = [
    ...(kind === "barlow" && form !== undefined ? [`${form} embeddings`] : []),
    ...(lambda === undefined ? [] : [`λ = ${formatNumber(lambda)}`]),
    ...(temperature === undefined ? [] : [`temperature ${formatNumber(temperature)}`]),
    ...(weights.length === 3 ? [`weights ${weights.join(", ")} of invariance, variance and covariance`] : []),
  ];
  return parts.length > 0 ? ` (${parts.join(", ")})` : "";
}

const SOURCES: Readonly<Record<string, string>> = { cifar10: "CIFAR-10", mnist: "MNIST", stl10: "STL-10" };

function dataWords({ source, side, sampling }: KnownConfig["data"]): string {
  const images = `${SOURCES[source] ?? source} images, ${side} × ${side} pixels`;
  return sampling.kind === "fixed"
    ? `two augmented views of each of ${sampling.pairs} ${images}, drawn once`
    : `two augmented views, new in every step, of ${sampling.batch} of ${sampling.images} ${images}`;
}
