/** The curves of a run, measured and predicted, as plain series over t; nothing about pixels here. */
import type { MetricsRecord } from "../experiments/contract.ts";
import { discreteTrajectory, modeEigenvalue } from "../theory/index.ts";
import type { StepTimes } from "./stepTimes.ts";

export interface Series {
  readonly t: Float64Array;
  readonly y: Float64Array;
}

/** Loss and every eigenvalue over time. */
export interface Curves {
  readonly loss: Series;
  /** By mode, the fastest first. */
  readonly eigenvalues: readonly Series[];
}

/** What a run's records say. */
export function measuredCurves(records: readonly MetricsRecord[]): Curves {
  const t = Float64Array.from(records, (record) => record.t);
  const count = records[0]?.spectrum.length ?? 0;
  return {
    loss: { t, y: Float64Array.from(records, (record) => record.loss) },
    eigenvalues: Array.from({ length: count }, (_, mode) => ({
      t,
      y: Float64Array.from(records, (record) => record.spectrum[mode] as number),
    })),
  };
}

/** What the theory's curves need. */
export interface ModeTheory {
  readonly gamma: readonly number[];
  readonly amplitudes: readonly number[];
}

/** The modes of the theory, if the run's summary has them complete. */
export function modeTheoryOf(steps: StepTimes | undefined): ModeTheory | undefined {
  const amplitudes = steps?.amplitudes;
  if (steps === undefined || amplitudes === undefined || amplitudes.length > steps.gamma.length) return undefined;
  const isUsable = amplitudes.every((amplitude, mode) => amplitude >= 0 && Number.isFinite(steps.gamma[mode]));
  return isUsable ? { gamma: steps.gamma.slice(0, amplitudes.length), amplitudes } : undefined;
}

/**
 * Gradient flow (learning rate → 0): the aligned solution λ_j(t) in closed form and its loss Σ (1 − λ_j)², at the times `t`.
 * Source: Simon et al. 2023 (arXiv 2303.15438), Prop. 4.1.
 */
export function flowCurves({ gamma, amplitudes }: ModeTheory, t: Float64Array): Curves {
  return withLoss(
    t,
    gamma.map((g, mode) => t.map((time) => modeEigenvalue(g, amplitudes[mode] as number, time))),
  );
}

export interface Descent {
  readonly learningRate: number;
  readonly momentum: number;
  readonly steps: number;
}

/** More steps times modes than this are not iterated for a picture (a second of work). */
const MOST_ITERATIONS = 5e7;
/** Times kept of a trajectory: more than any figure has pixels, in both scalings of t. */
const MOST_TIMES = 20_000;

/**
 * Gradient descent at the run's learning rate: the same aligned modes, one exact recurrence each.
 *
 * @returns undefined for a run too long to iterate
 */
export function descentCurves({ gamma, amplitudes }: ModeTheory, descent: Descent): Curves | undefined {
  const { learningRate, momentum, steps } = descent;
  if (steps * gamma.length > MOST_ITERATIONS) return undefined;
  const kept = keptSteps(steps);
  const t = Float64Array.from(kept, (step) => (step * learningRate) / (1 - momentum));
  return withLoss(
    t,
    gamma.map((g, mode) => {
      const s = discreteTrajectory(g, amplitudes[mode] as number, learningRate, steps, { momentum });
      return Float64Array.from(kept, (step) => g * (s[step] as number) ** 2);
    }),
  );
}

/** Steps 0 … steps; of a long run every early one and then evenly spaced ones. */
function keptSteps(steps: number): number[] {
  const kept: number[] = [];
  const stride = Math.max(1, Math.ceil((2 * steps) / MOST_TIMES));
  for (let step = 0; step < steps; step += step < MOST_TIMES / 2 ? 1 : stride) kept.push(step);
  kept.push(steps);
  return kept;
}

function withLoss(t: Float64Array, eigenvalues: readonly Float64Array[]): Curves {
  const loss = new Float64Array(t.length);
  for (const values of eigenvalues) {
    for (let index = 0; index < loss.length; index++) {
      loss[index] = (loss[index] as number) + (1 - (values[index] as number)) ** 2;
    }
  }
  return { loss: { t, y: loss }, eigenvalues: eigenvalues.map((y) => ({ t, y })) };
}
