/** The paper's two panels for one run or several: which curves, colours and rules; `panel.ts` draws them. */
import { interpolateViridis } from "d3-scale-chromatic";
import type { MetricsRecord } from "../experiments/contract.ts";
import type { ScaleName } from "./axes.ts";
import {
  type Curves,
  type Descent,
  descentCurves,
  flowCurves,
  type ModeTheory,
  measuredCurves,
  type Series,
} from "./curves.ts";
import { eigenvalueDomain, endOf, lossDomain, startOf, timeAxis } from "./domains.ts";
import { fullLayout, type PanelLayout } from "./layout.ts";
import type { Curve, Layer, LegendEntry, Look, PanelSpec } from "./panel.ts";
import { detectedRules, FAINT, PREDICTED, predictedRules, RULE } from "./stepRules.ts";
import type { StepTimes } from "./stepTimes.ts";

/** What the two panels say about a run. */
export interface PanelWords {
  /** Follows the title “(a) Loss”: what it is the loss on. */
  readonly lossOn: string;
  readonly lossAxis: string;
  /** The recorded matrix, with its symbol where that says enough. */
  readonly spectrumOf: string;
  readonly timeAxis: string;
  /** Eigenvalues rise to 1 and are learned at ½, and the loss falls to 0, as in a linear run; of others no scale is known beforehand. */
  readonly isUnitStaircase: boolean;
}

/** A step that was detected in the recorded spectrum. */
export interface DetectedStair {
  readonly t: number;
  /** From 1. */
  readonly mode: number;
  readonly isAccepted: boolean;
}

/** What the figure needs of a run. */
export interface FigureRun {
  readonly label: string;
  readonly records: readonly MetricsRecord[];
  readonly words: PanelWords;
  readonly stairs?: readonly DetectedStair[] | undefined;
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

export interface DrawnRun {
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
  return {
    runs: drawn,
    theories: isMixed ? theories.filter((name) => name === "flow") : theories,
    timeLabel: longest(runs.map(({ words }) => words.timeAxis)),
  };
}

/** One clock's name contains the other's where they differ: `… / (1 − momentum)`. */
function longest(texts: readonly string[]): string {
  return texts.reduce((most, text) => (text.length > most.length ? text : most), "");
}

function sampleTimes(start: number, end: number): Float64Array {
  const times = new Float64Array(2 * SAMPLES + 2);
  for (let index = 0; index <= SAMPLES; index++) {
    times[2 * index] = (end * index) / SAMPLES;
    times[2 * index + 1] = Math.min(end, start * (end / start) ** (index / SAMPLES));
  }
  return times.sort();
}

export interface PanelOptions {
  /** Limits what is in the panels to what is to be seen in a picture without switches. */
  readonly theories?: readonly TheoryName[];
  readonly layouts?: readonly [loss: PanelLayout, eigenvalues: PanelLayout];
  /** Distinguishes the panels from those of other figures in one document. */
  readonly id?: string;
}

/** Both panels in a view. */
export function panelsOf(figure: Figure, view: View, options: PanelOptions = {}): [PanelSpec, PanelSpec] {
  const { theories = figure.theories, layouts = [fullLayout(260), fullLayout(330)], id = "" } = options;
  const name = `${id}${view.time}-${view.eigenvalues}`;
  return [
    lossPanel(figure, view, theories, layouts[0], name),
    eigenvaluePanel(figure, view, theories, layouts[1], name),
  ];
}

function lossPanel(
  figure: Figure,
  view: View,
  theories: readonly TheoryName[],
  layout: PanelLayout,
  id: string,
): PanelSpec {
  const isBlock = layout.heading === "block";
  const lossOn = shared(figure, ({ lossOn }) => lossOn, "");
  const time = timeAxis(figure, view.time);
  return {
    title: "(a) Loss",
    subtitle: isBlock ? `Loss ${lossOn}`.trim() : lossOn,
    description: `Loss against t, measured and predicted, for ${names(figure)}`,
    x: isBlock ? { ...time, label: "" } : time,
    y: {
      scale: "linear",
      domain: lossDomain(figure),
      label: isBlock ? "" : shared(figure, ({ lossAxis }) => lossAxis, "loss"),
    },
    hasHalfLine: false,
    layers: layersOf(
      figure,
      theories,
      (curves) => [curves.loss],
      (index) => [lossLook(figure, index)],
    ),
    legend: legendOf(figure, theories, (index) => lossLook(figure, index)),
    ruleWord: "mode",
    layout,
    id: `loss-${id}`,
  };
}

function lossLook(figure: Figure, run: number): Look {
  return figure.runs.length > 1 ? runLook(run, 1.8) : LOSS;
}

function eigenvaluePanel(
  figure: Figure,
  view: View,
  theories: readonly TheoryName[],
  layout: PanelLayout,
  id: string,
): PanelSpec {
  const all = figure.runs.flatMap(({ measured }) => measured.eigenvalues);
  const isBlock = layout.heading === "block";
  const look = (run: number, mode: number): Look => {
    const count = figure.runs[run]?.measured.eigenvalues.length ?? 1;
    const width = count > 24 ? 1.8 : 4;
    return figure.runs.length > 1 ? runLook(run, 1.5) : { stroke: modeColor(mode, count), width };
  };
  const spectrumOf = shared(figure, (words) => words.spectrumOf, "the recorded matrices");
  const isSymbol = spectrumOf.length === 1;
  return {
    title: isSymbol ? `(b) Eigenvalues of ${spectrumOf}` : "(b) Eigenvalues",
    subtitle: isBlock ? `Eigenvalues of ${spectrumOf}` : isSymbol ? "" : `of ${spectrumOf}`,
    description: `Eigenvalues of ${isSymbol ? `the embedding cross-correlation ${spectrumOf}` : spectrumOf} against t, measured and predicted, for ${names(figure)}`,
    x: timeAxis(figure, view.time),
    y: {
      scale: view.eigenvalues,
      domain: eigenvalueDomain(figure, view.eigenvalues),
      label: isBlock ? "" : `eigenvalue${view.eigenvalues === "log" ? "  (logarithmic)" : ""}`,
    },
    hasHalfLine: figure.runs.every(({ run }) => run.words.isUnitStaircase),
    layers: layersOf(
      figure,
      theories,
      (curves) => curves.eigenvalues,
      (run) => all.map((_, mode) => look(run, mode)),
    ),
    legend: legendOf(figure, theories, (run) => look(run, 0), "measured, a colour for each mode"),
    ruleWord: "mode",
    layout,
    id: `eigenvalues-${id}`,
  };
}

/** What all runs say, or `otherwise`. */
function shared(figure: Figure, pick: (words: PanelWords) => string, otherwise: string): string {
  const texts = new Set(figure.runs.map(({ run }) => pick(run.words)));
  const [text] = texts;
  return text !== undefined && texts.size === 1 ? text : otherwise;
}

/** Dark to light by mode; not so dark that the black dashes vanish, nor so light that the curve does. */
export function modeColor(mode: number, count: number): string {
  return interpolateViridis(0.25 + (count > 1 ? (0.58 * mode) / (count - 1) : 0.3));
}

function runLook(run: number, width: number): Look {
  return { stroke: RUN_COLORS[run % RUN_COLORS.length] as string, width, marker: run };
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
      rules: several ? [] : detectedRules(run),
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
    return { className: theory, curves, rules: predictedRules(figure, theory) };
  });
  return [...measured, ...predicted];
}

export const THEORY_NAMES: Readonly<Record<TheoryName, string>> = {
  descent: "theory at this learning rate",
  flow: "theory, gradient flow",
};

function legendOf(
  figure: Figure,
  theories: readonly TheoryName[],
  look: (run: number) => Look,
  single = "measured",
): LegendEntry[] {
  const several = figure.runs.length > 1;
  const entries = figure.runs.map(({ run }, index) => ({ text: several ? run.label : single, look: look(index) }));
  const [theory] = theories;
  if (theory !== undefined) entries.push({ text: theories.length > 1 ? "theory" : THEORY_NAMES[theory], look: THEORY });
  if (theories.some((one) => predictedRules(figure, one).length > 0))
    entries.push({ text: "predicted step time", look: { ...RULE, dash: PREDICTED } });
  const stairs = several ? [] : (figure.runs[0]?.run.stairs ?? []);
  if (stairs.some(({ isAccepted }) => isAccepted)) entries.push({ text: "detected step", look: RULE });
  if (stairs.some(({ isAccepted }) => !isAccepted))
    entries.push({ text: "mode learned, not accepted as a step", look: { ...RULE, dash: FAINT } });
  return entries;
}

function names({ runs }: Figure): string {
  return runs.map(({ run }) => run.label).join(", ");
}
