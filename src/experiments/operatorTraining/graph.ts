/** The training step of an operator run as a graph: views, network, loss, update, and the program that measures the operators. */
import { augmentedViews, epochIndices } from "../../augment/views.ts";
import { center, concat, constant, matmul, reshape } from "../../autodiff/functions.ts";
import { Graph, type Tensor } from "../../autodiff/graph.ts";
import { spectrum } from "../../autodiff/linalg.ts";
import { RandomStream } from "../../data/index.ts";
import { identity } from "../../dual/connection.ts";
import { type OperatorMeasures, operatorMeasures } from "../../dual/measures.ts";
import { type DualPass, dualNetwork } from "../../dual/network.ts";
import { betweenContrasts, exactPairs, intraContrasts, populationPairs, type Tuples } from "../../dual/pairMatrix.ts";
import { populationLoss } from "../../dual/populationLoss.ts";
import { tupleInputs, tupleLoss } from "../../dual/tupleLoss.ts";
import { constantInit, scaleInit } from "../../nn/init.ts";
import { ParameterScope } from "../../nn/scope.ts";
import type { ParameterSpec } from "../../nn/spec.ts";
import type { StateBuffer } from "../../train/checkpoint.ts";
import {
  DEFAULT_RING_CAPACITY,
  noteNonfinite,
  stepStateTensor,
  type TrainingStep,
  trainingStep,
} from "../../train/trainingStep.ts";
import type { PixelSource } from "../imageFiles.ts";
import { recipeOf, viewsOptions } from "../network/views.ts";
import { batchShape, widthsOf } from "./checks.ts";
import type { OperatorTrainingConfig } from "./config.ts";

/** Name of the plan's input buffer with the pixels. */
export const PIXELS = "pixels";
/** Program that measures the operators. */
export const OPERATOR = "operator";

export interface OperatorStep {
  readonly step: TrainingStep;
  readonly parameters: readonly ParameterSpec[];
  /** State buffers and what they hold, for checkpoints. */
  readonly state: readonly StateBuffer[];
  /** What is written into input buffers once. */
  readonly inputs: Readonly<Record<string, Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>>;
  readonly measures: OperatorMeasures;
}

/** @throws EngineError CONFIG-…, DUAL-…, GRAPH-SHAPE */
export function operatorGraph(
  config: OperatorTrainingConfig,
  pixels: PixelSource,
  maxBindingBytes: number,
): OperatorStep {
  const { model, operator, optimizer } = config;
  const graph = new Graph();
  const stepState = stepStateTensor(graph);
  const x = features(graph, config, stepState, pixels);
  const scope = ParameterScope.create(graph);
  const pass = scope.within("encoder", (own) => dualNetwork(own, x, { ...model, widths: widthsOf(config) }));
  const objective = graph.scope("loss", () => objectiveOf(graph, config, pass));
  const shape = batchShape(config);
  const samples = shape.images * shape.augmentations;
  const between = betweenContrasts(shape);
  const intra = intraContrasts(shape);
  const contrasts = (name: string, values: Float32Array) => graph.input(name, [values.length / samples, samples]);
  const measures = operatorMeasures(pass, {
    loss: objective.loss,
    pairs: objective.pairs,
    between: contrasts("contrasts.between", between),
    intra: intra.length > 0 ? contrasts("contrasts.intra", intra) : undefined,
    leading: operator.leading,
    isDense: operator.form === "dense",
    maxBindingBytes,
  });
  const eigenvalues = graph.scope("spectrum", () => spectrum(center(pass.embeddings)));
  const step = trainingStep(
    graph,
    { loss: objective.loss, spectrum: eigenvalues, extras: { [OPERATOR]: measures.state } },
    {
      momentum: optimizer.momentum,
      ringCapacity: DEFAULT_RING_CAPACITY,
      stepState,
      afterUpdate: () => [noteNonfinite(graph, stepState)],
      programs: { [OPERATOR]: measures.nodes },
    },
  );
  const parameters = scaleInit(scope.spec().parameters, model.initScale);
  return {
    step,
    parameters,
    state: stateBuffers(parameters, step.optimizerState, measures),
    inputs: {
      ...step.inputs,
      ...objective.inputs,
      "contrasts.between": between,
      ...(intra.length > 0 ? { "contrasts.intra": intra } : {}),
    },
    measures,
  };
}

/** All views of the step's batch as rows, [augmentations·batch, side²·3]. */
function features(
  graph: Graph,
  config: OperatorTrainingConfig,
  stepState: Tensor,
  { words, layout }: PixelSource,
): Tensor {
  const { data, seed } = config;
  const { images: count, batch, augmentations, side } = data;
  const pixels = graph.input(PIXELS, [words], "u32");
  const indices = epochIndices(stepState, { seed, stream: RandomStream.permutation }, { count, batch });
  const recipe = recipeOf(config);
  const isSingle = augmentations === 1;
  const pairs = Array.from({ length: isSingle ? 1 : augmentations / 2 }, (_, pair) => {
    const stream = pair === 0 ? RandomStream.augmentation : RandomStream.furtherViews + pair;
    const options = viewsOptions(config, layout, { seed, stream });
    const own = isSingle ? { ...options, recipe: { ...recipe, views: recipe.views.slice(0, 1) } } : options;
    return augmentedViews({ stepState, pixels, indices }, own).images;
  });
  const all = pairs.length === 1 ? pairs[0] : concat(pairs);
  if (!all) throw new Error("unreachable: there is a pair of views at least");
  const rows = augmentations * batch;
  // The images' fourth channel is padding.
  const channels = concat([identity(graph, 3), constant(graph, [1, 3], 0)]);
  const colors = matmul(reshape(all, [rows * side * side, 4]), channels);
  return reshape(colors, [rows, 3 * side * side]);
}

interface OperatorObjective {
  readonly loss: Tensor;
  /** A of the operator of both towers. */
  readonly pairs: Tensor;
  readonly inputs: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
}

function objectiveOf(graph: Graph, config: OperatorTrainingConfig, { embeddings }: DualPass): OperatorObjective {
  const { loss } = config;
  const shape = batchShape(config);
  const samples = shape.images * shape.augmentations;
  if (loss.pairs === "all") {
    return {
      loss: populationLoss(embeddings, shape, loss.beta),
      pairs: graph.input("pairs", [samples, samples]),
      inputs: { pairs: populationPairs(shape, loss.beta, "both towers") },
    };
  }
  const tuples = tupleInputs(graph, "tuples", shiftedTuples(config), loss.kind, samples);
  const { loss: value, weights } = tupleLoss(embeddings, tuples, loss);
  return { loss: value, pairs: exactPairs(tuples.tensors, weights, loss.beta, "both towers"), inputs: tuples.data };
}

/** Every view an anchor, the next view of its image the positive, views of the next H images of the (shuffled) batch the negatives. */
function shiftedTuples(config: OperatorTrainingConfig): Tuples {
  const { images, augmentations } = batchShape(config);
  const anchors = Array.from({ length: images * augmentations }, (_, i) => i);
  const at = (a: number, x: number): number => (a % augmentations) * images + (x % images);
  const [view, image] = [(i: number) => Math.floor(i / images), (i: number) => i % images];
  return {
    anchors,
    positives: anchors.map((i) => at(view(i) + 1, image(i))),
    negatives: anchors.map((i) =>
      Array.from({ length: config.loss.negatives }, (_, k) => at(view(i) + k, image(i) + k + 1)),
    ),
  };
}

function stateBuffers(
  parameters: readonly ParameterSpec[],
  optimizerState: readonly string[],
  { vectors }: OperatorMeasures,
): StateBuffer[] {
  return [
    { buffer: "parameters", prefix: "", holds: { parameters } },
    ...optimizerState.map((buffer) => ({ buffer, prefix: `optimizer.${buffer}.`, holds: { parameters } })),
    // Without them a resumed run could not tell how the weights grew along the eigenvectors of before.
    ...vectors.map(({ name, shape }) => ({
      buffer: name,
      prefix: "",
      holds: { parameters: [{ name, shape, layout: { kind: "plain" } as const, init: constantInit(0) }] },
    })),
  ];
}
