/** The report's page: one HTML text with everything in it. What is said here is for a reader who has not seen eigenstep. */
import { type Column, columnsSvg } from "./composition.ts";
import { adapterOf, configRows, lossText, summaryRows } from "./describeRun.ts";
import { type Figure, panelsOf, type View } from "./figure.ts";
import { escaped } from "./markup.ts";
import { SCRIPT, STYLE } from "./pageStyle.ts";
import { panelSvg } from "./panel.ts";
import { hasPanels, type ReportRun } from "./reportRun.ts";
import { SCALES } from "./scales.ts";
import { hasPredictedRules } from "./stepRules.ts";
import { bar, switches, switchStyle } from "./switches.ts";
import { rowTable, table } from "./tables.ts";

export interface PageContent {
  readonly runs: readonly ReportRun[];
  readonly figure: Figure;
  /** One for each run, when they stand beside one another. */
  readonly columns: readonly Column[] | undefined;
  /** Shown first. */
  readonly view: View;
  readonly notes: readonly string[];
  readonly version: string;
}

export function pageHtml(content: PageContent): string {
  const { runs, notes, version } = content;
  const title = `${unique(runs, ({ stored }) => stored.config.preset).join(", ")}: ${runs[0]?.headline ?? "learning one eigenvalue at a time"}`;
  const label = (run: ReportRun) => (runs.length > 1 ? run.label : undefined);
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
${hasPanels(runs) ? `${bar(content)}\n${figures(content)}` : ""}
${runs.length > 1 ? comparison(runs) : ""}
${runs.map((run) => run.sections(label(run))).join("\n")}
${unique(runs, ({ definitions }) => definitions).join("\n")}
${runs.map((run) => detailSection(run, runs.length > 1)).join("\n")}
<p class="sub">Made by eigenstep ${escaped(version)} with <code>eigenstep report</code>.</p>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function unique(runs: readonly ReportRun[], pick: (run: ReportRun) => string | undefined): string[] {
  return [...new Set(runs.flatMap((run) => pick(run) ?? []))];
}

function introduction({ runs }: PageContent): string {
  const trained = unique(runs, (run) => run.trainedOn).map((sentence) => escaped(sentence));
  const explained = unique(runs, (run) => run.explanation);
  const text =
    trained.length === 1
      ? `<p>${[...trained, ...explained].join(" ")}</p>`
      : `<ul>${trained.map((sentence) => `<li>${sentence}</li>`).join("")}</ul>\n<p>${explained.join(" ")}</p>`;
  const presets = unique(runs, ({ stored }) => stored.config.preset).join(", ");
  const adapters = unique(runs, ({ stored }) => adapterOf(stored)).join("; ");
  return `<p class="sub">Preset ${escaped(presets)}${runs.length > 1 ? `, ${runs.length} runs` : ""}${adapters ? ` · ${escaped(adapters)}` : ""}</p>\n${text}`;
}

function figures(content: PageContent): string {
  const { figure, columns } = content;
  if (columns) {
    const views = eachView((view) => columnsSvg(columns, view, { id: `${view.time}-${view.eigenvalues}-` }));
    return figureHtml("figure", views, `${lossCaption(content)} Each run has axes of its own.`);
  }
  const loss = SCALES.map((time) => {
    const [panel] = panelsOf(figure, { time, eigenvalues: "linear" });
    return `<div class="view t-${time} e-log e-linear">${panelSvg(panel)}</div>`;
  });
  const eigenvalues = eachView((view) => panelSvg(panelsOf(figure, view)[1]));
  return [
    figureHtml("loss", loss, lossCaption(content)),
    figureHtml("eigenvalues", eigenvalues, eigenvalueCaption(content)),
  ].join("\n");
}

/** A picture for each setting of the switches, of which the page shows one. */
function eachView(draw: (view: View) => string): string[] {
  return SCALES.flatMap((time) =>
    SCALES.map((eigenvalues) => `<div class="view t-${time} e-${eigenvalues}">${draw({ time, eigenvalues })}</div>`),
  );
}

function eigenvalueCaption({ runs }: PageContent): string {
  const own = unique(runs, ({ captions }) => captions.eigenvalues).map((caption) => escaped(caption));
  return `${own.join(" ")} A logarithmic axis leaves out what is not positive: tiny eigenvalues may be negative before their step.`;
}

function lossCaption({ figure, columns, runs }: PageContent): string {
  const isOverlaid = runs.length > 1 && !columns;
  const parts = [
    isOverlaid
      ? "Lines with markers: measured, a colour and a marker for each run."
      : `Broad coloured line${columns ? "s" : ""}: measured.`,
  ];
  if (figure.theories.length > 0) {
    const which =
      figure.theories[0] === "descent"
        ? "the recurrence of each mode at the run’s learning rate or, by the switch, its limit of gradient flow"
        : "gradient flow";
    parts.push(`Thin dashed black line: theory${isOverlaid ? " of each run" : ""}, by ${which}; nothing is fitted.`);
  }
  if (hasPredictedRules(figure)) {
    parts.push(
      "Dashed vertical lines: predicted step times, labelled by mode where there is room; dotted and marked ~ where the theory is not held to them.",
    );
  }
  if (!isOverlaid) parts.push(...unique(runs, ({ captions }) => captions.loss).map((caption) => escaped(caption)));
  return parts.filter(Boolean).join(" ");
}

function figureHtml(name: string, views: readonly string[], caption: string): string {
  return `<figure data-panel="${name}">
${views.join("\n")}
<figcaption>${caption}</figcaption>
</figure>
<button type="button" data-panel="${name}" data-file="${name}.svg" hidden>Save this ${name === "figure" ? "figure" : "panel"} as SVG</button>`;
}

function comparison(runs: readonly ReportRun[]): string {
  const configs = runs.map(({ stored }) => new Map(configRows(stored.config)));
  const own = runs.map((run) => new Map(run.comparison));
  const paths = [...new Set(configs.flatMap((config) => [...config.keys()]))];
  const differing = paths.filter((path) => new Set(configs.map((config) => config.get(path))).size > 1);
  const head = ["", ...runs.map(({ label }) => escaped(label))];
  const rows = [
    ...differing.map((path) => [path, ...configs.map((config) => config.get(path) ?? "-")]),
    ["last loss", ...runs.map(({ records }) => lossText(records.at(-1)?.loss))],
    ...[...new Set(own.flatMap((values) => [...values.keys()]))].map((name) => [
      name,
      ...own.map((values) => values.get(name) ?? "-"),
    ]),
  ];
  return `<h2>The runs beside one another</h2>
${table(head, rows, (column) => column > 0)}
<p>Values of the configuration are shown where the runs differ.</p>`;
}

function detailSection({ stored, label }: ReportRun, isNamed: boolean): string {
  return `<h2>The run${isNamed ? ` ${escaped(label)}` : ""}</h2>
<div class="columns">
<div><h3>Outcome and cost</h3>${rowTable(summaryRows(stored))}</div>
<div><h3>Configuration</h3>${rowTable(configRows(stored.config))}</div>
</div>`;
}
