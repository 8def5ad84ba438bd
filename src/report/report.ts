/** From runs to a report: checks what belongs together, computes the figure once, and hands it to the page and the SVG files. */
import { basename, resolve } from "node:path";
import { EngineError } from "../errors.ts";
import { modeTheoryOf } from "./curves.ts";
import { descentOf } from "./describeRun.ts";
import { createFigure, type FigureRun, panelsOf, stackedSvg, type View } from "./figure.ts";
import { pageHtml } from "./page.ts";
import { panelSvg } from "./panel.ts";
import type { StoredRun } from "./readRun.ts";
import { stepTimesOf } from "./stepTimes.ts";

export interface ReportOptions {
  /** The view that is shown first and written as SVG. t is logarithmic for linear runs unless said otherwise. */
  readonly view: Partial<View>;
  /** Of the eigenstep that makes the report. */
  readonly version: string;
}

export interface Report {
  /** One page that needs nothing else. */
  readonly html: string;
  /** By name: both panels together, and each. */
  readonly svgs: Readonly<Record<"figure" | "loss" | "eigenvalues", string>>;
  /** What a reader should know about the files the report was made from. */
  readonly notes: readonly string[];
}

/** A run with what its summary says about the theory. */
export interface ReportRun extends FigureRun {
  readonly stored: StoredRun;
}

/**
 * Makes a report of one run, or one that lays several over one another.
 *
 * @throws EngineError RUN-EMPTY (nothing recorded), RUN-KINDS (runs that cannot share axes)
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
  const runs = stored.map((run, index): ReportRun => {
    const steps = stepTimesOf(run.summary?.theory, run.summary?.measured);
    const descent = descentOf(run.config);
    return {
      stored: run,
      label: labels[index] ?? run.path,
      records: run.records,
      steps: descent && steps,
      theory: descent && modeTheoryOf(steps),
      descent,
    };
  });
  const view: View = {
    time: options.view.time ?? (kinds.has("linear") ? "log" : "linear"),
    eigenvalues: options.view.eigenvalues ?? "linear",
  };
  const figure = createFigure(runs);
  const notes = runs.flatMap(notesOn);
  const [loss, eigenvalues] = panelsOf(figure, view, figure.theories.slice(0, 1));
  return {
    html: pageHtml({ runs, figure, view, notes, version: options.version }),
    svgs: { figure: stackedSvg([loss, eigenvalues]), loss: panelSvg(loss), eigenvalues: panelSvg(eigenvalues) },
    notes,
  };
}

/** The preset, or, when several runs share it, the folder's name; numbered when that is shared, too. */
function runLabels(stored: readonly StoredRun[]): string[] {
  const names = stored.map(({ path, config }) => (stored.length === 1 ? config.preset : basename(resolve(path))));
  return names.map((name, index) => {
    const before = names.slice(0, index).filter((other) => other === name).length;
    return before === 0 ? name : `${name} (${before + 1})`;
  });
}

function notesOn({ stored, label, steps, theory }: ReportRun): string[] {
  const { records, config, hasPartialLine, summary } = stored;
  const notes: string[] = [];
  const last = records.at(-1);
  if (hasPartialLine) {
    notes.push(
      `metrics.jsonl ends in the middle of a line; the ${records.length} whole lines are used, up to step ${last?.step}.`,
    );
  }
  if (summary === undefined) {
    notes.push(
      "There is no readable summary.json (the run is going on, or was killed): the theory, which it holds, is not shown.",
    );
  } else if (config.kind !== "linear") notes.push(`There is no theory for runs of kind “${config.kind}”.`);
  else if (!steps || !theory) notes.push("summary.json holds no theory that could be drawn.");
  const broken = records.find(({ loss }) => !Number.isFinite(loss));
  if (broken) notes.push(`The run diverged: from step ${broken.step} on (t = ${broken.t}) the loss is not finite.`);
  else if (last && last.step < config.steps) notes.push(`The run ended at step ${last.step} of ${config.steps}.`);
  return notes.map((note) => `${label}: ${note}`);
}

function nothingRecorded(run: StoredRun): EngineError {
  return new EngineError({
    code: "RUN-EMPTY",
    message: `The run in ${run.path} has recorded nothing${run.hasPartialLine ? " but a part of a line" : ""}`,
    fix: "Let it train for a step at least, then make the report.",
    where: run.path,
  });
}
