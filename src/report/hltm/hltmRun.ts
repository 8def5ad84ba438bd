/** HLTM runs in a report: latents learned, level by level; numbers beside the replication and the ceiling; width. */
import { panelHeight } from "../layout.ts";
import { otherRun } from "../otherRun.ts";
import type { StoredRun } from "../readRun.ts";
import type { ReportRun } from "../reportRun.ts";
import { bandPanelSvg } from "./bandPanel.ts";
import { type HltmContent, hltmContent } from "./content.ts";
import { cellSections, correlationPanel } from "./panels.ts";
import { tableSection } from "./tableSection.ts";
import { widthSection } from "./widthSection.ts";

export function hltmRun(stored: StoredRun, label: string): ReportRun {
  const content = hltmContent(stored);
  if (!content) return otherRun(stored, label);
  const other = otherRun(stored, label);
  return {
    ...other,
    headline: "latents learned without labels",
    hasPanels: false,
    drawings: drawings(content),
    trainedOn: trainedOn(content),
    explanation: EXPLANATION,
    columnTitle: "HLTM",
    axesKey: "hltm",
    notes: [],
    comparison: comparison(content),
    sections: (name) =>
      [cellSections(content, name), tableSection(content, name), widthSection(content, name)]
        .filter(Boolean)
        .join("\n"),
  };
}

const EXPLANATION =
  "Data come from a tree of binary latents of which the network sees the leaves alone; two samples with the same root are a positive pair, so that everything below the root is augmentation. The network mirrors the tree, a node of several units for each latent, and no latent is ever shown to it. Each update moves every layer by a covariance operator (Tian, Yu, Chen & Ganguli, Understanding Self-supervised Learning with Dual Deep Networks, 2020, arXiv 2010.00578), which amplifies units that happen to know their latent a little: the more units a node has, the luckier the best of them.";

const LOSSES: Readonly<Record<string, string>> = {
  batchSigmoid: "−σ((r₋ − r₊)/τ) of whole batches, as the authors’ code has it (no logarithm)",
  batchDifference: "r₊ − r₋ of whole batches",
  infoNce: "InfoNCE with one negative",
  softTriplet: "the soft triplet loss",
  simpleContrastive: "the simple contrastive loss r₊ − r₋",
};

function trainedOn({ config, cells }: HltmContent): string {
  const { tree, loss, data, seeds } = config;
  const widths = [...new Set(cells.map(({ width }) => width))].join(", ");
  const temperature = "temperature" in loss ? `, temperature ${loss.temperature}` : "";
  const negatives =
    data.negatives === "independent" ? "roots drawn anew, half of them the sample’s own" : "the opposite root";
  return `Locally connected ReLU networks on latent trees of depth ${tree.depth} and branching ${tree.branching} with ${widths} units a latent, ${seeds} seeds side by side, trained with ${LOSSES[loss.kind] ?? loss.kind}${temperature}; negatives have ${negatives}.`;
}

function comparison({ cells }: HltmContent): ReportRun["comparison"] {
  return cells.map((cell) => {
    const mean = cell.correlation.mean.at(-1)?.[0];
    const std = cell.correlation.std.at(-1)?.[0];
    const name = `root’s correlation at the end, width ${cell.width}, |ρ| from ${cell.polarity[0]}`;
    return [name, mean === undefined ? "-" : `${mean.toFixed(3)} ± ${(std ?? 0).toFixed(3)}`] as const;
  });
}

/** All correlation panels, three in a row, as one SVG. */
function drawings({ cells }: HltmContent): Readonly<Record<string, string>> {
  const panels = cells
    .filter(({ correlation }) => correlation.epochs.length > 1)
    .map((cell) => correlationPanel(cell, `figure-${cell.index}`));
  const [first] = panels;
  if (!first) return {};
  const perRow = Math.min(3, panels.length);
  const [width, height] = [first.layout.width, panelHeight(first.layout)];
  const rows = Math.ceil(panels.length / perRow);
  const placed = panels.map((panel, index) =>
    bandPanelSvg(panel, { x: width * (index % perRow), y: height * Math.floor(index / perRow) }),
  );
  const figure = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width * perRow} ${height * rows}" width="${width * perRow}" height="${height * rows}">\n${placed.join("\n")}\n</svg>`;
  return { figure };
}
