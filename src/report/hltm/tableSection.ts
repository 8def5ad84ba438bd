/** Correlations in numbers, beside the replication of the reference setting where the run repeats it, and beside the ceiling. */
import { sectionHeading, table } from "../tables.ts";
import type { HltmContent, ReportedConfig, ShownCell } from "./content.ts";
import { agrees, REPLICATION, REPLICATION_SEEDS, type ReplicationRow } from "./replication.ts";

/** Epochs that a table names: the first, the second and the last measured. */
function shownRows({ correlation }: ShownCell): number[] {
  const last = correlation.epochs.length - 1;
  return [...new Set([0, 1, last])].filter((row) => row >= 0 && row <= last);
}

/** The setting that the replication has numbers of. */
function isReference({ tree, data, loss, record }: ReportedConfig): boolean {
  return (
    tree.depth === 5 &&
    tree.branching === 2 &&
    tree.polarity[1] === 1 &&
    data.batch === 128 &&
    data.negatives === "independent" &&
    loss.kind === "batchSigmoid" &&
    loss.temperature === 0.1 &&
    record.every === 500
  );
}

function replicationOf(
  config: ReportedConfig,
  { width, polarity }: ShownCell,
  epoch: number,
): ReplicationRow | undefined {
  if (!isReference(config)) return undefined;
  return REPLICATION.find((row) => row.width === width && row.low === polarity[0] && row.epoch === epoch);
}

const plusMinus = (mean: number | undefined, std: number | undefined): string =>
  mean === undefined || Number.isNaN(mean)
    ? "-"
    : std === undefined
      ? mean.toFixed(3)
      : `${mean.toFixed(3)} ± ${std.toFixed(3)}`;

/** HTML: one table of all cells. */
export function tableSection(content: HltmContent, label: string | undefined): string {
  const { config, cells } = content;
  if (cells.length === 0) return "";
  const levels = cells[0]?.correlation.levels ?? [];
  const head = [
    "|ρ| from",
    "width",
    "epoch",
    "",
    ...levels.map((level, index) => (index === 0 ? `level ${level} (root)` : `${level}`)),
  ];
  let compared = 0;
  let agreeing = 0;
  const rows = cells.flatMap((cell) => {
    const { correlation, ceiling, polarity, width } = cell;
    return shownRows(cell).flatMap((row) => {
      const epoch = correlation.epochs[row] ?? Number.NaN;
      const named = [String(polarity[0]), String(width), String(Math.round(100 * epoch) / 100)];
      const ours = levels.map((_, level) => plusMinus(correlation.mean[row]?.[level], correlation.std[row]?.[level]));
      const replication = replicationOf(config, cell, epoch);
      const theirs = replication?.levels.map((known, level) => {
        const mean = correlation.mean[row]?.[level] ?? Number.NaN;
        const std = correlation.std[row]?.[level] ?? 0;
        const isAgreed = agrees({ mean, std, seeds: correlation.seeds }, known);
        compared++;
        agreeing += isAgreed ? 1 : 0;
        return `${known[0].toFixed(2)}${known[1] === undefined ? "" : ` ± ${known[1].toFixed(2)}`}${isAgreed ? "" : " ✗"}`;
      });
      const isLast = row === shownRows(cell).at(-1);
      return [
        [...named, "measured", ...ours],
        ...(theirs ? [["", "", "", "replication", ...theirs]] : []),
        ...(isLast && ceiling
          ? [["", "", "", "ceiling", ...levels.map((_, level) => plusMinus(ceiling.mean[level], ceiling.std[level]))]]
          : []),
      ];
    });
  });
  const seeds = cells[0]?.correlation.seeds ?? 0;
  const verdict =
    compared === 0
      ? ""
      : ` The replication is an independent program's, with ${REPLICATION_SEEDS} seeds of its own: ${agreeing} of ${compared} means agree within two standard errors of the difference or 0.03; ✗ marks the others.`;
  return `${sectionHeading("The numbers", label)}
${table(head, rows, (column) => column !== 3)}
<p>Mean ± standard deviation over ${seeds} seeds of the mean over the latents of a level.${verdict}</p>`;
}
