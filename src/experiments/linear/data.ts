/** Inputs of a linear run: reads or generates the data, makes the two views and the initial weight on the GPU. */
import { CompiledPlan } from "../../autodiff/compiledPlan.ts";
import { center, pack } from "../../autodiff/functions.ts";
import { Graph, type Tensor } from "../../autodiff/graph.ts";
import { planGraph } from "../../autodiff/planner.ts";
import type { DataFolder } from "../../data/byteSource.ts";
import {
  amplitudeBias,
  extentBias,
  gaussianPairs,
  type ImageSet,
  RandomStream,
  readCifar10,
  readMnist,
  sha256Hex,
} from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import { EngineError } from "../../errors.ts";
import { operand } from "../../ops/opDefinition.ts";
import { gatherCropOp, randomOp } from "../../ops/random.ts";
import { targetOf } from "../../train/trainingStep.ts";
import type { ImageData, LinearConfig } from "./config.ts";
import { type LinearShape, VIEWS } from "./graph.ts";

/** A named direction of input space that a toy data set hides. */
export interface Feature {
  readonly name: string;
  /** Unit vector, [m]. */
  readonly vector: ArrayLike<number>;
}

/** Host side of a data set: either images to crop, or the views themselves. */
export type LinearSource = ImageSource | ViewSource;

interface ImageSource {
  readonly kind: "images";
  readonly images: ImageSet;
  /** SHA-256 of the pixels. */
  readonly hash: string;
}

interface ViewSource {
  readonly kind: "views";
  readonly viewsA: Float32Array<ArrayBuffer>;
  readonly viewsB: Float32Array<ArrayBuffer>;
  readonly features: readonly Feature[];
  /** SHA-256 of both views. */
  readonly hash: string;
}

/** Height and width of the images of each source, and their channels. */
const IMAGE_SHAPE = {
  mnist: { side: 28, channels: 1 },
  cifar10: { side: 32, channels: 3 },
} as const;

/** Features of the toy data sets (see src/data/biasDemos.ts). */
const BIAS_FEATURES = { "extent-bias": 10, "amplitude-bias": 96 } as const;

/**
 * Shapes of a run, from its configuration alone.
 *
 * @throws EngineError CONFIG-CROP, CONFIG-OUTPUTS
 */
export function linearShape({ data, model }: LinearConfig): LinearShape {
  const n = "images" in data ? data.images : data.pairs;
  const m = inputFeatures(data);
  if (model.outputs > Math.min(m, MAX_OUTPUTS)) {
    throw new EngineError({
      code: "CONFIG-OUTPUTS",
      message: `model.outputs is ${model.outputs}; a linear run takes at most ${Math.min(m, MAX_OUTPUTS)} (input features: ${m}, eigen-solver: ${MAX_OUTPUTS})`,
      fix: `Use --set model.outputs=${Math.min(m, MAX_OUTPUTS)} or less.`,
      where: "model.outputs",
    });
  }
  return { n, m, d: model.outputs };
}

/** Largest matrix that the eigen-solver takes in one dispatch. */
const MAX_OUTPUTS = 128;

function inputFeatures(data: LinearConfig["data"]): number {
  switch (data.source) {
    case "mnist":
    case "cifar10": {
      const { side, channels } = IMAGE_SHAPE[data.source];
      if (data.crop > side) {
        throw new EngineError({
          code: "CONFIG-CROP",
          message: `data.crop is ${data.crop}; images of ${data.source} are ${side}×${side}`,
          fix: `Use --set data.crop=${side} or less.`,
          where: "data.crop",
        });
      }
      return data.crop ** 2 * channels;
    }
    case "synthetic-spectrum":
      return data.modes + data.negative.length;
    case "extent-bias":
    case "amplitude-bias":
      return BIAS_FEATURES[data.source];
  }
}

/** Reads or generates the data set. @throws EngineError DATA-… */
export async function loadLinearSource(config: LinearConfig, folder: DataFolder | undefined): Promise<LinearSource> {
  const { data, seed } = config;
  switch (data.source) {
    case "mnist":
      return imageSource(await readMnist(requireFolder(folder, data.source), { limit: data.images }));
    case "cifar10":
      return imageSource(await readCifar10(requireFolder(folder, data.source), { limit: data.images }));
    case "synthetic-spectrum": {
      const gammas = [...Array.from({ length: data.modes }, (_, j) => data.decay ** -j), ...data.negative];
      return viewSource({ ...gaussianPairs({ gammas, n: data.pairs, seed, noise: data.noise }), features: [] });
    }
    case "extent-bias":
      return viewSource(extentBias({ seed, n: data.pairs, noise: data.noise }));
    case "amplitude-bias":
      return viewSource(amplitudeBias({ seed, n: data.pairs, noise: data.noise }));
  }
}

function imageSource(images: ImageSet): ImageSource {
  return { kind: "images", images, hash: images.sha256 };
}

async function viewSource(views: Pick<ViewSource, "viewsA" | "viewsB" | "features">): Promise<ViewSource> {
  const { viewsA, viewsB, features } = views;
  const both = new Float32Array(viewsA.length + viewsB.length);
  both.set(viewsA);
  both.set(viewsB, viewsA.length);
  const hash = await sha256Hex(new Uint8Array(both.buffer), "generated views");
  return { kind: "views", viewsA, viewsB, features, hash };
}

function requireFolder(folder: DataFolder | undefined, source: string): DataFolder {
  if (folder) return folder;
  throw new EngineError({
    code: "DATA-NO-FOLDER",
    message: `The data set ${source} needs a folder with its files`,
    fix: "Pass --data DIR.",
    where: source,
  });
}

/** Prepared on the GPU, and read back once for the theory and for files. */
export interface PreparedLinearRun {
  /** [2n, m]; the caller destroys it with `release`. */
  readonly views: GPUBuffer;
  readonly viewsA: Float32Array;
  readonly viewsB: Float32Array;
  /** [d, m] */
  readonly weights: Float32Array;
  release(): void;
}

/** Crops or uploads, centres, draws W₀ ~ N(0, initScale²): one submit, then one read-back. */
export async function prepareLinearRun(
  engine: Engine,
  config: LinearConfig,
  shape: LinearShape,
  source: LinearSource,
): Promise<PreparedLinearRun> {
  const { n, m, d } = shape;
  const graph = new Graph();
  const raw = source.kind === "images" ? cropViews(graph, config, source.images) : graph.input("raw", [2, n, m]);
  const views = config.data.centered ? center(raw) : raw;
  const weights = operand(
    graph.add(randomOp, [], {
      shape: [d, m],
      distribution: "normal",
      scale: config.model.initScale,
      offset: 0,
      seed: config.seed,
      stream: RandomStream.weights,
    }),
    0,
  );
  // An uploaded tensor is not computed; a pass through a concatenation of one part makes it an output.
  const wanted = views.leaf ? pack(graph, [views], [0], views.shape) : views;
  const plan = planGraph({
    graph,
    programs: { prepare: [wanted, weights] },
    outputs: { [VIEWS]: wanted, weights },
    target: targetOf(engine.adapter),
  });
  const compiled = await CompiledPlan.compile(engine, plan);
  try {
    upload(compiled, source, n);
    compiled.run("prepare");
    const both = new Float32Array(await engine.readBuffer(compiled.buffer(VIEWS), 0, 4 * 2 * n * m));
    return {
      views: compiled.buffer(VIEWS),
      viewsA: both.subarray(0, n * m),
      viewsB: both.subarray(n * m),
      weights: new Float32Array(await engine.readBuffer(compiled.buffer("weights"), 0, 4 * d * m)),
      release: () => compiled.destroy(),
    };
  } catch (error) {
    compiled.destroy();
    throw error;
  }
}

function cropViews(graph: Graph, config: LinearConfig, images: ImageSet): Tensor {
  const { crop } = config.data as ImageData;
  const pixels = graph.input("pixels", [Math.ceil(images.pixels.byteLength / 4)], "u32");
  const indices = graph.input("indices", [images.count], "u32");
  const { layout } = images;
  const attributes = {
    views: 2,
    cropHeight: crop,
    cropWidth: crop,
    layout: {
      height: images.height,
      width: images.width,
      channels: images.channels,
      imageStride: layout.imageStride,
      channelStride: layout.channelStride,
      rowStride: layout.rowStride,
      columnStride: layout.columnStride,
      offset: layout.offset,
    },
    seed: config.seed,
    stream: RandomStream.crops,
    step: 0,
    scale: 1 / 255,
  };
  return operand(graph.add(gatherCropOp, [pixels, indices], attributes), 0);
}

function upload(compiled: CompiledPlan, source: LinearSource, n: number): void {
  if (source.kind === "views") {
    compiled.write("raw", new Float32Array(source.viewsA));
    compiled.write("raw", new Float32Array(source.viewsB), source.viewsA.byteLength);
    return;
  }
  const { pixels } = source.images;
  const padded = new Uint8Array(Math.ceil(pixels.byteLength / 4) * 4);
  padded.set(pixels);
  compiled.write("pixels", padded);
  compiled.write(
    "indices",
    Uint32Array.from({ length: n }, (_, index) => index),
  );
}
