/** A multinomial logistic regression on the GPU as functions of its parameters: penalised loss with gradient, and scores. */
import { softmaxCrossEntropy } from "../autodiff/classification.ts";
import { CompiledPlan } from "../autodiff/compiledPlan.ts";
import { add, matmul, pack, slice } from "../autodiff/functions.ts";
import { grad } from "../autodiff/grad.ts";
import { Graph, type Tensor } from "../autodiff/graph.ts";
import { planGraph } from "../autodiff/planner.ts";
import type { Engine } from "../device/engine.ts";
import { targetOf } from "../train/trainingStep.ts";
import { type FeatureSplits, rowsOf } from "./features.ts";
import type { Evaluation } from "./lbfgs.ts";

/** Rows whose scores can be asked for. */
export type ScoredRows = "heldOut" | "train" | "test";

/** Features stay on the GPU; each call writes the parameters (weights [classes, columns], then biases) and reads the answer. */
export class LogisticRegression {
  /** Length of the flat parameters, gaps included. */
  readonly elements: number;
  readonly #engine: Engine;
  readonly #compiled: CompiledPlan;
  /** Elements of the weights, at the start; the biases are not penalised. */
  readonly #weights: number;
  readonly #scores: Readonly<Record<ScoredRows, number>>;

  private constructor(
    engine: Engine,
    compiled: CompiledPlan,
    graph: Graph,
    scores: Readonly<Record<ScoredRows, number>>,
  ) {
    this.#engine = engine;
    this.#compiled = compiled;
    this.#scores = scores;
    this.elements = graph.parameterElements;
    this.#weights = graph.segments[0]?.elements ?? 0;
  }

  /** @param kept the first so many training rows make the part `kept`, the others are held out; at least one of each */
  static async create(engine: Engine, splits: FeatureSplits, kept: number): Promise<LogisticRegression> {
    const { train, test, classes } = splits;
    const { columns } = train;
    const rows = rowsOf(train);
    const graph = new Graph();
    const features = graph.input("features", [rows, columns]);
    const weight = graph.parameter("weight", [classes, columns]);
    const bias = graph.parameter("bias", [classes]);
    const score = (x: Tensor): Tensor => add(matmul(x, weight, { transposeB: true }), bias);
    const objective = (name: string, x: Tensor): Tensor => {
      const loss = softmaxCrossEntropy(score(x), graph.input(name, [x.shape[0] ?? 0], "u32"));
      // Gradient and loss in one tensor, so that an evaluation is one read-back.
      const offsets = [...graph.segments.map(({ offset }) => offset), graph.parameterElements];
      return pack(graph, [...grad(loss, [weight, bias]), loss], offsets, [graph.parameterElements + 1]);
    };
    const outputs: Record<`objective ${FittedRows}` | ScoredRows, Tensor> = {
      "objective kept": objective("kept labels", slice(features, 0, kept)),
      "objective train": objective("labels", features),
      heldOut: score(slice(features, kept, rows)),
      train: score(features),
      test: score(graph.input("test features", [rowsOf(test), columns])),
    };
    const programs = Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, [tensor]]));
    const plan = planGraph({ graph, programs, outputs, target: targetOf(engine.adapter) });
    const compiled = await CompiledPlan.compile(engine, plan);
    const labels = Uint32Array.from(train.labels);
    compiled.write("features", train.values);
    compiled.write("test features", test.values);
    compiled.write("labels", labels);
    compiled.write("kept labels", labels.slice(0, kept));
    const elements = (count: number): number => count * classes;
    const scores = { heldOut: elements(rows - kept), train: elements(rows), test: elements(rowsOf(test)) };
    return new LogisticRegression(engine, compiled, graph, scores);
  }

  /** Mean cross-entropy + (penalty/2)·‖W‖², and its gradient; the penalty in float64. */
  async evaluate(rows: FittedRows, penalty: number, parameters: Float64Array): Promise<Evaluation> {
    const packed = await this.#run(`objective ${rows}`, parameters, this.elements + 1);
    const gradient = Float64Array.from(packed.subarray(0, this.elements));
    let squares = 0;
    for (let i = 0; i < this.#weights; i++) {
      const value = parameters[i] ?? 0;
      gradient[i] = (gradient[i] ?? 0) + penalty * value;
      squares += value ** 2;
    }
    return { value: (packed[this.elements] ?? 0) + (penalty / 2) * squares, gradient };
  }

  /** Logits [rows, classes]. */
  scores(rows: ScoredRows, parameters: Float64Array): Promise<Float32Array> {
    return this.#run(rows, parameters, this.#scores[rows]);
  }

  destroy(): void {
    this.#compiled.destroy();
  }

  async #run(program: string, parameters: Float64Array, elements: number): Promise<Float32Array> {
    this.#compiled.write("parameters", Float32Array.from(parameters));
    this.#compiled.run(program);
    return new Float32Array(await this.#engine.readBuffer(this.#compiled.buffer(program), 0, 4 * elements));
  }
}

/** Rows that a fit can minimise the loss of. */
export type FittedRows = "kept" | "train";
