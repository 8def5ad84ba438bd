/** Random tensors and random crops, by counter-based random numbers: functions of (seed, stream, index) alone. */
import { gatherCrop, randomFill } from "../kernels/library.ts";
import { elementCount, type OpDefinition, operand, requireInputs, shapeError } from "./opDefinition.ts";

export interface RandomAttributes {
  readonly shape: readonly number[];
  readonly distribution: "normal" | "uniform";
  /** y = offset + scale·(standard normal or uniform on (0, 1)). */
  readonly scale: number;
  readonly offset: number;
  readonly seed: number;
  readonly stream: number;
}

export const randomOp: OpDefinition<RandomAttributes> = {
  name: "random",
  acceptsOffsets: "all",
  infer(inputs, { shape }) {
    requireInputs("random", inputs, 0);
    return [{ shape, dtype: "f32" }];
  },
  flops: (_inputs, outputs) => 20 * elementCount(operand(outputs, 0).shape),
  lower({ outputs, attributes }) {
    const y = operand(outputs, 0);
    const { seed, stream, scale, offset } = attributes;
    return [
      {
        kernel: randomFill,
        knobs: { NORMAL: attributes.distribution === "normal" },
        params: { count: elementCount(y.shape), y_offset: y.offset, seed, stream, scale, offset },
        bindings: { y: { kind: "output", index: 0 } },
      },
    ];
  },
};

/** Byte strides of u8 images in a buffer, any layout. */
export interface PixelLayout {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly imageStride: number;
  readonly channelStride: number;
  readonly rowStride: number;
  readonly columnStride: number;
  readonly offset: number;
}

export interface GatherCropAttributes {
  readonly views: number;
  readonly cropHeight: number;
  readonly cropWidth: number;
  readonly layout: PixelLayout;
  readonly seed: number;
  readonly stream: number;
  readonly step: number;
  /** Multiplies the byte; 1/255 maps to [0, 1]. */
  readonly scale: number;
}

/** Inputs: pixels u32[⌈bytes/4⌉], image indices u32[images]; output f32[views, images, h·w·channels]. */
export const gatherCropOp: OpDefinition<GatherCropAttributes> = {
  name: "gatherCrop",
  infer(inputs, { views, cropHeight, cropWidth, layout }) {
    requireInputs("gatherCrop", inputs, 2);
    if (cropHeight > layout.height || cropWidth > layout.width) {
      throw shapeError(
        "gatherCrop",
        inputs,
        `a crop of ${cropHeight}×${cropWidth} does not fit images of ${layout.height}×${layout.width}`,
        "Use a smaller crop.",
      );
    }
    const images = elementCount(operand(inputs, 1).shape);
    return [{ shape: [views, images, cropHeight * cropWidth * layout.channels], dtype: "f32" }];
  },
  flops: (_inputs, outputs) => elementCount(operand(outputs, 0).shape),
  lower({ inputs, attributes }) {
    const { layout } = attributes;
    return [
      {
        kernel: gatherCrop,
        knobs: {},
        params: {
          views: attributes.views,
          images: elementCount(operand(inputs, 1).shape),
          channels: layout.channels,
          crop_height: attributes.cropHeight,
          crop_width: attributes.cropWidth,
          height: layout.height,
          width: layout.width,
          image_stride: layout.imageStride,
          channel_stride: layout.channelStride,
          row_stride: layout.rowStride,
          column_stride: layout.columnStride,
          pixels_offset: layout.offset,
          seed: attributes.seed,
          stream: attributes.stream,
          step: attributes.step,
          scale: attributes.scale,
        },
        bindings: {
          pixels: { kind: "input", index: 0 },
          indices: { kind: "input", index: 1 },
          y: { kind: "output", index: 0 },
        },
      },
    ];
  },
};
