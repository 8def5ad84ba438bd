/** Whether a device can hold a plan: said before anything is allocated, with the batch that would fit. */
import type { Plan } from "../../autodiff/plan.ts";
import type { Engine } from "../../device/engine.ts";
import { EngineError } from "../../errors.ts";
import { planTrainingStep, targetOf } from "../../train/trainingStep.ts";
import type { PixelSource } from "../imageFiles.ts";
import type { NetworkConfig } from "./config.ts";
import { networkGraph } from "./graph.ts";

/**
 * @param pixels the images of a run with fresh views
 * @throws EngineError LIMIT-DEVICE: how much the largest tensor needs, how much the device binds, and which batch would fit
 */
export function requireFit(engine: Engine, config: NetworkConfig, plan: Plan, pixels: PixelSource): void {
  const { maxBufferSize, maxStorageBufferBindingSize } = engine.adapter.limits;
  const limit = Math.min(maxBufferSize, maxStorageBufferBindingSize);
  const { name, sizeBytes } = largestMemory(plan);
  if (sizeBytes <= limit) return;
  const batch = largestBatch(engine, config, pixels, limit);
  const { key, size } = batchOf(config);
  throw new EngineError({
    code: "LIMIT-DEVICE",
    message: `With a batch of ${size}, ${name} needs ${mebibytes(sizeBytes)}; the device allows ${mebibytes(limit)} in one buffer`,
    fix:
      batch === undefined
        ? "Use a smaller model or views, or another device."
        : `Use --set ${key}=${batch}, which fits.`,
    where: config.preset,
    detail: { neededBytes: sizeBytes, availableBytes: limit, ...(batch === undefined ? {} : { batch }) },
  });
}

function batchOf({ data: { sampling } }: NetworkConfig): { readonly key: string; readonly size: number } {
  return sampling.kind === "fixed"
    ? { key: "data.sampling.pairs", size: sampling.pairs }
    : { key: "data.sampling.batch", size: sampling.batch };
}

function withBatch(config: NetworkConfig, batch: number): NetworkConfig {
  const { sampling } = config.data;
  const smaller =
    sampling.kind === "fixed"
      ? { ...sampling, pairs: batch }
      : { ...sampling, batch, probe: Math.min(sampling.probe, batch) };
  return { ...config, data: { ...config.data, sampling: smaller } };
}

/** The largest of halves of the batch whose plan fits. */
function largestBatch(engine: Engine, config: NetworkConfig, pixels: PixelSource, limit: number): number | undefined {
  const target = targetOf(engine.adapter, config.kernels.family);
  for (let batch = Math.floor(batchOf(config).size / 2); batch >= 2; batch = Math.floor(batch / 2)) {
    const plan = planTrainingStep(networkGraph(withBatch(config, batch), pixels).step, target);
    if (largestMemory(plan).sizeBytes <= limit) return batch;
  }
  return undefined;
}

function largestMemory({ slots, persistent }: Plan): { readonly name: string; readonly sizeBytes: number } {
  const all = [
    ...persistent,
    ...slots.map(({ sizeBytes, tensors }) => ({ name: `the slot of ${tensors[0] ?? "no tensor"}`, sizeBytes })),
  ];
  return all.reduce((largest, one) => (one.sizeBytes > largest.sizeBytes ? one : largest), { name: "", sizeBytes: 0 });
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
