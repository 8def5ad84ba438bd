/**
 * What a training run records of the operators of its layers: agreement with the gradient, spectrum, size beside the intra-augmentation
 * covariance, growth of the weights along the leading eigenvectors of the record before. One tensor of numbers on the GPU, and its reading.
 */
import { add, concat, matmul, multiply, reshape, sum, sumSquares } from "../autodiff/functions.ts";
import { grad } from "../autodiff/grad.ts";
import type { Node, Tensor } from "../autodiff/graph.ts";
import { assignOp } from "../ops/memory.ts";
import { operand } from "../ops/opDefinition.ts";
import { type Connection, connections } from "./connection.ts";
import type { DualPass } from "./network.ts";
import { applyOperator, denseOperator, unitOutputs } from "./operator.ts";
import { operatorGram, operatorSpectrum, requireGramOrder } from "./spectrum.ts";

export interface MeasureOptions {
  readonly loss: Tensor;
  /** A of the operator that the gradient is compared with, both towers, [N, N]. */
  readonly pairs: Tensor;
  /** Contrasts of V_x[K̄] and of E_x V_{aug|x}[K], [R, N]; no intra contrasts with one augmentation. */
  readonly between: Tensor;
  readonly intra: Tensor | undefined;
  /** K, eigenvectors that are followed. */
  readonly leading: number;
  /** Apply the operator as a dense matrix instead of in factored form. */
  readonly isDense: boolean;
  readonly maxBindingBytes: number;
}

/** What is where in the numbers of one layer. */
interface LayerLayout {
  readonly offset: number;
  readonly eigenvalues: number;
  readonly multiplicity: number;
  readonly hasIntra: boolean;
}

export interface OperatorMeasures {
  /** The numbers of all layers as of the last run of `nodes`; a state, [words]. */
  readonly state: Tensor;
  /** The leading eigenvectors of every layer, of the last run of `nodes`; states [K, n_l·n_{l−1}]. */
  readonly vectors: readonly Tensor[];
  /** The program that measures. */
  readonly nodes: readonly Node[];
  read(numbers: Float32Array): LayerMeasure[];
}

/** One layer at one step. */
export interface LayerMeasure {
  /** Of −∇W_l and OP_l·vec(W_l). */
  readonly cosine: number;
  /** ‖−∇W_l − OP_l·vec(W_l)‖/‖∇W_l‖. */
  readonly residual: number;
  readonly gradientNorm: number;
  /** V_x[K̄_l] (one tower), descending, without the zeros beyond the rank its factors can have; each as often as it occurs. */
  readonly eigenvalues: readonly number[];
  /** Eigenvalues above order·2⁻²³ of the largest, what f32 tells from zero. */
  readonly rank: number;
  /** ‖V_x[K̄_l]‖_F/‖E_x V_{aug|x}[K_l]‖_F; undefined without augmentation. */
  readonly intraRatio: number | undefined;
  /** vᵀ·vec(W_l) for the K leading eigenvectors v of now, and of the measurement before. */
  readonly coefficients: readonly number[];
  readonly previousCoefficients: readonly number[];
}

/** Dot product, squared norms of −∇ and OP·vec(W), squared norm of their difference. */
const AGREEMENT = 4;

/**
 * Adds the measurements to a graph, before its weights are updated in place. They differentiate the loss on their own and write states;
 * nothing of the training step depends on them.
 *
 * @throws EngineError DUAL-ORDER, DUAL-DENSE
 */
export function operatorMeasures(pass: DualPass, options: MeasureOptions): OperatorMeasures {
  const { loss, between, intra, leading } = options;
  const { graph } = loss;
  return graph.scope("measures", () => {
    const layers = connections(pass);
    requireGramOrder(between.shape[0] ?? 1, layers[0]?.outputs ?? 1);
    const gradients = grad(
      loss,
      layers.map(({ weight }) => weight),
    );
    const unit = unitOutputs(pass);
    const parts: Tensor[] = [];
    const layouts: LayerLayout[] = [];
    const vectors: Tensor[] = [];
    const nodes: Node[] = [];
    let offset = 0;
    layers.forEach((connection, index) => {
      const { weight } = connection;
      const previous = graph.state(`operator.vectors.${index}`, [leading, weight.elements]);
      const predicted = options.isDense
        ? denseProduct(connection, options)
        : applyOperator(connection, options.pairs, weight, { unit });
      const gram = operatorGram(connection, between);
      const { values, vectors: now } = operatorSpectrum(connection, gram, between, leading);
      const along = (rows: Tensor): Tensor => matmul(rows, reshape(weight, [weight.elements, 1]));
      const own = [
        ...agreement(operand(gradients, index), predicted),
        values,
        along(now),
        along(previous),
        ...(intra ? [sumSquares(operatorGram(connection, intra).matrix)] : []),
      ];
      layouts.push({
        offset,
        eigenvalues: values.elements,
        multiplicity: gram.multiplicity,
        hasIntra: intra !== undefined,
      });
      parts.push(...own.map((part) => reshape(part, [part.elements])));
      offset += own.reduce((total, part) => total + part.elements, 0);
      vectors.push(previous);
      // After what reads the vectors of before.
      nodes.push(assign(now, previous));
    });
    const state = graph.state("operator.measures", [offset]);
    nodes.push(assign(concat(parts), state));
    return { state, vectors, nodes, read: (numbers) => layouts.map((layout) => readLayer(numbers, layout, leading)) };
  });
}

function denseProduct(connection: Connection, { pairs, maxBindingBytes }: MeasureOptions): Tensor {
  const { weight } = connection;
  const dense = denseOperator(connection, pairs, maxBindingBytes);
  return reshape(matmul(dense, reshape(weight, [weight.elements, 1])), weight.shape);
}

function agreement(gradient: Tensor, predicted: Tensor): Tensor[] {
  return [
    sum(multiply(gradient, predicted), -1),
    sumSquares(gradient),
    sumSquares(predicted),
    sumSquares(add(gradient, predicted)),
  ];
}

function assign(values: Tensor, state: Tensor): Node {
  values.graph.add(assignOp, [values, state], {});
  return operand(values.graph.nodes, values.graph.nodes.length - 1);
}

function readLayer(numbers: Float32Array, layout: LayerLayout, leading: number): LayerMeasure {
  let at = layout.offset;
  const take = (count: number): number[] => {
    at += count;
    return Array.from(numbers.subarray(at - count, at));
  };
  const [dot = 0, gradient = 0, predicted = 0, difference = 0] = take(AGREEMENT);
  const distinct = take(layout.eigenvalues);
  const coefficients = take(leading);
  const previousCoefficients = take(leading);
  const [intra] = layout.hasIntra ? take(1) : [];
  const { multiplicity } = layout;
  const eigenvalues = distinct.flatMap((value) => new Array<number>(multiplicity).fill(value));
  const squares = multiplicity * distinct.reduce((total, value) => total + value ** 2, 0);
  const threshold = distinct.length * 2 ** -23 * (distinct[0] ?? 0);
  return {
    // Rounding may bring the quotient above 1.
    cosine: Math.min(1, dot / Math.sqrt(gradient * predicted)),
    residual: Math.sqrt(difference / gradient),
    gradientNorm: Math.sqrt(gradient),
    eigenvalues,
    rank: eigenvalues.filter((value) => value > threshold).length,
    intraRatio: intra === undefined ? undefined : Math.sqrt(squares / (multiplicity * intra)),
    coefficients,
    previousCoefficients,
  };
}
