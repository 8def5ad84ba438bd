/** The two panels on one time axis: loss staircase and eigenvalues. uPlot draws the curves, a plugin the step times. */
import uPlot from "uplot";
import type { RunFacts } from "./messages.ts";
import { MeasuredCurves, stepGrid, type TheoryCurves, theoryCurves } from "./curves.ts";
import type { History } from "./history.ts";
import { axisText } from "./numbers.ts";
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
const DASH = [6, 4];

export class Charts {
  readonly #loss: HTMLElement;
  readonly #spectrum: HTMLElement;
  readonly #onPoint: (pointed: Pointed | undefined) => void;
  #run: { readonly facts: RunFacts; readonly history: History; readonly learningRate: number } | undefined;
  #scales: ChartScales = { logT: false, logLambda: false };
  #grid = new Uint32Array();
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
        scales: { x: this.#timeScale(), y: { range: zoomable([-0.03 * lossTop, 1.06 * lossTop]) } },
        axes: [this.#timeAxis(false), valueAxis("loss")],
        series: [{}, measured(INK.loss, 2.5), theory()],
        plugins: [this.#stepTimes(true), this.#head(true)],
      },
      this.#lossData(),
      this.#loss,
    );
    const spectrum = new uPlot(
      {
        ...this.#common(this.#spectrum),
        scales: { x: this.#timeScale(), y: this.#eigenvalueScale() },
        axes: [this.#timeAxis(true), valueAxis("eigenvalue λ")],
        series: [
          {},
          ...Array.from({ length: d }, (_, j) => measured(modeColor(j, d), d > 24 ? 1.5 : 2.5)),
          ...Array.from({ length: d }, theory),
        ],
        plugins: [this.#stepTimes(false), this.#head(false)],
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
      cursor: { sync: { key: "staircase", setSeries: false }, y: false, points: { show: false }, drag: { x: true, y: false } },
      hooks: { setCursor: [(plot) => this.#point(plot)] },
    };
  }

  #timeScale(): uPlot.Scale {
    const [first = 0, last = 1] = [this.#times[0], this.#times.at(-1)];
    return { time: false, ...(this.#scales.logT ? { distr: 3, log: 10 } : {}), range: zoomable([first, last]) };
  }

  #eigenvalueScale(): uPlot.Scale {
    if (!this.#scales.logLambda) return { range: zoomable([this.#lowest(), 1.1]) };
    return { distr: 3, log: 10, range: zoomable([this.#lowest(), 3]) };
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
      ...(isLabelled ? { label: "t = learning rate × step", labelSize: 22, labelFont: FONT, size: 30 } : { size: 12 }),
      values: (_, splits) => splits.map((split) => (isLabelled && split !== null ? axisText(split) : "")),
    };
  }

  #lossData(): uPlot.AlignedData {
    return [this.#times, this.#measured?.loss ?? [], this.#theory?.loss ?? []] as uPlot.AlignedData;
  }

  #spectrumData(): uPlot.AlignedData {
    // A logarithmic scale has no place for values that are not positive.
    const shown = (curve: ArrayLike<number | null>) =>
      this.#scales.logLambda ? Array.from(curve, (value) => (value !== null && value > 0 ? value : null)) : curve;
    const curves = [...(this.#measured?.eigenvalues ?? []), ...(this.#theory?.eigenvalues ?? [])];
    return [this.#times, ...curves.map(shown)] as uPlot.AlignedData;
  }

  #point(plot: uPlot): void {
    const index = plot.cursor.idx;
    if (index === null || index === undefined || (plot.cursor.left ?? -1) < 0) return this.#onPoint(undefined);
    this.#onPoint({ step: this.#grid[index] ?? 0, theoryLoss: this.#theory?.loss[index] ?? Number.NaN });
  }

  /** Predicted step times as dashed vertical lines, numbered in the upper panel; measured ones as dots at λ = 1/2 in the lower. */
  #stepTimes(isUpper: boolean): uPlot.Plugin {
    const draw = (plot: uPlot) => {
      const { theory: prediction } = this.#run?.facts ?? {};
      const history = this.#run?.history;
      if (!prediction || !history) return;
      const { ctx, bbox } = plot;
      const ratio = devicePixelRatio;
      ctx.save();
      ctx.lineWidth = ratio;
      const labels: { readonly x: number; readonly mode: number }[] = [];
      prediction.discreteStepTimes.forEach((time, j) => {
        const x = time === null ? Number.NaN : plot.valToPos(time, "x", true);
        if (!(x >= bbox.left && x <= bbox.left + bbox.width)) return;
        // Where the theory's small-initialisation limit does not bind, the line is weaker.
        ctx.strokeStyle = prediction.gapAdmits[j] ? INK.axis : INK.weak;
        ctx.setLineDash(prediction.gapAdmits[j] ? [4 * ratio, 4 * ratio] : [1.5 * ratio, 4 * ratio]);
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        labels.push({ x, mode: j + 1 });
      });
      ctx.setLineDash([]);
      if (isUpper) drawLabels(ctx, labels, bbox.top - 6 * ratio, ratio);
      else drawCrossings(plot, history, ratio);
      ctx.restore();
    };
    return { hooks: { draw: [draw] } };
  }

  /** Where the run is now: it moves with every record, the curve behind it with every grid point. */
  #head(isUpper: boolean): uPlot.Plugin {
    const draw = (plot: uPlot) => {
      const history = this.#run?.history;
      if (!history || history.count === 0) return;
      const step = history.count - 1;
      const time = step * history.timePerStep;
      const x = plot.valToPos(time, "x", true);
      const { ctx, bbox } = plot;
      if (!(x >= bbox.left && x <= bbox.left + bbox.width + 1)) return;
      ctx.save();
      for (let j = 0; j < (isUpper ? 1 : history.d); j++) {
        const value = isUpper ? history.loss(step) : history.eigenvalue(step, j);
        const y = plot.valToPos(value, "y", true);
        if (!(y >= bbox.top && y <= bbox.top + bbox.height)) continue;
        ctx.fillStyle = isUpper ? INK.loss : modeColor(j, history.d);
        ctx.beginPath();
        ctx.arc(x, y, (isUpper ? 4.5 : 3) * devicePixelRatio, 0, 2 * Math.PI);
        ctx.fill();
      }
      ctx.restore();
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

function theory(): uPlot.Series {
  return { stroke: INK.theory, width: 1.25, dash: DASH, points: { show: false } };
}

/** A fixed range that a zoom by dragging may narrow, and a double click restores. */
function zoomable(full: [number, number]): uPlot.Scale.Range {
  return (_plot, low, high, _key) =>
    low !== null && high !== null && low > full[0] && high < full[1] && high > low ? [low, high] : full;
}

function sizeOf(host: HTMLElement): { readonly width: number; readonly height: number } {
  return { width: Math.max(host.clientWidth, 200), height: Math.max(host.clientHeight, 120) };
}

/** Numbers of the modes above their lines; those too close to be read apart become one label, "5–7". */
function drawLabels(
  ctx: CanvasRenderingContext2D,
  labels: readonly { readonly x: number; readonly mode: number }[],
  y: number,
  ratio: number,
): void {
  ctx.font = `${11.5 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  ctx.fillStyle = INK.axis;
  const sorted = [...labels].sort((a, b) => a.x - b.x);
  let group: typeof sorted = [];
  const flush = () => {
    const [first, last] = [group[0], group.at(-1)];
    if (!first || !last) return;
    const modes = group.map(({ mode }) => mode);
    const text =
      group.length === 1 ? String(first.mode) : `${Math.min(...modes)}${group.length > 2 ? "–" : ","}${Math.max(...modes)}`;
    ctx.fillText(text, (first.x + last.x) / 2, y);
  };
  for (const label of sorted) {
    const last = group.at(-1);
    if (last && label.x - last.x > 15 * ratio) {
      flush();
      group = [];
    }
    group.push(label);
  }
  flush();
}

function drawCrossings(plot: uPlot, history: History, ratio: number): void {
  const { ctx, bbox } = plot;
  history.stepTimes.forEach((time, j) => {
    if (time === null) return;
    const x = plot.valToPos(time, "x", true);
    const y = plot.valToPos(0.5, "y", true);
    if (!(x >= bbox.left && x <= bbox.left + bbox.width)) return;
    ctx.beginPath();
    ctx.arc(x, y, 4.5 * ratio, 0, 2 * Math.PI);
    ctx.fillStyle = "#ffffff";
    ctx.fill();
    ctx.lineWidth = 2 * ratio;
    ctx.strokeStyle = modeColor(j, history.d);
    ctx.stroke();
  });
}
