/** Inputs of a network run: images from files, and on the GPU packed pixels, fixed views and initial parameters, made by one plan. */
import { augmentedViews, packedPixels } from "../../augment/views.ts";
import { CompiledPlan } from "../../autodiff/compiledPlan.ts";
import { Graph, type Tensor } from "../../autodiff/graph.ts";
import { planGraph } from "../../autodiff/planner.ts";
import type { DataFolder } from "../../data/byteSource.ts";
import { finishImageSet, tooFewImages } from "../../data/imageSet.ts";
import {
  heldImageFile,
  type ImageFile,
  type ImageSet,
  openStl10,
  planStream,
  RandomStream,
  type StreamPlan,
  sha256Hex,
  windowAt,
} from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import { EngineError } from "../../errors.ts";
import { drawParameters } from "../../nn/init.ts";
import type { ParameterSpec } from "../../nn/spec.ts";
import type { PixelLayout } from "../../ops/random.ts";
import { STEP_STATE_WORDS } from "../../train/stepState.ts";
import { targetOf } from "../../train/trainingStep.ts";
import {
  fileLayout,
  IMAGE_SIDES,
  type ImageSource,
  layoutOf,
  type PixelSource,
  paddedPixels,
  pixelsOnGpu,
  readImages,
  requireFolder,
} from "../imageFiles.ts";
import { PixelStream } from "../pixelStream.ts";
import type { NetworkConfig } from "./config.ts";
import { needsWholeImages, PIXELS, recordedPairs, TARGET, VIEWS, WHOLE_IMAGES } from "./graph.ts";
import { viewsOptions, wholeImages } from "./views.ts";

export { fileLayout, layoutOf } from "../imageFiles.ts";

/** Fewest pairs of a step: batch normalisation and contrast need another image. */
export const LEAST_PAIRS = 2;

/**
 * Checks what can be checked before anything is read or allocated.
 *
 * @throws EngineError CONFIG-BATCH, CONFIG-SIDE, CONFIG-LOSS
 */
export function checkSizes(config: NetworkConfig): void {
  const { sampling, side, source } = config.data;
  if (side > 4 * IMAGE_SIDES[source]) {
    throw new EngineError({
      code: "CONFIG-SIDE",
      message: `data.side is ${side}; images of ${source} are ${IMAGE_SIDES[source]}×${IMAGE_SIDES[source]}`,
      fix: `Use --set data.side=${IMAGE_SIDES[source]} or less.`,
      where: "data.side",
    });
  }
  const sizes =
    sampling.kind === "fixed" ? { pairs: sampling.pairs } : { batch: sampling.batch, probe: sampling.probe };
  for (const [name, size] of Object.entries(sizes)) {
    if (size >= LEAST_PAIRS) continue;
    throw new EngineError({
      code: "CONFIG-BATCH",
      message: `data.sampling.${name} is ${size}: batch normalisation and negatives need at least ${LEAST_PAIRS} pairs`,
      fix: `Use --set data.sampling.${name}=${LEAST_PAIRS} or more.`,
      where: `data.sampling.${name}`,
    });
  }
  if (sampling.kind === "fixed") {
    if (!needsWholeImages(config)) return;
    throw new EngineError({
      code: "CONFIG-LOSS",
      message: "loss.weights is unaugmented, but fixed pairs of views are trained on without their images",
      fix: "Use fresh views, as the preset simclr-exact-cov-unaugmented has them, or --set loss.weights=augmented.",
      where: "loss.weights",
    });
  }
  for (const name of ["batch", "probe"] as const) {
    if (sampling[name] <= sampling.images) continue;
    throw new EngineError({
      code: "CONFIG-BATCH",
      message: `data.sampling.${name} is ${sampling[name]}, but data.sampling.images is only ${sampling.images}`,
      fix: `Use --set data.sampling.${name}=${sampling.images} or less, or more images.`,
      where: `data.sampling.${name}`,
    });
  }
}

/** Images that a run reads. */
export function imageCount({ data: { sampling } }: NetworkConfig): number {
  return sampling.kind === "fixed" ? sampling.pairs : sampling.images;
}

/**
 * How a run's images are streamed; undefined where they fit, or are no images that steps read.
 *
 * @throws EngineError DATA-BUDGET when not even a batch fits
 */
export function streamOf({ data }: NetworkConfig, raw: PixelLayout, largestBinding: number): StreamPlan | undefined {
  const { sampling, maxBytes } = data;
  if (sampling.kind === "fixed") return undefined;
  const budget = maxBytes === 0 ? largestBinding : Math.min(maxBytes, largestBinding);
  const { images, batch } = sampling;
  const imageBytes = raw.imageStride;
  return images * imageBytes <= budget ? undefined : planStream({ images, imageBytes, batch, maxBytes: budget });
}

/** How a run's images lie on the GPU: a u32 per pixel where there is room for that, else as in the file, a window of them if need be. */
export function pixelSource(config: NetworkConfig, raw: PixelLayout, largestBinding: number): PixelSource {
  const stream = streamOf(config, raw, largestBinding);
  if (stream) return { words: (stream.window * raw.imageStride) / 4, layout: raw, window: stream.window };
  const { maxBytes } = config.data;
  return pixelsOnGpu(imageCount(config), raw, maxBytes === 0 ? largestBinding : Math.min(maxBytes, largestBinding));
}

/** A run's images in files: those to read before the first step, and the stream of the others where they do not fit. */
export interface RunImages {
  /** All of them, or of a streamed set as many as the probe has. */
  readonly images: ImageSet;
  readonly stream: PixelStream | undefined;
  /** SHA-256 of what was read, and of the stream's length. */
  readonly hash: string;
}

/** @throws EngineError DATA-…, LIMIT-BUFFER */
export async function openImages(
  engine: Engine,
  config: NetworkConfig,
  folder: DataFolder | undefined,
): Promise<RunImages> {
  const { source, sampling } = config.data;
  const largest = engine.adapter.limits.maxStorageBufferBindingSize;
  const plan = streamOf(config, fileLayout(source), largest);
  if (!plan || sampling.kind === "fixed") {
    const images = await loadImages(config, folder);
    return { images, stream: undefined, hash: images.sha256 };
  }
  const images = await readImages(source, sampling.probe, folder);
  const file = await openImageFile(source, sampling.images, folder);
  if (file.count < sampling.images) throw tooFewImages(file.name, file.count, sampling.images);
  const about = new TextEncoder().encode(`${images.sha256} ${sampling.images}`);
  const stream = await PixelStream.create(engine, file, plan, config.seed);
  return { images, stream, hash: await sha256Hex(about, file.name) };
}

/**
 * The images that the first step draws from: all of them, or the first window of a streamed set.
 *
 * @throws EngineError as `openImages`
 */
export async function firstImages(
  engine: Engine,
  config: NetworkConfig,
  folder: DataFolder | undefined,
): Promise<ImageSet> {
  const { source } = config.data;
  const plan = streamOf(config, fileLayout(source), engine.adapter.limits.maxStorageBufferBindingSize);
  if (!plan) return loadImages(config, folder);
  const { read, ...file } = await openImageFile(source, imageCount(config), folder);
  const chunkBytes = plan.chunk * file.layout.imageStride;
  const pixels = new Uint8Array(plan.chunksPerWindow * chunkBytes);
  for (const [position, first] of windowAt(plan, config.seed, 0).starts.entries()) {
    await read(first, pixels.subarray(position * chunkBytes, (position + 1) * chunkBytes));
  }
  return finishImageSet({ ...file, count: plan.window, pixels });
}

/** STL-10 is read from disk as its windows come; smaller sets are held by the host. @throws EngineError DATA-… */
async function openImageFile(source: ImageSource, images: number, folder: DataFolder | undefined): Promise<ImageFile> {
  if (source === "stl10") return openStl10(requireFolder(source, folder));
  return heldImageFile(await readImages(source, images, folder));
}

/** @throws EngineError DATA-… */
export function loadImages(config: NetworkConfig, folder: DataFolder | undefined): Promise<ImageSet> {
  return readImages(config.data.source, imageCount(config), folder);
}

/** State buffers that are prepared; the others start at zero. */
export const TRAINED_FROM_START: readonly string[] = ["parameters", TARGET];

export interface PreparedNetworkRun {
  /** Buffers for the training plan, by name. */
  readonly buffers: Readonly<Record<string, GPUBuffer>>;
  /** [2·pairs, side, side, 4]. */
  readonly viewsShape: readonly number[];
  release(): void;
}

/**
 * One submit: packs the pixels, draws the fixed views and the initial parameters. Only what training needs stays on the GPU.
 *
 * @param followed parameters that a target network follows; none without one
 */
export async function prepareNetworkRun(
  engine: Engine,
  config: NetworkConfig,
  images: ImageSet,
  parameters: readonly ParameterSpec[],
  followed: readonly ParameterSpec[],
): Promise<PreparedNetworkRun> {
  const { sampling, side } = config.data;
  const { target } = config.model;
  // A copy has the very draws of the trained parameters.
  const targetStream =
    target.kind === "movingAverage" && target.init === "independent" ? RandomStream.target : RandomStream.parameters;
  const raw = layoutOf(images);
  const kept = pixelSource(config, raw, engine.adapter.limits.maxStorageBufferBindingSize);
  const graph = new Graph();
  const pixels = graph.input("raw", [Math.ceil(images.pixels.byteLength / 4)], "u32");
  const isPacked = kept.layout !== raw;
  const packed = isPacked ? packedPixels(pixels, raw, images.count) : { pixels, layout: raw };
  const isFixed = sampling.kind === "fixed";
  const pairs = recordedPairs(config);
  const indices = graph.input("indices", [pairs], "u32");
  const stepState = graph.state("stepState", [STEP_STATE_WORDS], "u32");
  const key = { seed: config.seed, stream: isFixed ? RandomStream.augmentation : RandomStream.probe };
  const sources = { stepState, pixels: packed.pixels, indices };
  const outputs: Record<string, Tensor> = {
    [VIEWS]: augmentedViews(sources, viewsOptions(config, packed.layout, key)).images,
    ...(needsWholeImages(config)
      ? { [WHOLE_IMAGES]: augmentedViews(sources, wholeImages(config, packed.layout, config.seed)).images }
      : {}),
    parameters0: drawParameters(graph, parameters, { seed: config.seed, stream: RandomStream.parameters }),
    ...(followed.length > 0
      ? { [TARGET]: drawParameters(graph, followed, { seed: config.seed, stream: targetStream }) }
      : {}),
    ...(isPacked && !isFixed ? { [PIXELS]: packed.pixels } : {}),
  };
  const plan = planGraph({
    graph,
    programs: { prepare: Object.values(outputs) },
    outputs,
    target: targetOf(engine.adapter),
  });
  const names = Object.keys(outputs);
  // A streamed set has a buffer of its own.
  const rawIsKept = !isFixed && !isPacked && kept.window === undefined;
  const sizes = new Map(plan.persistent.map(({ name, sizeBytes }) => [name, sizeBytes]));
  const owned = rawIsKept ? [...names, "raw"] : names;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const made = await engine.createBuffers(owned.map((label) => ({ label, sizeBytes: sizes.get(label) ?? 0, usage })));
  const buffers = Object.fromEntries(owned.map((name, index) => [name, made[index] as GPUBuffer]));
  const release = () => engine.destroyBuffers(made);
  let compiled: CompiledPlan | undefined;
  try {
    compiled = await CompiledPlan.compile(engine, plan, buffers);
    compiled.write("raw", paddedPixels(images.pixels));
    compiled.write(
      "indices",
      Uint32Array.from({ length: pairs }, (_, index) => index),
    );
    compiled.run("prepare");
  } catch (error) {
    release();
    throw error;
  } finally {
    compiled?.destroy();
  }
  const { parameters0, raw: rawBuffer, ...rest } = buffers;
  return {
    buffers: {
      ...rest,
      ...(parameters0 ? { parameters: parameters0 } : {}),
      ...(rawBuffer ? { [PIXELS]: rawBuffer } : {}),
    },
    viewsShape: [2 * pairs, side, side, 4],
    release,
  };
}
