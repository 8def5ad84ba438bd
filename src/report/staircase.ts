/** Detected steps of a network run, read from the plain JSON of its summary. */
import { z } from "zod";

const modeSchema = z.object({
  plateau: z.number(),
  threshold: z.number(),
  time: z.number().nullish(),
  startsSmall: z.boolean().optional(),
  isSuccessorQuiet: z.boolean().optional(),
  isSpaced: z.boolean().optional(),
  isAccepted: z.boolean(),
});
const measuredSchema = z.object({
  spectrumOf: z.string(),
  staircase: z.object({
    accepted: z.number(),
    learned: z.number(),
    modes: z.array(modeSchema),
    lossPeaks: z.object({ matched: z.number(), count: z.number(), chance: z.number() }),
  }),
});

/** A learned mode: its time in steps (t = step + 1), null when it never crossed its threshold. */
export interface Stair {
  readonly plateau: number;
  readonly threshold: number;
  readonly time: number | null;
  readonly isAccepted: boolean;
  /** Why it was not accepted, in words. */
  readonly refusals: readonly string[];
}

export interface Staircase {
  /** The recorded matrix in words. */
  readonly spectrumOf: string;
  readonly accepted: number;
  readonly stairs: readonly Stair[];
  /** Peaks of −dL/d ln t, those at a detected step, and the share that a step thrown at random would match. */
  readonly lossPeaks: { readonly count: number; readonly matched: number; readonly chance: number };
}

/** The detected steps in a run's result, or undefined for an experiment that has none. */
export function staircaseOf(measured: unknown): Staircase | undefined {
  const parsed = measuredSchema.safeParse(measured);
  if (!parsed.success) return undefined;
  const { spectrumOf, staircase } = parsed.data;
  const { accepted, modes, lossPeaks } = staircase;
  return { spectrumOf, accepted, lossPeaks, stairs: modes.map(stairOf) };
}

function stairOf(mode: z.infer<typeof modeSchema>): Stair {
  const { plateau, threshold, time = null, isAccepted } = mode;
  const refusals = [
    ...(time === null ? ["never crosses its threshold"] : []),
    ...(mode.startsSmall === false ? ["does not start small"] : []),
    ...(time !== null && mode.isSuccessorQuiet === false ? ["the next mode is rising already"] : []),
    ...(time !== null && mode.isSpaced === false ? ["the next mode follows too closely"] : []),
  ];
  return { plateau, threshold, time, isAccepted, refusals: isAccepted ? [] : refusals };
}

/** "5 of 5 learned modes accepted as steps; 5 of 5 peaks of the loss rate at a step (14 % expected by chance)". */
export function staircaseSentence({ accepted, stairs, lossPeaks }: Staircase): string {
  const peaks = `${peaksText(lossPeaks)} peaks of the loss rate at a step (${chanceText(lossPeaks)} expected by chance)`;
  return `${accepted} of ${stairs.length} learned modes accepted as steps; ${peaks}`;
}

export function peaksText({ matched, count }: Staircase["lossPeaks"]): string {
  return `${matched} of ${count}`;
}

export function chanceText({ chance }: Staircase["lossPeaks"]): string {
  return `${Math.round(100 * chance)} %`;
}
