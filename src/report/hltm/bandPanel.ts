/** A panel of means with bands of one standard deviation, and dashed lines beside them, as an SVG that stands alone. */
import { area, line } from "d3-shape";
import type { Axis } from "../axes.ts";
import { axesSvg, frameOf, gridSvg, panelDocument, textWidth, wrappedLines } from "../frame.ts";
import { type PanelLayout, plotWidth } from "../layout.ts";
import { attributes, escaped, pixels } from "../markup.ts";

export interface BandPoint {
  readonly x: number;
  readonly mean: number;
  /** Half the band's height; none where it is not known. */
  readonly std?: number | undefined;
}

export interface BandSeries {
  readonly name: string;
  readonly color: string;
  readonly points: readonly BandPoint[];
  /** A horizontal dashed line of the same colour. */
  readonly reference?: number | undefined;
  readonly dash?: string | undefined;
}

export interface BandPanel {
  readonly title: string;
  readonly description: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly BandSeries[];
  readonly layout: PanelLayout;
  /** Distinguishes the clip path from those of other panels in one document. */
  readonly id: string;
}

export function bandPanelSvg(
  { title, description, x, y, series, layout, id }: BandPanel,
  at: { readonly x?: number; readonly y?: number } = {},
): string {
  const frame = frameOf(x, y, layout);
  const { left, top, bottom, toX, toY, right } = frame;
  const height = bottom - top;
  // What a logarithmic axis does not have lies below it.
  const place = (value: number) =>
    y.scale === "log" && !(value > 0) ? bottom + height : Math.min(Math.max(toY(value), top - height), bottom + height);
  const band = ({ points, color }: BandSeries): string => {
    const known = points.filter(({ std }) => std !== undefined && std > 0);
    if (known.length < 2) return "";
    const d = area<BandPoint>()
      .x((point) => toX(point.x))
      .y0((point) => place(point.mean - (point.std ?? 0)))
      .y1((point) => place(point.mean + (point.std ?? 0)))
      .digits(1)(known);
    return `<path${attributes({ d: d ?? "", fill: color, stroke: "none", "fill-opacity": 0.16 })}/>`;
  };
  const curve = ({ points, color, name, dash }: BandSeries): string => {
    const d = line<BandPoint>()
      .defined(({ mean }) => Number.isFinite(mean))
      .x((point) => toX(point.x))
      .y((point) => place(point.mean))
      .digits(1)(points);
    const dots = points
      .filter(({ mean }) => Number.isFinite(mean))
      .map((point) => `M${pixels(toX(point.x))},${pixels(place(point.mean))}h0`);
    return [
      `<path${attributes({ d: d ?? "", stroke: color, "stroke-width": 2, "stroke-dasharray": dash })}><title>${escaped(name)}</title></path>`,
      `<path${attributes({ d: dots.join(""), stroke: color, "stroke-width": 4.6, "stroke-linecap": "round" })}/>`,
    ].join("");
  };
  const reference = ({ reference: value, color, name }: BandSeries): string =>
    value === undefined
      ? ""
      : `<path${attributes({ d: `M${left},${pixels(place(value))}H${right}`, stroke: color, "stroke-width": 1.2, "stroke-dasharray": "5 4" })}><title>${escaped(`${name}, ceiling`)}</title></path>`;
  return panelDocument(
    [
      `<clipPath id="clip-${id}"><rect${attributes({ x: left, y: top, width: plotWidth(layout), height })}/></clipPath>`,
      heading(title, layout),
      legend(series, layout),
      gridSvg(frame),
      `<g clip-path="url(#clip-${id})" fill="none" stroke-linejoin="round">${series.map(band).join("")}${series.map(reference).join("")}${series.map(curve).join("")}</g>`,
      axesSvg(frame),
    ],
    layout,
    description,
    at,
  );
}

function heading(title: string, layout: PanelLayout): string {
  const { left } = layout.margin;
  return wrappedLines(title, plotWidth(layout), layout.fontSize)
    .map(
      (text, index) =>
        `<text${attributes({ x: left, y: 16 + 1.25 * layout.fontSize * index, "font-weight": "bold" })}>${escaped(text)}</text>`,
    )
    .join("");
}

/** Below the title, in a row. */
function legend(series: readonly BandSeries[], layout: PanelLayout): string {
  if (series.length < 2) return "";
  const size = layout.fontSize - 1;
  let x = layout.margin.left;
  return series
    .map(({ name, color }) => {
      const start = x;
      x += 20 + textWidth(name, size) + 10;
      return `<path${attributes({ d: `M${pixels(start)},${32}h14`, stroke: color, "stroke-width": 3 })}/><text${attributes({ x: start + 18, y: 36, "font-size": size })}>${escaped(name)}</text>`;
    })
    .join("");
}
