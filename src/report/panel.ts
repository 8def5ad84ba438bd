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
import type { Axis } from "./axes.ts";
import type { Series } from "./curves.ts";
import { axesSvg, type Frame, frameOf, gridSvg, panelDocument, textWidth, wrappedLines } from "./frame.ts";
import { placedLabels } from "./labels.ts";
import { type PanelLayout, plotWidth } from "./layout.ts";
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

/** A vertical line with a label above the panel. */
export interface Rule {
  readonly t: number;
  readonly label: string;
  /** Dash pattern; a solid line without. */
  readonly dash?: string | undefined;
  /** Gives way to others where there is no room for all labels. */
  readonly isFaint: boolean;
}

export interface LegendEntry {
  readonly text: string;
  readonly look: Look;
}

export interface PanelSpec {
  readonly title: string;
  /** In normal weight, after the title. */
  readonly subtitle?: string | undefined;
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
  readonly layout: PanelLayout;
  /** Distinguishes the clip path from other panels' in one document. */
  readonly id: string;
}

const SHAPES = [symbolCircle, symbolSquare, symbolTriangle, symbolDiamond, symbolCross, symbolWye];
const MARKER_SPACING = 110;
/** A label further from its line would be read with another; it is left out instead. */
const LABEL_REACH = 26;

/** The panel as `<svg>`; `at` places it inside another one. */
export function panelSvg(spec: PanelSpec, at: { readonly x?: number; readonly y?: number } = {}): string {
  const frame: PanelFrame = { ...frameOf(spec.x, spec.y, spec.layout), spec };
  const { left, top, bottom } = frame;
  const content = [
    `<clipPath id="clip-${spec.id}"><rect${attributes({ x: left, y: top, width: plotWidth(spec.layout), height: bottom - top })}/></clipPath>`,
    heading(spec),
    gridSvg(frame),
    halfLine(frame),
    ...layers(frame),
    axesSvg(frame),
  ];
  return panelDocument(content.filter(Boolean), spec.layout, spec.description, at);
}

interface PanelFrame extends Frame {
  readonly spec: PanelSpec;
}

function strokeOf(look: Look, factor = 1): Record<string, string | number | undefined> {
  return { stroke: look.stroke, "stroke-width": factor * look.width, "stroke-dasharray": look.dash };
}

function heading({ title, subtitle = "", legend: entries, layout }: PanelSpec): string {
  const { left } = layout.margin;
  if (layout.heading === "line") {
    const rest = subtitle ? `<tspan font-weight="normal" font-size="13"> ${escaped(subtitle)}</tspan>` : "";
    return `<text${attributes({ x: left, y: 20, "font-size": 15, "font-weight": "bold" })}>${escaped(title)}${rest}</text>${legend(entries, left)}`;
  }
  const spacing = 1.25 * layout.fontSize;
  return wrappedLines(subtitle, plotWidth(layout), layout.fontSize)
    .map((text, index) => `<text${attributes({ x: left, y: 16 + spacing * index })}>${escaped(text)}</text>`)
    .join("");
}

/** In a row, each entry after the one before. */
function legend(entries: readonly LegendEntry[], left: number): string {
  let x = left;
  const y = 40;
  return entries
    .map(({ text, look }) => {
      const start = x;
      x += 36 + textWidth(text, 12.5) + 18;
      const mark = look.marker === undefined ? "" : marker(look, start + 14, y - 4);
      return `<line${attributes({ x1: start, x2: start + 28, y1: y - 4, y2: y - 4, ...strokeOf(look) })}/>${mark}<text${attributes({ x: start + 36, y })}>${escaped(text)}</text>`;
    })
    .join("");
}

function halfLine({ spec, toY, left, right }: PanelFrame): string {
  if (!spec.hasHalfLine) return "";
  return `<g><path d="M${left},${pixels(toY(0.5))}H${right}" stroke="#999"/><text${attributes({ x: right + 3, y: toY(0.5) + 4, fill: "#555", "font-size": 12 })}>½</text></g>`;
}

/** Rules below all curves; the points of all curves share one allowance. */
function layers(frame: PanelFrame): string[] {
  const { spec } = frame;
  const curves = spec.layers.flatMap((layer) => layer.curves);
  const toPixels = pixelsOf(frame);
  const thinned = thinCurves(
    curves.map(({ series }) => toPixels(series)),
    spec.layout.mostPoints,
  );
  const drawn = new Map(curves.map((curve, index) => [curve, thinned[index] as Points]));
  const group = (layer: Layer, content: string) =>
    content === "" ? "" : `<g${attributes({ class: layer.className })}>${content}</g>`;
  return [
    ...spec.layers.map((layer) => group(layer, rules(layer.rules ?? [], frame))),
    `<g clip-path="url(#clip-${spec.id})" fill="none" stroke-linecap="round" stroke-linejoin="round">`,
    ...spec.layers.map((layer) =>
      group(layer, layer.curves.map((curve, index) => path(curve, drawn.get(curve), index, frame)).join("\n")),
    ),
    "</g>",
  ];
}

/** Left of the panel one point is kept, so that the line enters it; outside above and below, a little is enough. */
function pixelsOf({ spec, toX, toY, top, bottom }: PanelFrame): (series: Series) => Points {
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
    return Math.min(Math.max(toY(value), top - beyond), bottom + beyond);
  };
  return ({ t, y }) => {
    const { start, x } = known.get(t) ?? timesInPixels(t);
    known.set(t, { start, x });
    return { x, y: y.subarray(start).map(toPixel) };
  };
}

function path({ look, name }: Curve, points: Points | undefined, index: number, frame: PanelFrame): string {
  if (points === undefined || points.x.length === 0) return "";
  const indices = Array.from(points.x, (_, at) => at);
  const made = line<number>()
    .defined((at) => !Number.isNaN(points.y[at]))
    .x((at) => points.x[at] as number)
    .y((at) => points.y[at] as number)
    .digits(1)(indices);
  const d = made ?? "";
  const marks = look.marker === undefined ? "" : markers(look, points, index, frame);
  return `<path${attributes({ ...strokeOf(look, frame.layout.stroke), d })}><title>${escaped(name)}</title></path>${marks}`;
}

/** Along the curve, at places that differ from curve to curve. */
function markers(look: Look, { x, y }: Points, index: number, { left, right }: PanelFrame): string {
  const made: string[] = [];
  const offset = 20 + (((look.marker ?? 0) * 37 + index * 23) % MARKER_SPACING);
  let at = 1;
  for (let place = left + offset; place < right; place += MARKER_SPACING) {
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
function rules(all: readonly Rule[], { spec, layout, toX, left, right, top, bottom }: PanelFrame): string {
  const [from, to] = spec.x.domain;
  const inside = all.filter(({ t }) => t >= from && t <= to).sort((a, b) => a.t - b.t);
  if (inside.length === 0) return "";
  const strokes = inside.map(
    ({ t, dash }) => `<path${attributes({ d: `M${pixels(toX(t))},${top}V${bottom}`, "stroke-dasharray": dash })}/>`,
  );
  const size = layout.fontSize - 0.5;
  const labels = inside.map(({ t, label }) => ({ wanted: toX(t), width: 0.6 * size * label.length + 5 }));
  const byWeight = [...inside.keys()].sort((a, b) => Number(inside[a]?.isFaint) - Number(inside[b]?.isFaint));
  const placed = placedLabels(labels, [left + 6, right - 2], LABEL_REACH, byWeight);
  const base = top - 14;
  const ties = placed.map(
    ({ index, centre }) => `M${pixels(centre)},${base + 3}L${pixels(labels[index]?.wanted ?? centre)},${top}`,
  );
  const texts = placed.map(
    ({ index, centre }) => `<text${attributes({ x: centre, y: base })}>${escaped(inside[index]?.label ?? "")}</text>`,
  );
  return [
    `<g fill="none" stroke="#777" stroke-width="1">${strokes.join("")}<path d="${ties.join("")}" stroke="#aaa"/></g>`,
    `<g text-anchor="middle" font-size="${size}">${texts.join("")}</g>`,
    `<text${attributes({ x: left - 10, y: base, "text-anchor": "end", "font-size": size })}>${escaped(spec.ruleWord)}</text>`,
  ].join("");
}
