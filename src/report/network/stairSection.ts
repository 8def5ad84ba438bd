/** The detected steps of a network run as a table, with what else they can be compared with. */
import type { MetricsRecord } from "../../experiments/contract.ts";
import { PEAK_RULE, STEP_RULE } from "../../spectrum/index.ts";
import { formatNumber } from "../format.ts";
import { escaped } from "../markup.ts";
import { type Staircase, staircaseSentence } from "../staircase.ts";
import { sectionHeading, table } from "../tables.ts";
import { clockAt } from "./clock.ts";

export function stairSection(
  staircase: Staircase,
  records: readonly MetricsRecord[],
  label: string | undefined,
): string {
  const head = ["mode", "step + 1 at the crossing", "t there", "threshold", "plateau", "step"];
  const rows = staircase.stairs.map(({ time, threshold, plateau, isAccepted, refusals }, index) => [
    String(index + 1),
    time === null ? "never" : formatNumber(time),
    time === null ? "-" : formatNumber(clockAt(records, time - 1)),
    formatNumber(threshold, 3),
    formatNumber(plateau, 3),
    isAccepted ? "accepted" : `not accepted: ${refusals.join("; ")}`,
  ]);
  return `${sectionHeading("Detected steps", label)}
${table(head, rows, (column) => column < 5)}
<p>${escaped(staircaseSentence(staircase))}.</p>`;
}

/** HTML: the rule with its constants, and what the sentence counts. */
export const DETECTION = `<h2>How steps are detected</h2>
<p>${[
  `A mode is learned when its plateau, the median eigenvalue over the last ${percent(STEP_RULE.plateauShare)} of the run, is at least ${STEP_RULE.learnedShare} of the typical plateau R.`,
  `It rises when it first crosses its threshold, ${STEP_RULE.thresholdShare} of the plateau bounded to ${STEP_RULE.learnedShare} R … R.`,
  `A rise is accepted as a step when the eigenvalue started at no more than ${percent(STEP_RULE.startShare)} of its plateau, the next one is then at no more than ${STEP_RULE.quietShare} of its own threshold, and the next rise comes at ${STEP_RULE.spacing} times that time or later.`,
  "Times count from 1, so that the first record has a place on a logarithmic axis.",
  `Peaks of the loss rate −dL/d ln t match when a step lies within ${percent(PEAK_RULE.tolerance)}; the chance level is the share of ln t that lies so near to a peak.`,
].join(" ")}</p>`;

function percent(share: number): string {
  return `${formatNumber(100 * share)} %`;
}
