/** Linear runs in a report: theory beside measurement, the table of step times, and what they say. */
import { z } from "zod";
import { type Descent, modeTheoryOf } from "./curves.ts";
import { formatNumber, formatPercent } from "./format.ts";
import type { StoredConfig, StoredRun } from "./readRun.ts";
import type { ReportRun } from "./reportRun.ts";
import { relativeError, type StepTimes, stepTimesOf } from "./stepTimes.ts";
import { type Row, sectionHeading, table, timeText } from "./tables.ts";

const descentSchema = z.object({
  steps: z.int().min(1),
  optimizer: z.object({ learningRate: z.number().positive(), momentum: z.number().min(0).lt(1) }),
});
const linearSchema = z.object({
  model: z.object({ outputs: z.number() }),
  data: z.object({
    source: z.string(),
    images: z.number().optional(),
    pairs: z.number().optional(),
    crop: z.number().optional(),
  }),
});

export function linearRun(stored: StoredRun, label: string): ReportRun {
  const known = stepTimesOf(stored.summary?.theory, stored.summary?.measured);
  const descent = descentOf(stored.config);
  const steps = descent && known;
  const theory = descent && modeTheoryOf(known);
  const lack =
    stored.summary === undefined
      ? "The theory, which summary.json holds, is not shown."
      : "summary.json holds no theory that could be drawn.";
  return {
    stored,
    label,
    records: stored.records,
    steps,
    theory,
    descent,
    words: {
      lossOn: "",
      lossAxis: "loss  L = ‖C − I‖²",
      spectrumOf: "C",
      timeAxis: `t = learning rate × step${(descent?.momentum ?? 0) > 0 ? " / (1 − momentum)" : ""}`,
      isUnitStaircase: true,
    },
    defaultTime: "log",
    trainedOn: trainedOn(stored.config),
    explanation: theory && EXPLANATION,
    captions: {
      loss: "",
      eigenvalues: "Eigenvalues of C, sorted; the horizontal line at ½ defines the measured step times.",
    },
    columnTitle: "Linear",
    columnSubtitle: label,
    axesKey: "linear",
    notes: steps && theory ? [] : [lack],
    comparison: comparison(stored, steps),
    sections: (name) => (steps ? stepSection(steps, name) : ""),
  };
}

const EXPLANATION =
  "Theory says that such an encoder learns one mode after another: each eigenvalue λ<sub>j</sub> of C rises from near 0 to 1 in a step of its own, and the loss falls by one with it. When that happens is computed from the data and the initial weight alone: from the eigenvalues γ<sub>j</sub> of the views’ own cross-correlation Γ and from the size of each mode in the initial weight. No parameter is fitted (J. B. Simon et al., On the Stepwise Nature of Self-Supervised Learning, 2023, arXiv 2303.15438).";

/** Learning rate and momentum, if the run is gradient descent as the theory knows it. */
function descentOf(config: StoredConfig): Descent | undefined {
  const parsed = descentSchema.safeParse(config).data;
  return parsed && { ...parsed.optimizer, steps: parsed.steps };
}

function trainedOn(config: StoredConfig): string {
  const known = linearSchema.safeParse(config).data;
  if (!known) return `A linear run, preset ${config.preset}.`;
  const { data, model } = known;
  return `A linear encoder z = W x with ${model.outputs} outputs, trained by full-batch gradient descent on the loss ‖C − I‖², where C is the cross-correlation of the embeddings of two views, of ${dataWords(data)}.`;
}

function dataWords({ source, images, pairs, crop }: z.infer<typeof linearSchema>["data"]): string {
  const names: Readonly<Record<string, string>> = { cifar10: "CIFAR-10", mnist: "MNIST" };
  if (images !== undefined)
    return `${images} ${names[source] ?? source} images: two random ${crop} × ${crop} crops of each`;
  const data: Readonly<Record<string, string>> = {
    "synthetic-spectrum": "Gaussian pairs with a prescribed spectrum",
    "extent-bias": "pairs with a wide and a narrow feature",
    "amplitude-bias": "pairs with a strong and a weak feature",
  };
  return `${pairs ?? "some"} ${data[source] ?? `pairs (${source})`}`;
}

function stepSection(steps: StepTimes, label: string | undefined): string {
  const head = [
    "mode",
    "γ<sub>j</sub>, eigenvalue of Γ",
    "gradient flow",
    "at this learning rate",
    "measured",
    "relative error",
    "",
  ];
  const rows = steps.discrete.map((discrete, mode) => [
    String(mode + 1),
    formatNumber(steps.gamma[mode], 4),
    timeText(steps.flow[mode], "never"),
    timeText(discrete, "never"),
    timeText(steps.measured[mode], "not yet"),
    formatPercent(relativeError(steps, mode)),
    steps.admitted[mode] ? "" : "~",
  ]);
  return `${sectionHeading("Step times", label)}
${table(head, rows, (column) => column < 6)}
<p>${stepLegend(steps)}</p>`;
}

function stepLegend(steps: StepTimes): string {
  const worst = worstError(steps);
  const text = [
    "Times in t = learning rate × step. Predicted: when λ<sub>j</sub> of the theory reaches ½, for gradient flow and for gradient descent at the run’s learning rate. Measured: when the j-th largest eigenvalue of C crosses ½, interpolated between records. The error is that of measured against predicted at this learning rate.",
  ];
  if (steps.admitted.includes(false)) {
    const tolerance = steps.tolerance === undefined ? "its tolerance" : `${formatNumber(100 * steps.tolerance)} %`;
    text.push(
      `A mode marked ~ is not held to its prediction: the theory is exact in the limit of a small initial weight, and the gap between this mode’s eigenvalue of Γ and its neighbours’ is too narrow, at this initial weight, to promise the step time to ${tolerance}.`,
    );
  }
  if (worst !== undefined)
    text.push(
      `Largest error${steps.admitted.includes(false) ? " of the others" : ""}: ${formatPercent(worst).replace("+", "")}.`,
    );
  return text.join(" ");
}

function comparison({ records }: StoredRun, steps: StepTimes | undefined): Row[] {
  const learned = records.at(-1)?.spectrum.filter((value) => value >= 0.5).length ?? 0;
  return [
    ["modes learned", `${learned} of ${records[0]?.spectrum.length ?? 0}`],
    ["largest error of a step time", steps ? formatPercent(worstError(steps)).replace("+", "") : "-"],
    ...(steps?.measured ?? []).map(
      (time, mode): Row => [`measured step time of mode ${mode + 1}`, timeText(time, "not yet")],
    ),
  ];
}

/** The largest error among the modes that the theory is held to. */
function worstError(steps: StepTimes): number | undefined {
  const errors = steps.discrete.flatMap((_, mode) => {
    const error = steps.admitted[mode] ? relativeError(steps, mode) : null;
    return error === null ? [] : [Math.abs(error)];
  });
  return errors.length > 0 ? Math.max(...errors) : undefined;
}
