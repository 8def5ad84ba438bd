/** Panels of HLTM cells: correlations by level over epochs, and what else was measured of a level. */
import type { Axis } from "../axes.ts";
import { modeColor } from "../figure.ts";
import { smallLayout } from "../layout.ts";
import { escaped } from "../markup.ts";
import { sectionHeading } from "../tables.ts";
import { type BandPanel, type BandSeries, bandPanelSvg } from "./bandPanel.ts";
import { cellTitle, type HltmContent, type ShownCell } from "./content.ts";

/** Dark for the root's level, light for the lowest. */
export function levelColor(index: number, levels: number): string {
  return modeColor(index, levels);
}

function levelName(level: number, depth: number): string {
  return level === depth ? `level ${level} (root)` : `${level}`;
}

function epochAxis(cell: ShownCell): Axis {
  const last = Math.max(1, ...cell.correlation.epochs);
  return { scale: "linear", domain: [0, last], label: "epoch" };
}

const LAYOUT = { ...smallLayout(230), margin: { left: 62, right: 14, top: 56, bottom: 44 } };

/** Correlations of a cell: mean over seeds of every level's mean, with a band of one standard deviation, and the ceiling. */
export function correlationPanel(cell: ShownCell, id: string): BandPanel {
  const { levels, epochs, mean, std } = cell.correlation;
  const depth = Math.max(...levels);
  const series = levels.map(
    (level, index): BandSeries => ({
      name: levelName(level, depth),
      color: levelColor(index, levels.length),
      points: epochs.map((x, row) => ({ x, mean: mean[row]?.[index] ?? Number.NaN, std: std[row]?.[index] })),
      reference: cell.ceiling?.mean[index],
    }),
  );
  return {
    title: cellTitle(cell),
    description: `Best correlation of a node's units with its latent by level against the epoch, ${cellTitle(cell)}`,
    x: epochAxis(cell),
    y: { scale: "linear", domain: [lowest(mean, std), 1], label: "best |correlation|, mean over latents" },
    series,
    layout: LAYOUT,
    id,
  };
}

/** The largest multiple of 0.1 below all bands, at most 0.8. */
function lowest(mean: readonly (readonly number[])[], std: readonly (readonly number[])[]): number {
  const all = mean.flatMap((row, epoch) => row.map((value, level) => value - (std[epoch]?.[level] ?? 0)));
  const least = Math.min(0.8, ...all.filter(Number.isFinite));
  return Math.max(0, Math.floor(10 * least) / 10);
}

interface Further {
  readonly of: "operatorNorm" | "weightNorm" | "alignment" | "effectiveRank";
  readonly title: string;
  readonly scale: Axis["scale"];
}

const FURTHER: readonly Further[] = [
  { of: "operatorNorm", title: "Norm of the covariance operator V[E[K | z₀]]", scale: "log" },
  { of: "alignment", title: "|cos| between rows of W_μ and a_μ, mean over rows", scale: "linear" },
  { of: "effectiveRank", title: "Effective rank of W_μ", scale: "linear" },
  { of: "weightNorm", title: "Norm of W_μ", scale: "linear" },
];

function furtherPanel(cell: ShownCell, { of, title, scale }: Further, id: string): BandPanel {
  const { levels, epochs } = cell.correlation;
  const depth = Math.max(...levels);
  const rows = cell[of];
  const series = levels.map(
    (level, index): BandSeries => ({
      name: levelName(level, depth),
      color: levelColor(index, levels.length),
      points: epochs.map((x, row) => ({ x, mean: rows[row]?.[index] ?? Number.NaN })),
    }),
  );
  const values = rows.flat().filter((value) => Number.isFinite(value) && (scale === "linear" || value > 0));
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const domain: readonly [number, number] =
    values.length === 0
      ? [scale === "log" ? 0.1 : 0, 1]
      : scale === "log"
        ? [10 ** Math.floor(Math.log10(least)), 10 ** Math.ceil(Math.log10(most) + 1e-9)]
        : [0, 1.05 * most || 1];
  return {
    title,
    description: `${title} by level against the epoch, ${cellTitle(cell)}`,
    x: epochAxis(cell),
    y: { scale, domain, label: "" },
    series,
    layout: LAYOUT,
    id,
  };
}

/** HTML: a correlation panel for each cell, and the further measures of a run with one cell. */
export function cellSections({ cells }: HltmContent, label: string | undefined): string {
  const drawn = cells.filter(({ correlation }) => correlation.epochs.length > 1);
  if (drawn.length === 0) return "";
  const id = (name: string) => `hltm-${label ?? ""}-${name}`.replace(/[^\w-]/g, "_");
  const figure = (panel: BandPanel, name: string) =>
    `<figure data-hltm="${escaped(name)}">${bandPanelSvg(panel)}</figure>`;
  const correlations = drawn.map((cell) => figure(correlationPanel(cell, id(`c${cell.index}`)), cellTitle(cell)));
  const [only] = drawn;
  const further =
    cells.length === 1 && only
      ? `${sectionHeading("Weights and operators", label)}
<div class="panels">${FURTHER.map((one) => figure(furtherPanel(only, one, id(one.of)), one.of)).join("\n")}</div>
<p>Means over the latents of a level and over the seeds. The operator is that of the mean connections given the root, K = f ⊗ Jᵀ without the normalisation; a_μ has the entries ρ_μν s_k, the direction in which the inputs of node μ move when the root flips.</p>`
      : "";
  return `${sectionHeading("Latents learned, level by level", label)}
<div class="panels">${correlations.join("\n")}</div>
<p>For every latent the largest |correlation| of a unit of its node (before the ReLU) with the latent, which training never sees; means over the latents of a level and over the seeds, bands of one standard deviation over the seeds. Dashed: the ceiling, what the best function of the leaves below a latent reaches, by belief propagation on the same trees.</p>
${further}`;
}
