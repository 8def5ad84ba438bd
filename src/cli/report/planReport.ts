/** A compiled plan for people: totals, then one line per node. Shows whatever scalar fields the nodes have. */
import type { PlanDocument } from "../experiment.ts";
import { alignColumns, formatBytes, formatNumber } from "./format.ts";

/** The whole text, with a final line break. */
export function planReport(plan: PlanDocument): string {
  const totals = [
    ["dispatches per step", String(plan.dispatches)],
    ["FLOPs per step", formatNumber(plan.flops, 3)],
    ["bytes read", formatBytes(plan.bytesRead)],
    ["bytes written", formatBytes(plan.bytesWritten)],
    ["buffers", String(plan.slots)],
    ["peak GPU memory", formatBytes(plan.peakBytes)],
  ];
  const nodes = plan.nodes.map((node) => node as unknown as Readonly<Record<string, unknown>>);
  const columns = [...new Set(nodes.flatMap((node) => Object.keys(node).filter((key) => cell(node[key]) !== undefined)))];
  const rows = nodes.map((node) => columns.map((column) => cell(node[column]) ?? ""));
  const texts = columns.flatMap((column, index) => (nodes.some((node) => typeof node[column] === "string") ? [index] : []));
  return `${[...alignColumns(totals, [0]), "", ...alignColumns([columns, ...rows], texts)].join("\n")}\n`;
}

function cell(value: unknown): string | undefined {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : formatNumber(value);
  if (typeof value === "string" || typeof value === "boolean") return String(value);
  if (Array.isArray(value) && value.length <= 4 && value.every((item) => typeof item === "number")) return value.join("×");
  return undefined;
}
