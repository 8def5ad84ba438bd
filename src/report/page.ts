/** The report's page: one HTML text with everything in it. What is said here is for a reader who has not seen eigenstep. */
import { adapterOf, configRows, lossText, type Row, summaryRows, trainedOn, worstError } from "./describeRun.ts";
import { type Figure, hasRules, panelsOf, type TheoryName, type View } from "./figure.ts";
import { formatNumber, formatPercent } from "./format.ts";
import { attributes, escaped } from "./markup.ts";
import { SCRIPT, STYLE } from "./pageStyle.ts";
import { panelSvg } from "./panel.ts";
import type { ReportRun } from "./report.ts";
import { relativeError, type StepTimes } from "./stepTimes.ts";

export interface PageContent {
  readonly runs: readonly ReportRun[];
  readonly figure: Figure;
  /** Shown first. */
  readonly view: View;
  readonly notes: readonly string[];
  readonly version: string;
}

const SCALES = ["log", "linear"] as const;
const SCALE_NAMES = { log: "logarithmic", linear: "linear" } as const;

export function pageHtml(content: PageContent): string {
  const { runs, notes, version } = content;
  const title = `${[...new Set(runs.map(({ stored }) => stored.config.preset))].join(", ")}: learning one eigenvalue at a time`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="eigenstep ${escaped(version)}">
<title>${escaped(title)}</title>
<style>${STYLE}${switchStyle(content)}</style>
</head>
<body>
${switches(content)}
<main>
<h1>${escaped(title)}</h1>
${introduction(content)}
${notes.map((note) => `<p class="note">${escaped(note)}</p>`).join("\n")}
${bar(content)}
${figures(content)}
${runs.length > 1 ? comparison(runs) : ""}
${runs.map((run) => stepSection(run, runs.length > 1)).join("\n")}
${runs.map((run) => detailSection(run, runs.length > 1)).join("\n")}
<p class="sub">Made by eigenstep ${escaped(version)} with <code>eigenstep report</code>.</p>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function introduction({ runs }: PageContent): string {
  const [first] = runs;
  if (!first) return "";
  const text = [...new Set(runs.map(({ stored }) => trainedOn(stored.config)))].map((sentence) => escaped(sentence));
  if (runs.some(({ theory }) => theory)) {
    text.push(
      "Theory says that such an encoder learns one mode after another: each eigenvalue λ<sub>j</sub> of C rises from near 0 to 1 in a step of its own, and the loss falls by one with it. When that happens is computed from the data and the initial weight alone: from the eigenvalues γ<sub>j</sub> of the views’ own cross-correlation Γ and from the size of each mode in the initial weight. No parameter is fitted (J. B. Simon et al., On the Stepwise Nature of Self-Supervised Learning, 2023, arXiv 2303.15438).",
    );
  }
  const presets = [...new Set(runs.map(({ stored }) => stored.config.preset))].join(", ");
  const adapters = [...new Set(runs.flatMap(({ stored }) => adapterOf(stored) ?? []))].join("; ");
  return `<p class="sub">Preset ${escaped(presets)}${runs.length > 1 ? `, ${runs.length} runs` : ""}${adapters ? ` · ${escaped(adapters)}` : ""}</p>\n<p>${text.join(" ")}</p>`;
}

interface Choice {
  readonly id: string;
  readonly label: string;
  readonly isChecked: boolean;
}

interface Switch {
  readonly name: string;
  readonly label: string;
  readonly choices: readonly Choice[];
}

function switchesOf({ view, figure }: PageContent): Switch[] {
  const scale = (name: string, label: string, now: string): Switch => ({
    name,
    label,
    choices: SCALES.map((one) => ({ id: `${name}-${one}`, label: SCALE_NAMES[one], isChecked: one === now })),
  });
  const theories: Switch = {
    name: "theory",
    label: "Theory",
    choices: figure.theories.map((one, index) => ({
      id: `theory-${one}`,
      label: THEORY_LABELS[one],
      isChecked: index === 0,
    })),
  };
  return [
    scale("time", "Time t", view.time),
    scale("eigenvalues", "Eigenvalues", view.eigenvalues),
    ...(theories.choices.length > 1 ? [theories] : []),
  ];
}

const THEORY_LABELS: Readonly<Record<TheoryName, string>> = { descent: "at this learning rate", flow: "gradient flow" };

/** Before everything else, so that `:checked ~ main` reaches the page. */
function switches(content: PageContent): string {
  return switchesOf(content)
    .flatMap(({ name, label, choices }) =>
      choices.map(
        (choice) =>
          `<input${attributes({ type: "radio", class: "switch", name, id: choice.id, "aria-label": `${label}: ${choice.label}` })}${choice.isChecked ? " checked" : ""}>`,
      ),
    )
    .join("\n");
}

function bar(content: PageContent): string {
  const parts = switchesOf(content).map(
    ({ label, choices }) =>
      `<div><span>${label}</span>${choices.map((choice) => `<label for="${choice.id}">${choice.label}</label>`).join("")}</div>`,
  );
  return `<div class="bar">${parts.join("\n")}</div>`;
}

function switchStyle(content: PageContent): string {
  const all = switchesOf(content).flatMap(({ choices }) => choices.map(({ id }) => id));
  const on = (suffix: string) => all.map((id) => `#${id}:${suffix} ~ main label[for="${id}"]`).join(",\n");
  const hidden = SCALES.flatMap((one) => [
    `#time-${one}:checked ~ main .view:not(.t-${one})`,
    `#eigenvalues-${one}:checked ~ main .view:not(.e-${one})`,
  ]);
  const { theories } = content.figure;
  const hiddenTheories = theories.flatMap((one) =>
    theories.filter((other) => other !== one).map((other) => `#theory-${one}:checked ~ main g.${other}`),
  );
  return `${on("checked")} { background: #222; color: #fff; }
${on("focus-visible")} { outline: 3px solid #56B4E9; outline-offset: 1px; }
${[...hidden, ...hiddenTheories].join(",\n")} { display: none; }
`;
}

function figures(content: PageContent): string {
  const { figure } = content;
  const loss = SCALES.map((time) => {
    const [panel] = panelsOf(figure, { time, eigenvalues: "linear" });
    return `<div class="view t-${time} e-log e-linear">${panelSvg(panel)}</div>`;
  });
  const eigenvalues = SCALES.flatMap((time) =>
    SCALES.map((scale) => {
      const [, panel] = panelsOf(figure, { time, eigenvalues: scale });
      return `<div class="view t-${time} e-${scale}">${panelSvg(panel)}</div>`;
    }),
  );
  return [
    figureHtml("loss", loss, lossCaption(content)),
    figureHtml("eigenvalues", eigenvalues, EIGENVALUE_CAPTION),
  ].join("\n");
}

const EIGENVALUE_CAPTION =
  "Eigenvalues of C, sorted; the horizontal line at ½ defines the measured step times. A logarithmic axis leaves out what is not positive: tiny eigenvalues may be negative before their step.";

function lossCaption({ figure, runs }: PageContent): string {
  const several = runs.length > 1;
  const parts = [
    several ? "Lines with markers: measured, a colour and a marker for each run." : "Broad coloured line: measured.",
  ];
  if (figure.theories.length > 0) {
    const which =
      figure.theories[0] === "descent"
        ? "the recurrence of each mode at the run’s learning rate or, by the switch, its limit of gradient flow"
        : "gradient flow";
    parts.push(`Thin dashed black line: theory${several ? " of each run" : ""}, by ${which}; nothing is fitted.`);
  }
  if (hasRules(figure)) {
    parts.push(
      "Dashed vertical lines: predicted step times, labelled by mode where there is room; dotted and marked ~ where the theory is not held to them.",
    );
  }
  return parts.join(" ");
}

function figureHtml(name: string, views: readonly string[], caption: string): string {
  return `<figure data-panel="${name}">
${views.join("\n")}
<figcaption>${caption}</figcaption>
</figure>
<button type="button" data-panel="${name}" data-file="${name}.svg" hidden>Save this panel as SVG</button>`;
}

function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  isNumber: (column: number) => boolean,
): string {
  const cell = (tag: string, text: string, column: number) =>
    `<${tag}${isNumber(column) ? ' class="number"' : ""}>${text}</${tag}>`;
  return `<div class="scroll"><table><thead><tr>${head.map((text, column) => cell("th", text, column)).join("")}</tr></thead>
<tbody>${rows.map((row) => `<tr>${row.map((text, column) => cell("td", escaped(text), column)).join("")}</tr>`).join("\n")}</tbody></table></div>`;
}

function stepSection({ steps, label }: ReportRun, isNamed: boolean): string {
  if (!steps) return "";
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
  return `<h2>Step times${isNamed ? ` of ${escaped(label)}` : ""}</h2>
${table(head, rows, (column) => column < 6)}
<p>${stepLegend(steps)}</p>`;
}

function timeText(time: number | null | undefined, otherwise: string): string {
  return time === null || time === undefined ? otherwise : formatNumber(time, 5);
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

function comparison(runs: readonly ReportRun[]): string {
  const configs = runs.map(({ stored }) => new Map(configRows(stored.config)));
  const paths = [...new Set(configs.flatMap((config) => [...config.keys()]))];
  const differing = paths.filter((path) => new Set(configs.map((config) => config.get(path))).size > 1);
  const head = ["", ...runs.map(({ label }) => escaped(label))];
  const row = (name: string, value: (run: ReportRun, index: number) => string) => [name, ...runs.map(value)];
  const rows = [
    ...differing.map((path) => row(path, (_, index) => configs[index]?.get(path) ?? "-")),
    row("last loss", ({ records }) => lossText(records.at(-1)?.loss)),
    row(
      "modes learned",
      ({ records }) =>
        `${records.at(-1)?.spectrum.filter((value) => value >= 0.5).length ?? 0} of ${records[0]?.spectrum.length ?? 0}`,
    ),
    row("largest error of a step time", ({ steps }) =>
      steps ? formatPercent(worstError(steps)).replace("+", "") : "-",
    ),
    ...stepRows(runs),
  ];
  return `<h2>The runs beside one another</h2>
${table(head, rows, (column) => column > 0)}
<p>Values of the configuration are shown where the runs differ. Step times are the measured ones.</p>`;
}

function stepRows(runs: readonly ReportRun[]): string[][] {
  const most = Math.max(...runs.map(({ steps }) => steps?.measured.length ?? 0));
  return Array.from({ length: most }, (_, mode) => [
    `step time of mode ${mode + 1}`,
    ...runs.map(({ steps }) =>
      steps && mode < steps.measured.length ? timeText(steps.measured[mode], "not yet") : "-",
    ),
  ]);
}

function detailSection({ stored, label }: ReportRun, isNamed: boolean): string {
  return `<h2>The run${isNamed ? ` ${escaped(label)}` : ""}</h2>
<div class="columns">
<div><h3>Outcome and cost</h3>${rowTable(summaryRows(stored))}</div>
<div><h3>Configuration</h3>${rowTable(configRows(stored.config))}</div>
</div>`;
}

function rowTable(rows: readonly Row[]): string {
  return `<table><tbody>${rows.map(([name, value]) => `<tr><th scope="row">${escaped(name)}</th><td>${escaped(value)}</td></tr>`).join("\n")}</tbody></table>`;
}
