/**
 * Step times read off a recorded spectrum, and their distance from a prediction.
 * Role: the measured half of every "theory against run" comparison; the same rule for GPU runs and CPU references.
 */
import { EngineError } from "../errors.ts";
import { checkCount, checkLength } from "./inputChecks.ts";

/**
 * First time each sorted eigenvalue crosses `level` upward, linearly interpolated between records.
 *
 * Each record is sorted in descending order here, so entry j follows the j-th largest eigenvalue and not a mode's identity. An
 * eigenvalue already at or above the level in the first record has its step at that record's time.
 *
 * @param times   times of the records, strictly increasing (t = learning rate × step).
 * @param spectra one spectrum per record, each with at least d eigenvalues in any order.
 * @param d       eigenvalues to follow, ≥ 1.
 * @param level   crossing level, 1/2 by default (λ at the step time of Simon et al. 2023, section 4).
 * @returns       d entries; null when an eigenvalue never crosses.
 * @throws EngineError THEORY-SHAPE when counts differ, a spectrum is short, or times do not increase.
 * Accuracy       for a logistic of rate r = 8γ sampled every Δ: |λ''| ≤ r²/(6√3) gives an error of at most 0.0482 (rΔ)²/r in t (first order
 *                in rΔ), i.e. 1.5e-5/γ at rΔ = 0.05.
 */
export function measuredStepTimes(
  times: ArrayLike<number>,
  spectra: ArrayLike<ArrayLike<number>>,
  d: number,
  level = 0.5,
): (number | null)[] {
  checkCount("d", d, 1);
  if (times.length !== spectra.length) {
    throw new EngineError({
      code: "THEORY-SHAPE",
      message: `There are ${times.length} times but ${spectra.length} spectra.`,
      fix: "Pass one time per recorded spectrum.",
      where: "times",
    });
  }
  const crossings: (number | null)[] = new Array<number | null>(d).fill(null);
  let previous: Float64Array | undefined;
  let previousTime = Number.NEGATIVE_INFINITY;
  for (let r = 0; r < times.length; r++) {
    const time = times[r] as number;
    const spectrum = spectra[r] as ArrayLike<number>;
    checkLength(`spectra[${r}]`, spectrum, d);
    if (!(time > previousTime)) {
      throw new EngineError({
        code: "THEORY-SHAPE",
        message: `times[${r}] = ${time} does not come after ${previousTime}.`,
        fix: "Pass records in order of time, each once.",
        where: "times",
      });
    }
    const sorted = Float64Array.from(spectrum).sort().reverse();
    for (let j = 0; j < d; j++) {
      const value = sorted[j] as number;
      if (crossings[j] !== null || !(value >= level)) continue;
      const before = previous?.[j];
      crossings[j] =
        before === undefined ? time : previousTime + ((level - before) / (value - before)) * (time - previousTime);
    }
    previous = sorted;
    previousTime = time;
  }
  return crossings;
}

/**
 * Relative error of each measured step time:  (measured_j − predicted_j) / predicted_j.
 *
 * @param measured  as returned by `measuredStepTimes`.
 * @param predicted step times of the theory, same units; null or Infinity for a mode that never steps.
 * @returns         signed errors, dimensionless; null where either side is missing or the prediction is not a positive number.
 * @throws EngineError THEORY-SHAPE when the lengths differ.
 */
export function relativeErrors(
  measured: ArrayLike<number | null>,
  predicted: ArrayLike<number | null>,
): (number | null)[] {
  if (measured.length !== predicted.length) {
    throw new EngineError({
      code: "THEORY-SHAPE",
      message: `${measured.length} measured step times but ${predicted.length} predicted ones.`,
      fix: "Pass one prediction per measured mode.",
      where: "measured",
    });
  }
  return Array.from({ length: measured.length }, (_, j) => {
    const m = measured[j];
    const p = predicted[j];
    if (m === null || m === undefined || p === null || p === undefined) return null;
    return Number.isFinite(m) && Number.isFinite(p) && p > 0 ? (m - p) / p : null;
  });
}
