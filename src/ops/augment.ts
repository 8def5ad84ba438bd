/** Augmentation as ops: the batch's indices, the draws of each (view, image), and the views made from u8 images by those draws. */
import { augmentDraw, augmentImage, epochIndices, gaussianBlur, packPixels } from "../kernels/library.ts";
import {
  elementCount,
  type KernelCall,
  type OpDefinition,
  operand,
  requireInputs,
  shapeError,
} from "./opDefinition.ts";
import type { PixelLayout } from "./random.ts";

/** Floats of a record of draws before the blur's weights, the twin of DRAW_WEIGHTS in shaders/lib/augment_record.wgsl. */
export const DRAW_HEADER = 16;

/** Floats of one (view, image)'s draws for a blur of 2·radius + 1 taps. */
export function drawRecordLength(radius: number): number {
  return DRAW_HEADER + 4 * Math.ceil((radius + 1) / 4);
}

export interface EpochIndicesAttributes {
  /** Images of the data set. */
  readonly count: number;
  readonly batch: number;
  readonly seed: number;
  readonly stream: number;
}

/** Input: step state; output u32[batch]. */
export const epochIndicesOp: OpDefinition<EpochIndicesAttributes> = {
  name: "epochIndices",
  infer(inputs, { count, batch }) {
    requireInputs("epochIndices", inputs, 1);
    if (batch > count) {
      throw shapeError(
        "epochIndices",
        inputs,
        `a batch of ${batch} is asked of ${count} images`,
        "Use a smaller batch.",
      );
    }
    return [{ shape: [batch], dtype: "u32" }];
  },
  flops: () => 0,
  lower: ({ attributes }) => [
    {
      kernel: epochIndices,
      knobs: {},
      params: { ...attributes },
      bindings: { state: { kind: "input", index: 0 }, indices: { kind: "output", index: 0 } },
    },
  ],
};

/** The distribution of one view's draws; the fields of augment_draw. Ratios are width/height. */
export interface ViewDistribution {
  readonly scale: readonly [low: number, high: number];
  readonly ratio: readonly [low: number, high: number];
  readonly flip: number;
  readonly jitter: number;
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  readonly hue: number;
  readonly gray: number;
  readonly blur: number;
  readonly sigma: readonly [low: number, high: number];
  readonly solarize: number;
  readonly threshold: number;
}

export interface AugmentDrawAttributes {
  /** One or two. */
  readonly views: readonly ViewDistribution[];
  readonly height: number;
  readonly width: number;
  readonly isInteger: boolean;
  readonly isOrderRandom: boolean;
  readonly radius: number;
  readonly seed: number;
  readonly stream: number;
}

function distributionParams(suffix: "a" | "b", view: ViewDistribution): Record<string, number> {
  const fields = {
    scale_low: view.scale[0],
    scale_high: view.scale[1],
    ratio_low: Math.log(view.ratio[0]),
    ratio_high: Math.log(view.ratio[1]),
    flip: view.flip,
    jitter: view.jitter,
    gray: view.gray,
    blur: view.blur,
    brightness: view.brightness,
    contrast: view.contrast,
    saturation: view.saturation,
    hue: view.hue,
    sigma_low: view.sigma[0],
    sigma_high: view.sigma[1],
    solarize: view.solarize,
    threshold: view.threshold,
  };
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [`${name}_${suffix}`, value]));
}

/** Inputs: step state, image indices u32[images]; output f32[views, images, record]. */
export const augmentDrawOp: OpDefinition<AugmentDrawAttributes> = {
  name: "augmentDraw",
  infer(inputs, { views, radius }) {
    requireInputs("augmentDraw", inputs, 2);
    if (views.length < 1 || views.length > 2) {
      throw shapeError("augmentDraw", inputs, `${views.length} views are asked for`, "Ask for one or two.");
    }
    const images = elementCount(operand(inputs, 1).shape);
    return [{ shape: [views.length, images, drawRecordLength(radius)], dtype: "f32" }];
  },
  // About 27 random words of 80 integer operations each.
  flops: (_inputs, [draws]) => 2000 * ((draws?.shape[0] ?? 1) * (draws?.shape[1] ?? 1)),
  lower({ inputs, attributes }) {
    const first = operand(attributes.views, 0);
    return [
      {
        kernel: augmentDraw,
        knobs: { INTEGER: attributes.isInteger, RANDOM_ORDER: attributes.isOrderRandom },
        params: {
          views: attributes.views.length,
          images: elementCount(operand(inputs, 1).shape),
          record: drawRecordLength(attributes.radius),
          radius: attributes.radius,
          height: attributes.height,
          width: attributes.width,
          seed: attributes.seed,
          stream: attributes.stream,
          ...distributionParams("a", first),
          ...distributionParams("b", attributes.views[1] ?? first),
        },
        bindings: {
          state: { kind: "input", index: 0 },
          indices: { kind: "input", index: 1 },
          draws: { kind: "output", index: 0 },
        },
      },
    ];
  },
};

export interface AugmentImageAttributes {
  readonly layout: PixelLayout;
  readonly outHeight: number;
  readonly outWidth: number;
  /** Coefficient of the cubic kernel; undefined: bilinear. */
  readonly cubic: number | undefined;
  /** Sample points per axis of an output pixel, 1 … 4. */
  readonly samples: number;
  readonly isInteger: boolean;
  readonly hasJitter: boolean;
  readonly hasHue: boolean;
  readonly hasBlur: boolean;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Operations per pixel of one tap (three channels), of the colour operations, and of one weight of the blur: for the plan's table. */
const FLOPS = { tap: 10, jitter: 60, blur: 8 };

/** Inputs: pixels u32[⌈bytes/4⌉], indices u32[images], draws f32[views, images, record]; output f32[views·images, h, w, 4]. */
export const augmentImageOp: OpDefinition<AugmentImageAttributes> = {
  name: "augmentImage",
  infer(inputs, { outHeight, outWidth, layout }) {
    requireInputs("augmentImage", inputs, 3);
    const [views = 1, images = 1, record = 0] = operand(inputs, 2).shape;
    if (images !== elementCount(operand(inputs, 1).shape)) {
      throw shapeError("augmentImage", inputs, "indices and draws are of different batches", "Draw for these indices.");
    }
    if (record < DRAW_HEADER)
      throw shapeError("augmentImage", inputs, "the draws have no records", "Use augmentDraw's.");
    if (layout.channels !== 1 && layout.channels !== 3) {
      throw shapeError("augmentImage", inputs, `images have ${layout.channels} channels`, "Use gray or RGB images.");
    }
    return [{ shape: [views * images, outHeight, outWidth, 4], dtype: "f32" }];
  },
  flops([, , draws], outputs, { cubic, samples, hasJitter, hasBlur }) {
    const pixels = elementCount(operand(outputs, 0).shape) / 4;
    const taps = samples ** 2 * (cubic === undefined ? 4 : 16);
    const weights = hasBlur ? 2 * ((draws?.shape[2] ?? DRAW_HEADER) - DRAW_HEADER) : 0;
    return pixels * (FLOPS.tap * taps + (hasJitter ? FLOPS.jitter : 0) + FLOPS.blur * weights);
  },
  lower({ inputs, outputs, attributes, target }) {
    const { layout, hasBlur, mean, std } = attributes;
    const [views = 1, images = 1, record = 0] = operand(inputs, 2).shape;
    const { outHeight, outWidth } = attributes;
    const finish = {
      mean_r: mean[0],
      mean_g: mean[1],
      mean_b: mean[2],
      inverse_std_r: 1 / std[0],
      inverse_std_g: 1 / std[1],
      inverse_std_b: 1 / std[2],
    };
    const crop: KernelCall = {
      kernel: augmentImage,
      knobs: {
        // A workgroup is an image; barriers are dear on software adapters.
        WG: target.isSoftware ? 16 : 128,
        TAPS: attributes.cubic === undefined ? 2 : 4,
        SAMPLES: attributes.samples,
        INTEGER: attributes.isInteger,
        JITTER: attributes.hasJitter,
        HUE: attributes.hasHue,
        FINISH: !hasBlur,
        PACKED: isPacked(layout),
      },
      params: {
        views,
        images,
        record,
        height: layout.height,
        width: layout.width,
        out_height: outHeight,
        out_width: outWidth,
        image_stride: layout.imageStride,
        channel_stride: layout.channels === 1 ? 0 : layout.channelStride,
        row_stride: layout.rowStride,
        column_stride: layout.columnStride,
        pixels_offset: layout.offset,
        cubic_a: attributes.cubic ?? 0,
        ...finish,
      },
      bindings: {
        pixels: { kind: "input", index: 0 },
        indices: { kind: "input", index: 1 },
        draws: { kind: "input", index: 2 },
        y: { kind: "output", index: 0 },
      },
    };
    if (!hasBlur) return [crop];
    // Rows from the result into scratch, columns back: an image is never blurred in place.
    const scratch = {
      kind: "scratch",
      name: "blurred rows",
      elements: elementCount(operand(outputs, 0).shape),
    } as const;
    const result = { kind: "output", index: 0 } as const;
    const pass = (VERTICAL: boolean): KernelCall => ({
      kernel: gaussianBlur,
      knobs: { VERTICAL },
      params: { images: views * images, height: outHeight, width: outWidth, record, ...finish },
      bindings: {
        draws: { kind: "input", index: 2 },
        x: VERTICAL ? scratch : result,
        y: VERTICAL ? result : scratch,
      },
    });
    return [crop, pass(false), pass(true)];
  },
};

/** True when a pixel's channels are the lower three bytes of a u32 of its own, as `packPixelsOp` lays them. */
function isPacked({ channels, channelStride, columnStride, rowStride, imageStride, offset }: PixelLayout): boolean {
  return (
    channels === 3 && channelStride === 1 && [columnStride, rowStride, imageStride, offset].every((n) => n % 4 === 0)
  );
}

/** Layout of images that `packPixelsOp` made. */
export function packedLayout(height: number, width: number): PixelLayout {
  const rowStride = 4 * width;
  const imageStride = rowStride * height;
  return { height, width, channels: 3, imageStride, channelStride: 1, rowStride, columnStride: 4, offset: 0 };
}

export interface PackPixelsAttributes {
  readonly count: number;
  readonly layout: PixelLayout;
}

/** Input: pixels u32[⌈bytes/4⌉]; output u32[count, height, width]. */
export const packPixelsOp: OpDefinition<PackPixelsAttributes> = {
  name: "packPixels",
  infer(inputs, { count, layout }) {
    requireInputs("packPixels", inputs, 1);
    return [{ shape: [count, layout.height, layout.width], dtype: "u32" }];
  },
  flops: () => 0,
  lower: ({ attributes: { count, layout } }) => [
    {
      kernel: packPixels,
      knobs: {},
      params: {
        count,
        height: layout.height,
        width: layout.width,
        image_stride: layout.imageStride,
        channel_stride: layout.channels === 1 ? 0 : layout.channelStride,
        row_stride: layout.rowStride,
        column_stride: layout.columnStride,
        pixels_offset: layout.offset,
      },
      bindings: { pixels: { kind: "input", index: 0 }, y: { kind: "output", index: 0 } },
    },
  ],
};
