/** Over-parameterisation: how much the luckiest unit of a node knows before and after training, against the number of its units. */
import { largestOfNormals } from "../../theory/index.ts";
import { smallLayout } from "../layout.ts";
import { sectionHeading } from "../tables.ts";
import { type BandSeries, bandPanelSvg } from "./bandPanel.ts";
import type { HltmContent, ShownCell } from "./content.ts";

const INITIAL = "#D55E00";
const TRAINED = "#0072B2";

/** HTML; nothing for a run with fewer than three widths. */
export function widthSection({ cells }: HltmContent, label: string | undefined): string {
  const ranges = [...new Set(cells.map(({ polarity }) => polarity.join(", ")))];
  return ranges
    .map((range) => {
      const own = cells.filter(({ polarity }) => polarity.join(", ") === range);
      return own.length >= 3 ? curves(own, range, label) : "";
    })
    .join("\n");
}

function curves(cells: readonly ShownCell[], range: string, label: string | undefined): string {
  const sorted = [...cells].sort((a, b) => a.width - b.width);
  const widths = sorted.map(({ width }) => width);
  const domain = [Math.min(...widths) * 0.9, Math.max(...widths) * 1.1] as const;
  const depth = sorted[0]?.correlation.levels[0] ?? 1;
  const rootAt = (name: string, color: string, row: (cell: ShownCell) => number): BandSeries => ({
    name,
    color,
    points: sorted.map((cell) => ({
      x: cell.width,
      mean: cell.correlation.mean[row(cell)]?.[0] ?? Number.NaN,
      std: cell.correlation.std[row(cell)]?.[0],
    })),
  });
  const last = (cell: ShownCell): number => cell.correlation.epochs.length - 1;
  const epoch = sorted[0]?.correlation.epochs.at(-1) ?? 0;
  const after = `after ${epoch} ${epoch === 1 ? "epoch" : "epochs"}`;
  const ceiling = sorted[0]?.ceiling?.mean[0];
  const layout = { ...smallLayout(230), margin: { left: 62, right: 14, top: 56, bottom: 44 } };
  const x = { scale: "log" as const, domain, label: "units of a node" };
  const id = (name: string) => `width-${label ?? ""}-${range}-${name}`.replace(/[^\w-]/g, "_");
  const correlation = bandPanelSvg({
    title: `Root, |ρ| in [${range}]`,
    description: `Best correlation with the root against the width, before training and ${after}`,
    x,
    y: { scale: "linear", domain: [0, 1], label: `best |correlation| with z₀ (level ${depth})` },
    series: [
      rootAt("before training", INITIAL, () => 0),
      { ...rootAt(after, TRAINED, last), ...(ceiling === undefined ? {} : { reference: ceiling }) },
    ],
    layout,
    id: id("correlation"),
  });
  const lucky = bandPanelSvg({
    title: "The luckiest unit before training",
    description:
      "Largest gap of a node's units before training, in deviations of a random unit's gap, against the width",
    x,
    y: {
      scale: "linear",
      domain: [0, 1.1 * largestOfNormals(Math.max(...widths))],
      label: "largest |gap|, in deviations",
    },
    series: [
      {
        name: "measured",
        color: INITIAL,
        points: sorted.map(({ width, bestGap }) => ({ x: width, mean: mean(bestGap[0]) * largestOfNormals(width) })),
      },
      {
        name: "E max of n normals ~ √(2 ln n)",
        color: "#000",
        dash: "5 4",
        points: widths.map((width) => ({ x: width, mean: largestOfNormals(width) })),
      },
    ],
    layout,
    id: id("gap"),
  });
  return `${sectionHeading("Over-parameterisation", label)}
<div class="panels"><figure data-hltm="width">${correlation}</figure><figure data-hltm="lucky">${lucky}</figure></div>
<p>${finding(sorted, last, ceiling)}</p>`;
}

function mean(values: readonly number[] | undefined): number {
  const known = (values ?? []).filter(Number.isFinite);
  return known.reduce((sum, value) => sum + value, 0) / known.length;
}

/** What the numbers of this very run say. */
function finding(cells: readonly ShownCell[], last: (cell: ShownCell) => number, ceiling: number | undefined): string {
  const root = (cell: ShownCell | undefined, row: number) =>
    (cell?.correlation.mean[row]?.[0] ?? Number.NaN).toFixed(2);
  const spread = (cell: ShownCell | undefined) =>
    (cell ? (cell.correlation.std[last(cell)]?.[0] ?? Number.NaN) : Number.NaN).toFixed(2);
  const [narrow, wide] = [cells[0], cells.at(-1)];
  const gain = cells.map(
    (cell) => (cell.correlation.mean[last(cell)]?.[0] ?? Number.NaN) - (cell.correlation.mean[0]?.[0] ?? Number.NaN),
  );
  const most = cells[gain.indexOf(Math.max(...gain.filter(Number.isFinite)))];
  return `With ${narrow?.width} unit${narrow?.width === 1 ? "" : "s"} a node the best unit correlates ${root(narrow, 0)} with the root before training and ${root(narrow, narrow ? last(narrow) : 0)} after it, with a standard deviation of ${spread(narrow)} over the seeds; with ${wide?.width}, ${root(wide, 0)} and ${root(wide, wide ? last(wide) : 0)} ± ${spread(wide)}${ceiling === undefined ? "" : `, under a ceiling of ${ceiling.toFixed(2)}`}. Training adds most at width ${most?.width} (${Math.max(...gain.filter(Number.isFinite)).toFixed(2)}). Before training the luckiest of n random units stands out as the maximum of n normals does.`;
}
