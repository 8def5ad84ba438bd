/** Views of a batch as graph tensors: indices of the epoch's order, draws, images. Not differentiated. */
import type { Graph, Tensor } from "../autodiff/graph.ts";
import {
  type AugmentImageAttributes,
  augmentDrawOp,
  augmentImageOp,
  epochIndicesOp,
  packedLayout,
  packPixelsOp,
  type ViewDistribution,
} from "../ops/augment.ts";
import { operand } from "../ops/opDefinition.ts";
import type { PixelLayout } from "../ops/random.ts";
import { augmentError, blurRadius, checkRecipe, type Recipe, type ViewRecipe } from "./recipes.ts";

/** Seed and purpose of random numbers: two u32, the key of threefry2x32. */
export interface RandomKey {
  readonly seed: number;
  readonly stream: number;
}

/**
 * Image indices of the batch of the current step, u32[batch]: a new order in every epoch of ⌊count/batch⌋ steps; the short last batch is
 * dropped. One dispatch.
 *
 * @param stepState the step state of the training plan
 * @throws EngineError GRAPH-SHAPE when the batch exceeds the data set
 */
export function epochIndices(stepState: Tensor, key: RandomKey, sizes: { count: number; batch: number }): Tensor {
  return operand(stepState.graph.add(epochIndicesOp, [stepState], { ...sizes, seed: key.seed, stream: key.stream }), 0);
}

/**
 * Images as one u32 per pixel, for a set-up plan: with them a step's views cost a third of the loads (a third more memory than 3 bytes).
 *
 * @param pixels u32[⌈bytes/4⌉], u8 images of any layout; one channel is repeated
 * @param count  images
 * @returns the packed images u32[count, height, width] and their layout, for `augmentedViews`
 */
export function packedPixels(
  pixels: Tensor,
  layout: PixelLayout,
  count: number,
): { readonly pixels: Tensor; readonly layout: PixelLayout } {
  const packed = operand(pixels.graph.add(packPixelsOp, [pixels], { count, layout }), 0);
  return { pixels: packed, layout: packedLayout(layout.height, layout.width) };
}

export interface ViewsOptions {
  readonly recipe: Recipe;
  /** Where the bytes of an image lie, and its size. One channel is repeated as three. */
  readonly layout: PixelLayout;
  /** Sides of the views in pixels. */
  readonly height: number;
  readonly width: number;
  /** Subtracted from each channel, in [0, 1]; 0 unless given. */
  readonly mean?: readonly [number, number, number];
  /** Divides each channel; 1 unless given. */
  readonly std?: readonly [number, number, number];
  /** Threefry key; draws depend on it, the step, the image and the view alone. The stream must be below 256. */
  readonly key: RandomKey;
}

export interface Views {
  /** f32[views·n, height, width, 4]: all first views, then all second ones; the fourth channel is 0. */
  readonly images: Tensor;
  /** f32[views, n, record], see `decodeDraw`. */
  readonly draws: Tensor;
}

/**
 * Augmented views of the images at `indices`: two dispatches, four when a view may be blurred.
 *
 * @param stepState step state; with a buffer of zeros the views of step 0, drawn once
 * @param pixels    u32[⌈bytes/4⌉], the u8 images
 * @param indices   u32[n]
 * @throws EngineError CONFIG-AUGMENT for a number out of range, GRAPH-SHAPE
 */
export function augmentedViews(
  tensors: { readonly stepState: Tensor; readonly pixels: Tensor; readonly indices: Tensor },
  options: ViewsOptions,
): Views {
  const { stepState, pixels, indices } = tensors;
  const { recipe, layout, height, width, key, mean = [0, 0, 0], std = [1, 1, 1] } = options;
  const side = Math.min(height, width);
  checkRecipe(recipe, side);
  if (!std.every((value) => value > 0) || !mean.every(Number.isFinite)) {
    throw augmentError(
      "std",
      `Augmentation: mean (${mean.join(", ")}) and standard deviation (${std.join(", ")}) cannot normalise`,
      "Give finite means and positive standard deviations.",
    );
  }
  if (!(Number.isInteger(key.stream) && key.stream >= 0 && key.stream < 256)) {
    throw augmentError("stream", `Augmentation: the stream is ${key.stream}`, "Choose an integer from 0 to 255.");
  }
  const graph: Graph = stepState.graph;
  const isInteger = recipe.crop === "integer";
  const radius = blurRadius(recipe, side);
  return graph.scope("augment", () => {
    const [draws] = graph.add(augmentDrawOp, [stepState, indices], {
      views: recipe.views.map(distribution),
      height: layout.height,
      width: layout.width,
      isInteger,
      isOrderRandom: recipe.order === "random",
      radius,
      seed: key.seed,
      stream: key.stream,
    });
    if (!draws) throw new Error("unreachable: the op has one output");
    const jitters = recipe.views.flatMap(({ jitter }) => (jitter && jitter.probability > 0 ? [jitter] : []));
    const attributes: AugmentImageAttributes = {
      layout,
      outHeight: height,
      outWidth: width,
      cubic: recipe.interpolation === "bicubic" ? (recipe.cubic ?? -0.75) : undefined,
      samples: recipe.samples ?? 1,
      isInteger,
      hasJitter: jitters.length > 0,
      hasHue: jitters.some(({ hue }) => hue > 0),
      hasBlur: radius > 0,
      mean,
      std,
    };
    return { images: operand(graph.add(augmentImageOp, [pixels, indices, draws], attributes), 0), draws };
  });
}

function distribution({ crop, flip = 0, jitter, gray = 0, blur, solarize }: ViewRecipe): ViewDistribution {
  return {
    scale: crop.scale,
    ratio: crop.ratio,
    flip,
    jitter: jitter?.probability ?? 0,
    brightness: jitter?.brightness ?? 0,
    contrast: jitter?.contrast ?? 0,
    saturation: jitter?.saturation ?? 0,
    hue: jitter?.hue ?? 0,
    gray,
    blur: blur?.probability ?? 0,
    sigma: blur?.sigma ?? [1, 1],
    solarize: solarize?.probability ?? 0,
    threshold: solarize?.threshold ?? 0,
  };
}
