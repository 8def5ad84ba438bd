/** Which part of the plane a figure shows: domains of t, of the loss and of the eigenvalues. */
import type { Axis, ScaleName } from "./axes.ts";
import type { Series } from "./curves.ts";
import type { Figure, FigureRun } from "./figure.ts";

/** Last time of any run. */
export function endOf(runs: readonly FigureRun[]): number {
  return Math.max(...runs.map(({ records }) => records.at(-1)?.t ?? 0)) || 1;
}

/** Where a logarithmic axis of t begins: well before the first step, but not before there are records. */
export function startOf(runs: readonly FigureRun[], end: number): number {
  const first = Math.min(...runs.map(({ records }) => records.find(({ t }) => t > 0)?.t ?? end / 100));
  const steps = runs.flatMap(({ steps: known, stairs = [] }) => [
    ...(known ? [...known.discrete, ...known.measured] : []),
    ...stairs.map(({ t }) => t),
  ]);
  const positive = steps.filter((time) => time !== null && time > 0) as number[];
  const wanted = positive.length > 0 ? Math.min(...positive) / 4 : end / 1000;
  return Math.min(Math.max(first, Math.min(wanted, end / 4)), end / 2);
}

export function timeAxis(figure: Figure, scale: ScaleName): Axis {
  const runs = figure.runs.map(({ run }) => run);
  const end = endOf(runs);
  const isLog = scale === "log";
  return {
    scale,
    domain: [isLog ? startOf(runs, end) : 0, end],
    label: `${figure.timeLabel}${isLog ? "  (logarithmic)" : ""}`,
  };
}

/** From zero where the loss comes near it, else around what was recorded. A diverging run leaves the panel at the top. */
export function lossDomain(figure: Figure): [number, number] {
  const losses = figure.runs.map(({ measured }) => measured.loss);
  const first = Math.max(...losses.map(({ y }) => y.find(Number.isFinite) ?? 0));
  const top = Math.min(largest(losses), lossLimit(first)) || first || 1;
  if (isUnitStaircase(figure)) return [0, 1.04 * top];
  const least = smallest(losses, top);
  const room = 0.05 * (top - least) || 0.05 * Math.abs(top);
  return [least >= 0 && least < 0.25 * top ? 0 : least - room, top + room];
}

/** Larger losses are those of a diverging run, which would flatten everything before. */
function lossLimit(first: number): number {
  return first > 0 ? 2 * first : first + Math.abs(first) + 1;
}

/** Of eigenvalues that rise to 1, up to 2 at most; of others, all that were recorded before a run diverged. */
export function eigenvalueDomain(figure: Figure, scale: ScaleName): [number, number] {
  const all = figure.runs.flatMap(({ measured }) => measured.eigenvalues);
  const least = smallest(all, Number.POSITIVE_INFINITY);
  if (isUnitStaircase(figure)) {
    if (scale === "log") return [leastDecade(figure), 2];
    const top = Math.min(Math.max(largest(all), 0.5), 2);
    return [least < -0.02 ? Math.max(1.05 * least, -1) : -0.02, Math.max(1.05, 1.03 * top)];
  }
  const top = largest(figure.runs.flatMap(({ measured }) => measured.eigenvalues.map(beforeDivergence(measured.loss))));
  if (scale === "log") {
    const from = leastDecade(figure);
    return [from, Math.max(1.5 * top, 100 * from)];
  }
  const room = 0.02 * top || 0.02;
  return [Math.max(least, -0.5 * top) - room, 1.05 * top || 1];
}

/** Eigenvalues as long as the loss stays within its panel. */
function beforeDivergence(loss: Series): (eigenvalue: Series) => Series {
  const limit = lossLimit(loss.y[0] ?? 0);
  const end = loss.y.findIndex((value) => !(value <= limit));
  return ({ t, y }) => (end < 1 ? { t, y } : { t: t.subarray(0, end), y: y.subarray(0, end) });
}

/** Down to the decade of the smallest amplitude that theory or run has; rounding lives at 1e-9 of the largest and below. */
function leastDecade({ runs }: Figure): number {
  const starts = runs.flatMap(({ run, measured }) =>
    run.theory
      ? run.theory.gamma.map((gamma, mode) => gamma * (run.theory?.amplitudes[mode] ?? 0) ** 2)
      : measured.eigenvalues.map(({ y }) => y.find((value) => value > 0) ?? 0),
  );
  const positive = starts.filter((value) => value > 0);
  const least = positive.length > 0 ? Math.min(...positive) : 1e-6;
  return Math.min(0.01, Math.max(1e-12, 10 ** Math.floor(Math.log10(least))));
}

function isUnitStaircase({ runs }: Figure): boolean {
  return runs.every(({ run }) => run.words.isUnitStaircase);
}

function largest(all: readonly Series[]): number {
  return all.reduce((most, { y }) => y.reduce((a, b) => (Number.isFinite(b) && b > a ? b : a), most), 0);
}

/** The least finite value, `otherwise` or less. */
function smallest(all: readonly Series[], otherwise: number): number {
  const least = all.reduce(
    (least, { y }) => y.reduce((a, b) => (Number.isFinite(b) && b < a ? b : a), least),
    otherwise,
  );
  return Number.isFinite(least) ? least : 0;
}
