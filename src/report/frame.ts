/** What every drawing shares: the SVG around it, scales, grid, axes, and text in lines of limited width. */
import { type Axis, scaleOf, ticksOf } from "./axes.ts";
import { type PanelLayout, panelHeight, plotWidth } from "./layout.ts";
import { attributes, escaped, pixels } from "./markup.ts";

export const FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif";
export const INK = "#222";

/** The plotting area of a panel, and where values lie in it. */
export interface Frame {
  readonly layout: PanelLayout;
  readonly x: Axis;
  readonly y: Axis;
  readonly toX: (value: number) => number;
  readonly toY: (value: number) => number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export function frameOf(x: Axis, y: Axis, layout: PanelLayout): Frame {
  const { left, top } = layout.margin;
  const right = left + plotWidth(layout);
  const bottom = top + layout.plotHeight;
  return { layout, x, y, toX: scaleOf(x, [left, right]), toY: scaleOf(y, [bottom, top]), left, right, top, bottom };
}

/** `content` on white as an SVG that stands alone; `at` places it inside another one. */
export function panelDocument(
  content: readonly string[],
  layout: PanelLayout,
  description: string,
  at: { readonly x?: number | undefined; readonly y?: number | undefined } = {},
): string {
  const height = panelHeight(layout);
  const { width, fontSize } = layout;
  const size = { viewBox: `0 0 ${width} ${pixels(height)}`, width, height };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg"${attributes({ ...size, ...at, role: "img", "aria-label": description, "font-family": FONT, "font-size": fontSize, fill: INK })}>`,
    `<rect${attributes({ width, height, fill: "#fff" })}/>`,
    ...content,
    "</svg>",
  ].join("\n");
}

/** Horizontal lines at the labelled ticks. */
export function gridSvg({ layout, y, toY, left, right }: Frame): string {
  const lines = ticksOf(y, layout.ticks.y)
    .filter(({ label }) => label !== "")
    .map(({ value }) => `M${left},${pixels(toY(value))}H${right}`);
  return `<path d="${lines.join("")}" fill="none" stroke="#e6e6e6"/>`;
}

/** Both axes with ticks and labels; an axis without a label has ticks alone. */
export function axesSvg({ layout, x, y, toX, toY, left, right, top, bottom }: Frame): string {
  const em = layout.fontSize / 12.5;
  const xTicks = ticksOf(x, layout.ticks.x);
  const yTicks = ticksOf(y, layout.ticks.y);
  const marks = [
    `M${left},${top}V${bottom}H${right}`,
    ...xTicks.map(({ value, label }) => `M${pixels(toX(value))},${bottom}v${label ? 6 : 3}`),
    ...yTicks.map(({ value, label }) => `M${left},${pixels(toY(value))}h${label ? -6 : -3}`),
  ];
  const xLabels = xTicks.map(({ value, label }) =>
    label ? `<text${attributes({ x: toX(value), y: bottom + 8 + 12 * em })}>${label}</text>` : "",
  );
  const yLabels = yTicks.map(({ value, label }) =>
    label ? `<text${attributes({ x: left - 10, y: toY(value) + 4 * em })}>${label}</text>` : "",
  );
  const xLabel = x.label
    ? `<text${attributes({ x: (left + right) / 2, y: bottom + 14 + 26 * em })}>${escaped(x.label)}</text>`
    : "";
  const yLabel = y.label
    ? `<text${attributes({ transform: `translate(18,${pixels(top + layout.plotHeight / 2)}) rotate(-90)` })}>${escaped(y.label)}</text>`
    : "";
  return [
    `<path d="${marks.join("")}" fill="none" stroke="${INK}" stroke-width="1"/>`,
    `<g text-anchor="middle">${xLabels.join("")}${xLabel}`,
    `${yLabel}</g>`,
    `<g text-anchor="end">${yLabels.join("")}</g>`,
  ].join("\n");
}

/** Width of text, whose letters are taken as wide as they are on average in the widest font that stands in for those above. */
export function textWidth(text: string, fontSize: number): number {
  return 0.54 * fontSize * text.length;
}

/** Words in lines no wider than `width`. */
export function wrappedLines(text: string, width: number, fontSize: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1) ?? ""} ${word}`;
    if (lines.length > 0 && textWidth(longer, fontSize) <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
