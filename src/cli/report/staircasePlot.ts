/** A text plot of loss against log t: the staircase, with the predicted step times marked, 80 columns at most. */
import { formatNumber } from "../../report/format.ts";

export interface StaircaseInput {
  readonly times: readonly number[];
  readonly losses: readonly number[];
  /** Predicted step times, marked below the axis and by dotted columns. */
  readonly predicted?: readonly (number | null)[];
  /** Columns and rows of the plotting area, without axes. */
  readonly width?: number;
  readonly height?: number;
}

/**
 * Time runs from just before the first predicted step (or the first positive record time) to the last record, logarithmically; each
 * column shows the last loss recorded in it, and a fall across several rows is drawn as a vertical line.
 *
 * @returns lines; none when fewer than two records have a positive time and a finite loss
 */
export function staircasePlot(input: StaircaseInput): string[] {
  const { width = 68, height = 13 } = input;
  const points = input.times
    .map((time, index) => ({ time, loss: input.losses[index] ?? Number.NaN }))
    .filter(({ time, loss }) => time > 0 && Number.isFinite(time) && Number.isFinite(loss));
  const last = points.at(-1);
  const first = points[0];
  if (!first || !last || last.time <= first.time) return [];

  const predicted = (input.predicted ?? []).filter((time): time is number => time !== null && time > 0);
  const earliest = predicted.length > 0 ? Math.min(...predicted) / 3 : first.time;
  const start = Math.log(Math.min(Math.max(earliest, first.time), last.time / 2));
  const end = Math.log(last.time);
  const column = (time: number) => Math.round(((Math.log(time) - start) / (end - start)) * (width - 1));

  // A diverging run leaves the plot at the top instead of flattening everything before.
  const top = Math.min(maximum(points), 2 * first.loss);
  const bottom = 0;
  const row = (loss: number) => Math.round(((top - clamp(loss, bottom, top)) / (top - bottom || 1)) * (height - 1));

  const grid = Array.from({ length: height }, () => new Array<string>(width).fill(" "));
  const marks = new Array<string>(width).fill(" ");
  for (const time of predicted) {
    const x = column(time);
    if (x < 0 || x >= width) continue;
    marks[x] = "▲";
    for (const line of grid) line[x] = "┊";
  }
  drawCurve(grid, columnLosses(points, column, width).map(row));

  const axis = `${" ".repeat(LABEL + 1)}└${"─".repeat(width)}`;
  return [...withLossAxis(grid, top, bottom), axis, ...timeAxis(start, end, width, marks)];
}

/** Width of the labels of the loss axis. */
const LABEL = 8;

/** Not Math.max(...losses): a long run has more records than a call may have arguments. */
function maximum(points: readonly { readonly loss: number }[]): number {
  return points.reduce((most, { loss }) => Math.max(most, loss), 0);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** Last loss in each column; a column without a record continues the one before. */
function columnLosses(
  points: readonly { readonly time: number; readonly loss: number }[],
  column: (time: number) => number,
  width: number,
): number[] {
  const losses = new Array<number | undefined>(width).fill(undefined);
  let before = points[0]?.loss ?? 0;
  for (const { time, loss } of points) {
    const x = column(time);
    if (x < 0) before = loss;
    else if (x < width) losses[x] = loss;
  }
  return losses.map((loss) => {
    before = loss ?? before;
    return before;
  });
}

/** A line with rounded corners; a column in which the loss changes by several rows gets a vertical piece. */
function drawCurve(grid: string[][], rows: readonly number[]): void {
  const put = (x: number, y: number, glyph: string) => {
    const line = grid[y];
    if (line) line[x] = glyph;
  };
  let before = rows[0] ?? 0;
  rows.forEach((y, x) => {
    for (let between = Math.min(before, y) + 1; between < Math.max(before, y); between++) put(x, between, "│");
    if (y === before) put(x, y, "─");
    else {
      put(x, before, y > before ? "╮" : "╯");
      put(x, y, y > before ? "╰" : "╭");
    }
    before = y;
  });
}

function withLossAxis(grid: readonly (readonly string[])[], top: number, bottom: number): string[] {
  const middle = Math.round((grid.length - 1) / 2);
  return grid.map((line, y) => {
    const loss = top - ((top - bottom) * y) / (grid.length - 1);
    const label = y === 0 || y === middle || y === grid.length - 1 ? formatNumber(loss, 3) : "";
    return `${label.padStart(LABEL)} │${line.join("")}`.trimEnd();
  });
}

/** Marks of the predicted steps, then the times at five places. */
function timeAxis(start: number, end: number, width: number, marks: readonly string[]): string[] {
  const indent = " ".repeat(LABEL + 2);
  const labels = new Array<string>(width).fill(" ");
  const places = 5;
  for (let place = 0; place < places; place++) {
    const fraction = place / (places - 1);
    const text = formatNumber(Math.exp(start + fraction * (end - start)), 2);
    const from = Math.round(fraction * (width - text.length));
    for (let index = 0; index < text.length; index++) labels[from + index] = text[index] as string;
  }
  const markLine = marks.join("").trimEnd();
  return [...(markLine ? [`${"theory".padStart(LABEL)}  ${markLine}`] : []), `${indent}${labels.join("")}`.trimEnd()];
}
