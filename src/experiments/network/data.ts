/** Inputs of a network run: images from files, and on the GPU packed pixels, fixed views and initial parameters, made by one plan. */
import { augmentedViews, packedPixels } from "../../augment/views.ts";
import { CompiledPlan } from "../../autodiff/compiledPlan.ts";
import { Graph, type Tensor } from "../../autodiff/graph.ts";
import { planGraph } from "../../autodiff/planner.ts";
import type { DataFolder } from "../../data/byteSource.ts";
import { type ImageSet, RandomStream } from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import { EngineError } from "../../errors.ts";
import { drawParameters } from "../../nn/init.ts";
import type { ParameterSpec } from "../../nn/spec.ts";
import type { PixelLayout } from "../../ops/random.ts";
import { STEP_STATE_WORDS } from "../../train/stepState.ts";
import { targetOf } from "../../train/trainingStep.ts";
import { IMAGE_SIDES, layoutOf, type PixelSource, paddedPixels, pixelsOnGpu, readImages } from "../imageFiles.ts";
import type { NetworkConfig } from "./config.ts";
import { PIXELS, TARGET, VIEWS } from "./graph.ts";
import { viewsOptions } from "./views.ts";

export { fileLayout, layoutOf } from "../imageFiles.ts";

/**
 * Checks what can be checked before anything is read or allocated.
 *
 * @throws EngineError CONFIG-BATCH, CONFIG-SIDE
 */
export function checkSizes({ data }: NetworkConfig): void {
  const { sampling, side, source } = data;
  if (side > 4 * IMAGE_SIDES[source]) {
    throw new EngineError({
      code: "CONFIG-SIDE",
      message: `data.side is ${side}; images of ${source} are ${IMAGE_SIDES[source]}×${IMAGE_SIDES[source]}`,
      fix: `Use --set data.side=${IMAGE_SIDES[source]} or less.`,
      where: "data.side",
    });
  }
  if (sampling.kind === "fixed") return;
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

/** How a run's images lie on the GPU: a u32 per pixel where a buffer of them can be bound, else as in the file. */
export function pixelSource(config: NetworkConfig, raw: PixelLayout, largestBinding: number): PixelSource {
  return pixelsOnGpu(imageCount(config), raw, largestBinding);
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
  const pairs = isFixed ? sampling.pairs : sampling.probe;
  const indices = graph.input("indices", [pairs], "u32");
  const stepState = graph.state("stepState", [STEP_STATE_WORDS], "u32");
  const key = { seed: config.seed, stream: isFixed ? RandomStream.augmentation : RandomStream.probe };
  const views = augmentedViews(
    { stepState, pixels: packed.pixels, indices },
    viewsOptions(config, packed.layout, key),
  ).images;
  const outputs: Record<string, Tensor> = {
    [VIEWS]: views,
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
  const rawIsKept = !isFixed && !isPacked;
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
