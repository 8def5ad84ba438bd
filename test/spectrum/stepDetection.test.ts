/** The detection rule on curves with known answers. */
import { describe, expect, it } from "vitest";
import { type EngineError, isEngineError } from "../../src/errors.ts";
import { detectSteps, lossPeaks } from "../../src/spectrum/index.ts";

const RECORDS = 600;
/** 300 log-spaced and 300 evenly spaced steps up to `last`, as runs record them, from step 0 on. */
function recordedSteps(last: number): number[] {
  const half = RECORDS / 2;
  const all = Array.from({ length: half }, (_, i) => [
    Math.round((last + 1) ** (i / (half - 1))) - 1,
    Math.round((last * i) / (half - 1)),
  ]);
  return [...new Set(all.flat())].sort((a, b) => a - b);
}

/** Logistic growth from `start` to 1 whose value is 1/2 at t = half. */
interface Mode {
  readonly half: number;
  readonly start: number;
  /** Final value; 1 unless given. */
  readonly top?: number;
}
const growth = ({ half, start, top = 1 }: Mode, t: number): number =>
  top / (1 + (1 / start - 1) ** (1 - (t - 1) / (half - 1)));
/** t = step + 1 at which a mode is at the share `level` of its top. */
const timeAt = ({ half, start }: Mode, level: number): number =>
  1 + (half - 1) * (1 - Math.log(1 / level - 1) / Math.log(1 / start - 1));

const STAIRS: readonly Mode[] = [60, 150, 300, 480, 700, 950].map((half) => ({ half, start: 1e-6 }));
const LAST = 1500;

const spectraOf = (modes: readonly Mode[], steps: readonly number[], rest = [1e-9, -1e-10]): number[][] =>
  // In the reverse order: the rule sorts.
  steps.map((step) => [...rest, ...modes.map((mode) => growth(mode, step + 1))].reverse());
const lossesOf = (modes: readonly Mode[], steps: readonly number[]): number[] =>
  steps.map((step) => modes.reduce((sum, mode) => sum + (1 - growth(mode, step + 1)) ** 2, 0));

function refusal(run: () => unknown): EngineError {
  try {
    run();
  } catch (error) {
    if (isEngineError(error)) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("detectSteps", () => {
  const steps = recordedSteps(LAST);

  it("finds a staircase: all modes learned, at the times of the logistic, accepted", () => {
    const found = detectSteps(steps, spectraOf(STAIRS, steps));
    expect(found.modes).toHaveLength(6);
    expect(found.accepted).toBe(6);
    expect(found.isStaircase).toBe(true);
    expect(found.reference).toBeCloseTo(1, 6);
    expect(found.gap).toBeGreaterThan(1e8);
    found.modes.forEach((mode, j) => {
      // The last mode is at 0.999 when the run ends.
      expect(mode.threshold).toBeCloseTo(0.2, 3);
      // Records are at most 6 steps apart, and the curve between them is convex.
      expect(Math.abs(mode.time! - timeAt(STAIRS[j]!, 0.2))).toBeLessThan(0.6);
    });
  });

  it("the crossing is interpolated linearly between records, in t = step + 1", () => {
    const found = detectSteps([0, 10, 20, 30, 31, 32], [[0], [0.1], [0.3], [1], [1], [1]], { startShare: 1 });
    // 0.2 lies halfway between steps 10 and 20: t = 16.
    expect(found.modes[0]?.time).toBeCloseTo(16, 12);
  });

  it("a mode that starts above 1 % of its plateau is not accepted; at 1 % it is", () => {
    for (const [start, accepted] of [
      [0.0099, 6],
      [0.0101, 5],
    ] as const) {
      const found = detectSteps(steps, spectraOf([{ half: 60, start }, ...STAIRS.slice(1)], steps));
      expect(found.modes).toHaveLength(6);
      expect(found.modes[0]!.startsSmall).toBe(accepted === 6);
      expect(found.accepted).toBe(accepted);
    }
  });

  it("a mode may start at up to 1 % of its plateau, or below zero", () => {
    const from = (start: number) => detectSteps([0, 10, 20, 30, 31, 32], [[start], [0.1], [0.3], [1], [1], [1]]);
    expect([-0.2, -1e-6, 0, 0.01, 0.0101].map((start) => from(start).accepted)).toEqual([1, 1, 1, 1, 0]);
  });

  it("default initialisation: everything is up at once, nothing is accepted", () => {
    const modes = STAIRS.map(({ half }) => ({ half, start: 0.1 }));
    const found = detectSteps(steps, spectraOf(modes, steps));
    expect(found.modes).toHaveLength(6);
    expect(found.accepted).toBe(0);
    expect(found.isStaircase).toBe(false);
  });

  it("a mode whose successor is not quiet is not accepted, and one that is followed within 5 % neither", () => {
    // Slow growth: the third mode is already at a large share of its threshold when the second crosses.
    const close = [60, 300, 310, 600, 900].map((half) => ({ half, start: 1e-6 }));
    const found = detectSteps(steps, spectraOf(close, steps));
    expect(found.modes[1]).toMatchObject({ isSuccessorQuiet: false, isSpaced: false, isAccepted: false });
    expect(found.accepted).toBe(4);
    // Abrupt growth: the successor is quiet, but only 4 % later.
    const abrupt = (at: number) => steps.map((step) => (step + 1 >= at ? 1 : 0));
    const [first, second] = [abrupt(500), abrupt(520)];
    const sudden = detectSteps(
      steps,
      steps.map((_, r) => [first[r]!, second[r]!]),
    );
    expect(sudden.modes[0]).toMatchObject({ isSuccessorQuiet: true, isSpaced: false, isAccepted: false });
    expect(sudden.modes[1]!.isAccepted).toBe(true);
  });

  it("stops at the first mode below 30 % of the reference, whatever comes after", () => {
    const tops = [1.2, 1, 0.8, 0.29, 0.28].map((top, j) => ({ half: 60 * (j + 1) ** 1.5, start: 1e-6, top }));
    const found = detectSteps(steps, spectraOf(tops, steps));
    // Reference: the median of all five, 0.8, of which 30 % is 0.24; all are learned …
    expect(found.reference).toBeCloseTo(0.8, 3);
    expect(found.modes).toHaveLength(5);
    // … but not at a share of 0.4.
    expect(detectSteps(steps, spectraOf(tops, steps), { learnedShare: 0.4 }).modes).toHaveLength(3);
  });

  it("a small plateau keeps a threshold of its own; a large one gets the reference's", () => {
    const tops = [3, 1, 1, 1, 0.4].map((top, j) => ({ half: 60 * (j + 1) ** 1.5, start: 1e-6, top }));
    const found = detectSteps(steps, spectraOf(tops, steps));
    expect(found.reference).toBeCloseTo(1, 3);
    expect(found.modes.map(({ threshold }) => threshold.toFixed(3))).toEqual([
      "0.200",
      "0.200",
      "0.200",
      "0.200",
      "0.080",
    ]);
  });

  it("an overshoot does not move the crossing", () => {
    const overshoot = steps.map((step) => {
      const t = step + 1;
      return growth({ half: 200, start: 1e-6 }, t) * (1 + 1.5 * Math.exp(-(((t - 300) / 80) ** 2)));
    });
    const found = detectSteps(
      steps,
      overshoot.map((value) => [value]),
    );
    expect(found.modes[0]!.plateau).toBeCloseTo(1, 4);
    expect(found.modes[0]!.isAccepted).toBe(true);
  });

  it("the last tenth of the steps decides, not the last tenth of the records", () => {
    // Dense records early, few late; the mode rises after nine tenths of the records and before nine tenths of the steps.
    const sparse = [...Array.from({ length: 90 }, (_, i) => i), 200, 400, 600, 800, 920, 940, 960, 980, 999];
    const found = detectSteps(
      sparse,
      sparse.map((step) => [step >= 850 ? 1 : 0.001]),
    );
    expect(found.modes[0]!.plateau).toBe(1);
  });

  it("counts hardly depend on the threshold", () => {
    for (const thresholdShare of [0.05, 0.1, 0.2, 0.3, 0.5]) {
      expect(detectSteps(steps, spectraOf(STAIRS, steps), { thresholdShare }).accepted).toBe(6);
    }
  });

  it("a collapsed run has no modes", () => {
    expect(
      detectSteps(
        [0, 1, 2],
        [
          [0, 0],
          [0, 0],
          [0, 0],
        ],
      ),
    ).toEqual({
      reference: 0,
      modes: [],
      accepted: 0,
      isStaircase: false,
      gap: undefined,
    });
  });

  it("refuses curves that do not belong together, NaN and constants out of range", () => {
    expect(refusal(() => detectSteps([0, 1], [[1]])).message).toContain("2 steps but 1 records");
    expect(refusal(() => detectSteps([0], [[1]])).code).toBe("DATA-TOO-FEW");
    expect(refusal(() => detectSteps([0, 0], [[1], [1]])).message).toContain("steps[1] is 0, not after 0");
    expect(refusal(() => detectSteps([0, 1], [[1, 2], [1]])).message).toContain(
      "spectra[1] has 1 eigenvalues, the first record 2",
    );
    const nan = refusal(() => detectSteps([0, 1], [[1], [Number.NaN]]));
    expect([nan.code, nan.where]).toEqual(["DATA-NONFINITE", "spectra[1]"]);
    expect(refusal(() => detectSteps([0, 1], [[1], [1]], { spacing: 0.5 })).message).toContain("spacing is 0.5");
  });
});

describe("lossPeaks", () => {
  const steps = recordedSteps(LAST);
  const losses = lossesOf(STAIRS, steps);
  const times = STAIRS.map((mode) => timeAt(mode, 0.2));

  it("finds the drop of every mode, near its time", () => {
    const found = lossPeaks(steps, losses, times);
    expect(found.peaks).toHaveLength(6);
    expect(found.matched).toBe(6);
    found.peaks.forEach(({ time, isMatched }, j) => {
      expect(isMatched).toBe(true);
      // L' is largest between λ = 0.2 and 0.5.
      expect(time).toBeGreaterThan(0.95 * times[j]!);
      expect(time).toBeLessThan(1.05 * STAIRS[j]!.half);
    });
  });

  it("chance: the share of ln t covered by windows about the peaks", () => {
    const found = lossPeaks(steps, losses, times);
    const from = Math.log(times[0]! / 2);
    const covered = found.peaks.reduce((sum) => sum + Math.log(1.1) - Math.log(0.9), 0);
    // No two peaks are within 20 %, so that nothing overlaps.
    expect(found.chance).toBeCloseTo(covered / (Math.log(LAST + 1) - from), 10);
    const wide = lossPeaks(steps, losses, times, { tolerance: 0.9 });
    expect(wide.chance).toBe(1);
  });

  it("times that are elsewhere match nothing", () => {
    const found = lossPeaks(steps, losses, [90, 220]);
    expect(found.matched).toBe(0);
    expect(found.peaks).toHaveLength(6);
  });

  it("a smooth power law and a flat loss have no peaks", () => {
    expect(
      lossPeaks(
        steps,
        steps.map((step) => (step + 1) ** -0.5),
        [],
      ).peaks,
    ).toEqual([]);
    expect(
      lossPeaks(
        steps,
        steps.map(() => 3),
        [],
      ),
    ).toEqual({ peaks: [], matched: 0, chance: 0 });
  });

  it("ripples without prominence are no peaks", () => {
    // One step with a ripple of 10 % of the rate on its flank.
    const rippled = steps.map((step) => {
      const x = Math.log(step + 1);
      return -Math.tanh(3 * (x - 5)) - 0.004 * Math.sin(25 * x);
    });
    expect(lossPeaks(steps, rippled, []).peaks).toHaveLength(1);
    expect(lossPeaks(steps, rippled, [], { leastProminence: 0, leastHeight: 0 }).peaks.length).toBeGreaterThan(1);
  });

  it("refuses what cannot be read", () => {
    expect(refusal(() => lossPeaks([0, 1], [1, 2], [])).code).toBe("DATA-TOO-FEW");
    expect(refusal(() => lossPeaks([0, 1, 2], [1, Number.NaN, 2], [])).code).toBe("DATA-NONFINITE");
    expect(refusal(() => lossPeaks([0, 1, 2], [3, 2, 1], [], { tolerance: 1 })).code).toBe("CONFIG-VALUE");
  });
});
