/** A compiled plan for people: totals, then one line per dispatch. */

import { alignColumns, formatBytes, formatNumber } from "../../report/format.ts";
import type { PlanDocument } from "../experiment.ts";

/** The whole text, with a final line break. */
export function planReport(plan: PlanDocument): string {
  const totals = [
    ["dispatches per step", `${plan.dispatches} with spectrum, ${plan.dispatchesWithoutSpectrum} without`],
    ["FLOPs per step", formatNumber(plan.flops, 3)],
    ["bytes read, written", `${formatBytes(plan.bytesRead)}, ${formatBytes(plan.bytesWritten)}`],
    ["slots", `${plan.slots}, and ${plan.persistent.length} persistent buffers`],
    ["peak GPU memory", formatBytes(plan.peakBytes)],
  ];
  const rows = plan.nodes.map((node) => [
    node.node,
    node.kernel,
    node.grid.join("×"),
    formatNumber(node.flops, 3),
    formatBytes(node.bytesRead),
    formatBytes(node.bytesWritten),
    node.programs.join(", "),
  ]);
  const header = ["node", "kernel", "workgroups", "FLOPs", "read", "written", "in"];
  return `${[...alignColumns(totals, [0, 1]), "", ...alignColumns([header, ...rows], [0, 1, 6])].join("\n")}\n`;
}
