/** Maximum and mean over windows of NHWC images, with cotangents. */
import { averagePool, averagePoolGrad, maxPool, maxPoolGrad } from "../kernels/library.ts";
import {
  elementCount,
  type OpDefinition,
  operand,
  requireF32,
  requireInputs,
  shapeError,
  shapeText,
  type TensorSpec,
} from "./opDefinition.ts";

type Pair = readonly [vertical: number, horizontal: number];

export interface PoolAttributes {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
}

/** A cotangent also needs the shape of what was pooled. */
export interface PoolGradAttributes extends PoolAttributes {
  /** [B, H, W, C]. */
  readonly inputShape: readonly number[];
}

/** Window positions of max_pool are kept in 8 bits. */
const MOST_MAX_POOL_ENTRIES = 256;

/** [B, H, W, C] → [B, H', W', C], H' = ⌊(H + 2·padding − kernel)/stride⌋ + 1. @throws EngineError GRAPH-SHAPE */
function pooledShape(op: string, inputs: readonly TensorSpec[], { kernel, stride, padding }: PoolAttributes): number[] {
  requireInputs(op, inputs, 1);
  requireF32(op, inputs);
  const { shape } = operand(inputs, 0);
  const [batch = 1, height = 1, width = 1, channels = 1] = shape;
  if (shape.length !== 4 || channels % 4 !== 0) {
    throw shapeError(op, inputs, "needs [B, H, W, C], C a multiple of 4", "Pad the channels with zeros.");
  }
  const whole = [...kernel, ...stride].every((value) => Number.isInteger(value) && value >= 1);
  const isPadded = padding.every(
    (value, axis) => Number.isInteger(value) && value >= 0 && 2 * value <= (kernel[axis] ?? 0),
  );
  if (!whole || !isPadded) {
    throw shapeError(
      op,
      inputs,
      `kernel ${shapeText(kernel)}, stride ${shapeText(stride)} and padding ${shapeText(padding)} do not go together`,
      "Use whole numbers, kernel and stride at least 1, padding at most half the kernel.",
    );
  }
  const extent = (size: number, axis: 0 | 1) =>
    Math.floor((size + 2 * padding[axis] - kernel[axis]) / stride[axis]) + 1;
  const [outHeight, outWidth] = [extent(height, 0), extent(width, 1)];
  if (outHeight < 1 || outWidth < 1) {
    throw shapeError(
      op,
      inputs,
      `a window of ${shapeText(kernel)} does not fit`,
      "Use a smaller window or more padding.",
    );
  }
  return [batch, outHeight, outWidth, channels];
}

function poolParams(
  full: readonly number[],
  pooled: readonly number[],
  { kernel, stride, padding }: PoolAttributes,
): Readonly<Record<string, number>> {
  const [batch = 1, height = 1, width = 1, channels = 4] = full;
  return {
    batch,
    height,
    width,
    quads: channels / 4,
    out_height: pooled[1] ?? 1,
    out_width: pooled[2] ?? 1,
    kernel_height: kernel[0],
    kernel_width: kernel[1],
    stride_y: stride[0],
    stride_x: stride[1],
    pad_y: padding[0],
    pad_x: padding[1],
  };
}

const windowEntries = ({ kernel }: PoolAttributes): number => kernel[0] * kernel[1];

/** Input: x [B, H, W, C]. Outputs: y [B, H', W', C]; positions of the maxima, u32 [B, H', W', C/4], 8 bits each. */
export const maxPoolOp: OpDefinition<PoolAttributes> = {
  name: "maxPool",
  infer(inputs, attributes) {
    const shape = pooledShape("maxPool", inputs, attributes);
    if (windowEntries(attributes) > MOST_MAX_POOL_ENTRIES) {
      throw shapeError(
        "maxPool",
        inputs,
        `a window of ${shapeText(attributes.kernel)} is too large`,
        "At most 256 entries.",
      );
    }
    return [
      { shape, dtype: "f32" },
      { shape: [...shape.slice(0, 3), (shape[3] ?? 4) / 4], dtype: "u32" },
    ];
  },
  flops: (_inputs, outputs, attributes) => windowEntries(attributes) * elementCount(operand(outputs, 0).shape),
  lower: ({ inputs, outputs, attributes }) => [
    {
      kernel: maxPool,
      knobs: {},
      params: poolParams(operand(inputs, 0).shape, operand(outputs, 0).shape, attributes),
      bindings: {
        x: { kind: "input", index: 0 },
        y: { kind: "output", index: 0 },
        positions: { kind: "output", index: 1 },
      },
    },
  ],
};

/** Inputs: dY [B, H', W', C], positions. Output: dX [B, H, W, C]. */
export const maxPoolGradOp: OpDefinition<PoolGradAttributes> = {
  name: "maxPoolGrad",
  infer(inputs, { inputShape }) {
    requireInputs("maxPoolGrad", inputs, 2);
    return [{ shape: inputShape, dtype: "f32" }];
  },
  flops: (inputs, _outputs, attributes) => windowEntries(attributes) * elementCount(operand(inputs, 0).shape),
  lower: ({ inputs, attributes }) => [
    {
      kernel: maxPoolGrad,
      knobs: {},
      params: poolParams(attributes.inputShape, operand(inputs, 0).shape, attributes),
      bindings: {
        d_y: { kind: "input", index: 0 },
        positions: { kind: "input", index: 1 },
        d_x: { kind: "output", index: 0 },
      },
    },
  ],
};

/** Input: x [B, H, W, C]. Output: y [B, H', W', C]; padding counts as zeros. */
export const averagePoolOp: OpDefinition<PoolAttributes> = {
  name: "averagePool",
  infer: (inputs, attributes) => [{ shape: pooledShape("averagePool", inputs, attributes), dtype: "f32" }],
  flops: (_inputs, outputs, attributes) => windowEntries(attributes) * elementCount(operand(outputs, 0).shape),
  lower: ({ inputs, outputs, attributes }) => [
    {
      kernel: averagePool,
      knobs: {},
      params: {
        ...poolParams(operand(inputs, 0).shape, operand(outputs, 0).shape, attributes),
        scale: 1 / windowEntries(attributes),
      },
      bindings: { x: { kind: "input", index: 0 }, y: { kind: "output", index: 0 } },
    },
  ],
};

/** Input: dY [B, H', W', C]. Output: dX [B, H, W, C]. */
export const averagePoolGradOp: OpDefinition<PoolGradAttributes> = {
  name: "averagePoolGrad",
  infer(inputs, { inputShape }) {
    requireInputs("averagePoolGrad", inputs, 1);
    return [{ shape: inputShape, dtype: "f32" }];
  },
  flops: (inputs, _outputs, attributes) => windowEntries(attributes) * elementCount(operand(inputs, 0).shape),
  lower: ({ inputs, attributes }) => [
    {
      kernel: averagePoolGrad,
      knobs: {},
      params: {
        ...poolParams(attributes.inputShape, operand(inputs, 0).shape, attributes),
        scale: 1 / windowEntries(attributes),
      },
      bindings: { d_y: { kind: "input", index: 0 }, d_x: { kind: "output", index: 0 } },
    },
  ],
};
