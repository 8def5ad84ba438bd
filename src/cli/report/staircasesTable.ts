/** Several runs' detected steps, a line each. */

import { stopOf } from "../../report/describeRun.ts";
import { alignColumns } from "../../report/format.ts";
import type { StoredRun } from "../../report/readRun.ts";
import { chanceText, peaksText, type Staircase, staircaseOf } from "../../report/staircase.ts";

/** A run's detected steps as data. */
export interface StaircaseRow {
  readonly preset: string;
  readonly seed: number;
  readonly out: string;
  readonly steps: number;
  /** Of the session that ended the run. */
  readonly wallMs?: number;
  /** Set when the run ended before its last step. */
  readonly stopped?: { readonly reason: string; readonly step: number };
  readonly accepted: number;
  readonly learned: number;
  /** Times of the learned modes (t = step + 1), null for one that never crossed its threshold; which of them are accepted. */
  readonly stepTimes: readonly (number | null)[];
  readonly isAccepted: readonly boolean[];
  readonly lossPeaks: Staircase["lossPeaks"];
}

export function staircaseRow(run: StoredRun): StaircaseRow {
  const { config, path, summary, records } = run;
  const staircase = staircaseOf(summary?.measured);
  const stairs = staircase?.stairs ?? [];
  const stopped = stopOf(run);
  const wallMs = summary?.wallMs;
  return {
    preset: config.preset,
    seed: config.seed,
    out: path,
    steps: records.at(-1)?.step ?? 0,
    ...(typeof wallMs === "number" ? { wallMs } : {}),
    ...(stopped ? { stopped } : {}),
    accepted: staircase?.accepted ?? 0,
    learned: stairs.length,
    stepTimes: stairs.map(({ time }) => time),
    isAccepted: stairs.map(({ isAccepted }) => isAccepted),
    lossPeaks: staircase?.lossPeaks ?? { matched: 0, count: 0, chance: 0 },
  };
}

/** The whole text, with where the files are. */
export function staircasesTable({
  runs,
  svg,
  html,
}: {
  readonly runs: readonly StaircaseRow[];
  readonly svg: string;
  readonly html: string;
}): string {
  const head = ["preset", "seed", "steps/modes", "loss peaks", "by chance", "", "rises at step + 1"];
  const rows = runs.map((run) => [
    run.preset,
    String(run.seed),
    `${run.accepted}/${run.learned}`,
    peaksText(run.lossPeaks),
    chanceText(run.lossPeaks),
    run.stopped ? `${run.stopped.reason} at step ${run.stopped.step}` : "",
    timesText(run),
  ]);
  return `${[
    ...alignColumns([head, ...rows], [0, 5, 6]),
    "",
    "steps/modes: modes accepted as steps, of those learned; in parentheses: not accepted",
    "loss peaks: at a step, of all; by chance: the share that a step thrown at random would match",
    `figure: ${svg}`,
    `page: ${html}`,
  ].join("\n")}\n`;
}

function timesText({ stepTimes, isAccepted }: StaircaseRow): string {
  return stepTimes
    .map((time, mode) => {
      const text = time === null ? "never" : String(Math.round(time));
      return isAccepted[mode] ? text : `(${text})`;
    })
    .join(" ");
}
