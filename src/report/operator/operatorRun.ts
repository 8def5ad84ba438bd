/** Operator runs in a report: how well the operators give the gradient, and how they and the weights change. */
import { z } from "zod";
import { stackedSvg } from "../composition.ts";
import { escaped } from "../markup.ts";
import { otherRun } from "../otherRun.ts";
import { type PanelSpec, panelSvg } from "../panel.ts";
import type { StoredRun } from "../readRun.ts";
import type { ReportRun } from "../reportRun.ts";
import { sectionHeading, table } from "../tables.ts";
import { type Measurements, measurementsOf } from "./layerCurves.ts";
import { agreementPanel, growthPanels, ratioPanel, spectrumPanels } from "./layerPanels.ts";
import { cosineText, layerRows, operatorMeasured } from "./measured.ts";

const configSchema = z.object({
  data: z.object({
    source: z.string(),
    images: z.number(),
    batch: z.number(),
    augmentations: z.number(),
    side: z.number(),
  }),
  model: z.object({
    hidden: z.array(z.number()),
    outputs: z.number(),
    bias: z.boolean(),
    batchNorm: z.boolean(),
    normalized: z.boolean(),
  }),
  loss: z.object({ kind: z.string(), beta: z.number(), pairs: z.string(), negatives: z.number() }),
});

type Config = z.infer<typeof configSchema>;

const LOSSES: Readonly<Record<string, string>> = {
  simple: "the simple contrastive loss",
  triplet: "the soft triplet loss",
  infoNce: "InfoNCE",
};
const SOURCES: Readonly<Record<string, string>> = { cifar10: "CIFAR-10", mnist: "MNIST", stl10: "STL-10" };

export function operatorRun(stored: StoredRun, label: string): ReportRun {
  const config = configSchema.safeParse(stored.config).data;
  const measured = measurementsOf(stored.records);
  if (!config) return otherRun(stored, label);
  const id = label.replace(/[^\w-]/g, "_");
  const lossOn = LOSSES[config.loss.kind] ?? config.loss.kind;
  return {
    stored,
    label,
    records: stored.records,
    headline: "layers moved by covariance operators",
    words: {
      lossOn: `${lossOn} ${config.loss.pairs === "all" ? "over all pairs" : `with ${config.loss.negatives} negatives`}`,
      lossAxis: "loss",
      spectrumOf: "the covariance of the outputs of all views",
      timeAxis: "t = learning rate × step",
      isUnitStaircase: false,
    },
    defaultTime: "linear",
    trainedOn: trainedOn(config, lossOn),
    explanation: EXPLANATION,
    captions: {
      loss: config.loss.kind === "simple" ? "The simple loss is unbounded below: outputs grow without end." : "",
      eigenvalues: "Eigenvalues of the covariance of the outputs, sorted.",
    },
    columnTitle: "operators",
    columnSubtitle: label,
    axesKey: `operator-${config.loss.kind}`,
    notes: measured.records.length > 0 ? [] : ["No record holds measurements of operators yet."],
    comparison: [
      [
        "least cosine of −∇W and OP·vec(W)",
        cosineText(operatorMeasured(stored.summary?.measured)?.leastCosine ?? null),
      ],
    ],
    drawings: measured.records.length > 0 ? drawings(measured, id) : {},
    sections: (name) => (measured.records.length > 0 ? sections(stored, measured, id, name) : ""),
  };
}

function trainedOn({ data, model, loss }: Config, lossOn: string): string {
  const widths = [3 * data.side ** 2, ...model.hidden, model.outputs].join("-");
  const parts = [
    model.bias ? "with biases" : "without biases",
    ...(model.batchNorm ? ["with batch normalisation"] : []),
    ...(model.normalized ? ["outputs of length one"] : []),
  ];
  return `A deep ReLU network ${widths}, ${parts.join(", ")}, trained by gradient descent on ${lossOn}${loss.beta === 0 ? "" : ` with beta = ${loss.beta}`}: ${data.augmentations} views each of ${data.batch} of ${data.images} ${SOURCES[data.source] ?? data.source} images a step.`;
}

const EXPLANATION =
  "In such a network every update moves the weights of each layer by a covariance operator (Y. Tian et al., Understanding Self-supervised Learning with Dual Deep Networks, 2020, arXiv 2010.00578): −∇W<sub>l</sub> = OP<sub>l</sub>·vec(W<sub>l</sub>). For the simple loss over all pairs OP<sub>l</sub> is twice V<sub>x</sub>[K̄<sub>l</sub>], the covariance over images of the connections K<sub>l</sub> = f<sub>l−1</sub> ⊗ J<sub>l</sub>ᵀ averaged over views. It amplifies what differs between images and survives augmentation. Both sides are computed on the GPU from the batch of the step, the operator in factored form.";

function drawings(measured: Measurements, id: string): Readonly<Record<string, string>> {
  const ratio = ratioPanel(measured, id);
  return {
    agreement: panelSvg(agreementPanel(measured, id)),
    operators: stackedSvg(spectrumPanels(measured, id)),
    growth: stackedSvg(growthPanels(measured, id)),
    ...(ratio ? { ratio: panelSvg(ratio) } : {}),
  };
}

function sections(stored: StoredRun, measured: Measurements, id: string, label: string | undefined): string {
  const ratio = ratioPanel(measured, id);
  return [
    sectionHeading("Covariance operators", label),
    figure("agreement", [agreementPanel(measured, id)], AGREEMENT),
    layerTable(stored),
    `<h3>(b) Spectra of V<sub>x</sub>[K̄<sub>l</sub>]</h3>`,
    small(spectrumPanels(measured, id)),
    `<p>${escaped(SPECTRA)}</p>`,
    ratio ? figure("ratio", [ratio], RATIO) : "",
    `<h3>(d) Growth of the weights</h3>`,
    small(growthPanels(measured, id)),
    `<p>${escaped(GROWTH)}</p>`,
  ].join("\n");
}

const AGREEMENT =
  "How far −∇W is from the operator applied to the weights, at every layer and measured step. Below the dashed line the cosine of the two is at least 0.9999; rounding in f32 is near 1e-7.";
const SPECTRA =
  "The largest eigenvalues, on a logarithmic axis, by steps. Those of the last layer come in groups of as many as there are outputs: its operator is the covariance of its inputs for every output.";
const RATIO = "Connections that vary between images against connections that vary between views of one image.";
const GROWTH =
  "Coloured: ln of the growth a step of the weights’ coefficient along the leading eigenvector, from one measurement to the next. Dashed: what the operator would give if it stayed as it was, ln(1 + 2·learning rate·λ). Views are drawn anew in every step, and the operator changes with the weights, which is what sets the two apart.";

function figure(name: string, panels: readonly PanelSpec[], caption: string): string {
  return `<figure data-panel="${name}">
${panels.map((one) => panelSvg(one)).join("\n")}
<figcaption>${escaped(caption)}</figcaption>
</figure>`;
}

function small(panels: readonly PanelSpec[]): string {
  return `<div class="panels">${panels.map((one) => `<figure>${panelSvg(one)}</figure>`).join("\n")}</div>`;
}

function layerTable({ summary }: StoredRun): string {
  const known = operatorMeasured(summary?.measured);
  if (!known) return "";
  const { head, rows } = layerRows(known);
  return table(head, rows, (column) => column > 0);
}
