/** What uPlot does not draw: theory, step times, the present. What stays the same from frame to frame is drawn once and copied. */
import type uPlot from "uplot";
import type { LinearTheory } from "../../src/theory/index.ts";
import type { History } from "./history.ts";
import { INK, modeColor } from "./palette.ts";

type Context = CanvasRenderingContext2D;

/** A picture of a panel's size that is made anew only when the panel's size or scales change. */
export class Layer {
  readonly #paint: (context: Context, plot: uPlot) => void;
  readonly #canvas = document.createElement("canvas");
  #key = "";

  constructor(paint: (context: Context, plot: uPlot) => void) {
    this.#paint = paint;
  }

  draw(plot: uPlot): void {
    const { canvas } = plot.ctx;
    if (canvas.width === 0 || canvas.height === 0) return;
    const { x, y } = plot.scales;
    const { left, top, width, height } = plot.bbox;
    const key = [canvas.width, canvas.height, x?.min, x?.max, y?.min, y?.max, left, top, width, height].join();
    if (key !== this.#key) {
      this.#key = key;
      this.#canvas.width = canvas.width;
      this.#canvas.height = canvas.height;
      const context = this.#canvas.getContext("2d");
      if (context) this.#paint(context, plot);
    }
    plot.ctx.drawImage(this.#canvas, 0, 0);
  }
}

function clipTo(context: Context, { left, top, width, height }: uPlot.BBox): void {
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
}

/** Dashed curves at the given times; a gap where a value has no place on the scale. */
export function drawTheory(
  context: Context,
  plot: uPlot,
  times: readonly number[],
  curves: readonly ArrayLike<number>[],
): void {
  const ratio = devicePixelRatio;
  const isLog = plot.scales.y?.distr === 3;
  clipTo(context, plot.bbox);
  context.strokeStyle = INK.theory;
  context.lineWidth = 1.3 * ratio;
  context.setLineDash([6 * ratio, 4 * ratio]);
  const xs = times.map((time) => plot.valToPos(time, "x", true));
  for (const curve of curves) {
    context.beginPath();
    xs.forEach((x, i) => {
      const value = curve[i] ?? Number.NaN;
      if (!isLog || value > 0) context.lineTo(x, plot.valToPos(value, "y", true));
    });
    context.stroke();
  }
}

/** Vertical lines at the predicted step times; dotted where theory does not bind. Numbered above the upper panel. */
export function drawStepLines(context: Context, plot: uPlot, prediction: LinearTheory, isNumbered: boolean): void {
  const ratio = devicePixelRatio;
  const { left, top, width, height } = plot.bbox;
  const labels: Label[] = [];
  context.lineWidth = ratio;
  prediction.discreteStepTimes.forEach((time, j) => {
    const x = time === null ? Number.NaN : plot.valToPos(time, "x", true);
    if (!(x >= left && x <= left + width)) return;
    const isBound = prediction.gapAdmits[j] === true;
    context.strokeStyle = isBound ? INK.axis : INK.weak;
    context.setLineDash(isBound ? [4 * ratio, 4 * ratio] : [1.5 * ratio, 4 * ratio]);
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, top + height);
    context.stroke();
    labels.push({ x, mode: j + 1 });
  });
  if (isNumbered) drawLabels(context, labels, top - 6 * ratio, ratio);
}

interface Label {
  readonly x: number;
  readonly mode: number;
}

/** Those too close to be read apart become one: "5–7". */
function drawLabels(context: Context, labels: readonly Label[], y: number, ratio: number): void {
  context.font = `${11.5 * ratio}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.fillStyle = INK.axis;
  const groups: Label[][] = [];
  for (const label of [...labels].sort((a, b) => a.x - b.x)) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group && last && label.x - last.x <= 15 * ratio) group.push(label);
    else groups.push([label]);
  }
  for (const group of groups) {
    const modes = group.map(({ mode }) => mode);
    const [least, most] = [Math.min(...modes), Math.max(...modes)];
    const text = least === most ? String(least) : `${least}${modes.length > 2 ? "–" : ","}${most}`;
    context.fillText(text, ((group[0]?.x ?? 0) + (group.at(-1)?.x ?? 0)) / 2, y);
  }
}

/** Circles where measured eigenvalues reached 1/2. */
export function drawCrossings(plot: uPlot, history: History): void {
  const { ctx, bbox } = plot;
  const y = plot.valToPos(0.5, "y", true);
  ctx.save();
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.fillStyle = "#ffffff";
  history.stepTimes.forEach((time, j) => {
    const x = time === null ? Number.NaN : plot.valToPos(time, "x", true);
    if (!(x >= bbox.left && x <= bbox.left + bbox.width)) return;
    ctx.beginPath();
    ctx.arc(x, y, 4.5 * devicePixelRatio, 0, 2 * Math.PI);
    ctx.fill();
    ctx.strokeStyle = modeColor(j, history.d);
    ctx.stroke();
  });
  ctx.restore();
}

/** Dots at the latest record. */
export function drawHead(plot: uPlot, history: History, isLoss: boolean): void {
  const step = history.count - 1;
  const { ctx, bbox } = plot;
  const x = step < 0 ? Number.NaN : plot.valToPos(step * history.timePerStep, "x", true);
  if (!(x >= bbox.left - 1 && x <= bbox.left + bbox.width + 1)) return;
  ctx.save();
  for (let j = 0; j < (isLoss ? 1 : history.d); j++) {
    const y = plot.valToPos(isLoss ? history.loss(step) : history.eigenvalue(step, j), "y", true);
    if (!(y >= bbox.top && y <= bbox.top + bbox.height)) continue;
    ctx.fillStyle = isLoss ? INK.loss : modeColor(j, history.d);
    ctx.beginPath();
    ctx.arc(x, y, (isLoss ? 4.5 : 3.5) * devicePixelRatio, 0, 2 * Math.PI);
    ctx.fill();
  }
  ctx.restore();
}
