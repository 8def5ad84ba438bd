/** Whether a device can hold a plan: said before anything is allocated, with the batch that would fit. */
import { type Plan, planTotals } from "../../autodiff/plan.ts";
import type { Engine } from "../../device/engine.ts";
import { EngineError, isEngineError } from "../../errors.ts";
import { planTrainingStep, targetOf } from "../../train/trainingStep.ts";
import type { PixelSource } from "../imageFiles.ts";
import type { NetworkConfig } from "./config.ts";
import { LEAST_PAIRS } from "./data.ts";
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
  const fitting = fittingSizes(engine, config, pixels, limit);
  throw new EngineError({
    code: "LIMIT-DEVICE",
    message: `${sizesInWords(sizesOf(config))}, ${name} needs ${mebibytes(sizeBytes)}; the device allows ${mebibytes(limit)} in one buffer`,
    fix:
      fitting === undefined
        ? "Use a smaller model or views, or another device."
        : `Use ${changes(config, fitting)}, which fits.`,
    where: config.preset,
    detail: { neededBytes: sizeBytes, availableBytes: limit, ...fitting },
  });
}

/**
 * What running out of memory while making the run's buffers means for its sizes. WebGPU does not say how much memory there is.
 *
 * @returns the error to throw: LIMIT-MEMORY with what the whole plan needs, and what half the batch would, with a probe of the old batch at most
 */
export function explainMemory(error: unknown, engine: Engine, config: NetworkConfig, plan: Plan, pixels: PixelSource) {
  if (!isEngineError(error) || error.code !== "LIMIT-MEMORY") return error;
  const needed = planTotals(plan).peakBytes;
  const { batch, pairs = batch ?? 0, probe } = sizesOf(config);
  const half = Math.floor(pairs / 2);
  const sizes = batch === undefined ? { pairs: half } : { batch: half, probe: Math.min(probe ?? half, pairs) };
  const smaller = half < LEAST_PAIRS ? undefined : planWith(engine, config, pixels, sizes);
  return new EngineError({
    code: "LIMIT-MEMORY",
    message: `${error.message} ${sizesInWords(sizesOf(config))}, the run needs ${mebibytes(needed)} in all`,
    fix: smaller
      ? `Use ${changes(config, sizes)}, which needs ${mebibytes(planTotals(smaller).peakBytes)}, or close other programs that use the GPU.`
      : "Use a smaller model, or close other programs that use the GPU.",
    where: config.preset,
    detail: { neededBytes: needed },
  });
}

/** Pairs of views by their keys in `data.sampling`. */
type Sizes = Readonly<Record<string, number>>;

function sizesOf({ data: { sampling } }: NetworkConfig): Sizes {
  return sampling.kind === "fixed" ? { pairs: sampling.pairs } : { batch: sampling.batch, probe: sampling.probe };
}

function sizesInWords(sizes: Sizes): string {
  const parts = Object.entries(sizes).map(([name, size]) =>
    name === "pairs" ? `${size} pairs` : `a ${name} of ${size}`,
  );
  return `With ${parts.join(" and ")}`;
}

function changes(config: NetworkConfig, fitting: Sizes): string {
  const before = sizesOf(config);
  return Object.entries(fitting)
    .filter(([name, size]) => before[name] !== size)
    .map(([name, size]) => `--set data.sampling.${name}=${size}`)
    .join(" ");
}

/**
 * The largest halves of the batch with which the plan fits, the probe as it is; where it fits with none, so with the probe halved, too, until
 * there is one.
 */
function fittingSizes(engine: Engine, config: NetworkConfig, pixels: PixelSource, limit: number): Sizes | undefined {
  const { batch, pairs = batch ?? 0, probe } = sizesOf(config);
  const fits = (sizes: Sizes): boolean => {
    const plan = planWith(engine, config, pixels, sizes);
    return plan !== undefined && largestMemory(plan).sizeBytes <= limit;
  };
  if (batch === undefined)
    return halvesOf(pairs)
      .map((size) => ({ pairs: size }))
      .find(fits);
  for (const kept of [probe ?? 0, ...halvesOf(probe ?? 0)]) {
    const found = [batch, ...halvesOf(batch)].map((size) => ({ batch: size, probe: kept })).find(fits);
    if (found) return found;
  }
  return undefined;
}

/** ⌊size/2⌋, ⌊size/4⌋, … */
function halvesOf(size: number): number[] {
  const sizes: number[] = [];
  for (let half = Math.floor(size / 2); half >= LEAST_PAIRS; half = Math.floor(half / 2)) sizes.push(half);
  return sizes;
}

/** The plan with other sizes; undefined where a loss or its spectrum refuses them. */
function planWith(engine: Engine, config: NetworkConfig, pixels: PixelSource, sizes: Sizes): Plan | undefined {
  const sampling = { ...config.data.sampling, ...sizes };
  const smaller = { ...config, data: { ...config.data, sampling } };
  try {
    const { step } = networkGraph(smaller, pixels);
    return planTrainingStep(step, targetOf(engine.adapter, config.kernels.family));
  } catch (error) {
    if (isEngineError(error)) return undefined;
    throw error;
  }
}

function largestMemory({ slots, persistent }: Plan): { readonly name: string; readonly sizeBytes: number } {
  const all = [...persistent, ...slots.map(({ sizeBytes, tensors }) => ({ name: tensors[0] ?? "a slot", sizeBytes }))];
  return all.reduce((largest, one) => (one.sizeBytes > largest.sizeBytes ? one : largest), { name: "", sizeBytes: 0 });
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
