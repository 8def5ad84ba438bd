/** The views of a training step as a picture: the source image and both of its views, drawn by the very nodes that training has. */
import { type Draw, decodeDraw } from "../../augment/draws.ts";
import { augmentedViews, epochIndices } from "../../augment/views.ts";
import { CompiledPlan } from "../../autodiff/compiledPlan.ts";
import { Graph, type Tensor } from "../../autodiff/graph.ts";
import { planGraph } from "../../autodiff/planner.ts";
import { type ImageSet, pixelAt, RandomStream } from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import { EngineError } from "../../errors.ts";
import { encodeStepState } from "../../train/stepState.ts";
import { stepStateTensor, targetOf } from "../../train/trainingStep.ts";
import { layoutOf, paddedPixels } from "../imageFiles.ts";
import type { NetworkConfig } from "./config.ts";
import { NORMALIZATION, viewsOptions } from "./views.ts";

/** What was drawn for one image. */
export interface ImageViews {
  /** Place among the images that the step draws from. */
  readonly index: number;
  /** Of both views. */
  readonly draws: readonly [Draw, Draw];
  /** f32[side, side, 4] as the network sees them, of both views. */
  readonly pixels: readonly [Float32Array, Float32Array];
}

/** RGB, 8 bits a channel, row by row. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/**
 * Views of the first `count` images of the first step's batch: of fixed pairs those that are trained on, of fresh views those of step 0.
 *
 * @param images as `firstImages` reads them
 * @throws EngineError CONFIG-IMAGES when the step has fewer images, CONFIG-AUGMENT
 */
export async function firstViews(
  engine: Engine,
  config: NetworkConfig,
  images: ImageSet,
  count: number,
): Promise<ImageViews[]> {
  const { seed, data } = config;
  const { sampling, side } = data;
  const inStep = sampling.kind === "fixed" ? sampling.pairs : sampling.batch;
  if (!(Number.isInteger(count) && count >= 1 && count <= inStep)) {
    throw new EngineError({
      code: "CONFIG-IMAGES",
      message: `Views of ${count} images were asked for; a step of ${config.preset} has ${inStep}`,
      fix: `Ask for 1 to ${inStep}.`,
      where: "--images",
    });
  }
  const graph = new Graph();
  const stepState = stepStateTensor(graph);
  const pixels = graph.input("pixels", [Math.ceil(images.pixels.byteLength / 4)], "u32");
  const indices =
    sampling.kind === "fixed"
      ? graph.input("indices", [inStep], "u32")
      : epochIndices(stepState, { seed, stream: RandomStream.permutation }, { count: images.count, batch: inStep });
  const chosen = graph.view(indices, [count], 0);
  const key = { seed, stream: RandomStream.augmentation };
  const views = augmentedViews({ stepState, pixels, indices: chosen }, viewsOptions(config, layoutOf(images), key));
  const outputs: Record<string, Tensor> = {
    views: views.images,
    draws: views.draws,
    ...(indices.leaf ? {} : { chosen: indices }),
  };
  const target = targetOf(engine.adapter);
  const plan = planGraph({ graph, programs: { main: Object.values(outputs) }, outputs, target });
  const compiled = await CompiledPlan.compile(engine, plan);
  try {
    compiled.write("stepState", encodeStepState({ step: 0, records: 0, nonfiniteStep: undefined, learningRate: 0 }));
    compiled.write("pixels", paddedPixels(images.pixels));
    const order = Uint32Array.from({ length: inStep }, (_, index) => index);
    if (indices.leaf) compiled.write("indices", order);
    compiled.run("main");
    const read = (name: string) => engine.readBuffer(compiled.buffer(name));
    const values = new Float32Array(await read("views"));
    const draws = new Float32Array(await read("draws"));
    const places = indices.leaf ? order : new Uint32Array(await read("chosen"));
    const record = views.draws.shape[2] ?? 1;
    const size = side * side * 4;
    return Array.from({ length: count }, (_, item) => ({
      index: places[item] ?? 0,
      draws: [decodeDraw(draws, record, item), decodeDraw(draws, record, count + item)],
      pixels: [
        values.subarray(item * size, (item + 1) * size),
        values.subarray((count + item) * size).subarray(0, size),
      ],
    }));
  } finally {
    compiled.destroy();
  }
}

/** Pixels between the pictures of a row and between rows; between groups of rows twice as many. */
const GAP = 4;
/** Rows below one another before another group of columns begins. */
const ROWS = 8;
const BACKGROUND = 255;

/**
 * A row for each image: source, first view, second view, each enlarged by the largest whole factor that keeps it within twice the larger
 * of the two sides. Views are denormalised; what normalisation or jitter put outside 0 … 255 is clamped.
 */
export function contactSheet(config: NetworkConfig, images: ImageSet, views: readonly ImageViews[]): Picture {
  const { side, source } = config.data;
  const cell = 2 * Math.max(side, images.height, images.width);
  const rows = Math.min(ROWS, views.length);
  const groups = Math.ceil(views.length / rows);
  const groupWidth = 3 * cell + 2 * GAP;
  const width = groups * groupWidth + (groups - 1) * 2 * GAP + 2 * GAP;
  const height = rows * cell + (rows - 1) * GAP + 2 * GAP;
  const data = new Uint8Array(width * height * 3).fill(BACKGROUND);
  /** Draws one picture into its cell, centred. */
  const draw = (left: number, top: number, size: readonly [number, number], pixel: PixelReader): void => {
    const [h, w] = size;
    const zoom = Math.floor(cell / Math.max(h, w));
    const [x0, y0] = [left + Math.floor((cell - zoom * w) / 2), top + Math.floor((cell - zoom * h) / 2)];
    for (let y = 0; y < zoom * h; y++) {
      for (let x = 0; x < zoom * w; x++) {
        for (let channel = 0; channel < 3; channel++) {
          const value = pixel(Math.floor(y / zoom), Math.floor(x / zoom), channel);
          data[((y0 + y) * width + x0 + x) * 3 + channel] = Math.min(255, Math.max(0, Math.round(value)));
        }
      }
    }
  };
  const { mean, std } = NORMALIZATION[source];
  views.forEach(({ index, pixels }, item) => {
    const top = GAP + (item % rows) * (cell + GAP);
    const left = GAP + Math.floor(item / rows) * (groupWidth + 2 * GAP);
    const channelOf = (channel: number): number => Math.min(channel, images.channels - 1);
    draw(left, top, [images.height, images.width], (y, x, c) => pixelAt(images, index, channelOf(c), y, x));
    pixels.forEach((view, number) => {
      draw(left + (number + 1) * (cell + GAP), top, [side, side], (y, x, c) => {
        return 255 * ((view[(y * side + x) * 4 + c] ?? 0) * (std[c] ?? 1) + (mean[c] ?? 0));
      });
    });
  });
  return { width, height, data };
}

/** 0 … 255 of a row, column and channel. */
type PixelReader = (row: number, column: number, channel: number) => number;
