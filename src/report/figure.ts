/** The paper's two panels for one run or several: which curves, colours, domains and rules; `panel.ts` draws them. */
import { interpolateViridis } from "d3-scale-chromatic";
import type { MetricsRecord } from "../experiments/contract.ts";
import type { Axis, ScaleName } from "./axes.ts";
import {
  type Curves,
  type Descent,
  descentCurves,
  flowCurves,
  type ModeTheory,
  measuredCurves,
  type Series,
} from "./curves.ts";
import { attributes } from "./markup.ts";
import {
  type Curve,
  type Layer,
  type LegendEntry,
  type Look,
  PANEL_WIDTH,
  type PanelSpec,
  panelHeight,
  panelSvg,
  type Rule,
} from "./panel.ts";
import type { StepTimes } from "./stepTimes.ts";

/** What the figure needs of a run. */
export interface FigureRun {
  readonly label: string;
  readonly records: readonly MetricsRecord[];
  readonly steps?: StepTimes | undefined;
  readonly theory?: ModeTheory | undefined;
  readonly descent?: Descent | undefined;
}

/** Which scaling of both axes. */
export interface View {
  readonly time: ScaleName;
  readonly eigenvalues: ScaleName;
}

export type TheoryName = "descent" | "flow";

/** Everything that does not depend on the view, computed once. */
export interface Figure {
  readonly runs: readonly DrawnRun[];
  /** The theories there are; the first is shown at first. */
  readonly theories: readonly TheoryName[];
  readonly timeLabel: string;
}

interface DrawnRun {
  readonly run: FigureRun;
  readonly measured: Curves;
  readonly predicted: Readonly<Partial<Record<TheoryName, Curves>>>;
}

/** Samples of a closed form over each scaling of t: about as many as the panel has pixels. */
const SAMPLES = 800;
/** Okabe & Ito's palette, distinguishable by the colour-blind; black is the theory's. */
const RUN_COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
/** Measured: broad, coloured, solid. Predicted: thin, black, dashed, on top: both are seen where they agree, on grey paper too. */
const LOSS: Look = { stroke: "#56B4E9", width: 4.5 };
const THEORY: Look = { stroke: "#000", width: 1.3, dash: "6 4" };
const RULE: Look = { stroke: "#777", width: 1, dash: "4 3" };

/** Computes the curves of all runs. */
export function createFigure(runs: readonly FigureRun[]): Figure {
  const end = endOf(runs);
  const start = startOf(runs, end);
  const drawn = runs.map((run): DrawnRun => {
    const measured = measuredCurves(run.records);
    const { theory, descent } = run;
    if (theory === undefined) return { run, measured, predicted: {} };
    const exact = descent && descentCurves(theory, descent);
    const flow = flowCurves(theory, sampleTimes(start, end));
    return { run, measured, predicted: exact ? { descent: exact, flow } : { flow } };
  });
  const theories = (["descent", "flow"] as const).filter((name) =>
    drawn.some(({ run, predicted }) => run.theory !== undefined && predicted[name] !== undefined),
  );
  // A run that is too long for the recurrence has the other theory only; then all do.
  const isMixed = drawn.some(({ run, predicted }) => run.theory !== undefined && predicted.descent === undefined);
  const hasMomentum = runs.some(({ descent }) => (descent?.momentum ?? 0) > 0);
  return {
    runs: drawn,
    theories: isMixed ? theories.filter((name) => name === "flow") : theories,
    timeLabel: `t = learning rate × step${hasMomentum ? " / (1 − momentum)" : ""}`,
  };
}

/** Both panels in a view. `theories` limits what is in them to what is to be seen in a picture without switches. */
export function panelsOf(
  figure: Figure,
  view: View,
  theories: readonly TheoryName[] = figure.theories,
): [PanelSpec, PanelSpec] {
  const id = `${view.time}-${view.eigenvalues}`;
  return [lossPanel(figure, view, theories, id), eigenvaluePanel(figure, view, theories, id)];
}

/** Several panels, one above the other, as one SVG. */
export function stackedSvg(panels: readonly PanelSpec[]): string {
  const tops = panels.map((_, index) => panels.slice(0, index).reduce((sum, panel) => sum + panelHeight(panel), 0));
  const height = panels.reduce((sum, panel) => sum + panelHeight(panel), 0);
  const size = { viewBox: `0 0 ${PANEL_WIDTH} ${height}`, width: PANEL_WIDTH, height };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg"${attributes(size)}>`,
    ...panels.map((panel, index) => panelSvg(panel, tops[index])),
    "</svg>",
  ].join("\n");
}

function endOf(runs: readonly FigureRun[]): number {
  return Math.max(...runs.map(({ records }) => records.at(-1)?.t ?? 0)) || 1;
}

/** Where a logarithmic axis of t begins: well before the first step, but not before there are records. */
function startOf(runs: readonly FigureRun[], end: number): number {
  const first = Math.min(...runs.map(({ records }) => records.find(({ t }) => t > 0)?.t ?? end / 100));
  const steps = runs.flatMap(({ steps: known }) => (known ? [...known.discrete, ...known.measured] : []));
  const positive = steps.filter((time) => time !== null && time > 0) as number[];
  const wanted = positive.length > 0 ? Math.min(...positive) / 4 : end / 1000;
  return Math.min(Math.max(first, Math.min(wanted, end / 4)), end / 2);
}

function sampleTimes(start: number, end: number): Float64Array {
  const times = new Float64Array(2 * SAMPLES + 2);
  for (let index = 0; index <= SAMPLES; index++) {
    times[2 * index] = (end * index) / SAMPLES;
    times[2 * index + 1] = Math.min(end, start * (end / start) ** (index / SAMPLES));
  }
  return times.sort();
}

function timeAxis(figure: Figure, view: View): Axis {
  const runs = figure.runs.map(({ run }) => run);
  const end = endOf(runs);
  const isLog = view.time === "log";
  return {
    scale: view.time,
    domain: [isLog ? startOf(runs, end) : 0, end],
    label: `${figure.timeLabel}${isLog ? "  (logarithmic)" : ""}`,
  };
}

function lossPanel(figure: Figure, view: View, theories: readonly TheoryName[], id: string): PanelSpec {
  const losses = figure.runs.map(({ measured }) => measured.loss);
  const first = Math.max(...losses.map(({ y }) => y.find(Number.isFinite) ?? 0)) || 1;
  // A diverging run leaves the panel at the top instead of flattening everything before.
  const top = Math.min(largest(losses), 2 * first) || first;
  return {
    title: "(a) Loss",
    description: `Loss against t, measured and predicted, for ${names(figure)}`,
    x: timeAxis(figure, view),
    y: { scale: "linear", domain: [0, 1.04 * top], label: "loss  L = ‖C − I‖²" },
    hasHalfLine: false,
    layers: layersOf(
      figure,
      theories,
      (curves) => [curves.loss],
      (index) => [lossLook(figure, index)],
    ),
    legend: legendOf(figure, theories, (index) => lossLook(figure, index)),
    ruleWord: "mode",
    plotHeight: 260,
    id: `loss-${id}`,
  };
}

function lossLook(figure: Figure, run: number): Look {
  return figure.runs.length > 1 ? runLook(run, 1.8) : LOSS;
}

function eigenvaluePanel(figure: Figure, view: View, theories: readonly TheoryName[], id: string): PanelSpec {
  const all = figure.runs.flatMap(({ measured }) => measured.eigenvalues);
  const isLog = view.eigenvalues === "log";
  const look = (run: number, mode: number): Look => {
    const count = figure.runs[run]?.measured.eigenvalues.length ?? 1;
    const width = count > 24 ? 1.8 : 4;
    return figure.runs.length > 1 ? runLook(run, 1.5) : { stroke: modeColor(mode, count), width };
  };
  return {
    title: "(b) Eigenvalues of C",
    description: `Eigenvalues of the embedding cross-correlation C against t, measured and predicted, for ${names(figure)}`,
    x: timeAxis(figure, view),
    y: {
      scale: view.eigenvalues,
      domain: isLog ? logDomain(figure) : linearDomain(all),
      label: `eigenvalue${isLog ? "  (logarithmic)" : ""}`,
    },
    hasHalfLine: true,
    layers: layersOf(
      figure,
      theories,
      (curves) => curves.eigenvalues,
      (run) => all.map((_, mode) => look(run, mode)),
    ),
    legend: legendOf(figure, theories, (run) => look(run, 0), "measured, a colour for each mode"),
    ruleWord: "mode",
    plotHeight: 330,
    id: `eigenvalues-${id}`,
  };
}

/** Dark to light by mode; not so dark that the black dashes vanish, nor so light that the curve does. */
function modeColor(mode: number, count: number): string {
  return interpolateViridis(0.25 + (count > 1 ? (0.58 * mode) / (count - 1) : 0.3));
}

function runLook(run: number, width: number): Look {
  return { stroke: RUN_COLORS[run % RUN_COLORS.length] as string, width, marker: run };
}

function linearDomain(all: readonly Series[]): [number, number] {
  const top = Math.min(Math.max(largest(all), 0.5), 2);
  const least = all.reduce((least, { y }) => y.reduce((a, b) => (b < a ? b : a), least), 0);
  return [least < -0.02 ? Math.max(1.05 * least, -1) : -0.02, Math.max(1.05, 1.03 * top)];
}

/** Down to the decade of the smallest amplitude that theory or run has; rounding lives at 1e-9 and below. */
function logDomain({ runs }: Figure): [number, number] {
  const starts = runs.flatMap(({ run, measured }) =>
    run.theory
      ? run.theory.gamma.map((gamma, mode) => gamma * (run.theory?.amplitudes[mode] ?? 0) ** 2)
      : measured.eigenvalues.map(({ y }) => y.find((value) => value > 0) ?? 0),
  );
  const positive = starts.filter((value) => value > 0);
  const least = positive.length > 0 ? Math.min(...positive) : 1e-6;
  return [Math.min(0.01, Math.max(1e-12, 10 ** Math.floor(Math.log10(least)))), 2];
}

function largest(all: readonly Series[]): number {
  return all.reduce((most, { y }) => y.reduce((a, b) => (Number.isFinite(b) && b > a ? b : a), most), 0);
}

function layersOf(
  figure: Figure,
  theories: readonly TheoryName[],
  pick: (curves: Curves) => readonly Series[],
  looks: (run: number) => readonly Look[],
): Layer[] {
  const several = figure.runs.length > 1;
  const name = (label: string, what: string, count: number, mode: number) =>
    `${several ? `${label}, ` : ""}${what}${count > 1 ? `, mode ${mode + 1}` : ""}`;
  const measured = figure.runs.map(({ run, measured: curves }, index): Layer => {
    const series = pick(curves);
    const look = looks(index);
    return {
      curves: series.map((one, mode): Curve => {
        return { series: one, look: look[mode] ?? THEORY, name: name(run.label, "measured", series.length, mode) };
      }),
    };
  });
  const predicted = theories.map((theory): Layer => {
    const curves = figure.runs.flatMap(({ run, predicted: known }) => {
      const series = known[theory] ? pick(known[theory]) : [];
      return series.map((one, mode): Curve => {
        const look = series.length > 24 ? { ...THEORY, width: 0.8 } : THEORY;
        return { series: one, look, name: name(run.label, THEORY_NAMES[theory], series.length, mode) };
      });
    });
    return { className: theory, curves, rules: rulesOf(figure, theory) };
  });
  return [...measured, ...predicted];
}

export const THEORY_NAMES: Readonly<Record<TheoryName, string>> = {
  descent: "theory at this learning rate",
  flow: "theory, gradient flow",
};

/** Whether the predicted step times are drawn as vertical lines. */
export function hasRules(figure: Figure): boolean {
  return figure.theories.some((theory) => rulesOf(figure, theory).length > 0);
}

/** The predicted step times; of several runs only when they have the same. */
function rulesOf(figure: Figure, theory: TheoryName): Rule[] {
  const known = figure.runs.map(({ run }) => (theory === "flow" ? run.steps?.flow : run.steps?.discrete));
  const [first] = known;
  const steps = figure.runs[0]?.run.steps;
  if (!first || !steps || !known.every((times) => times && areEqual(times, first))) return [];
  return first.flatMap((t, mode) => {
    const isFaint = !steps.admitted[mode];
    return t === null ? [] : [{ t, label: `${isFaint ? "~" : ""}${mode + 1}`, isFaint }];
  });
}

function areEqual(a: readonly (number | null)[], b: readonly (number | null)[]): boolean {
  return (
    a.length === b.length &&
    a.every((value, index) => Math.abs((value ?? -1) - (b[index] ?? -1)) <= 1e-6 * (value ?? 1))
  );
}

function legendOf(
  figure: Figure,
  theories: readonly TheoryName[],
  look: (run: number) => Look,
  single = "measured",
): LegendEntry[] {
  const several = figure.runs.length > 1;
  const measured = figure.runs.map(({ run }, index) => ({ text: several ? run.label : single, look: look(index) }));
  const [theory] = theories;
  if (theory === undefined) return measured;
  const text = theories.length > 1 ? "theory" : THEORY_NAMES[theory];
  const rules = theories.some((one) => rulesOf(figure, one).length > 0)
    ? [{ text: "predicted step time", look: RULE }]
    : [];
  return [...measured, { text, look: THEORY }, ...rules];
}

function names({ runs }: Figure): string {
  return runs.map(({ run }) => run.label).join(", ");
}
