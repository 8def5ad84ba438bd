/** Which modes of a recorded spectrum were learned, when, and whether one at a time. */
import { EngineError } from "../errors.ts";
import { checkFinite, checkOption, checkSteps, median } from "./inputChecks.ts";

/** The rule's constants; the defaults are those every published number was made with. */
export interface StepDetectionOptions {
  /** Share of the steps, at the end, whose median is a mode's plateau; 0.1. */
  readonly plateauShare?: number;
  /** Plateaus of at least this share of the first one's enter the reference R, their median; 0.2. */
  readonly referenceShare?: number;
  /** A mode is learned when its plateau is at least this share of R; 0.3. */
  readonly learnedShare?: number;
  /**
   * Crossing threshold as a share of the plateau bounded to [learnedShare·R, R]; 0.2: overshooting losses would misorder "half of the
   * final value".
   */
  readonly thresholdShare?: number;
  /** Accepted only if the mode starts at no more than this share of its plateau; 0.01. */
  readonly startShare?: number;
  /** Accepted only if the next mode is then at no more than this share of its own threshold; 0.5. */
  readonly quietShare?: number;
  /** Accepted only if the next crossing comes at no less than this multiple of the time; 1.05 (not above 1.1). */
  readonly spacing?: number;
  /** Accepted steps that make a staircase; 5. */
  readonly stairs?: number;
}

/** The defaults. */
export const STEP_RULE: Required<StepDetectionOptions> = {
  plateauShare: 0.1,
  referenceShare: 0.2,
  learnedShare: 0.3,
  thresholdShare: 0.2,
  startShare: 0.01,
  quietShare: 0.5,
  spacing: 1.05,
  stairs: 5,
};

export interface DetectedMode {
  /** Median over the last records. */
  readonly plateau: number;
  /** Level whose first upward crossing is the mode's time. */
  readonly threshold: number;
  /** t = step + 1 of that crossing, interpolated linearly between records; undefined when it never crosses. */
  readonly time: number | undefined;
  /** λ at the first record is small beside the plateau. */
  readonly startsSmall: boolean;
  /** The next mode is still quiet at this one's time; true for the last one. */
  readonly isSuccessorQuiet: boolean;
  /** The next crossing comes clearly later, or never. */
  readonly isSpaced: boolean;
  /** All three. */
  readonly isAccepted: boolean;
}

export interface StepDetection {
  /** R, the median of the large plateaus. */
  readonly reference: number;
  /** Learned modes, largest plateau first. */
  readonly modes: readonly DetectedMode[];
  /** Modes that count as steps. */
  readonly accepted: number;
  /** At least `stairs` accepted. */
  readonly isStaircase: boolean;
  /** Plateau of the last learned mode over that of the next; undefined when there is none or it is not positive. */
  readonly gap: number | undefined;
}

/**
 * Sorted eigenvalues are followed by rank, not by identity: eigenvalues repel, and two close modes (ratio below 1.07) count as one.
 *
 * 1. Plateau p_j = median of λ_j over the last tenth of the steps; R = median of the p_j ≥ 0.2·p_1; mode j is learned if p_j ≥ 0.3·R, up
 *    to the first that is not.
 * 2. θ_j = 0.2·min(max(p_j, 0.3·R), R); t_j the first upward crossing of θ_j in t = step + 1.
 * 3. Step j is accepted if λ_j(0) ≤ 0.01·p_j, λ_{j+1}(t_j) ≤ θ_{j+1}/2 and t_{j+1} ≥ 1.05·t_j. Eigenvalues of a cross-correlation matrix may
 *    begin below zero, and then begin small by this rule.
 *
 * @param steps   steps of the records, from 0 on, increasing; the first should be 0, on which the start rests
 * @param spectra per record d eigenvalues in any order; small negative ones are what they are
 * @throws EngineError DATA-COUNT-MISMATCH, DATA-TOO-FEW, DATA-RANGE, DATA-NONFINITE, CONFIG-VALUE
 * Source: ours, shaped on about 110 runs of small networks
 */
export function detectSteps(
  steps: ArrayLike<number>,
  spectra: ArrayLike<ArrayLike<number>>,
  options: StepDetectionOptions = {},
): StepDetection {
  const rule = { ...STEP_RULE, ...options };
  checkRule(rule);
  checkSteps("detectSteps", steps, spectra.length, 2);
  const times = Array.from(steps, (step) => step + 1);
  const curves = sortedCurves(spectra);
  const end = times.at(-1) ?? 0;
  const last = times.flatMap((time, r) => (time > (1 - rule.plateauShare) * end ? [r] : []));
  const plateaus = curves.map((curve) => median(last.map((r) => curve[r] ?? Number.NaN)));
  const first = plateaus[0] ?? 0;
  const reference = median(plateaus.filter((p) => p >= rule.referenceShare * first && p > 0));
  const fails = plateaus.findIndex((p) => !(p >= rule.learnedShare * reference && p > 0));
  const learned = fails < 0 ? plateaus.length : fails;
  const thresholds = plateaus.map(
    (p) => rule.thresholdShare * Math.min(Math.max(p, rule.learnedShare * reference), reference),
  );
  const crossings = curves.map((curve, j) => upwardCrossing(times, curve, thresholds[j] ?? Number.NaN));
  const modes = Array.from({ length: learned }, (_, j): DetectedMode => {
    const [plateau, threshold, time] = [plateaus[j] ?? 0, thresholds[j] ?? 0, crossings[j]];
    const startsSmall = (curves[j]?.[0] ?? 0) <= rule.startShare * plateau;
    const next = curves[j + 1];
    const nextThreshold = thresholds[j + 1] ?? 0;
    const isSuccessorQuiet =
      time !== undefined && (!next || valueAt(times, next, time) <= rule.quietShare * nextThreshold);
    const nextTime = crossings[j + 1];
    const isSpaced = time !== undefined && (nextTime === undefined || nextTime >= rule.spacing * time);
    const isAccepted = startsSmall && isSuccessorQuiet && isSpaced;
    return { plateau, threshold, time, startsSmall, isSuccessorQuiet, isSpaced, isAccepted };
  });
  const accepted = modes.filter(({ isAccepted }) => isAccepted).length;
  const next = plateaus[learned] ?? 0;
  const gap = learned > 0 && next > 0 ? (plateaus[learned - 1] ?? 0) / next : undefined;
  return {
    reference: Number.isNaN(reference) ? 0 : reference,
    modes,
    accepted,
    isStaircase: accepted >= rule.stairs,
    gap,
  };
}

function checkRule(rule: Required<StepDetectionOptions>): void {
  for (const [name, value] of Object.entries(rule)) {
    if (name === "stairs") checkOption("detectSteps", name, value, 1, 1e6);
    else if (name === "spacing") checkOption("detectSteps", name, value, 1, 10);
    else checkOption("detectSteps", name, value, 0, 1);
  }
}

/** Curve j: the j-th largest eigenvalue of every record. @throws EngineError DATA-COUNT-MISMATCH, DATA-NONFINITE */
function sortedCurves(spectra: ArrayLike<ArrayLike<number>>): number[][] {
  const d = spectra[0]?.length ?? 0;
  const records = Array.from(spectra, (spectrum, r) => {
    if (spectrum.length !== d || d === 0) {
      throw new EngineError({
        code: "DATA-COUNT-MISMATCH",
        message: `detectSteps: spectra[${r}] has ${spectrum.length} eigenvalues, the first record ${d}`,
        fix: "Pass equally many eigenvalues, at least one, in every record.",
        where: "spectra",
        detail: { record: r, eigenvalues: spectrum.length, expected: d },
      });
    }
    checkFinite(`spectra[${r}]`, spectrum);
    return Float64Array.from(spectrum).sort().reverse();
  });
  return Array.from({ length: d }, (_, j) => records.map((record) => record[j] ?? Number.NaN));
}

/** First time at or above the level; the first record's own time when it is there already. */
function upwardCrossing(times: readonly number[], curve: readonly number[], level: number): number | undefined {
  const at = curve.findIndex((value) => value >= level);
  if (at < 0) return undefined;
  const [after, value] = [times[at] ?? 0, curve[at] ?? 0];
  if (at === 0) return after;
  const [before, low] = [times[at - 1] ?? 0, curve[at - 1] ?? 0];
  return before + ((level - low) / (value - low)) * (after - before);
}

/** Linear interpolation between records. */
function valueAt(times: readonly number[], curve: readonly number[], time: number): number {
  const after = times.findIndex((t) => t >= time);
  const [t1, y1] = [times[after] ?? 0, curve[after] ?? 0];
  if (after <= 0 || t1 === time) return y1;
  const [t0, y0] = [times[after - 1] ?? 0, curve[after - 1] ?? 0];
  return y0 + ((time - t0) / (t1 - t0)) * (y1 - y0);
}
