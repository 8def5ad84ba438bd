/** The two panels on one time axis: loss staircase and eigenvalues. uPlot draws the curves, a plugin the step times. */
import uPlot from "uplot";
import { MeasuredCurves, stepGrid, type TheoryCurves, theoryCurves } from "./curves.ts";
import { drawCrossings, drawHead, drawStepLines, drawTheory, Layer } from "./drawing.ts";
import type { History } from "./history.ts";
import type { RunFacts } from "./messages.ts";
import { axisText, logTicks } from "./numbers.ts";
import { INK, modeColor } from "./palette.ts";

export interface ChartScales {
  readonly logT: boolean;
  readonly logLambda: boolean;
}

/** What is under the pointer, for the line below the panels. */
export interface Pointed {
  readonly step: number;
  readonly theoryLoss: number;
}

const PANEL_GAP = 14;
const AXIS_WIDTH = 62;
const TOP_ROW = 22;

export class Charts {
  readonly #loss: HTMLElement;
  readonly #spectrum: HTMLElement;
  readonly #onPoint: (pointed: Pointed | undefined) => void;
  #run: { readonly facts: RunFacts; readonly history: History; readonly learningRate: number } | undefined;
  #scales: ChartScales = { logT: false, logLambda: false };
  #grid: Uint32Array = new Uint32Array();
  #times: number[] = [];
  #theory: TheoryCurves | undefined;
  #measured: MeasuredCurves | undefined;
  #plots: { readonly loss: uPlot; readonly spectrum: uPlot } | undefined;
  #horizon = 0;

  constructor(loss: HTMLElement, spectrum: HTMLElement, onPoint: (pointed: Pointed | undefined) => void) {
    this.#loss = loss;
    this.#spectrum = spectrum;
    this.#onPoint = onPoint;
    new ResizeObserver(() => this.#resize()).observe(loss);
  }

  /** Draws the theory of a new run; its measurements follow with `update`. */
  show(facts: RunFacts, history: History, learningRate: number, scales: ChartScales): void {
    this.#run = { facts, history, learningRate };
    this.#scales = scales;
    this.#horizon = facts.horizon;
    this.#rebuild();
  }

  setScales(scales: ChartScales): void {
    this.#scales = scales;
    this.#rebuild();
  }

  /** The run goes on beyond what theory needs. */
  extendTo(horizon: number): void {
    this.#horizon = horizon;
    this.#rebuild();
  }

  /** The same run from step 0. */
  restart(history: History): void {
    if (!this.#run) return;
    this.#run = { ...this.#run, history };
    this.#measured = new MeasuredCurves(this.#grid, history.d);
    this.update();
  }

  /** Draws what has been recorded since. */
  update(): void {
    const { loss, spectrum } = this.#plots ?? {};
    if (!this.#run || !this.#measured || !loss || !spectrum) return;
    this.#measured.fill(this.#run.history);
    // The data are the arrays that were just filled; the scales stay, as does a zoom.
    loss.setData(this.#lossData(), false);
    loss.redraw(true, false);
    spectrum.setData(this.#spectrumData(), false);
    spectrum.redraw(true, false);
  }

  clear(): void {
    this.#run = undefined;
    this.#destroyPlots();
  }

  #destroyPlots(): void {
    this.#plots?.loss.destroy();
    this.#plots?.spectrum.destroy();
    this.#plots = undefined;
  }

  #rebuild(): void {
    const run = this.#run;
    if (!run) return;
    const { facts, history, learningRate } = run;
    const firstStep = facts.theory.discreteStepTimes[0] ?? 0;
    this.#grid = stepGrid(this.#horizon, this.#scales.logT, firstStep / history.timePerStep);
    this.#times = Array.from(this.#grid, (step) => step * history.timePerStep);
    this.#theory = theoryCurves(facts.theory, history.d, learningRate, this.#grid);
    this.#measured = new MeasuredCurves(this.#grid, history.d);
    this.#measured.fill(history);
    this.#destroyPlots();
    const lossTop = Math.max(history.d, this.#theory.loss[0] ?? 0, 1);
    const { d } = history;
    const loss = new uPlot(
      {
        ...this.#common(this.#loss),
        scales: { x: this.#timeScale(), y: { range: [-0.03 * lossTop, 1.06 * lossTop] } },
        axes: [this.#timeAxis(false), valueAxis("loss")],
        series: [{}, measured(INK.loss, 3)],
        plugins: [this.#underlay(true), this.#overlay(true)],
      },
      this.#lossData(),
      this.#loss,
    );
    const spectrum = new uPlot(
      {
        ...this.#common(this.#spectrum),
        scales: { x: this.#timeScale(), y: this.#eigenvalueScale() },
        axes: [this.#timeAxis(true), { ...valueAxis("eigenvalue λ"), ...(this.#scales.logLambda ? LOG_AXIS : {}) }],
        series: [{}, ...Array.from({ length: d }, (_, j) => measured(modeColor(j, d), d > 24 ? 1.5 : 3))],
        plugins: [this.#underlay(false), this.#overlay(false)],
      },
      this.#spectrumData(),
      this.#spectrum,
    );
    this.#plots = { loss, spectrum };
  }

  #common(host: HTMLElement): Pick<uPlot.Options, "width" | "height" | "legend" | "cursor" | "padding" | "hooks"> {
    const { width, height } = sizeOf(host);
    return {
      width,
      height,
      legend: { show: false },
      padding: [host === this.#loss ? TOP_ROW : 8, PANEL_GAP, 0, 0],
      cursor: {
        sync: { key: "staircase", setSeries: false },
        y: false,
        points: { show: false },
        drag: { x: true, y: false },
      },
      hooks: { setCursor: [(plot) => this.#point(plot)] },
    };
  }

  #timeScale(): uPlot.Scale {
    // All of the data, or what a visitor zooms to; without the margins that uPlot would add.
    return {
      time: false,
      ...(this.#scales.logT ? { distr: 3, log: 10 } : {}),
      range: (_plot, low, high) => [low, high],
    };
  }

  #eigenvalueScale(): uPlot.Scale {
    if (!this.#scales.logLambda) return { range: [this.#lowest(), 1.1] };
    return { distr: 3, log: 10, range: [this.#lowest(), 3] };
  }

  /** Of the theory's curves, rounded down to what an axis shows well. */
  #lowest(): number {
    const starts = this.#theory?.eigenvalues.map((curve) => curve[0] ?? 0) ?? [];
    if (!this.#scales.logLambda) return Math.min(-0.05, 1.2 * Math.min(...starts, 0));
    const positive = starts.filter((value) => value > 0);
    return 10 ** Math.floor(Math.log10(Math.max(Math.min(...positive, 0.1), 1e-14)));
  }

  #timeAxis(isLabelled: boolean): uPlot.Axis {
    return {
      ...axisStyle,
      ...(this.#scales.logT ? LOG_AXIS : {}),
      ...(isLabelled ? { label: "t = learning rate × step", labelSize: 22, labelFont: FONT, size: 30 } : { size: 12 }),
      values: (_, splits) => splits.map((split) => (isLabelled && split !== null ? axisText(split) : "")),
    };
  }

  #lossData(): uPlot.AlignedData {
    return [this.#times, this.#measured?.loss ?? []] as uPlot.AlignedData;
  }

  #spectrumData(): uPlot.AlignedData {
    const curves = this.#measured?.eigenvalues ?? [];
    // A logarithmic scale has no place for values that are not positive.
    const shown = this.#scales.logLambda ? curves.map((curve) => curve.map(positive)) : curves;
    return [this.#times, ...shown] as uPlot.AlignedData;
  }

  #point(plot: uPlot): void {
    const index = plot.cursor.idx;
    if (index === null || index === undefined || (plot.cursor.left ?? -1) < 0) {
      this.#onPoint(undefined);
      return;
    }
    this.#onPoint({ step: this.#grid[index] ?? 0, theoryLoss: this.#theory?.loss[index] ?? Number.NaN });
  }

  /** Predicted step times, below the curves. */
  #underlay(isUpper: boolean): uPlot.Plugin {
    const layer = new Layer((context, plot) => {
      const prediction = this.#run?.facts.theory;
      if (prediction) drawStepLines(context, plot, prediction, isUpper);
    });
    return { hooks: { drawAxes: [(plot) => layer.draw(plot)] } };
  }

  /** Above the measured curves: theory, measured step times, and where the run is now (it moves with every record). */
  #overlay(isUpper: boolean): uPlot.Plugin {
    const layer = new Layer((context, plot) => {
      const curves = isUpper ? [this.#theory?.loss ?? []] : (this.#theory?.eigenvalues ?? []);
      drawTheory(context, plot, this.#times, curves);
    });
    const draw = (plot: uPlot) => {
      layer.draw(plot);
      const history = this.#run?.history;
      if (!history) return;
      if (!isUpper) drawCrossings(plot, history);
      drawHead(plot, history, isUpper);
    };
    return { hooks: { draw: [draw] } };
  }

  #resize(): void {
    this.#plots?.loss.setSize(sizeOf(this.#loss));
    this.#plots?.spectrum.setSize(sizeOf(this.#spectrum));
  }
}

const FONT = "12px system-ui, sans-serif";
const axisStyle: uPlot.Axis = {
  stroke: INK.axis,
  font: FONT,
  grid: { stroke: INK.grid, width: 1 },
  ticks: { stroke: INK.grid, width: 1, size: 5 },
};

const LOG_AXIS: uPlot.Axis = {
  splits: (_plot, _axis, low, high) => logTicks(low, high),
  filter: (_plot, splits) => splits,
};

function valueAxis(label: string): uPlot.Axis {
  return {
    ...axisStyle,
    label,
    labelFont: FONT,
    labelSize: 18,
    size: AXIS_WIDTH - 18,
    values: (_, splits) => splits.map((split) => (split === null ? "" : axisText(split))),
  };
}

function measured(color: string, width: number): uPlot.Series {
  return { stroke: color, width, points: { show: false }, spanGaps: false };
}

function positive(value: number | null): number | null {
  return value !== null && value > 0 ? value : null;
}

function sizeOf(host: HTMLElement): { readonly width: number; readonly height: number } {
  return { width: Math.max(host.clientWidth, 200), height: Math.max(host.clientHeight, 120) };
}
