/** What a person sees when a run has ended: the staircase, predicted against measured step times, and where the files are. */
import type { RunResult } from "../../experiments/contract.ts";
import { formatDuration, formatNumber } from "../../report/format.ts";
import { identityMeasured, operatorMeasured } from "../../report/operator/measured.ts";
import { staircaseOf } from "../../report/staircase.ts";
import { stepTimesOf } from "../../report/stepTimes.ts";
import { latentCellsOf, latentTable } from "./latentTable.ts";
import { identityTable, operatorTable } from "./operatorTables.ts";
import { staircasePlot } from "./staircasePlot.ts";
import { stairTable } from "./stairTable.ts";
import { stepTable } from "./stepTable.ts";

export interface Curve {
  readonly times: readonly number[];
  readonly losses: readonly number[];
}

/** The whole text, at most 80 columns wide, with a final line break. */
export function finalReport(result: RunResult, curve: Curve, out: string): string {
  const steps = stepTimesOf(result.theory, result.measured);
  const staircase = staircaseOf(result.measured);
  const latents = latentCellsOf(result.measured);
  // Where a run has cells, t starts anew in each.
  const plot = latents ? [] : staircasePlot({ ...curve, ...(steps ? { predicted: steps.discrete } : {}) });
  const sections: string[][] = [];
  if (plot.length > 0) sections.push(["loss against t (logarithmic)", ...plot]);
  if (steps) sections.push(["step times, predicted and measured", ...stepTable(steps)]);
  if (staircase) sections.push([`eigenvalues of ${staircase.spectrumOf}`, ...stairTable(staircase)]);
  if (latents)
    sections.push(["correlation with the latents by level, mean ± deviation over seeds", ...latentTable(latents)]);
  const operators = operatorMeasured(result.measured);
  if (operators) sections.push(["−∇W against OP·vec(W), by layer", ...operatorTable(operators)]);
  const identities = identityMeasured(result.measured);
  if (identities) sections.push(["relative residuals of −∇W = OP·vec(W)", ...identityTable(identities)]);
  const ended = result.stopped ? `${result.stopped.reason} at step ${result.stopped.step}` : `${result.steps} steps`;
  sections.push([
    `${result.preset}: ${ended} in ${formatDuration(result.wallMs / 1000)}; loss ${formatNumber(result.loss.first)} → ${formatNumber(result.loss.last)}`,
    `run folder: ${out}`,
  ]);
  return `\n${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}
