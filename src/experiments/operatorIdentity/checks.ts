/** The identities as nodes of a graph: for every loss −∇W_l against an operator applied to vec(W_l), at every layer. */
import { add, concat, matmul, multiply, reshape, scale, sumOverColumns, sumSquares } from "../../autodiff/functions.ts";
import { grad } from "../../autodiff/grad.ts";
import type { Graph, Tensor } from "../../autodiff/graph.ts";
import { type Connection, connections, identity, pull } from "../../dual/connection.ts";
import { type DualPass, withUnitOutputs } from "../../dual/network.ts";
import { applyOperator, unitOutputs } from "../../dual/operator.ts";
import { type BatchShape, type Convention, exactPairs, populationPairs, type Tuples } from "../../dual/pairMatrix.ts";
import { type ContrastiveLoss, type TupleInputs, tupleInputs, tupleLoss } from "../../dual/tupleLoss.ts";
import { operand } from "../../ops/opDefinition.ts";
import type { OperatorIdentityConfig } from "./config.ts";

/**
 * `pair`: (1), r of one pair. `population`: (2) and (5), the simple loss over all pairs against V_x[K̄] − beta·E_x V_aug[K]. `weighted`: (3),
 * triplet and InfoNCE over all pairs without augmentation against ½V^ξ. `exact`: (4), any loss on sampled tuples. `unit`: (6), the same for
 * outputs of length one.
 */
export type IdentityForm = "pair" | "population" | "weighted" | "exact" | "unit";

/** What a deliberately wrong operator leaves out. */
export type WrongOperator =
  | "mean not subtracted"
  | "residue dropped"
  | "pair weights dropped"
  | "projector dropped"
  | "augmentation ignored";

export interface Check {
  readonly form: IdentityForm;
  /** Set for an operator that is wrong on purpose and must not agree. */
  readonly wrong?: WrongOperator;
  readonly loss: ContrastiveLoss["kind"];
  readonly negatives: number;
  readonly augmentation: boolean;
  readonly beta: number;
  readonly convention: Convention;
  readonly layer: number;
}

/** Squared norms of −∇, of OP·vec(W) and of their difference: rows of `IdentityChecks.numbers`. */
export const NUMBERS = ["gradient", "predicted", "difference"] as const;

export interface IdentityChecks {
  /** Layer by layer, all comparisons of a layer in one order. */
  readonly checks: readonly Check[];
  /** Of every layer in turn [3, comparisons], rows as in NUMBERS. */
  readonly numbers: Tensor;
  /** ‖K_l(x)ᵀ·vec(W_l) − f_L(x)‖² over all samples and ‖f_L‖², by layer; [2·L]. */
  readonly outputs: Tensor;
  /** What is written into the plan's inputs once. */
  readonly data: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
}

type Heading = Omit<Check, "layer">;

/** What one plan checks: everything over all pairs, or the losses on sampled tuples of one H. */
export type IdentityGroup = { readonly kind: "all pairs" } | { readonly kind: "sampled"; readonly tuples: Tuples };

class Builder {
  readonly graph: Graph;
  readonly layers: readonly Connection[];
  readonly headings: Heading[] = [];
  /** Of every layer, a row for each comparison. */
  readonly #gradients: readonly Tensor[][];
  readonly #predicted: readonly Tensor[][];
  readonly data: Record<string, Float32Array<ArrayBuffer>> = {};

  constructor(pass: DualPass) {
    this.graph = pass.outputs.graph;
    this.layers = connections(pass);
    this.#gradients = this.layers.map(() => []);
    this.#predicted = this.layers.map(() => []);
  }

  /** A constant matrix, as an input. */
  matrix(name: string, rows: number, values: Float32Array<ArrayBuffer>): Tensor {
    this.data[name] = values;
    return this.graph.input(name, [rows, values.length / rows]);
  }

  tuples(name: string, tuples: Tuples, kind: ContrastiveLoss["kind"], samples: number): TupleInputs {
    const inputs = tupleInputs(this.graph, name, tuples, kind, samples);
    Object.assign(this.data, inputs.data);
    return inputs;
  }

  gradients(loss: Tensor): Tensor[] {
    return grad(
      loss,
      this.layers.map(({ weight }) => weight),
    );
  }

  /** Compares −∇W_l of all layers with an operator. */
  compare(heading: Heading, gradients: readonly Tensor[], operator: (connection: Connection) => Tensor): void {
    this.headings.push(heading);
    this.layers.forEach((connection, index) => {
      const row = [1, connection.weight.elements];
      this.#gradients[index]?.push(reshape(operand(gradients, index), row));
      this.#predicted[index]?.push(reshape(operator(connection), row));
    });
  }

  /** Norms of all comparisons of a layer at once, row by row. */
  finish(): { readonly checks: Check[]; readonly numbers: Tensor } {
    const numbers = this.layers.flatMap((_, index) => {
      // A gradient may serve several comparisons; a copy of it can lie among the rows, the tensor itself only once.
      const gradients = concat((this.#gradients[index] ?? []).map((gradient) => scale(gradient, -1)));
      const predicted = concat(this.#predicted[index] ?? []);
      return [gradients, predicted, add(gradients, predicted, 1, -1)].map(rowNorms);
    });
    return {
      checks: this.layers.flatMap(({ layer }) => this.headings.map((heading) => ({ ...heading, layer }))),
      numbers: concat(numbers),
    };
  }
}

/** Adds the identities of one group. @throws EngineError CONFIG-VALUE, DUAL-NEGATIVES */
export function identityChecks(
  config: OperatorIdentityConfig,
  pass: DualPass,
  shape: BatchShape,
  group: IdentityGroup,
): IdentityChecks {
  const builder = new Builder(pass);
  if (group.kind === "all pairs") {
    singlePair(builder, config, pass, shape);
    population(builder, config, pass, shape);
    if (shape.augmentations === 1) weightedPairs(builder, config, pass, shape);
    else residue(builder, config, pass, shape);
  } else sampledLosses(builder, config, pass, shape, group.tuples);
  return { ...builder.finish(), outputs: reversibility(builder.layers, pass), data: builder.data };
}

/** ‖row‖² of every row, [rows]. */
function rowNorms(rows: Tensor): Tensor {
  return reshape(sumOverColumns(multiply(rows, rows)), [rows.shape[0] ?? 1]);
}

function lossOf({ loss }: OperatorIdentityConfig, kind: ContrastiveLoss["kind"], beta: number): ContrastiveLoss {
  return { kind, temperature: loss.temperature, margin: loss.margin, beta };
}

/** K_l(x)ᵀ·vec(W_l) against the output. */
function reversibility(layers: readonly Connection[], { outputs }: DualPass): Tensor {
  const transposed = matmul(identity(outputs.graph, outputs.shape[1] ?? 1), outputs, { transposeB: true });
  const parts = layers.flatMap((connection) => [
    sumSquares(add(pull(connection, connection.weight), transposed, 1, -1)),
    sumSquares(outputs),
  ]);
  return concat(parts.map((part) => reshape(part, [1])));
}

/** r of samples 0 and 1: the simple loss whose negative is its own anchor. */
function singlePair(builder: Builder, config: OperatorIdentityConfig, pass: DualPass, shape: BatchShape): void {
  const samples = shape.images * shape.augmentations;
  const inputs = builder.tuples("pair", { anchors: [0], positives: [1], negatives: [[0]] }, "simple", samples);
  const { loss } = tupleLoss(pass.embeddings, inputs, lossOf(config, "simple", 0));
  const difference = new Float32Array(samples);
  difference[0] = 1;
  difference[1] = -1;
  const row = builder.matrix("pair.difference", 1, difference);
  const pairs = matmul(row, row, { transposeA: true, scale: -1 });
  const heading = headingOf("pair", "simple", 1, shape, 0);
  builder.compare(heading, builder.gradients(loss), (one) => applyOperator(one, pairs, one.weight));
}

function headingOf(
  form: IdentityForm,
  loss: ContrastiveLoss["kind"],
  negatives: number,
  { augmentations }: BatchShape,
  beta: number,
): Heading {
  return { form, loss, negatives, augmentation: augmentations > 1, beta, convention: "both towers" };
}

function population(builder: Builder, config: OperatorIdentityConfig, pass: DualPass, shape: BatchShape): void {
  const samples = shape.images * shape.augmentations;
  const inputs = builder.tuples("all", allTuples(shape), "simple", samples);
  const uncentered = builder.matrix(
    "pairs.uncentered",
    samples,
    populationPairs(shape, 0, "both towers").map((value) => value + 2 / samples ** 2),
  );
  for (const beta of config.loss.betas) {
    for (const convention of ["both towers", "one tower"] as const) {
      const { loss } = tupleLoss(pass.embeddings, inputs, lossOf(config, "simple", beta), convention);
      const name = `pairs.${convention}.${beta}`;
      const pairs = builder.matrix(name, samples, populationPairs(shape, beta, convention));
      const heading = { ...headingOf("population", "simple", 1, shape, beta), convention };
      const gradients = builder.gradients(loss);
      builder.compare(heading, gradients, (one) => applyOperator(one, pairs, one.weight));
      if (convention === "one tower" || beta !== 0) continue;
      builder.compare({ ...heading, wrong: "mean not subtracted" }, gradients, (one) =>
        applyOperator(one, uncentered, one.weight),
      );
      if (shape.augmentations === 1) continue;
      // All views as images of their own.
      const ignored = populationPairs({ images: samples, augmentations: 1 }, 0, convention);
      const all = builder.matrix("pairs.ignored", samples, ignored);
      builder.compare({ ...heading, wrong: "augmentation ignored" }, gradients, (one) =>
        applyOperator(one, all, one.weight),
      );
    }
  }
}

/** All (x, a), (x, a'), (x', b): independent draws of images and augmentations, exactly. */
function allTuples({ images, augmentations }: BatchShape): Tuples {
  const [anchors, positives, negatives]: [number[], number[], number[][]] = [[], [], []];
  for (let x = 0; x < images; x++) {
    for (let a = 0; a < augmentations; a++) {
      for (let b = 0; b < augmentations; b++) {
        for (let negative = 0; negative < images * augmentations; negative++) {
          anchors.push(a * images + x);
          positives.push(b * images + x);
          negatives.push([negative]);
        }
      }
    }
  }
  return { anchors, positives, negatives };
}

/** Σ ξ(x, x')·(e_x − e_x')(e_x − e_x')ᵀ/images² of weights [images², 1]: twice ½·V^ξ. */
function weightedLaplacian(graph: Graph, weights: Tensor, images: number): Tensor {
  const xi = reshape(weights, [images, images]);
  const degrees = multiply(identity(graph, images), sumOverColumns(xi));
  return scale(add(degrees, xi, 1, -1), 2 / images ** 2);
}

function weightedPairs(builder: Builder, config: OperatorIdentityConfig, pass: DualPass, shape: BatchShape): void {
  const inputs = builder.tuples("pairs.all", allTuples(shape), "infoNce", shape.images);
  const unweighted = builder.matrix("pairs.unweighted", shape.images, populationPairs(shape, 0, "both towers"));
  for (const kind of config.loss.kinds.filter((one) => one !== "simple")) {
    const { loss, weights } = tupleLoss(pass.embeddings, inputs, lossOf(config, kind, 0));
    const pairs = weightedLaplacian(builder.graph, weights, shape.images);
    const heading = headingOf("weighted", kind, 1, shape, 0);
    const gradients = builder.gradients(loss);
    builder.compare(heading, gradients, (one) => applyOperator(one, pairs, one.weight));
    builder.compare({ ...heading, wrong: "pair weights dropped" }, gradients, (one) =>
      applyOperator(one, unweighted, one.weight),
    );
  }
}

/** ½V^ξ[K̄ − K̄'] with ξ at the outputs averaged over augmentations: the theorem without its residue, which must not agree. */
function residue(builder: Builder, config: OperatorIdentityConfig, pass: DualPass, shape: BatchShape): void {
  const { images, augmentations } = shape;
  const samples = images * augmentations;
  const inputs = builder.tuples("residue.all", allTuples(shape), "infoNce", samples);
  const averages = builder.tuples("residue.images", allTuples({ images, augmentations: 1 }), "infoNce", images);
  const averaging = Float32Array.from({ length: images * samples }, (_, at) =>
    (at % samples) % images === Math.floor(at / samples) ? 1 / augmentations : 0,
  );
  const mean = builder.matrix("residue.mean", images, averaging);
  for (const kind of config.loss.kinds.filter((one) => one !== "simple")) {
    const { loss } = tupleLoss(pass.embeddings, inputs, lossOf(config, kind, 0));
    const { weights } = tupleLoss(matmul(mean, pass.embeddings), averages, lossOf(config, kind, 0));
    const laplacian = weightedLaplacian(builder.graph, weights, images);
    const pairs = matmul(matmul(mean, laplacian, { transposeA: true }), mean);
    const heading = { ...headingOf("weighted", kind, 1, shape, 0), wrong: "residue dropped" as const };
    builder.compare(heading, builder.gradients(loss), (one) => applyOperator(one, pairs, one.weight));
  }
}

function sampledLosses(
  builder: Builder,
  config: OperatorIdentityConfig,
  pass: DualPass,
  shape: BatchShape,
  tuples: Tuples,
): void {
  const samples = shape.images * shape.augmentations;
  const negatives = tuples.negatives[0]?.length ?? 0;
  const unitPass = withUnitOutputs(pass);
  const unit = unitOutputs(unitPass);
  for (const kind of config.loss.kinds) {
    const inputs = builder.tuples(`sampled.${kind}`, tuples, kind, samples);
    for (const beta of config.loss.betas) {
      const own = lossOf(config, kind, beta);
      for (const convention of ["both towers", "one tower"] as const) {
        const { loss, weights } = tupleLoss(pass.embeddings, inputs, own, convention);
        const pairs = exactPairs(inputs.tensors, weights, beta, convention);
        const heading = { ...headingOf("exact", kind, negatives, shape, beta), convention };
        builder.compare(heading, builder.gradients(loss), (one) => applyOperator(one, pairs, one.weight));
      }
      const { loss, weights } = tupleLoss(unitPass.embeddings, inputs, own);
      const pairs = exactPairs(inputs.tensors, weights, beta, "both towers");
      const heading = headingOf("unit", kind, negatives, shape, beta);
      const gradients = builder.gradients(loss);
      builder.compare(heading, gradients, (one) => applyOperator(one, pairs, one.weight, { unit }));
      if (beta !== 0) continue;
      builder.compare({ ...heading, wrong: "projector dropped" }, gradients, (one) =>
        applyOperator(one, pairs, one.weight),
      );
    }
  }
}
