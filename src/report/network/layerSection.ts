/** Spectra of layers that a network run recorded beside that of its embeddings: a small panel for each. */
import type { MetricsRecord } from "../../experiments/contract.ts";
import { createFigure, panelsOf } from "../figure.ts";
import { smallLayout } from "../layout.ts";
import { escaped } from "../markup.ts";
import { panelSvg } from "../panel.ts";
import type { ReportRun } from "../reportRun.ts";
import { SCALES } from "../scales.ts";
import { sectionHeading } from "../tables.ts";

const PREFIX = "spectrum.";
/** A wide layer has hundreds of eigenvalues; the largest tell the story. */
const MOST_CURVES = 64;

export function layerSection(run: ReportRun, label: string | undefined): string {
  const layers = Object.keys(run.records[0]?.extra ?? {}).filter((name) => name.startsWith(PREFIX));
  if (layers.length === 0) return "";
  const panels = layers.map((name) => layerPanels(run, name));
  return `${sectionHeading("Spectra of layers", label)}
<div class="panels">${panels.join("\n")}</div>
<p>Eigenvalues of the covariance of each layer’s output over both views of the recorded pairs, averaged over pixels where the layer has any; at most the ${MOST_CURVES} largest are drawn. Vertical lines: the steps detected in the spectrum of the embeddings.</p>`;
}

function layerPanels(run: ReportRun, name: string): string {
  const layer = name.slice(PREFIX.length);
  const words = { ...run.words, spectrumOf: layer };
  const figure = createFigure([{ ...run, words, records: run.records.map((record) => layerRecord(record, name)) }]);
  const views = SCALES.flatMap((time) =>
    SCALES.map((eigenvalues) => {
      const layouts = [smallLayout(0), smallLayout(170)] as const;
      const id = `${run.label}-${layer}-`.replace(/[^\w-]/g, "_");
      const [, panel] = panelsOf(figure, { time, eigenvalues }, { layouts, id });
      return `<div class="view t-${time} e-${eigenvalues}">${panelSvg(panel)}</div>`;
    }),
  );
  return `<figure data-layer="${escaped(layer)}">${views.join("\n")}</figure>`;
}

function layerRecord(record: MetricsRecord, name: string): MetricsRecord {
  const values = record.extra?.[name];
  return { ...record, spectrum: Array.isArray(values) ? values.slice(0, MOST_CURVES) : [] };
}
