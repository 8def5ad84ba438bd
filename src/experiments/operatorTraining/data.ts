/** Inputs of an operator run: images from files, and on the GPU packed pixels and initial parameters, made by one plan. */
import { packedPixels } from "../../augment/views.ts";
import { CompiledPlan } from "../../autodiff/compiledPlan.ts";
import { Graph, type Tensor } from "../../autodiff/graph.ts";
import { planGraph } from "../../autodiff/planner.ts";
import { type ImageSet, RandomStream } from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import { drawParameters } from "../../nn/init.ts";
import type { ParameterSpec } from "../../nn/spec.ts";
import { targetOf } from "../../train/trainingStep.ts";
import { layoutOf, paddedPixels, pixelsOnGpu } from "../imageFiles.ts";
import type { OperatorTrainingConfig } from "./config.ts";
import { PIXELS } from "./graph.ts";

export interface PreparedOperatorRun {
  /** Buffers for the training plan, by name. */
  readonly buffers: Readonly<Record<string, GPUBuffer>>;
  release(): void;
}

/** One submit: packs the pixels where they fit a binding, and draws the initial parameters. */
export async function prepareOperatorRun(
  engine: Engine,
  config: OperatorTrainingConfig,
  images: ImageSet,
  parameters: readonly ParameterSpec[],
): Promise<PreparedOperatorRun> {
  const raw = layoutOf(images);
  const kept = pixelsOnGpu(config.data.images, raw, engine.adapter.limits.maxStorageBufferBindingSize);
  const graph = new Graph();
  const isPacked = kept.layout !== raw;
  const key = { seed: config.seed, stream: RandomStream.parameters };
  const outputs: Record<string, Tensor> = { drawn: drawParameters(graph, parameters, key) };
  if (isPacked) {
    const pixels = graph.input("raw", [Math.ceil(images.pixels.byteLength / 4)], "u32");
    outputs.packed = packedPixels(pixels, raw, images.count).pixels;
  }
  const target = targetOf(engine.adapter);
  const plan = planGraph({ graph, programs: { prepare: Object.values(outputs) }, outputs, target });
  const sizes = new Map(plan.persistent.map(({ name, sizeBytes }) => [name, sizeBytes]));
  const bytes = paddedPixels(images.pixels);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const made = await engine.createBuffers([
    { label: "parameters", sizeBytes: sizes.get("drawn") ?? 0, usage },
    { label: PIXELS, sizeBytes: isPacked ? (sizes.get("packed") ?? 0) : bytes.byteLength, usage },
  ]);
  const [drawn, pixels] = made as [GPUBuffer, GPUBuffer];
  let compiled: CompiledPlan | undefined;
  try {
    compiled = await CompiledPlan.compile(engine, plan, { drawn, ...(isPacked ? { packed: pixels } : {}) });
    if (isPacked) compiled.write("raw", bytes);
    else engine.write(pixels, 0, bytes);
    compiled.run("prepare");
  } catch (error) {
    engine.destroyBuffers(made);
    throw error;
  } finally {
    compiled?.destroy();
  }
  return { buffers: { parameters: drawn, [PIXELS]: pixels }, release: () => engine.destroyBuffers(made) };
}
