/** From runs to a report: checks what belongs together, computes the figure once, and hands it to the page and the SVG files. */
import { basename, resolve } from "node:path";
import { EngineError } from "../errors.ts";
import { type Column, columnsSvg, stackedSvg } from "./composition.ts";
import { stopOf } from "./describeRun.ts";
import { createFigure, type Figure, panelsOf, type View } from "./figure.ts";
import { reportRun } from "./kinds.ts";
import { pageHtml } from "./page.ts";
import { panelSvg } from "./panel.ts";
import type { StoredRun } from "./readRun.ts";
import { hasPanels, type ReportRun } from "./reportRun.ts";

export interface ReportOptions {
  /** The view that is shown first and written as SVG; t as is usual for the kind of run unless said otherwise. */
  readonly view: Partial<View>;
  /** A column for each run instead of all over one another; by default where losses or recorded matrices differ. */
  readonly columns?: boolean | undefined;
  /** Of the eigenstep that makes the report. */
  readonly version: string;
}

export interface Report {
  /** One page that needs nothing else. */
  readonly html: string;
  /** By name: `figure`, and unless it has columns each of its panels, `loss` and `eigenvalues`; and the runs' own drawings. */
  readonly svgs: Readonly<Record<string, string>>;
  /** What a reader should know about the files the report was made from. */
  readonly notes: readonly string[];
}

/**
 * Makes a report of one run, or of several: over one another, or in columns beside one another.
 *
 * @throws EngineError RUN-EMPTY (nothing recorded), RUN-KINDS (runs that do not belong in one report)
 */
export function makeReport(stored: readonly StoredRun[], options: ReportOptions): Report {
  for (const run of stored) if (run.records.length === 0) throw nothingRecorded(run);
  const kinds = new Set(stored.map(({ config }) => config.kind));
  if (kinds.size > 1) {
    throw new EngineError({
      code: "RUN-KINDS",
      message: `The runs are of different kinds: ${stored.map(({ path, config }) => `${path} is ${config.kind}`).join(", ")}`,
      fix: "Make one report for each kind.",
    });
  }
  const labels = runLabels(stored);
  const runs = stored.map((run, index) => reportRun(run, labels[index] ?? run.path));
  const isLog = runs.every(({ defaultTime }) => defaultTime === "log");
  const view: View = {
    time: options.view.time ?? (isLog ? "log" : "linear"),
    eigenvalues: options.view.eigenvalues ?? "linear",
  };
  const hasColumns = options.columns ?? new Set(runs.map(({ axesKey }) => axesKey)).size > 1;
  const columns = hasColumns ? runs.map(columnOf) : undefined;
  const figure = createFigure(runs);
  const notes = runs.flatMap(notesOn);
  return {
    html: pageHtml({ runs, figure, columns, view, notes, version: options.version }),
    svgs: { ...figureSvgs(runs, figure, columns, view), ...drawingsOf(runs) },
    notes,
  };
}

/** Figures of loss and eigenvalues; none of runs that have neither. */
function figureSvgs(
  runs: readonly ReportRun[],
  figure: Figure,
  columns: readonly Column[] | undefined,
  view: View,
): Report["svgs"] {
  if (!hasPanels(runs)) return {};
  if (columns) return { figure: columnsSvg(columns, view, { theories: figure.theories.slice(0, 1) }) };
  return panelSvgs(figure, view);
}

/** Of one run under their own names, of several with the run's number behind. */
function drawingsOf(runs: readonly ReportRun[]): Report["svgs"] {
  return Object.fromEntries(
    runs.flatMap(({ drawings = {} }, index) =>
      Object.entries(drawings).map(([name, svg]) => [runs.length === 1 ? name : `${name}-${index + 1}`, svg]),
    ),
  );
}

function panelSvgs(figure: Figure, view: View): Report["svgs"] {
  const [loss, eigenvalues] = panelsOf(figure, view, { theories: figure.theories.slice(0, 1) });
  return { figure: stackedSvg([loss, eigenvalues]), loss: panelSvg(loss), eigenvalues: panelSvg(eigenvalues) };
}

function columnOf(run: ReportRun) {
  return { figure: createFigure([run]), title: run.columnTitle, subtitle: run.columnSubtitle };
}

/** The preset, or, when several runs share it, the folder's name; numbered when that is shared, too. */
function runLabels(stored: readonly StoredRun[]): string[] {
  const names = stored.map(({ path, config }) => (stored.length === 1 ? config.preset : basename(resolve(path))));
  return names.map((name, index) => {
    const before = names.slice(0, index).filter((other) => other === name).length;
    return before === 0 ? name : `${name} (${before + 1})`;
  });
}

function notesOn(run: ReportRun): string[] {
  const { records, config, hasPartialLine, summary } = run.stored;
  const notes: string[] = [];
  const last = records.at(-1);
  if (hasPartialLine) {
    notes.push(
      `metrics.jsonl ends in the middle of a line; the ${records.length} whole lines are used, up to step ${last?.step}.`,
    );
  }
  if (summary === undefined) notes.push("There is no readable summary.json (the run is going on, or was killed).");
  notes.push(...run.notes);
  const broken = records.find(({ loss }) => !Number.isFinite(loss));
  const stopped = stopOf(run.stored);
  const where = stopped?.where ? `; the first NaN or infinity was in ${stopped.where}` : "";
  if (broken)
    notes.push(`The run diverged: from step ${broken.step} on (t = ${broken.t}) the loss is not finite${where}.`);
  else if (stopped?.reason === "diverged") notes.push(`The run diverged at step ${stopped.step}${where}.`);
  else if (last && last.step < config.steps) notes.push(`The run ended at step ${last.step} of ${config.steps}.`);
  return notes.map((note) => `${run.label}: ${note}`);
}

function nothingRecorded(run: StoredRun): EngineError {
  return new EngineError({
    code: "RUN-EMPTY",
    message: `The run in ${run.path} has recorded nothing${run.hasPartialLine ? " but a part of a line" : ""}`,
    fix: "Let it train for a step at least, then make the report.",
    where: run.path,
  });
}
