/** Features of whole images: encoded in inference, batch by batch, without augmentation. */
import { augmentedViews, type ViewsOptions } from "../augment/views.ts";
import { CompiledPlan } from "../autodiff/compiledPlan.ts";
import { Graph, type Node, type Tensor } from "../autodiff/graph.ts";
import { planGraph } from "../autodiff/planner.ts";
import type { ImageSet } from "../data/imageSet.ts";
import type { Engine } from "../device/engine.ts";
import { foldBatchNorm } from "../nn/fold.ts";
import { initialRunning } from "../nn/init.ts";
import { describeModel, type Model, ParameterScope, RUNNING_STATISTICS } from "../nn/scope.ts";
import type { ModelState } from "../nn/weights.ts";
import { encodeStepState } from "../train/stepState.ts";
import { stepStateTensor, targetOf } from "../train/trainingStep.ts";

/** How images become inputs: one view without anything random, its size and normalisation. */
export type WholeView = Omit<ViewsOptions, "key" | "layout">;

/** A network with the weights and running statistics it is evaluated with. */
export interface TrainedModel {
  /** Images [B, height, width, 4] → features [B, columns]. */
  readonly model: Model;
  readonly state: ModelState;
}

/** Images encoded at once, unless told. */
const BATCH = 64;
/** Batches whose statistics a calibration averages at least: of what it began with, 0.9⁵⁰ = 0.5 % are left. */
const CALIBRATION_BATCHES = 50;

export interface Encoded {
  /** f32[images, columns]. */
  readonly values: Float32Array<ArrayBuffer>;
  readonly columns: number;
}

/**
 * Encodes all images of a set with batch normalisations folded into the weights: an image's features depend on no other image.
 *
 * @throws EngineError CONFIG-AUGMENT, GRAPH-SHAPE, NN-FOLD, LIMIT-… of the device
 */
export async function encodeImages(
  engine: Engine,
  images: ImageSet,
  view: WholeView,
  { model, state }: TrainedModel,
  batchSize = BATCH,
): Promise<Encoded> {
  const batch = Math.min(batchSize, images.count);
  const folded = foldBatchNorm(model, [batch, view.height, view.width, 4], state);
  const graph = new Graph();
  const inputs = wholeImages(graph, images, view, batch);
  const output = model(ParameterScope.create(graph, { isFolded: true }), inputs);
  const features = output.view?.base ?? output;
  const columns = features.elements / batch;
  const values = new Float32Array(images.count * columns);
  const plan = planGraph({ graph, programs: { main: [features] }, outputs: { features }, target: targetFor(engine) });
  const compiled = await CompiledPlan.compile(engine, plan);
  try {
    writeIfUsed(compiled, "parameters", folded.state.parameters);
    for (let first = 0; first < images.count; first += batch) {
      const rows = Math.min(batch, images.count - first);
      writeImages(compiled, images, first, rows);
      compiled.run("main");
      // Rows of the batch before stay behind the last, shorter one, and are not read.
      const bytes = await engine.readBuffer(compiled.buffer("features"), 0, 4 * rows * columns);
      values.set(new Float32Array(bytes), first * columns);
    }
  } finally {
    compiled.destroy();
  }
  return { values, columns };
}

/**
 * Running statistics that a network would have had these images passed through it in training, parameters unchanged: what an untrained one
 * needs to be run in inference. Batches without a partial one, again from the start until there are fifty.
 *
 * @param parameters as `describeModel` lays them out
 */
export async function calibratedStatistics(
  engine: Engine,
  images: ImageSet,
  view: WholeView,
  { model, parameters }: { readonly model: Model; readonly parameters: ModelState["parameters"] },
  batchSize = BATCH,
): Promise<ModelState["running"]> {
  const batch = Math.min(batchSize, images.count);
  const { running } = describeModel(model, [Math.max(2, batch), view.height, view.width, 4]);
  if (running.length === 0) return new Float32Array(0);
  const graph = new Graph();
  const scope = ParameterScope.create(graph);
  model(scope, wholeImages(graph, images, view, batch));
  const update: readonly Node[] = scope.updateRunning();
  const plan = planGraph({ graph, programs: { update }, target: targetFor(engine) });
  const compiled = await CompiledPlan.compile(engine, plan);
  try {
    compiled.write("parameters", parameters);
    compiled.write(RUNNING_STATISTICS, initialRunning(running));
    const perPass = Math.floor(images.count / batch);
    for (let index = 0; index < Math.max(CALIBRATION_BATCHES, perPass); index++) {
      writeImages(compiled, images, (index % perPass) * batch, batch);
      compiled.run("update");
    }
    return new Float32Array(await engine.readBuffer(compiled.buffer(RUNNING_STATISTICS)));
  } finally {
    compiled.destroy();
  }
}

/** The pixels as the network sees them, [images, height·width·3]. */
export async function pixelFeatures(engine: Engine, images: ImageSet, view: WholeView): Promise<Encoded> {
  const none = { parameters: new Float32Array(0), running: new Float32Array(0) };
  const { values, columns } = await encodeImages(engine, images, view, { model: (_scope, x) => x, state: none });
  // The fourth channel pads.
  return { values: values.filter((_, at) => at % 4 !== 3), columns: (columns / 4) * 3 };
}

function targetFor(engine: Engine) {
  return targetOf(engine.adapter);
}

const [PIXELS, INDICES] = ["pixels", "indices"];

/** A batch of whole images [batch, height, width, 4] from the input buffer that `writeImages` fills. */
function wholeImages(graph: Graph, images: ImageSet, view: WholeView, batch: number): Tensor {
  const { layout, height, width, channels } = images;
  const pixels = graph.input(PIXELS, [Math.ceil((layout.offset + batch * layout.imageStride) / 4)], "u32");
  const indices = graph.input(INDICES, [batch], "u32");
  const sources = { stepState: stepStateTensor(graph), pixels, indices };
  const options = { ...view, layout: { ...layout, height, width, channels }, key: { seed: 0, stream: 0 } };
  return augmentedViews(sources, options).images;
}

function writeImages(compiled: CompiledPlan, { pixels, layout }: ImageSet, first: number, rows: number): void {
  const start = first * layout.imageStride;
  const bytes = pixels.subarray(start, start + layout.offset + rows * layout.imageStride);
  const whole = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
  whole.set(bytes);
  compiled.write(PIXELS, whole);
  compiled.write(
    INDICES,
    Uint32Array.from({ length: rows }, (_, index) => index),
  );
  compiled.write("stepState", encodeStepState({ step: 0, records: 0, nonfiniteStep: undefined, learningRate: 0 }));
}

/** A model without parameters has no buffer of them. */
function writeIfUsed(compiled: CompiledPlan, name: string, data: Float32Array<ArrayBuffer>): void {
  if (compiled.plan.persistent.some((buffer) => buffer.name === name)) compiled.write(name, data);
}
