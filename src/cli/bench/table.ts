/** A benchmark for people: one line a measurement, engines side by side under each name, then the targets. */
import { adapterLine } from "../../device/adapter.ts";
import { alignColumns, formatBytes, formatNumber } from "../../report/format.ts";
import type { BenchDocument, BenchRow, BenchTarget } from "./contract.ts";

interface Column {
  readonly title: string;
  readonly isLeft?: boolean;
  /** Empty where a row has nothing to say; a column that is empty in all rows of a suite is left out. */
  readonly of: (row: BenchRow) => string;
}

const number = (value: number | null | undefined, digits = 3): string =>
  value === null || value === undefined ? "" : formatNumber(value, digits);
const bytes = (value: number | undefined): string => (value === undefined ? "" : formatBytes(value));

const COLUMNS: readonly Column[] = [
  { title: "engine", isLeft: true, of: ({ engine }) => engine },
  { title: "median ms", of: ({ medianMs }) => number(medianMs) },
  { title: "fastest", of: ({ fastestMs }) => number(fastestMs) },
  { title: "slowest", of: ({ slowestMs }) => number(slowestMs) },
  { title: "runs", of: ({ runs }) => String(runs) },
  { title: "× ours", of: ({ ratio }) => number(ratio) },
  { title: "GFLOP/s", of: ({ gflops }) => number(gflops) },
  { title: "% ceiling", of: ({ percentOfCeiling }) => number(percentOfCeiling) },
  { title: "first ms", of: ({ suite, firstMs }) => (suite === "step" ? number(firstMs) : "") },
  { title: "JS ms", of: ({ suite, jsMs }) => (suite === "step" ? number(jsMs) : "") },
  { title: "dispatches", of: ({ dispatches }) => number(dispatches) },
  { title: "submits", of: ({ submits }) => number(submits) },
  { title: "bind groups", of: ({ bindGroupsCreated }) => number(bindGroupsCreated) },
  { title: "buffers", of: ({ buffersCreated }) => number(buffersCreated) },
  { title: "objects", of: ({ objectsCreated }) => number(objectsCreated) },
  { title: "writes", of: ({ writeBuffers }) => number(writeBuffers) },
  { title: "read back", of: ({ suite, bytesReadBack }) => (suite === "step" ? bytes(bytesReadBack) : "") },
  { title: "peak memory", of: ({ peakGpuBytes }) => bytes(peakGpuBytes) },
  { title: "reported", of: ({ reportedGpuBytes }) => bytes(reportedGpuBytes) },
  { title: "error/max", of: ({ error }) => (error === null ? "" : error.toExponential(1)) },
  { title: "sweeps", of: ({ sweeps }) => number(sweeps) },
  { title: "verified", of: ({ runs, verified }) => (runs === 0 ? "" : verified ? "yes" : "NO") },
  { title: "", isLeft: true, of: ({ note }) => note ?? "" },
];

export function benchTable(document: BenchDocument): string {
  const { ceiling, rows, targets, versions } = document;
  const suites = [...new Set(rows.map(({ suite }) => suite))];
  return [
    `adapter: ${adapterLine(document.adapter)}`,
    `versions: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
    `ceiling: ${formatNumber(ceiling.gflops, 3)} GFLOP/s (fused multiply-adds on vec4), ${formatNumber(ceiling.gbps, 3)} GB/s (copy), ${formatNumber(ceiling.usPerDispatch, 3)} µs a dispatch`,
    "",
    ...suites.flatMap((suite) => [...suiteLines(rows.filter((row) => row.suite === suite)), ""]),
    ...alignColumns([["target", "value", "bound", "aim", "", ""], ...targets.map(targetCells)], [0, 4, 5]),
    "",
  ].join("\n");
}

function suiteLines(rows: readonly BenchRow[]): string[] {
  const names = [...new Set(rows.map(({ name }) => name))];
  const ordered = names.flatMap((name) => rows.filter((row) => row.name === name));
  const columns = COLUMNS.filter(({ of }) => rows.some((row) => of(row) !== ""));
  const lines = ordered.map((row, at) => [
    ordered[at - 1]?.name === row.name ? "" : row.name,
    ...columns.map(({ of }, column) => of(row) || (column === columns.length - 1 ? "" : "-")),
  ]);
  const left = [0, ...columns.flatMap(({ isLeft }, at) => (isLeft ? [at + 1] : []))];
  return alignColumns([["what", ...columns.map(({ title }) => title)], ...lines], left);
}

function targetCells({ name, value, atLeast, atMost, aim, met, where }: BenchTarget): string[] {
  return [
    name,
    value === null ? "-" : formatNumber(value, 3),
    atLeast !== undefined ? `≥ ${atLeast}` : `≤ ${atMost}`,
    aim === undefined ? "" : String(aim),
    met === null ? "not judged" : met ? "met" : "MISSED",
    where === undefined ? "" : `(${where})`,
  ];
}
