/**
 * Losses over the matrix of similarities between all embeddings of two views, which is not stored forward and in bounded pieces
 * backward.
 */
import { similarityRows, similarityWeights } from "../kernels/library.ts";
import { matmulOp } from "./matmul.ts";
import {
  type KernelCall,
  type OpDefinition,
  type Operand,
  operand,
  requireF32,
  shapeError,
  type Target,
  type TensorSpec,
} from "./opDefinition.ts";
import { sumCall } from "./sslNormalize.ts";

export type SimilarityKind = "softmax" | "covariance" | "spectral";

export interface SimilarityAttributes {
  readonly kind: SimilarityKind;
  /** Anchors are the first view alone and meet the second view alone; otherwise every row is an anchor and meets every other. */
  readonly isAcross: boolean;
  /** Factor of the inner products. */
  readonly scale: number;
  /** Covariance: 1/τ of the weights. */
  readonly inverseTemperature: number;
  /** Covariance: 1/(τ·negatives); spectral: weight of a squared similarity. */
  readonly negativeWeight: number;
  /** Further weight of the positive pair; see shaders/ssl/similarity_rows.wgsl. */
  readonly beta: number;
  /** loss = mean · Σ over anchors. */
  readonly mean: number;
}

const KIND_CODE: Readonly<Record<SimilarityKind, number>> = { softmax: 0, covariance: 1, spectral: 2 };

/** Most elements of the weight matrix that the backward pass holds at once: 16 MiB. */
const MOST_WEIGHTS = 2 ** 22;

interface Sizes {
  readonly pairs: number;
  readonly stride: number;
  /** 4-element groups of a row of the tensor that the weights are made from; 0 without one. */
  readonly weightQuads: number;
}

function sizesOf(inputs: readonly TensorSpec[], weights: TensorSpec | undefined): Sizes {
  const { shape } = operand(inputs, 0);
  return {
    pairs: (shape[0] ?? 0) / 2,
    stride: shape[1] ?? 0,
    weightQuads: (weights?.shape[1] ?? 0) / 4,
  };
}

/** @throws EngineError GRAPH-SHAPE unless u is [2·pairs, padded] and the weights' tensor, if any, [pairs, padded] */
function requireViews(inputs: readonly TensorSpec[], weights: TensorSpec | undefined): void {
  requireF32("similarity", inputs);
  const { shape } = operand(inputs, 0);
  const isPadded = ({ shape: [, columns = 1] }: TensorSpec) => columns % 4 === 0;
  const fits = shape.length === 2 && (shape[0] ?? 0) % 2 === 0 && isPadded(operand(inputs, 0));
  const weightsFit =
    !weights || (weights.shape.length === 2 && isPadded(weights) && 2 * (weights.shape[0] ?? 0) === shape[0]);
  if (fits && weightsFit) return;
  throw shapeError(
    "similarity",
    inputs,
    "needs both views stacked, [2·pairs, columns padded to 4], and weights from [pairs, columns padded to 4]",
    "Pass rows from l2Normalize with padding.",
  );
}

function common({ scale, inverseTemperature, negativeWeight, beta }: SimilarityAttributes, sizes: Sizes) {
  return {
    pairs: sizes.pairs,
    quads: sizes.stride / 4,
    weight_quads: sizes.weightQuads,
    scale,
    inverse_temperature: inverseTemperature,
    negative_weight: negativeWeight,
    beta,
  };
}

/**
 * Inputs: both views stacked and normalised, [2·pairs, 4·k]; for weights of their own, what they are made from, [pairs, 4·k']. Outputs:
 * loss [1], stats.
 */
export const similarityOp: OpDefinition<SimilarityAttributes> = {
  name: "similarity",
  infer(inputs) {
    requireViews(inputs, inputs[1]);
    return [
      { shape: [1], dtype: "f32" },
      { shape: [operand(operand(inputs, 0).shape, 0), 2], dtype: "f32" },
    ];
  },
  flops(inputs, _outputs, { isAcross }) {
    const { pairs, stride, weightQuads } = sizesOf(inputs, inputs[1]);
    return (isAcross ? 2 : 8) * pairs * pairs * (stride + 4 * weightQuads);
  },
  lower({ inputs, attributes, target }) {
    const sizes = sizesOf(inputs, inputs[1]);
    const { isAcross } = attributes;
    const rows = isAcross ? sizes.pairs : 2 * sizes.pairs;
    const terms: Operand = { kind: "scratch", name: "terms", elements: rows };
    return [
      {
        kernel: similarityRows,
        knobs: {
          ...(target.isSoftware ? { WG: 8, ROWS: 8 } : { WG: 64, ROWS: 4 }),
          MODE: KIND_CODE[attributes.kind],
          SEPARATE_WEIGHTS: inputs.length > 1,
        },
        params: {
          ...common(attributes, sizes),
          rows,
          column_start: isAcross ? sizes.pairs : 0,
          columns: rows,
        },
        bindings: {
          u: { kind: "input", index: 0 },
          v: inputs.length > 1 ? { kind: "input", index: 1 } : { kind: "unused" },
          stats: { kind: "output", index: 1 },
          terms,
        },
      },
      sumCall(terms, rows, attributes.mean),
    ];
  },
};

/** A rectangle of the weight matrix, which of its sides are anchors, and whose derivatives it gives. */
interface Part {
  readonly rowStart: number;
  readonly rows: number;
  readonly columnStart: number;
  readonly columns: number;
  readonly rowStat: boolean;
  readonly columnStat: boolean;
  /** Its columns' embeddings take theirs from it, too: by the transposed product. */
  readonly isForBoth?: boolean;
}

function partsOf(pairs: number, isAcross: boolean): Part[] {
  const anchors = { rowStart: 0, rows: pairs, columnStart: pairs, columns: pairs, rowStat: true, columnStat: false };
  // One matrix serves both views where it need not be made in pieces.
  if (isAcross && pairs * pairs <= MOST_WEIGHTS) return [{ ...anchors, isForBoth: true }];
  const whole: Part[] = isAcross
    ? [anchors, { rowStart: pairs, rows: pairs, columnStart: 0, columns: pairs, rowStat: false, columnStat: true }]
    : [{ rowStart: 0, rows: 2 * pairs, columnStart: 0, columns: 2 * pairs, rowStat: true, columnStat: true }];
  return whole.flatMap((part) => {
    const height = Math.max(8, 8 * Math.floor(MOST_WEIGHTS / part.columns / 8));
    return Array.from({ length: Math.ceil(part.rows / height) }, (_, index) => ({
      ...part,
      rowStart: part.rowStart + index * height,
      rows: Math.min(height, part.rows - index * height),
    }));
  });
}

/** Inputs: u, stats of similarity and the weights' tensor, if any. Output: ∂loss/∂u. */
export const similarityGradOp: OpDefinition<SimilarityAttributes> = {
  name: "similarityGrad",
  infer(inputs) {
    requireViews(inputs, inputs[2]);
    return [{ shape: operand(inputs, 0).shape, dtype: "f32" }];
  },
  flops(inputs, _outputs, { isAcross }) {
    const { pairs, stride, weightQuads } = sizesOf(inputs, inputs[2]);
    return (isAcross ? 4 : 8) * pairs * pairs * (2 * stride + 4 * weightQuads);
  },
  lower({ inputs, attributes, target }) {
    const sizes = sizesOf(inputs, inputs[2]);
    const parts = partsOf(sizes.pairs, attributes.isAcross);
    const elements = Math.max(...parts.map(({ rows, columns }) => rows * columns));
    const weights: Operand = { kind: "scratch", name: "weights", elements };
    return parts.flatMap((part) => [
      weightsCall(part, { sizes, attributes, weights, separate: inputs.length > 2, target }),
      ...productCalls(part, sizes, weights, target),
    ]);
  },
};

interface WeightsRequest {
  readonly sizes: Sizes;
  readonly attributes: SimilarityAttributes;
  readonly weights: Operand;
  readonly separate: boolean;
  readonly target: Target;
}

function weightsCall(part: Part, { sizes, attributes, weights, separate, target }: WeightsRequest): KernelCall {
  return {
    kernel: similarityWeights,
    knobs: {
      ...(target.isSoftware ? { WG_X: 2, WG_Y: 4, ROWS: 8 } : { WG_X: 8, WG_Y: 8, ROWS: 4 }),
      MODE: KIND_CODE[attributes.kind],
      SEPARATE_WEIGHTS: separate,
      ROW_STAT: part.rowStat,
      COLUMN_STAT: part.columnStat,
    },
    params: {
      ...common(attributes, sizes),
      row_start: part.rowStart,
      rows: part.rows,
      column_start: part.columnStart,
      columns: part.columns,
      factor: attributes.mean,
    },
    bindings: {
      u: { kind: "input", index: 0 },
      v: separate ? { kind: "input", index: 2 } : { kind: "unused" },
      stats: { kind: "input", index: 1 },
      w: weights,
    },
  };
}

/** dU of the part's rows: weights · u of its columns; and of its columns, where the part is for both. */
function productCalls(part: Part, { stride }: Sizes, weights: Operand, target: Target): KernelCall[] {
  const { rowStart, rows, columnStart, columns, isForBoth = false } = part;
  const product = (transposeA: boolean): readonly KernelCall[] => {
    const [from, fromRows, to, toRows] = transposeA
      ? [rowStart, rows, columnStart, columns]
      : [columnStart, columns, rowStart, rows];
    return matmulOp.lower({
      inputs: [
        { shape: [rows, columns], dtype: "f32", offset: 0 },
        { shape: [fromRows, stride], dtype: "f32", offset: from * stride },
      ],
      outputs: [{ shape: [toRows, stride], dtype: "f32", offset: to * stride }],
      attributes: { transposeA, transposeB: false, scale: 1, hasBias: false, hasAddend: false, relu: false },
      target,
    });
  };
  return [...product(false), ...(isForBoth ? product(true) : [])].map((call) => ({
    ...call,
    bindings: { ...call.bindings, a: weights, b: { kind: "input", index: 0 } },
  }));
}
