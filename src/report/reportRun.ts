/** A run as a report shows it; every kind of run makes its own from what its folder holds. */
import type { ScaleName } from "./axes.ts";
import type { FigureRun } from "./figure.ts";
import type { StoredRun } from "./readRun.ts";
import type { Row } from "./tables.ts";

export interface ReportRun extends FigureRun {
  readonly stored: StoredRun;
  /** Ends the page's title; “learning one eigenvalue at a time” unless given. */
  readonly headline?: string;
  /** Scaling of t that is shown first. */
  readonly defaultTime: ScaleName;
  /** One sentence: the encoder, the loss and the data. */
  readonly trainedOn: string;
  /** HTML: what the figures show, for a reader who has not seen such a run; once a page, however many runs say it. */
  readonly explanation?: string | undefined;
  /** Captions of panels (a) and (b), beside what the page says about curves and theories itself. */
  readonly captions: { readonly loss: string; readonly eigenvalues: string };
  /** Above the run's column in a figure with a column for each run. */
  readonly columnTitle: string;
  readonly columnSubtitle: string;
  /** Runs with different ones cannot share axes: a figure of them has columns. */
  readonly axesKey: string;
  /** What a reader should know about the files. */
  readonly notes: readonly string[];
  /** What a comparison of runs lists, beside the configuration and the last loss. */
  readonly comparison: readonly Row[];
  /** HTML below the sections of all runs, once a page: what the words in them mean. */
  readonly definitions?: string | undefined;
  /** False for runs without loss and eigenvalues over time: the page leaves the panels of both out. True unless given. */
  readonly hasPanels?: boolean;
  /** Further figures by name, as SVG files of their own. */
  readonly drawings?: Readonly<Record<string, string>> | undefined;
  /** HTML below the figures. @param label the run's name where there are several */
  sections(label: string | undefined): string;
}

/** Whether loss and eigenvalues of some run are drawn over time. */
export function hasPanels(runs: readonly ReportRun[]): boolean {
  return runs.some((run) => run.hasPanels ?? true);
}
