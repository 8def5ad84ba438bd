/** Learning rates as functions of the step, computed on the GPU from the step counter; steps count from 0. */
import type { OptimizerFactorsAttributes } from "../ops/optimisers.ts";
import { optimizerError } from "./optimizerError.ts";

interface Warmup {
  /** Learning rate after the warm-up. */
  readonly peak: number;
  /** Steps over which the rate rises linearly; 0 unless given. The first step has `warmupStart`, step `warmupSteps` has `peak`. */
  readonly warmupSteps?: number;
  /** Rate of step 0 of the warm-up; 0 unless given, as facebookresearch/barlowtwins. */
  readonly warmupStart?: number;
  /** The rate changes every so many steps only (steps of an epoch, for recipes that count epochs); 1 unless given. */
  readonly interval?: number;
}

export type Schedule =
  /** The rate that the host wrote into the step state. */
  | { readonly kind: "constant" }
  /** Half a cosine from `peak` to `end` over steps `warmupSteps` … `totalSteps`, constant after (Loshchilov & Hutter 2017). */
  | (Warmup & { readonly kind: "cosine"; readonly totalSteps: number; readonly end?: number })
  /** Multiplied by `gamma` every `every` steps after the warm-up. */
  | (Warmup & { readonly kind: "step"; readonly every: number; readonly gamma: number });

/** @throws EngineError CONFIG-OPTIMIZER for a number out of range */
export function scheduleAttributes(schedule: Schedule): OptimizerFactorsAttributes["schedule"] {
  const unused = { peak: 0, start: 0, end: 0, warmup: 0, total: 1, every: 1, interval: 1, gamma: 1 };
  if (schedule.kind === "constant") return { ...unused, kind: "constant" };
  const { kind, peak, warmupSteps: warmup = 0, warmupStart: start = 0, interval = 1 } = schedule;
  const common = { ...unused, kind, peak, start, warmup, interval };
  requireNumber("peak", peak, 0);
  requireNumber("warmupStart", start, 0);
  requireInteger("warmupSteps", warmup, 0);
  requireInteger("interval", interval, 1);
  if (schedule.kind === "cosine") {
    const { totalSteps, end = 0 } = schedule;
    requireInteger("totalSteps", totalSteps, warmup + 1);
    requireNumber("end", end, 0);
    return { ...common, total: totalSteps, end };
  }
  requireInteger("every", schedule.every, 1);
  if (!(schedule.gamma > 0 && schedule.gamma <= 1)) {
    throw optimizerError("gamma", `gamma is ${schedule.gamma}`, "Choose it above 0 and at most 1.");
  }
  return { ...common, every: schedule.every, gamma: schedule.gamma };
}

function requireNumber(name: string, value: number, least: number): void {
  if (Number.isFinite(value) && value >= least) return;
  throw optimizerError(name, `${name} is ${value}`, `Give a number of at least ${least}.`);
}

/** Counts of steps are exact in f32 up to 2²⁴. */
function requireInteger(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least && value <= 2 ** 24) return;
  throw optimizerError(name, `${name} is ${value}`, `Give an integer from ${least} to ${2 ** 24}.`);
}

/** The rate of a step in float64, as shaders/optim/optimizer_factors.wgsl computes it; for the clock of records. */
export function rateAt(schedule: Exclude<Schedule, { kind: "constant" }>, step: number): number {
  const { kind, peak, start, end, warmup, total, every, interval, gamma } = scheduleAttributes(schedule);
  const counted = interval * Math.floor(step / interval);
  if (counted < warmup) return start + ((peak - start) * counted) / warmup;
  const after = counted - warmup;
  if (kind === "step") return peak * gamma ** Math.floor(after / every);
  return end + ((peak - end) * (1 + Math.cos(Math.PI * Math.min(1, after / Math.max(1, total - warmup))))) / 2;
}
