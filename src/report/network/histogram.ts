/** Histogram of log₁₀ of eigenvalues as an SVG that stands alone, with the split into two groups. */
import { axesSvg, type Frame, frameOf, gridSvg, panelDocument, textWidth } from "../frame.ts";
import type { PanelLayout } from "../layout.ts";
import { attributes, escaped, pixels } from "../markup.ts";

export interface Histogram {
  /** log₁₀ λ of the last record, and of the first. */
  readonly last: readonly number[];
  readonly first: readonly number[];
  /** Middle between the two groups of the last record. */
  readonly split: number | undefined;
  readonly axis: string;
  readonly description: string;
}

const LAYOUT: PanelLayout = {
  width: 860,
  plotHeight: 200,
  margin: { left: 74, right: 16, top: 40, bottom: 48 },
  fontSize: 12.5,
  heading: "line",
  ticks: { x: 10, y: 5 },
  stroke: 1,
  mostPoints: 1000,
};
const LAST = "#56B4E9";
const FIRST = "#777";

/** Bars: the last record. Outline: the first. Dashed line: the split. */
export function histogramSvg({ last, first, split, axis, description }: Histogram): string {
  const edges = binEdges([...last, ...first], last.length);
  const counts = countsOf(last, edges);
  const before = countsOf(first, edges);
  const most = Math.max(1, ...counts, ...before);
  const frame = frameOf(
    { scale: "linear", domain: [edges[0] ?? 0, edges.at(-1) ?? 1], label: axis },
    { scale: "linear", domain: [0, 1.08 * most], label: "eigenvalues" },
    { ...LAYOUT, ticks: { ...LAYOUT.ticks, y: Math.min(5, most) } },
  );
  const bars = counts.map((count, bin) => {
    if (count === 0) return "";
    const [left, right] = [frame.toX(edges[bin] ?? 0), frame.toX(edges[bin + 1] ?? 0)];
    const y = frame.toY(count);
    const box = { x: left + 0.5, y, width: Math.max(1, right - left - 1), height: frame.bottom - y, fill: LAST };
    return `<rect${attributes(box)}><title>${count}</title></rect>`;
  });
  return panelDocument(
    [
      legend(frame, split !== undefined),
      gridSvg(frame),
      `<g>${bars.join("")}</g>`,
      outline(before, edges, frame),
      split === undefined ? "" : splitLine(split, frame),
      axesSvg(frame),
    ].filter(Boolean),
    LAYOUT,
    description,
  );
}

/**
 * Edges of bins whose middles are multiples of a round width, so that plateaus at 1 or 0.1 are not cut in two; about three times the square
 * root of `count` bins, but at least 18 over the whole spread.
 */
export function binEdges(values: readonly number[], count: number): number[] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const wanted = Math.min(48, Math.max(18, 3 * Math.ceil(Math.sqrt(count))));
  const width = WIDTHS.find((one) => (most - least) / one <= wanted) ?? 1;
  const [from, to] = [Math.round(least / width), Math.round(most / width)];
  return Array.from({ length: to - from + 2 }, (_, index) => (from + index - 0.5) * width);
}

const WIDTHS = [0.05, 0.1, 0.2, 0.25, 0.5];

/** Values on an edge belong to the bin above it, the last edge to the last bin. */
export function countsOf(values: readonly number[], edges: readonly number[]): number[] {
  const counts = new Array<number>(edges.length - 1).fill(0);
  const [from, width] = [edges[0] ?? 0, (edges[1] ?? 1) - (edges[0] ?? 0)];
  for (const value of values) {
    const bin = Math.min(counts.length - 1, Math.max(0, Math.floor((value - from) / width + 1e-9)));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

function outline(counts: readonly number[], edges: readonly number[], { toX, toY, bottom }: Frame): string {
  if (counts.every((count) => count === 0)) return "";
  const parts = counts.map((count, bin) => `V${pixels(toY(count))}H${pixels(toX(edges[bin + 1] ?? 0))}`);
  const d = `M${pixels(toX(edges[0] ?? 0))},${bottom}${parts.join("")}V${bottom}`;
  return `<path${attributes({ d, fill: "none", stroke: FIRST, "stroke-width": 1.3 })}/>`;
}

function splitLine(split: number, { toX, top, bottom }: Frame): string {
  const x = pixels(toX(split));
  return `<path d="M${x},${top}V${bottom}" fill="none" stroke="#000" stroke-width="1.3" stroke-dasharray="6 4"/>`;
}

function legend({ left }: Frame, hasSplit: boolean): string {
  const entries: readonly (readonly [string, string])[] = [
    [`<rect y="9" width="28" height="12" fill="${LAST}"/>`, "last record"],
    [`<path d="M0,15h28" stroke="${FIRST}" stroke-width="1.3"/>`, "first record"],
    ...(hasSplit
      ? ([
          [
            `<path d="M0,15h28" stroke="#000" stroke-width="1.3" stroke-dasharray="6 4"/>`,
            "best split into two groups",
          ],
        ] as const)
      : []),
  ];
  let x = left;
  return entries
    .map(([mark, text]) => {
      const start = x;
      x += 36 + textWidth(text, 12.5) + 22;
      return `<g transform="translate(${pixels(start)},0)">${mark}<text x="36" y="19">${escaped(text)}</text></g>`;
    })
    .join("");
}
