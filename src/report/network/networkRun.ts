/** Network runs in a report: steps detected in the spectrum, its shape, spectra of layers, principal components. */
import { z } from "zod";
import type { MetricsRecord } from "../../experiments/contract.ts";
import { measure } from "../../experiments/network/measures.ts";
import type { DetectedStair } from "../figure.ts";
import { formatNumber } from "../format.ts";
import { otherRun } from "../otherRun.ts";
import type { StoredRun } from "../readRun.ts";
import type { ReportRun } from "../reportRun.ts";
import { chanceText, peaksText, type Staircase, staircaseOf } from "../staircase.ts";
import type { Row } from "../tables.ts";
import { clockAt } from "./clock.ts";
import { layerSection } from "./layerSection.ts";
import { type NetworkWords, networkWords } from "./networkWords.ts";
import { pcaSection } from "./pcaSection.ts";
import { spectrumSection } from "./spectrumSection.ts";
import { DETECTION, stairSection } from "./stairSection.ts";

const measuredSchema = z.looseObject({ spectrumOf: z.string() });

export function networkRun(stored: StoredRun, label: string): ReportRun {
  const words = networkWords(stored.config);
  if (!words) return otherRun(stored, label);
  const { records } = stored;
  // A run that was killed has no measures in its summary, but records to take them from.
  const summarized = measuredSchema.safeParse(stored.summary?.measured).data;
  const measured = summarized ?? measuredSchema.parse(measure(records, words.spectrumOf));
  const staircase = staircaseOf(measured);
  const run: ReportRun = {
    stored,
    label,
    records,
    words: {
      lossOn: words.lossOn,
      lossAxis: `loss of ${words.method}`,
      spectrumOf: measured.spectrumOf,
      timeAxis: words.timeAxis,
      isUnitStaircase: false,
    },
    stairs: staircase && detectedStairs(staircase, records),
    defaultTime: words.isLogTime ? "log" : "linear",
    trainedOn: words.trainedOn,
    explanation: staircase && EXPLANATION,
    captions: captions(words, staircase),
    columnTitle: words.method,
    columnSubtitle: staircase ? `${label}: ${stepCount(staircase)}` : label,
    axesKey: words.axesKey,
    notes: summarized ? [] : ["summary.json holds no measures; the report took them from the records."],
    comparison: comparison(measured, staircase),
    definitions: staircase && DETECTION,
    sections: (name) =>
      [
        staircase ? stairSection(staircase, records, name) : "",
        spectrumSection(records, measured, name),
        layerSection(run, name),
        pcaSection(records, staircase, name),
      ].join("\n"),
  };
  return run;
}

const EXPLANATION =
  "When its outputs begin near a single point, such an encoder learns one mode after another (J. B. Simon et al., On the Stepwise Nature of Self-Supervised Learning, 2023, arXiv 2303.15438): eigenvalues of the embeddings rise one by one, and the loss falls when they do. There is no closed form for the times; steps are detected in the recorded eigenvalues by a fixed rule, which asks of each that it starts small, that the next one is still quiet, and that the next one comes clearly later.";

function captions({ spectrumOf }: NetworkWords, staircase: Staircase | undefined): ReportRun["captions"] {
  const rules = staircase
    ? "Vertical lines: steps detected in the eigenvalues of panel (b), numbered by mode; dotted and in parentheses where a learned mode was not accepted as a step."
    : "";
  return { loss: rules, eigenvalues: `Eigenvalues of ${spectrumOf}, sorted.` };
}

function stepCount({ accepted, stairs }: Staircase): string {
  return `${accepted} ${accepted === 1 ? "step" : "steps"} of ${stairs.length} modes`;
}

/** Times of the rule count from 1; those of the axis are of the state that the crossing was seen in. */
function detectedStairs({ stairs }: Staircase, records: readonly MetricsRecord[]): DetectedStair[] {
  return stairs.flatMap(({ time, isAccepted }, index) => {
    const t = time === null ? undefined : clockAt(records, time - 1);
    return t === undefined ? [] : [{ t, mode: index + 1, isAccepted }];
  });
}

const ranksSchema = z.object({ effectiveRank: z.number().optional() });

function comparison(measured: unknown, staircase: Staircase | undefined): Row[] {
  const rank = ranksSchema.safeParse(measured).data?.effectiveRank;
  const rows: Row[] = [["effective rank at the end", formatNumber(rank)]];
  if (!staircase) return rows;
  const { accepted, stairs, lossPeaks } = staircase;
  return [
    ...rows,
    ["steps accepted, of learned modes", `${accepted} of ${stairs.length}`],
    ["loss peaks at a step, of all", peaksText(lossPeaks)],
    ["expected by chance", chanceText(lossPeaks)],
    ...stairs.map(
      ({ time, isAccepted }, mode): Row => [
        `step + 1 at which mode ${mode + 1} rises`,
        time === null ? "never" : isAccepted ? formatNumber(time) : `(${formatNumber(time)})`,
      ],
    ),
  ];
}
