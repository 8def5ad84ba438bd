/** Identity runs in a report: every residual beside the tolerance, wrong operators beside right ones. */
import { formatNumber } from "../format.ts";
import { escaped } from "../markup.ts";
import type { StoredRun } from "../readRun.ts";
import type { ReportRun } from "../reportRun.ts";
import { sectionHeading, table } from "../tables.ts";
import {
  FORMS,
  formRows,
  type IdentityMeasured,
  type IdentityResidual,
  identityMeasured,
  identitySentence,
} from "./measured.ts";
import { residualStripSvg, type StripRow } from "./residualStrip.ts";

const LOSSES: Readonly<Record<string, string>> = { simple: "simple", triplet: "triplet", infoNce: "InfoNCE" };

export function identityRun(stored: StoredRun, label: string): ReportRun {
  const measured = identityMeasured(stored.summary?.measured);
  return {
    stored,
    label,
    records: stored.records,
    words: { lossOn: "", lossAxis: "", spectrumOf: "", timeAxis: "network", isUnitStaircase: false },
    defaultTime: "linear",
    headline: "gradients are covariance operators",
    hasPanels: false,
    trainedOn: `Gradients of contrastive losses in small random deep ReLU networks without biases, against the covariance operators that theory says they are: ${stored.records.length} networks and data sets of each architecture.`,
    explanation: EXPLANATION,
    captions: { loss: "", eigenvalues: "" },
    columnTitle: "identities",
    columnSubtitle: label,
    axesKey: "operator-identity",
    notes: measured ? [] : ["summary.json holds no residuals: the run has not ended."],
    comparison: measured ? [["largest residual", formatNumber(measured.largest, 3)]] : [],
    drawings: measured ? { residuals: residualStripSvg(rowsOf(measured), measured.tolerance) } : {},
    sections: (name) => (measured ? sections(measured, name) : ""),
  };
}

const EXPLANATION =
  "At every layer −∇W<sub>l</sub> = OP<sub>l</sub>·vec(W<sub>l</sub>), exactly, where OP<sub>l</sub> is built from the connections K<sub>l</sub>(x) = f<sub>l−1</sub>(x) ⊗ J<sub>l</sub>(x)ᵀ of the samples (Y. Tian et al., Understanding Self-supervised Learning with Dual Deep Networks, 2020, arXiv 2010.00578). Gradient and operator are computed on the GPU in f32, by ways that share the forward pass and the loss’s weights β alone. Operators that are wrong on purpose must not agree.";

function rowsOf({ residuals, controls }: IdentityMeasured): StripRow[] {
  const rows = new Map<string, { values: number[]; wrong: number[] }>();
  const add = (found: IdentityResidual, kind: "values" | "wrong") => {
    const label = rowLabel(found);
    const row = rows.get(label) ?? { values: [], wrong: [] };
    rows.set(label, row);
    if (found.relative !== null) row[kind].push(found.relative);
  };
  for (const found of residuals) add(found, "values");
  for (const found of controls) add(found, "wrong");
  const order = Object.values(FORMS);
  const rank = (label: string): number => order.findIndex((form) => label.startsWith(form));
  return [...rows]
    .map(([label, row]) => ({ label, ...row }))
    .sort((a, b) => rank(a.label) - rank(b.label) || (a.label < b.label ? -1 : 1));
}

function rowLabel({ form, loss, negatives, augmentation }: IdentityResidual): string {
  const count = ["exact", "unit"].includes(form) ? `, H = ${negatives}` : "";
  return `${FORMS[form] ?? form}: ${LOSSES[loss] ?? loss}${count}${augmentation ? ", augmented" : ""}`;
}

function sections(measured: IdentityMeasured, label: string | undefined): string {
  const sentence = identitySentence(measured);
  const outputs = `The connections give the outputs, K_l(x)ᵀ·vec(W_l) = f_L(x), to ${formatNumber(measured.outputIdentity, 2)}.`;
  return `${sectionHeading("Residuals", label)}
<figure data-panel="residuals">
${residualStripSvg(rowsOf(measured), measured.tolerance)}
<figcaption>${escaped(CAPTION)}</figcaption>
</figure>
<p>${escaped(`${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}. ${outputs}`)}</p>
${table(["operator", "checks", "relative residual"], formRows(measured), (column) => column > 0)}`;
}

const CAPTION =
  "Rows: identity, loss, negatives H, with and without augmentation. A dot: one layer of one architecture, one beta, one convention, the worst of all networks. A cross: an operator that leaves something out.";
