/** Multinomial logistic regression trained with minibatches and Adam for a number of epochs: the protocol of luckmatters. */
import { epochIndices } from "../augment/views.ts";
import { gatherRows, softmaxCrossEntropy } from "../autodiff/classification.ts";
import { CompiledPlan } from "../autodiff/compiledPlan.ts";
import { Graph, type Node, type Tensor } from "../autodiff/graph.ts";
import { planGraph } from "../autodiff/planner.ts";
import { RandomStream } from "../data/random.ts";
import type { Engine } from "../device/engine.ts";
import { linear } from "../nn/layers.ts";
import { ParameterScope } from "../nn/scope.ts";
import { stepAdvanceOp } from "../ops/update.ts";
import { adam } from "../optim/adam.ts";
import { encodeStepState } from "../train/stepState.ts";
import { stepStateTensor, targetOf } from "../train/trainingStep.ts";
import { type Accuracy, accuracyOf, type FeatureSplits, largestScores, rowsOf } from "./features.ts";
import { firstParameters } from "./firstParameters.ts";
import type { ProbeResult } from "./linearProbe.ts";

export interface AdamOptions {
  /** 3e-4 unless given. */
  readonly learningRate?: number;
  /** Added to the gradient, as PyTorch's Adam; 1e-3 unless given. */
  readonly weightDecay?: number;
  /** 128 unless given, at most the training rows. */
  readonly batch?: number;
  /** 50 unless given. */
  readonly epochs?: number;
  readonly seed?: number;
}

/**
 * A linear layer with PyTorch's first values, trained by Adam in a new order every epoch; a short last batch is dropped. One submit an epoch.
 *
 * @param splits standardised
 */
export async function adamProbe(
  engine: Engine,
  { train, test, classes }: FeatureSplits,
  options: AdamOptions,
): Promise<ProbeResult> {
  const { learningRate = 3e-4, weightDecay = 1e-3, epochs = 50, seed = 0 } = options;
  const count = rowsOf(train);
  const batch = Math.min(options.batch ?? 128, count);
  const graph = new Graph();
  const scope = ParameterScope.create(graph);
  const stepState = stepStateTensor(graph);
  const score = (x: Tensor): Tensor => linear(scope, "classifier", x, { out: classes });
  const features = graph.input("train", [count, train.columns]);
  const indices = epochIndices(stepState, { seed, stream: RandomStream.evaluation }, { count, batch });
  const labels = gatherRows(graph.input("labels", [count], "u32"), indices);
  const loss = softmaxCrossEntropy(score(gatherRows(features, indices)), labels);
  const { node, gradients, inputs } = adam(graph, loss, stepState, { weightDecay });
  graph.add(stepAdvanceOp, [loss, stepState], {});
  const advance = graph.nodes.at(-1) as Node;
  const outputs = {
    gradients,
    loss,
    trainScores: score(features),
    testScores: score(graph.input("test", [rowsOf(test), test.columns])),
  };
  const plan = planGraph({
    graph,
    programs: { update: [node, advance, loss], score: [outputs.trainScores, outputs.testScores] },
    outputs,
    target: targetOf(engine.adapter),
  });
  const compiled = await CompiledPlan.compile(engine, plan);
  try {
    compiled.write("train", train.values);
    compiled.write("test", test.values);
    compiled.write("labels", Uint32Array.from(train.labels));
    const key = { seed, stream: RandomStream.classifier };
    compiled.write("parameters", await firstParameters(engine, scope.spec().parameters, key));
    for (const [name, table] of Object.entries(inputs)) compiled.write(name, table);
    compiled.write("stepState", encodeStepState({ step: 0, records: 0, nonfiniteStep: undefined, learningRate }));
    const read = async (name: keyof typeof outputs, elements: number) =>
      new Float32Array(await engine.readBuffer(compiled.buffer(name), 0, 4 * elements));
    const curve: Accuracy[] = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      runSteps(engine, compiled, Math.floor(count / batch));
      const scores = await read("testScores", rowsOf(test) * classes);
      curve.push(accuracyOf(largestScores(scores, classes), test.labels));
    }
    const last = curve.at(-1);
    const trainScores = await read("trainScores", count * classes);
    return {
      protocol: "adam",
      test: last ?? accuracyOf([], test.labels),
      train: accuracyOf(largestScores(trainScores, classes), train.labels),
      loss: (await read("loss", 1))[0] ?? Number.NaN,
      bestOverEpochs: Math.max(...curve.map(({ accuracy }) => accuracy)),
    };
  } finally {
    compiled.destroy();
  }
}

/** Steps of an epoch, then the scores, in one submit. */
function runSteps(engine: Engine, compiled: CompiledPlan, steps: number): void {
  const encoder = engine.device.createCommandEncoder({ label: "linear probe" });
  const pass = encoder.beginComputePass({ label: "linear probe" });
  const update = compiled.program("update");
  for (let step = 0; step < steps; step++) compiled.encode(pass, update);
  compiled.encode(pass, compiled.program("score"));
  pass.end();
  engine.submit(encoder.finish());
}
