/** What a finished network run is measured by, on the CPU in float64: steps of the spectrum, peaks of the loss rate, bimodality. */
import {
  detectSteps,
  effectiveRank,
  lossPeaks,
  participationRatio,
  spectrumBimodality,
  stableRank,
} from "../../spectrum/index.ts";
import type { MetricsRecord } from "../contract.ts";

/** Least records that say anything about steps. */
const LEAST_RECORDS = 20;

/**
 * @param spectrumOf the recorded matrix in words
 * @returns plain JSON for summary.json
 */
export function measure(history: readonly MetricsRecord[], spectrumOf: string): Record<string, unknown> {
  const finite = history.filter(({ loss, spectrum }) => [loss, ...spectrum].every(Number.isFinite));
  const last = finite.at(-1);
  if (!last) return { spectrumOf };
  const shape = {
    spectrumOf,
    effectiveRank: effectiveRank(last.spectrum),
    participationRatio: participationRatio(last.spectrum),
    // Of embeddings with these eigenvalues: its singular values are their roots.
    stableRank: stableRank(last.spectrum.map((value) => Math.sqrt(Math.max(value, 0)))),
    ...bimodality(last.spectrum),
  };
  if (finite.length < LEAST_RECORDS) return shape;
  const steps = finite.map(({ step }) => step);
  const found = detectSteps(
    steps,
    finite.map(({ spectrum }) => spectrum),
  );
  const times = found.modes.flatMap(({ time }) => (time === undefined ? [] : [time]));
  const peaks = lossPeaks(
    steps,
    finite.map(({ loss }) => loss),
    times,
  );
  return {
    ...shape,
    staircase: {
      accepted: found.accepted,
      learned: found.modes.length,
      modes: found.modes,
      lossPeaks: { matched: peaks.matched, count: peaks.peaks.length, chance: peaks.chance, peaks: peaks.peaks },
    },
  };
}

function bimodality(spectrum: readonly number[]): Record<string, unknown> {
  const positive = spectrum.filter((value) => value > 0);
  if (positive.length < 4) return {};
  const { coefficient, split, omitted } = spectrumBimodality(positive);
  return { bimodality: { coefficient, twoClassVariance: split.explained, upper: split.upper, omitted } };
}
