/** The table of predicted and measured step times as text. */
import { alignColumns, formatNumber, formatPercent } from "../../report/format.ts";
import { relativeError, type StepTimes } from "../../report/stepTimes.ts";

/** Lines of the table, a legend below. `t = lr·step`. */
export function stepTable(steps: StepTimes): string[] {
  const rows = steps.discrete.map((discrete, index) => {
    const measured = steps.measured[index];
    return [
      String(index + 1),
      formatNumber(steps.gamma[index], 4),
      formatNumber(steps.flow[index], 5),
      formatNumber(discrete, 5),
      measured === null || measured === undefined ? "not yet" : formatNumber(measured, 5),
      formatPercent(relativeError(steps, index)),
      steps.admitted[index] ? "" : "~",
    ];
  });
  const header = ["mode", "eigenvalue of Γ", "gradient flow", "discrete", "measured", "error", ""];
  const legend = ["times in t = lr·step; error of measured against discrete"];
  if (steps.admitted.includes(false))
    legend.push("~ close to its neighbour: the theory's small-init limit does not bind this mode");
  return [...alignColumns([header, ...rows]), "", ...legend];
}
