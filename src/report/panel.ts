/** One panel of the figure as an SVG that stands alone: axes, curves, labelled vertical rules, legend. No style sheet is needed. */
import {
  line,
  symbol,
  symbolCircle,
  symbolCross,
  symbolDiamond,
  symbolSquare,
  symbolTriangle,
  symbolWye,
} from "d3-shape";
import { type Axis, scaleOf, ticksOf } from "./axes.ts";
import type { Series } from "./curves.ts";
import { placedLabels } from "./labels.ts";
import { attributes, escaped, pixels } from "./markup.ts";
import { type Points, thinCurves } from "./thinning.ts";

export interface Look {
  readonly stroke: string;
  readonly width: number;
  /** Dash pattern; a solid line without. */
  readonly dash?: string | undefined;
  /** Number of a marker's shape; no markers without. */
  readonly marker?: number | undefined;
}

export interface Curve {
  readonly series: Series;
  readonly look: Look;
  /** Name shown when the mouse rests on it. */
  readonly name: string;
}

/** Curves and rules that a switch shows or hides together, by the group's class. */
export interface Layer {
  readonly className?: string | undefined;
  readonly curves: readonly Curve[];
  readonly rules?: readonly Rule[] | undefined;
}

/** A dashed vertical line with a label above the panel. */
export interface Rule {
  readonly t: number;
  readonly label: string;
  /** Drawn fainter: not held to. */
  readonly isFaint: boolean;
}

export interface LegendEntry {
  readonly text: string;
  readonly look: Look;
}

export interface PanelSpec {
  readonly title: string;
  /** For readers who do not see it. */
  readonly description: string;
  readonly x: Axis;
  readonly y: Axis;
  /** Draws the line at ½, where a mode counts as learned. */
  readonly hasHalfLine: boolean;
  readonly layers: readonly Layer[];
  readonly legend: readonly LegendEntry[];
  /** Word before the labels of the rules. */
  readonly ruleWord: string;
  readonly plotHeight: number;
  /** Distinguishes the clip path from other panels' in one document. */
  readonly id: string;
}

export const PANEL_WIDTH = 860;
const MARGIN = { left: 74, right: 16, top: 82, bottom: 48 } as const;
const PLOT_WIDTH = PANEL_WIDTH - MARGIN.left - MARGIN.right;
const FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif";
const INK = "#222";
/** Points of all curves of a panel together: keeps a report of 64 noisy eigenvalues small. */
const MOST_POINTS = 20_000;
const SHAPES = [symbolCircle, symbolSquare, symbolTriangle, symbolDiamond, symbolCross, symbolWye];
const MARKER_SPACING = 110;
/** A label further from its line would be read with another; it is left out instead. */
const LABEL_REACH = 26;

/** Height of a panel in pixels. */
export function panelHeight(spec: PanelSpec): number {
  return MARGIN.top + spec.plotHeight + MARGIN.bottom;
}

/** The panel as `<svg>`; `y` places it inside another one. */
export function panelSvg(spec: PanelSpec, y?: number): string {
  const height = panelHeight(spec);
  const right = MARGIN.left + PLOT_WIDTH;
  const bottom = MARGIN.top + spec.plotHeight;
  const toX = scaleOf(spec.x, [MARGIN.left, right]);
  const toY = scaleOf(spec.y, [bottom, MARGIN.top]);
  const frame: Frame = { spec, toX, toY, right, bottom };
  const size = { viewBox: `0 0 ${PANEL_WIDTH} ${height}`, width: PANEL_WIDTH, height };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg"${attributes({ ...size, y, role: "img", "aria-label": spec.description, "font-family": FONT, "font-size": 12.5, fill: INK })}>`,
    `<rect${attributes({ width: PANEL_WIDTH, height, fill: "#fff" })}/>`,
    `<clipPath id="clip-${spec.id}"><rect${attributes({ x: MARGIN.left, y: MARGIN.top, width: PLOT_WIDTH, height: spec.plotHeight })}/></clipPath>`,
    `<text${attributes({ x: MARGIN.left, y: 20, "font-size": 15, "font-weight": "bold" })}>${escaped(spec.title)}</text>`,
    legend(spec.legend),
    grid(frame),
    ...layers(frame),
    axes(frame),
    "</svg>",
  ].join("\n");
}

interface Frame {
  readonly spec: PanelSpec;
  readonly toX: (t: number) => number;
  readonly toY: (value: number) => number;
  readonly right: number;
  readonly bottom: number;
}

function strokeOf(look: Look): Record<string, string | number | undefined> {
  return { stroke: look.stroke, "stroke-width": look.width, "stroke-dasharray": look.dash };
}

/** In rows, each entry after the one before; letters are taken as wide as they are on average. */
function legend(entries: readonly LegendEntry[]): string {
  let x: number = MARGIN.left;
  const y = 40;
  return entries
    .map(({ text, look }) => {
      const start = x;
      x += 36 + 5.9 * text.length + 18;
      const mark = look.marker === undefined ? "" : marker(look, start + 14, y - 4);
      return `<line${attributes({ x1: start, x2: start + 28, y1: y - 4, y2: y - 4, ...strokeOf(look) })}/>${mark}<text${attributes({ x: start + 36, y })}>${escaped(text)}</text>`;
    })
    .join("");
}

function grid({ spec, toY, right }: Frame): string {
  const lines = ticksOf(spec.y, 6)
    .filter(({ label }) => label !== "")
    .map(({ value }) => `M${MARGIN.left},${pixels(toY(value))}H${right}`);
  const level = !spec.hasHalfLine
    ? ""
    : `<path d="M${MARGIN.left},${pixels(toY(0.5))}H${right}" stroke="#999"/><text${attributes({ x: right + 3, y: toY(0.5) + 4, fill: "#555", "font-size": 12 })}>½</text>`;
  return `<g><path d="${lines.join("")}" fill="none" stroke="#e6e6e6"/>${level}</g>`;
}

/** Rules below all curves; the points of all curves share one allowance. */
function layers(frame: Frame): string[] {
  const { spec } = frame;
  const curves = spec.layers.flatMap((layer) => layer.curves);
  const toPixels = pixelsOf(frame);
  const thinned = thinCurves(
    curves.map(({ series }) => toPixels(series)),
    MOST_POINTS,
  );
  const drawn = new Map(curves.map((curve, index) => [curve, thinned[index] as Points]));
  const group = (layer: Layer, content: string) =>
    content === "" ? "" : `<g${attributes({ class: layer.className })}>${content}</g>`;
  return [
    ...spec.layers.map((layer) => group(layer, rules(layer.rules ?? [], frame))),
    `<g clip-path="url(#clip-${spec.id})" fill="none" stroke-linecap="round" stroke-linejoin="round">`,
    ...spec.layers.map((layer) =>
      group(layer, layer.curves.map((curve, index) => path(curve, drawn.get(curve), index)).join("\n")),
    ),
    "</g>",
  ];
}

/** Left of the panel one point is kept, so that the line enters it; outside above and below, a little is enough. */
function pixelsOf({ spec, toX, toY, bottom }: Frame): (series: Series) => Points {
  const isLog = spec.y.scale === "log";
  const [from] = spec.x.domain;
  const beyond = 40;
  // All eigenvalues of a run share their times.
  const known = new Map<Float64Array, { start: number; x: Float64Array }>();
  const timesInPixels = (t: Float64Array) => {
    let start = 0;
    while (start + 1 < t.length && (t[start + 1] as number) < from) start++;
    if (spec.x.scale === "log") while (start < t.length && !((t[start] as number) > 0)) start++;
    return { start, x: t.subarray(start).map(toX) };
  };
  const toPixel = (value: number) => {
    // NaN stays NaN; what a logarithmic axis does not have lies below it.
    if (isLog && value <= 0) return bottom + beyond;
    return Math.min(Math.max(toY(value), MARGIN.top - beyond), bottom + beyond);
  };
  return ({ t, y }) => {
    const { start, x } = known.get(t) ?? timesInPixels(t);
    known.set(t, { start, x });
    return { x, y: y.subarray(start).map(toPixel) };
  };
}

function path({ look, name }: Curve, points: Points | undefined, index: number): string {
  if (points === undefined || points.x.length === 0) return "";
  const indices = Array.from(points.x, (_, at) => at);
  const made = line<number>()
    .defined((at) => !Number.isNaN(points.y[at]))
    .x((at) => points.x[at] as number)
    .y((at) => points.y[at] as number)
    .digits(1)(indices);
  const d = made ?? "";
  return `<path${attributes({ ...strokeOf(look), d })}><title>${escaped(name)}</title></path>${look.marker === undefined ? "" : markers(look, points, index)}`;
}

/** Along the curve, at places that differ from curve to curve. */
function markers(look: Look, { x, y }: Points, index: number): string {
  const made: string[] = [];
  const offset = 20 + ((((look.marker ?? 0) * 37 + index * 23) % MARKER_SPACING) + 0);
  let at = 1;
  for (let place = MARGIN.left + offset; place < MARGIN.left + PLOT_WIDTH; place += MARKER_SPACING) {
    while (at < x.length && (x[at] as number) < place) at++;
    if (at >= x.length) break;
    const before = x[at - 1] as number;
    const share = (place - before) / ((x[at] as number) - before || 1);
    const height = (y[at - 1] as number) + share * ((y[at] as number) - (y[at - 1] as number));
    if (share >= 0 && Number.isFinite(height)) made.push(marker(look, place, height));
  }
  return made.join("");
}

function marker(look: Look, x: number, y: number): string {
  const shape = SHAPES[(look.marker ?? 0) % SHAPES.length] ?? symbolCircle;
  const d = symbol(shape, 46).digits(1)() ?? "";
  return `<path${attributes({ d, transform: `translate(${pixels(x)},${pixels(y)})`, fill: "#fff", stroke: look.stroke, "stroke-width": 1.4 })}/>`;
}

/** Vertical lines; their labels in one row above, pushed apart where they would overlap and tied to their line. */
function rules(all: readonly Rule[], { spec, toX, bottom, right }: Frame): string {
  const [from, to] = spec.x.domain;
  const inside = all.filter(({ t }) => t >= from && t <= to).sort((a, b) => a.t - b.t);
  if (inside.length === 0) return "";
  const strokes = inside.map(
    ({ t, isFaint }) =>
      `<path${attributes({ d: `M${pixels(toX(t))},${MARGIN.top}V${bottom}`, "stroke-dasharray": isFaint ? "1 4" : "4 3" })}/>`,
  );
  const width = 7.2 * Math.max(...inside.map(({ label }) => label.length)) + 5;
  const wanted = inside.map(({ t }) => toX(t));
  const placed = placedLabels(wanted, width, [MARGIN.left + 6, right - 2], LABEL_REACH);
  const base = MARGIN.top - 14;
  const ties = placed.map(
    ({ index, centre }) => `M${pixels(centre)},${base + 3}L${pixels(wanted[index] ?? centre)},${MARGIN.top}`,
  );
  const texts = placed.map(
    ({ index, centre }) => `<text${attributes({ x: centre, y: base })}>${escaped(inside[index]?.label ?? "")}</text>`,
  );
  return [
    `<g fill="none" stroke="#777" stroke-width="1">${strokes.join("")}<path d="${ties.join("")}" stroke="#aaa"/></g>`,
    `<g text-anchor="middle" font-size="12">${texts.join("")}</g>`,
    `<text${attributes({ x: MARGIN.left - 10, y: base, "text-anchor": "end", "font-size": 12 })}>${escaped(spec.ruleWord)}</text>`,
  ].join("");
}

function axes({ spec, toX, toY, right, bottom }: Frame): string {
  const xTicks = ticksOf(spec.x, 8);
  const yTicks = ticksOf(spec.y, 6);
  const marks = [
    `M${MARGIN.left},${MARGIN.top}V${bottom}H${right}`,
    ...xTicks.map(({ value, label }) => `M${pixels(toX(value))},${bottom}v${label ? 6 : 3}`),
    ...yTicks.map(({ value, label }) => `M${MARGIN.left},${pixels(toY(value))}h${label ? -6 : -3}`),
  ];
  const xLabels = xTicks.map(({ value, label }) =>
    label ? `<text${attributes({ x: toX(value), y: bottom + 20 })}>${label}</text>` : "",
  );
  const yLabels = yTicks.map(({ value, label }) =>
    label ? `<text${attributes({ x: MARGIN.left - 10, y: toY(value) + 4 })}>${label}</text>` : "",
  );
  const middle = MARGIN.top + spec.plotHeight / 2;
  return [
    `<path d="${marks.join("")}" fill="none" stroke="${INK}" stroke-width="1"/>`,
    `<g text-anchor="middle">${xLabels.join("")}<text${attributes({ x: (MARGIN.left + right) / 2, y: bottom + 40 })}>${escaped(spec.x.label)}</text>`,
    `<text${attributes({ transform: `translate(18,${pixels(middle)}) rotate(-90)` })}>${escaped(spec.y.label)}</text></g>`,
    `<g text-anchor="end">${yLabels.join("")}</g>`,
  ].join("\n");
}
