/** What a finished network run has learned: linear probe and nearest neighbours of its encoder, untrained and of the pixels. */
import type { DataFolder } from "../../data/byteSource.ts";
import { type ImageSet, RandomStream } from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import { EngineError } from "../../errors.ts";
import {
  calibratedStatistics,
  type Encoded,
  encodeImages,
  firstParameters,
  linearProbe,
  type NeighborOptions,
  type NeighborResult,
  nearestNeighbors,
  type ProbeOptions,
  type ProbeResult,
  pixelFeatures,
  standardized,
  type TrainedModel,
  type WholeView,
} from "../../evaluation/index.ts";
import { scaleInit } from "../../nn/init.ts";
import { describeModel, type Model } from "../../nn/scope.ts";
import { importWeights, type NamedWeight } from "../../nn/weights.ts";
import { decodeCheckpointOf } from "../checkpointFile.ts";
import { readLabelledImages } from "../imageFiles.ts";
import type { NetworkConfig } from "./config.ts";
import { networkOf } from "./model.ts";
import { NORMALIZATION, recipeOf } from "./views.ts";

export interface EvaluationRequest {
  readonly config: NetworkConfig;
  /** Content of the run's checkpoint.safetensors. */
  readonly checkpoint: Uint8Array;
  /** Holds the labelled files. */
  readonly data: DataFolder | undefined;
  readonly probe: ProbeOptions;
  readonly neighbors: NeighborOptions;
}

/** Not left to the features: a ReLU may turn NaN into 0. @throws EngineError EVAL-WEIGHTS */
function requireFinite(weights: Readonly<Record<string, NamedWeight>>): void {
  for (const [name, { data }] of Object.entries(weights)) {
    const at = data.findIndex((value) => !Number.isFinite(value));
    if (at < 0) continue;
    throw new EngineError({
      code: "EVAL-WEIGHTS",
      message: `Element ${at} of ${name} in the checkpoint is ${data[at]}`,
      fix: "The run diverged; evaluate one that did not.",
      where: name,
    });
  }
}

/** Accuracies of one kind of features. */
export interface FeatureEvaluation {
  readonly columns: number;
  readonly linear: ProbeResult;
  readonly neighbors: NeighborResult;
}

/** Content of eval.json, except what only the command knows. Plain JSON. */
export interface EvaluationDocument {
  readonly preset: string;
  readonly seed: number;
  /** Updates that the checkpoint had. */
  readonly step: number;
  readonly data: {
    readonly source: string;
    readonly train: number;
    readonly test: number;
    readonly classes: number;
    /** Side of the images as the network sees them. */
    readonly side: number;
  };
  /** Features of the encoder, before the projector, of whole images in inference with the running statistics of training. */
  readonly trained: FeatureEvaluation;
  /** The same encoder with its first weights, its running statistics taken from the training images. */
  readonly untrained: FeatureEvaluation;
  /** The images as the network sees them, standardised. */
  readonly pixels: FeatureEvaluation;
}

const CLASSES = 10;

/**
 * @param phase told what is under way, for people
 * @throws EngineError DATA-… (the labelled files), RUN-CHECKPOINT-FOREIGN, NN-WEIGHTS, EVAL-WEIGHTS, EVAL-FEATURES, LIMIT-…
 */
export async function evaluateNetwork(
  engine: Engine,
  { config, checkpoint, data, probe, neighbors }: EvaluationRequest,
  phase: (text: string) => void,
): Promise<EvaluationDocument> {
  const { side, source } = config.data;
  const { encoder } = networkOf(config);
  const model: Model = (scope, x) => scope.within("encoder", (own) => encoder(own, x));
  const spec = describeModel(model, [2, side, side, 4]);
  const { tensors, step } = decodeCheckpointOf(checkpoint, config);
  const own = Object.fromEntries(Object.entries(tensors).filter(([name]) => name.startsWith("encoder.")));
  requireFinite(own);
  const trained: TrainedModel = { model, state: importWeights(spec, own) };

  phase("reading labelled images");
  const train = await readLabelledImages(source, "train", data);
  const test = await readLabelledImages(source, "test", data);
  const view = wholeView(config);

  const evaluate = async (name: string, encode: (images: ImageSet) => Promise<Encoded>, isStandardized = false) => {
    phase(`features of ${train.count + test.count} images, ${name}`);
    const [encodedTrain, encodedTest] = [await encode(train), await encode(test)];
    const given = {
      train: { ...encodedTrain, labels: train.labels },
      test: { ...encodedTest, labels: test.labels },
      classes: CLASSES,
    };
    phase(`nearest neighbours, ${name}`);
    const near = await nearestNeighbors(engine, isStandardized ? standardized(given) : given, neighbors);
    phase(`linear probe, ${name}`);
    return { columns: encodedTrain.columns, linear: await linearProbe(engine, given, probe), neighbors: near };
  };

  const result = await evaluate("trained", (images) => encodeImages(engine, images, view, trained));
  const untrained = await untrainedModel(engine, config, model, train, view);
  return {
    preset: config.preset,
    seed: config.seed,
    step,
    data: { source, train: train.count, test: test.count, classes: CLASSES, side },
    trained: result,
    untrained: await evaluate("untrained", (images) => encodeImages(engine, images, view, untrained)),
    pixels: await evaluate("pixels", (images) => pixelFeatures(engine, images, view), true),
  };
}

/** The whole image at the network's size, sampled and normalised as the run's views are. */
export function wholeView(config: NetworkConfig): WholeView {
  const { source, side } = config.data;
  const { interpolation, cubic, samples } = recipeOf(config);
  const recipe = {
    views: [{ crop: { scale: [1, 1], ratio: [1, 1] } }],
    crop: "real",
    order: "fixed",
    interpolation,
    ...(cubic === undefined ? {} : { cubic }),
    ...(samples === undefined ? {} : { samples }),
  } as const;
  return { recipe, height: side, width: side, ...NORMALIZATION[source] };
}

/** The encoder as the run began with it. */
async function untrainedModel(
  engine: Engine,
  { seed, data: { side }, model: { initScale } }: NetworkConfig,
  model: Model,
  images: ImageSet,
  view: WholeView,
): Promise<TrainedModel> {
  // The encoder's parameters are the network's first, so that they have the same draws alone.
  const specs = scaleInit(describeModel(model, [2, side, side, 4]).parameters, initScale);
  const parameters = await firstParameters(engine, specs, { seed, stream: RandomStream.parameters });
  const running = await calibratedStatistics(engine, images, view, { model, parameters });
  return { model, state: { parameters, running } };
}
