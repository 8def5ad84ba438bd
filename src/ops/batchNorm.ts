/** Batch normalisation over all dimensions but the last, and its cotangent: two dispatches each. */
import { batchNormApply, batchNormGradApply, batchNormGradReduce, batchNormStats } from "../kernels/library.ts";
import {
  elementCount,
  type KernelCall,
  type OpDefinition,
  type Operand,
  operand,
  requireF32,
  shapeError,
  type Target,
  type TensorSpec,
} from "./opDefinition.ts";

/** Part a statistic plays: as it is, used but not differentiated, or left out. */
export type StatisticMode = "normal" | "detached" | "omitted";

export interface BatchNormAttributes {
  /** Added to the variance under the root. */
  readonly epsilon: number;
  readonly mean: StatisticMode;
  readonly variance: StatisticMode;
  /** Divide by the variance with n − 1 instead of n. */
  readonly isUnbiased: boolean;
  /** Statistics come from an input (running averages) instead of the batch; they are constants then. */
  readonly isRunning: boolean;
  readonly hasAffine: boolean;
  readonly hasAddend: boolean;
  readonly relu: boolean;
}

/** Elements of a saved (mean, variance) pair, padded to a segment so that many lie in one flat buffer. */
export function momentElements(channels: number): number {
  return Math.ceil((2 * channels) / 64) * 64;
}

/** Element at which a cotangent of the bias follows that of the weight: where the next segment of a flat buffer begins. */
export function biasOffset(channels: number): number {
  return Math.ceil(channels / 64) * 64;
}

/** Position of the inputs that a variant has: x, then weight and bias, addend, running statistics. */
function inputIndices({ hasAffine, hasAddend }: BatchNormAttributes) {
  const addend = hasAffine ? 3 : 1;
  return { weight: 1, bias: 2, addend, running: hasAddend ? addend + 1 : addend };
}

interface Rows {
  readonly rows: number;
  readonly quads: number;
}

function rowsOf(x: TensorSpec): Rows {
  const channels = x.shape.at(-1) ?? 1;
  return { rows: elementCount(x.shape) / channels, quads: channels / 4 };
}

/** The smallest power of two that is at least `value`, at most `limit`. */
function powerOfTwo(value: number, limit: number): number {
  let power = 1;
  while (power < value && power < limit) power *= 2;
  return power;
}

interface Split {
  readonly knobs: { readonly WG: number; readonly QUADS: number; readonly SHARED: boolean };
  /** Parts of the rows that have sums of their own, and rows in each. */
  readonly parts: number;
  readonly partRows: number;
  /** Rows that a workgroup of the second dispatch writes. */
  readonly chunk: number;
}

/**
 * How rows and channels are spread. GPUs: 128 lanes, 16 channel quads (256 bytes) side by side, about 32 rows a lane. Software
 * adapters: four
 * lanes per channel quad with a part each, no barrier, at most 16 parts, which every lane of the second dispatch adds up again.
 */
export function normSplit({ rows, quads }: Rows, { isSoftware }: Target): Split {
  const QUADS = powerOfTwo(quads, isSoftware ? 4 : 16);
  const WG = isSoftware ? 4 * QUADS : 128;
  const stripes = WG / QUADS;
  if (isSoftware) {
    const parts = stripes * Math.min(4, Math.ceil(rows / (128 * stripes)));
    const chunks = Math.min(16, Math.ceil(rows / (64 * stripes)));
    return {
      knobs: { WG, QUADS, SHARED: false },
      parts,
      partRows: Math.ceil(rows / parts),
      chunk: Math.ceil(rows / chunks),
    };
  }
  const parts = Math.min(32, Math.ceil(rows / (16 * stripes)));
  return { knobs: { WG, QUADS, SHARED: true }, parts, partRows: Math.ceil(rows / parts), chunk: 32 * stripes };
}

/** Factor from the saved variance, with n − 1 (or as given), to the one that normalises. */
function varianceFactor({ isRunning, isUnbiased }: BatchNormAttributes, rows: number): number {
  return isRunning || isUnbiased ? 1 : (rows - 1) / rows;
}

const UNUSED: Operand = { kind: "unused" };
const input = (index: number): Operand => ({ kind: "input", index });
const output = (index: number): Operand => ({ kind: "output", index });

/** @throws EngineError GRAPH-SHAPE */
function requireChannels(op: string, inputs: readonly TensorSpec[], vectors: readonly number[]): void {
  requireF32(op, inputs);
  const x = operand(inputs, 0);
  const channels = x.shape.at(-1) ?? 1;
  if (x.shape.length < 2 || channels % 4 !== 0) {
    throw shapeError(op, inputs, "needs [.., channels], channels a multiple of 4", "Pad the channels with zeros.");
  }
  const wrong = vectors.find((index) => elementCount(operand(inputs, index).shape) !== channels);
  if (wrong !== undefined) {
    throw shapeError(op, inputs, `operand ${wrong} needs one number per channel`, `Give it ${channels} elements.`);
  }
}

/**
 * Inputs: x [.., C]; weight [C] and bias [C] with hasAffine; addend of x's shape with hasAddend; running statistics with isRunning, (mean,
 * variance) in the first 2C elements of [momentElements(C)]. Outputs: y of x's shape; (mean, unbiased variance) [momentElements(C)].
 */
export const batchNormOp: OpDefinition<BatchNormAttributes> = {
  name: "batchNorm",
  infer(inputs, attributes) {
    const { hasAffine, hasAddend, isRunning } = attributes;
    const at = inputIndices(attributes);
    requireChannels("batchNorm", inputs, hasAffine ? [at.weight, at.bias] : []);
    const x = operand(inputs, 0);
    const channels = x.shape.at(-1) ?? 1;
    const { rows } = rowsOf(x);
    if (!isRunning && rows < 2) {
      throw shapeError(
        "batchNorm",
        inputs,
        `batch statistics need at least two values per channel, and batch times height times width is ${rows}`,
        "Use a batch of two or more, or inference mode.",
      );
    }
    if (hasAddend && operand(inputs, at.addend).shape.join() !== x.shape.join()) {
      throw shapeError("batchNorm", inputs, "the addend's shape is not that of x", "Project the shortcut first.");
    }
    const moments = { shape: [momentElements(channels)], dtype: "f32" } as const;
    if (isRunning && elementCount(operand(inputs, at.running).shape) !== elementCount(moments.shape)) {
      throw shapeError(
        "batchNorm",
        inputs,
        "the running statistics do not fit",
        `Give them ${moments.shape} elements.`,
      );
    }
    return [{ shape: x.shape, dtype: "f32" }, moments];
  },
  flops: (inputs) => 10 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes, target }): readonly KernelCall[] {
    const { epsilon, mean, variance, isRunning, hasAffine, hasAddend, relu } = attributes;
    const x = operand(inputs, 0);
    const at = inputIndices(attributes);
    const { rows, quads } = rowsOf(x);
    const { knobs, parts, partRows, chunk } = normSplit({ rows, quads }, target);
    const partials: Operand = { kind: "scratch", name: "partials", elements: parts * 2 * 4 * quads };
    const stats: KernelCall = {
      kernel: batchNormStats,
      knobs,
      params: { rows, quads, parts, chunk: partRows },
      bindings: { x: input(0), partials },
    };
    const apply: KernelCall = {
      kernel: batchNormApply,
      knobs: {
        ...knobs,
        SHARED: knobs.SHARED && !isRunning,
        RUNNING: isRunning,
        SUBTRACT_MEAN: mean !== "omitted",
        DIVIDE: variance !== "omitted",
        AFFINE: hasAffine,
        ADDEND: hasAddend,
        RELU: relu,
      },
      params: {
        rows,
        quads,
        parts,
        part_rows: partRows,
        chunk,
        padded_quads: momentElements(4 * quads) / 4,
        epsilon,
        variance_factor: varianceFactor(attributes, rows),
      },
      bindings: {
        partials: isRunning ? input(at.running) : partials,
        x: input(0),
        weight: hasAffine ? input(at.weight) : UNUSED,
        bias: hasAffine ? input(at.bias) : UNUSED,
        addend: hasAddend ? input(at.addend) : UNUSED,
        y: output(0),
        moments: output(1),
      },
    };
    return isRunning ? [apply] : [stats, apply];
  },
};

/**
 * Inputs: dY, x [.., C], saved statistics; weight [C] with hasAffine; y with relu. Outputs: dX; dWeight and dBias as two
 * neighbouring segments
 * of a flat buffer, [biasOffset(C) + C]; and with relu the masked dY, which is the addend's cotangent.
 */
export const batchNormGradOp: OpDefinition<BatchNormAttributes> = {
  name: "batchNormGrad",
  infer(inputs, { hasAffine, relu }) {
    requireChannels("batchNormGrad", inputs, hasAffine ? [3] : []);
    const { shape } = operand(inputs, 0);
    const channels = shape.at(-1) ?? 1;
    const whole = { shape, dtype: "f32" } as const;
    return [whole, { shape: [biasOffset(channels) + channels], dtype: "f32" }, ...(relu ? [whole] : [])];
  },
  flops: (inputs) => 12 * elementCount(operand(inputs, 0).shape),
  lower({ inputs, attributes, target }) {
    const { epsilon, mean, variance, isRunning, hasAffine, relu } = attributes;
    const { rows, quads } = rowsOf(operand(inputs, 0));
    const { knobs, parts, partRows, chunk } = normSplit({ rows, quads }, target);
    const partials: Operand = { kind: "scratch", name: "partials", elements: parts * 2 * 4 * quads };
    const [dY, x, moments] = [input(0), input(1), input(2)];
    const factor = varianceFactor(attributes, rows);
    const DIVIDE = variance !== "omitted";
    const shared = { rows, quads, parts, epsilon, variance_factor: factor };
    return [
      {
        kernel: batchNormGradReduce,
        knobs: { ...knobs, SUBTRACT_MEAN: mean !== "omitted", DIVIDE, RELU: relu },
        params: { ...shared, chunk: partRows },
        bindings: {
          d_y: dY,
          x,
          // Unread without RELU; the buffer for unused operands is bound for writing then.
          y: relu ? input(hasAffine ? 4 : 3) : x,
          moments,
          partials,
          masked: relu ? output(2) : UNUSED,
        },
      },
      {
        kernel: batchNormGradApply,
        knobs: {
          ...knobs,
          DIVIDE,
          AFFINE: hasAffine,
          MEAN_GRAD: mean === "normal" && !isRunning,
          VARIANCE_GRAD: variance === "normal" && !isRunning,
        },
        params: {
          ...shared,
          chunk,
          bias_quads: biasOffset(4 * quads) / 4,
          variance_weight: rows > 1 ? factor / (rows - 1) : 0,
        },
        bindings: {
          partials,
          d: relu ? output(2) : dY,
          x,
          moments,
          weight: hasAffine ? input(3) : UNUSED,
          d_x: output(0),
          d_affine: output(1),
        },
      },
    ];
  },
};
