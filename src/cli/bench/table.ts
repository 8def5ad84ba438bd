/** A benchmark for people: one line a measurement, engines side by side under each name, then the targets. */
import { adapterLine } from "../../device/adapter.ts";
import { alignColumns, formatNumber } from "../../report/format.ts";
import type { BenchDocument, BenchRow, BenchTarget } from "./contract.ts";

const HEADER = ["what", "engine", "median ms", "fastest", "runs", "error/max", "sweeps", "verified", ""];

export function benchTable(document: BenchDocument): string {
  const { ceiling, rows, targets, versions } = document;
  const names = [...new Set(rows.map(({ name }) => name))];
  const ordered = names.flatMap((name) => rows.filter((row) => row.name === name));
  const before = (at: number) => (ordered[at - 1]?.name === ordered[at]?.name ? "" : (ordered[at]?.name ?? ""));
  const lines = ordered.map((row, at) => [before(at), row.engine, ...cellsOf(row)]);
  return [
    `adapter: ${adapterLine(document.adapter)}`,
    `versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
    `ceiling: ${formatNumber(ceiling.gflops, 3)} GFLOP/s (product of order 512), ${formatNumber(ceiling.gbps, 3)} GB/s (copy), ${formatNumber(ceiling.usPerDispatch, 3)} µs a dispatch`,
    "",
    ...alignColumns([HEADER, ...lines], [0, 1, 8]),
    "",
    ...alignColumns([["target", "value", "bound", ""], ...targets.map(targetCells)], [0, 3]),
    "",
  ].join("\n");
}

function cellsOf(row: BenchRow): string[] {
  return [
    row.medianMs === null ? "-" : formatNumber(row.medianMs, 3),
    row.fastestMs === null ? "-" : formatNumber(row.fastestMs, 3),
    String(row.runs),
    row.error === null ? "-" : row.error.toExponential(1),
    row.sweeps === undefined ? "-" : String(row.sweeps),
    row.runs === 0 ? "-" : row.verified ? "yes" : "NO",
    row.note ?? "",
  ];
}

function targetCells({ name, value, atLeast, atMost, met }: BenchTarget): string[] {
  const bound = atLeast !== undefined ? `≥ ${atLeast}` : `≤ ${atMost}`;
  return [
    name,
    value === null ? "-" : formatNumber(value, 3),
    bound,
    met === null ? "not judged" : met ? "met" : "MISSED",
  ];
}
