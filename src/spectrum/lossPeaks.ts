/**
 * Drops of the loss as peaks of its rate on a logarithmic clock, and how many lie at detected steps: section 4 (4) of the staircase
 * settings.
 */
import { checkFinite, checkOption, checkSteps } from "./inputChecks.ts";

export interface LossPeakOptions {
  /** Width of the Gaussian smoothing in ln t; 0.04. */
  readonly smoothing?: number;
  /** Peaks have at least this share of the highest one's height; 0.05. */
  readonly leastHeight?: number;
  /** and a prominence of at least this share of their own height; 0.3. */
  readonly leastProminence?: number;
  /** A step within this relative distance of a peak matches it; 0.1. */
  readonly tolerance?: number;
  /** Spacing of the grid in ln t; 0.01. */
  readonly grid?: number;
}

/** The defaults. */
export const PEAK_RULE: Required<LossPeakOptions> = {
  smoothing: 0.04,
  leastHeight: 0.05,
  leastProminence: 0.3,
  tolerance: 0.1,
  grid: 0.01,
};

export interface LossPeak {
  /** t = step + 1. */
  readonly time: number;
  /** −dL/d ln t there, after smoothing. */
  readonly height: number;
  /** How far the rate falls on the less deep side before it rises above the peak. */
  readonly prominence: number;
  /** A detected step lies within the tolerance. */
  readonly isMatched: boolean;
}

export interface LossPeaks {
  readonly peaks: readonly LossPeak[];
  readonly matched: number;
  /**
   * Share of the range of ln t, from half the first step's time on, that lies within the tolerance of a peak: what a step thrown there at
   * random would match. Print it beside every count of matches.
   */
  readonly chance: number;
}

/**
 * Peaks of −dL/d ln t.
 *
 * @param steps  steps of the records, from 0 on, increasing
 * @param losses loss of the probe batch (a minibatch's is too noisy)
 * @param times  detected times t_j = step + 1
 * @throws EngineError DATA-COUNT-MISMATCH, DATA-TOO-FEW, DATA-RANGE, DATA-NONFINITE, CONFIG-VALUE
 * Source: ours
 */
export function lossPeaks(
  steps: ArrayLike<number>,
  losses: ArrayLike<number>,
  times: readonly number[],
  options: LossPeakOptions = {},
): LossPeaks {
  const rule = { ...PEAK_RULE, ...options };
  for (const [name, value] of Object.entries(rule)) {
    checkOption("lossPeaks", name, value, name === "grid" ? 1e-4 : 0, name === "tolerance" ? 0.99 : 1);
  }
  checkSteps("lossPeaks", steps, losses.length, 3);
  checkFinite("losses", losses);
  checkFinite("times", times);
  const clock = Array.from(steps, (step) => Math.log(step + 1));
  const [start = 0, end = 0] = [clock[0], clock.at(-1)];
  const count = Math.max(3, Math.round((end - start) / rule.grid) + 1);
  const spacing = (end - start) / (count - 1);
  const onGrid = resample(clock, losses, start, spacing, count);
  const rate = smooth(
    onGrid.map((_, i) => {
      const [a, b] = [Math.max(i - 1, 0), Math.min(i + 1, count - 1)];
      return -((onGrid[b] ?? 0) - (onGrid[a] ?? 0)) / ((b - a) * spacing);
    }),
    rule.smoothing / spacing,
  );
  const highest = rate.reduce((a, b) => Math.max(a, b), 0);
  const peaks = rate.flatMap((height, i): LossPeak[] => {
    const [before, after] = [rate[i - 1], rate[i + 1]];
    // The first of equals; the ends are no peaks, as nothing is known beyond.
    if (before === undefined || after === undefined || !(height > before && height >= after)) return [];
    const depth = prominence(rate, i);
    if (!(height > 0 && height >= rule.leastHeight * highest && depth >= rule.leastProminence * height)) return [];
    const time = Math.exp(start + i * spacing);
    const isMatched = times.some((t) => Math.abs(t / time - 1) <= rule.tolerance);
    return [{ time, height, prominence: depth, isMatched }];
  });
  const from = Math.min(end, Math.max(start, Math.log(Math.min(...times, Math.exp(end)) / 2)));
  return {
    peaks,
    matched: peaks.filter(({ isMatched }) => isMatched).length,
    chance: coveredShare(peaks, rule.tolerance, from, end),
  };
}

/** Linear interpolation at start + i·spacing. */
function resample(
  clock: readonly number[],
  values: ArrayLike<number>,
  start: number,
  spacing: number,
  count: number,
): number[] {
  let next = 1;
  return Array.from({ length: count }, (_, i) => {
    const x = start + i * spacing;
    while (next < clock.length - 1 && (clock[next] ?? 0) < x) next++;
    const [x0, x1] = [clock[next - 1] ?? 0, clock[next] ?? 0];
    const [y0, y1] = [Number(values[next - 1]), Number(values[next])];
    return y0 + ((x - x0) / (x1 - x0)) * (y1 - y0);
  });
}

/** Gaussian weights up to four widths, renormalised at the ends. */
function smooth(values: readonly number[], width: number): number[] {
  if (width === 0) return [...values];
  const reach = Math.ceil(4 * width);
  return values.map((_, i) => {
    let [sum, total] = [0, 0];
    for (let k = -reach; k <= reach; k++) {
      const value = values[i + k];
      if (value === undefined) continue;
      const weight = Math.exp(-((k / width) ** 2) / 2);
      sum += weight * value;
      total += weight;
    }
    return sum / total;
  });
}

/** Height above the higher of the two valleys between a peak and the next higher ground, or the end. */
function prominence(values: readonly number[], at: number): number {
  const height = values[at] ?? 0;
  const valley = (step: 1 | -1): number => {
    let lowest = height;
    for (let i = at + step; ; i += step) {
      const value = values[i];
      if (value === undefined || value > height) return lowest;
      lowest = Math.min(lowest, value);
    }
  };
  return height - Math.max(valley(1), valley(-1));
}

/** Share of [from, end] in ln t within a relative distance of a peak; overlaps count once. */
function coveredShare(peaks: readonly LossPeak[], tolerance: number, from: number, end: number): number {
  if (!(end > from)) return 0;
  let [covered, reached] = [0, from];
  // Peaks come in order of time, and so do the ends of their intervals.
  for (const { time } of peaks) {
    const low = Math.max(reached, Math.log(time * (1 - tolerance)));
    const high = Math.min(end, Math.log(time * (1 + tolerance)));
    if (high > low) {
      covered += high - low;
      reached = high;
    }
  }
  return covered / (end - from);
}
