/** The training step of a network run as a graph: views, forward, loss, backward, update, moving averages, spectrum. */
import { augmentedViews, epochIndices } from "../../augment/views.ts";
import { center, matmul } from "../../autodiff/functions.ts";
import { Graph, type Node, type Tensor } from "../../autodiff/graph.ts";
import { spectrum, svd } from "../../autodiff/linalg.ts";
import { globalAveragePool } from "../../autodiff/pool.ts";
import { RandomStream } from "../../data/index.ts";
import { EngineError } from "../../errors.ts";
import { scaleInit } from "../../nn/init.ts";
import { ParameterScope, RUNNING_STATISTICS } from "../../nn/scope.ts";
import type { ModelSpec, ParameterSpec } from "../../nn/spec.ts";
import { type TargetNetwork, targetNetwork, updateTarget } from "../../nn/target.ts";
import type { StateBuffer } from "../../train/checkpoint.ts";
import {
  DEFAULT_RING_CAPACITY,
  noteNonfinite,
  stepStateTensor,
  type TrainingStep,
  trainingStep,
} from "../../train/trainingStep.ts";
import type { PixelSource } from "../imageFiles.ts";
import type { NetworkConfig } from "./config.ts";
import { embed, type Network, networkOf } from "./model.ts";
import { lossTerms, recordedSpectrum, type TwoViewOutputs } from "./objective.ts";
import { optimizerOf } from "./optimizer.ts";
import { viewsOptions, wholeImages } from "./views.ts";

/** Names of the plan's input buffers. */
export const VIEWS = "views";
export const PIXELS = "pixels";
/** The recorded pairs' un-augmented images, for the loss that wants them. */
export const WHOLE_IMAGES = "wholeImages";
const PCA_SELECTION = "pca.selection";
/** Name of the target network's state. */
export const TARGET = "target";
/** Principal components that are recorded. */
export const PCA_COMPONENTS = 3;

export interface NetworkStep {
  readonly step: TrainingStep;
  /** Parameters with their first values, and running statistics. */
  readonly spec: ModelSpec;
  /** Parameters that the target network follows: the first ones. */
  readonly targetParameters: readonly ParameterSpec[];
  /** State buffers and what they hold, for checkpoints. */
  readonly state: readonly StateBuffer[];
  /** Outputs of layers by path, in order of computation. */
  readonly outputs: ReadonlyMap<string, Tensor>;
  readonly inputs: Readonly<Record<string, Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>>;
  /** The recorded embeddings [2N, d]. */
  readonly embeddings: Tensor;
}

/** What one pass over two views gives. */
interface Pass {
  readonly outputs: TwoViewOutputs;
  readonly scope: ParameterScope;
}

/**
 * @param pixels the images of a run with fresh views
 * @throws EngineError CONFIG-…, GRAPH-SHAPE naming the layers that do not chain
 */
export function networkGraph(config: NetworkConfig, pixels: PixelSource | undefined): NetworkStep {
  const graph = new Graph();
  const { data, loss: lossConfig, model, spectrum: watched } = config;
  const { sampling, side } = data;
  const network = networkOf(config);
  const stepState = stepStateTensor(graph);
  const scope = ParameterScope.create(graph);
  const recordsBatch = sampling.kind === "fixed" || watched.over === "batch";
  const recordedViews = () => graph.input(VIEWS, [2 * recordedPairs(config), side, side, 4]);
  const fresh = sampling.kind === "fresh" ? freshViews(graph, config, stepState, required(pixels)) : undefined;

  const images = fresh?.images ?? recordedViews();
  const embeddings = embed(scope, network, images);
  const target = model.target.kind === "none" ? undefined : targetNetwork(graph, TARGET);
  const trained = pass(scope, network, images, embeddings, target, fresh?.whole);
  const training = graph.scope("loss", () => lossTerms(lossConfig, trained.outputs));

  // The loss and spectrum of the probe pairs are recorded under the same parameters.
  const probed = () => {
    const whole = needsWholeImages(config)
      ? graph.input(WHOLE_IMAGES, [recordedPairs(config), side, side, 4])
      : undefined;
    return probePass(graph, scope, network, recordedViews(), target, whole);
  };
  const recorded = recordsBatch ? trained : probed();
  const terms = recordsBatch ? training : graph.scope("probe", () => lossTerms(lossConfig, recorded.outputs));
  const eigenvalues = graph.scope("spectrum", () => recordedSpectrum(watched.of, recorded.outputs.embeddings, terms));
  const pca = watched.pca ? principalComponents(graph, recorded.outputs.embeddings) : undefined;
  const extras = { ...layerSpectra(watched.layers, recorded.scope.outputs), ...(pca ? { pca: pca.coordinates } : {}) };

  const step = trainingStep(
    graph,
    { loss: training.loss, recordedLoss: terms.loss, spectrum: eigenvalues, extras },
    {
      optimizer: optimizerOf(config),
      ringCapacity: DEFAULT_RING_CAPACITY,
      stepState,
      afterUpdate: () => [
        ...movingAverages(config, scope, target, stepState),
        noteNonfinite(graph, stepState, RUNNING_STATISTICS),
      ],
    },
  );
  const { parameters, running } = scope.spec();
  const spec = {
    parameters: scaleInit(parameters, model.initScale, (name) => !name.startsWith("predictor.")),
    running,
  };
  const targetParameters = target ? parametersBefore(spec, graph, target) : [];
  return {
    step,
    spec,
    targetParameters,
    state: stateBuffers(spec, step.optimizerState, targetParameters),
    outputs: scope.outputs,
    inputs: { ...step.inputs, ...(pca ? { [PCA_SELECTION]: pca.selection } : {}) },
    embeddings: recorded.outputs.embeddings,
  };
}

/** Pairs of views that are drawn once: all of a fixed sample, the probe of a fresh one. */
export function recordedPairs({ data: { sampling } }: NetworkConfig): number {
  return sampling.kind === "fixed" ? sampling.pairs : sampling.probe;
}

/** Whether the loss depends on the un-augmented images, too. */
export function needsWholeImages({ loss }: NetworkConfig): boolean {
  return loss.kind === "exactCovariance" && loss.weights === "unaugmented";
}

function required(pixels: PixelSource | undefined): PixelSource {
  if (!pixels) throw new Error("unreachable: fresh views are made of pixels");
  return pixels;
}

/** The views of the current step's batch, and where the loss wants them the whole images. */
function freshViews(graph: Graph, config: NetworkConfig, stepState: Tensor, { words, layout, window }: PixelSource) {
  const { sampling } = config.data;
  if (sampling.kind !== "fresh") throw new Error("unreachable: only fresh views are drawn in the step");
  const { batch } = sampling;
  const count = window ?? sampling.images;
  const pixels = graph.input(PIXELS, [words], "u32");
  const { seed } = config;
  const indices = epochIndices(stepState, { seed, stream: RandomStream.permutation }, { count, batch });
  const sources = { stepState, pixels, indices };
  const stream = RandomStream.augmentation;
  const { images } = augmentedViews(sources, viewsOptions(config, layout, { seed, stream }));
  const whole = needsWholeImages(config)
    ? augmentedViews(sources, wholeImages(config, layout, seed)).images
    : undefined;
  return { images, whole };
}

/** Predictor and target network on top of the embeddings. */
function pass(
  scope: ParameterScope,
  network: Network,
  images: Tensor,
  embeddings: Tensor,
  target: TargetNetwork | undefined,
  whole: Tensor | undefined,
): Pass {
  const { predictor } = network;
  const predictions = predictor && scope.within("predictor", (own) => predictor(own, embeddings));
  const targets = target && scope.graph.scope(TARGET, () => embed(target.scope, network, images));
  // Under batch statistics of their own; nothing flows back and no running average is moved.
  const unaugmented = whole && embed(sharedScope(scope.graph), network, whole);
  return { outputs: { embeddings, predictions, targets, unaugmented }, scope };
}

function probePass(
  graph: Graph,
  scope: ParameterScope,
  network: Network,
  views: Tensor,
  target: TargetNetwork | undefined,
  whole: Tensor | undefined,
): Pass {
  const shared = sharedScope(scope.graph);
  return graph.scope("probe", () => pass(shared, network, views, embed(shared, network, views), target, whole));
}

/** A scope over the parameters that the graph has, which notes nothing for the trained network. */
function sharedScope(graph: Graph): ParameterScope {
  const parameters = new Map(
    graph.leaves.flatMap((leaf) => (leaf.leaf?.role === "parameter" ? [[leaf.name, leaf]] : [])),
  );
  return ParameterScope.over(graph, ({ name }) => {
    const parameter = parameters.get(name);
    if (!parameter) throw new Error(`unreachable: the trained network has ${name}`);
    return parameter;
  });
}

/** Eigenvalues of the covariance of pooled outputs, under `spectrum.<layer>`. @throws EngineError CONFIG-LAYER */
function layerSpectra(layers: readonly string[], outputs: ReadonlyMap<string, Tensor>): Record<string, Tensor> {
  return Object.fromEntries(
    layers.map((layer) => {
      const output = outputs.get(layer);
      if (!output) {
        throw new EngineError({
          code: "CONFIG-LAYER",
          message: `spectrum.layers names ${layer}; the network has ${[...outputs.keys()].join(", ")}`,
          fix: "Use names of this list.",
          where: "spectrum.layers",
        });
      }
      const pooled = output.shape.length === 4 ? globalAveragePool(output) : output;
      return [`spectrum.${layer}`, spectrum(center(pooled))];
    }),
  );
}

/** Coordinates [2N, 3] of centred embeddings along their first principal axes, by a product with a selection of columns. */
function principalComponents(graph: Graph, embeddings: Tensor) {
  return graph.scope("pca", () => {
    const centered = center(embeddings);
    const { right } = svd(centered);
    const kept = right.shape[1] ?? 1;
    const components = Math.min(PCA_COMPONENTS, kept);
    const selection = new Float32Array(kept * components);
    for (let index = 0; index < components; index++) selection[index * components + index] = 1;
    const select = graph.input(PCA_SELECTION, [kept, components]);
    return { coordinates: matmul(centered, matmul(right, select)), selection };
  });
}

function movingAverages(
  { model, steps }: NetworkConfig,
  scope: ParameterScope,
  target: TargetNetwork | undefined,
  stepState: Tensor,
): readonly Node[] {
  const running = scope.updateRunning();
  if (!target || model.target.kind === "none") return running;
  const { decay, rises } = model.target;
  return [...running, updateTarget(target, stepState, { decay, ...(rises ? { steps } : {}) })];
}

/** The parameters that were made before the target network was, with the first values that they have in the trained one. */
function parametersBefore(spec: ModelSpec, graph: Graph, { state }: TargetNetwork): readonly ParameterSpec[] {
  const names = new Set(graph.segments.filter(({ offset }) => offset < state.elements).map(({ name }) => name));
  return spec.parameters.filter(({ name }) => names.has(name));
}

function stateBuffers(
  spec: ModelSpec,
  optimizerState: readonly string[],
  targetParameters: readonly ParameterSpec[],
): StateBuffer[] {
  const { parameters, running } = spec;
  return [
    { buffer: "parameters", prefix: "", holds: { parameters } },
    ...optimizerState.map((buffer) => ({ buffer, prefix: `optimizer.${buffer}.`, holds: { parameters } })),
    ...(running.length > 0 ? [{ buffer: RUNNING_STATISTICS, prefix: "", holds: { running } }] : []),
    ...(targetParameters.length > 0
      ? [{ buffer: TARGET, prefix: `${TARGET}.`, holds: { parameters: targetParameters } }]
      : []),
  ];
}
