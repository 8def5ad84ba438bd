/** What every kind of run that trains by `replay` reports of it. */
import type { Plan } from "../autodiff/plan.ts";
import type { Engine } from "../device/engine.ts";
import type { ReplayResult } from "../train/replay.ts";
import { STEP_STATE_BYTES } from "../train/stepState.ts";
import { dispatchCounts, type TrainingStep } from "../train/trainingStep.ts";
import type { MetricsRecord, RunCounters, RunResult } from "./contract.ts";

export interface ReplayedRun {
  readonly engine: Engine;
  readonly config: { readonly preset: string; readonly seed: number };
  readonly plan: Plan;
  readonly step: TrainingStep;
  readonly outcome: ReplayResult;
  /** Every record of the run, those before a resume included. */
  readonly history: readonly Pick<MetricsRecord, "loss">[];
  /** The first layer or parameter that went bad, of a run that diverged, where it is known. */
  readonly where?: string | undefined;
}

/** Steps done, first and last loss, counters, and why the run ended early if it did. */
export function replayedResult(
  run: ReplayedRun,
): Pick<RunResult, "preset" | "adapter" | "steps" | "seed" | "loss" | "counters" | "stopped"> {
  const { engine, config, outcome, history, where } = run;
  const { nonfiniteStep, wasInterrupted } = outcome;
  const steps = nonfiniteStep ?? outcome.steps;
  const reason = nonfiniteStep !== undefined ? "diverged" : wasInterrupted ? "interrupted" : undefined;
  return {
    preset: config.preset,
    adapter: engine.adapter,
    steps,
    seed: config.seed,
    loss: { first: history[0]?.loss ?? Number.NaN, last: history.at(-1)?.loss ?? Number.NaN },
    counters: countersOf(run),
    ...(reason ? { stopped: { reason, step: steps, ...(where ? { where } : {}) } } : {}),
  };
}

function countersOf({ engine, plan, step, outcome }: ReplayedRun): RunCounters {
  const { withRecord, withoutRecord } = dispatchCounts(plan);
  const floats = step.extras.reduce((total, { elements }) => total + elements, 1 + step.spectrumLength);
  return {
    dispatchesPerStep: withRecord,
    dispatchesPerStepWithoutSpectrum: withoutRecord,
    submits: outcome.submits,
    writeBuffersAfterWarmup: outcome.buffersWritten,
    gpuObjectsCreatedAfterWarmup: outcome.objectsCreated,
    bytesReadBackPerStep: 4 * floats,
    readBackHeaderBytes: STEP_STATE_BYTES,
    peakGpuBytes: engine.memory.peakBytes,
  };
}
