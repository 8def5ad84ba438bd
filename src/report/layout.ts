/** Sizes of panels in pixels: one of the page's width, a column of a figure of several runs, a small one beside others. */

export interface PanelLayout {
  /** Of the whole panel. */
  readonly width: number;
  /** Of the plotting area. */
  readonly plotHeight: number;
  readonly margin: { readonly left: number; readonly right: number; readonly top: number; readonly bottom: number };
  readonly fontSize: number;
  /** `line`: title and subtitle in one line, legend below. `block`: only the subtitle, in as many lines as it needs; no legend. */
  readonly heading: "line" | "block";
  /** At most about so many labelled ticks. */
  readonly ticks: { readonly x: number; readonly y: number };
  /** Line widths are multiplied by this. */
  readonly stroke: number;
  /** Points of all curves together: keeps a report of 64 noisy eigenvalues small. */
  readonly mostPoints: number;
}

/** A panel of the page's width. */
export function fullLayout(plotHeight: number): PanelLayout {
  return {
    width: 860,
    plotHeight,
    margin: { left: 74, right: 16, top: 82, bottom: 48 },
    fontSize: 12.5,
    heading: "line",
    ticks: { x: 8, y: 6 },
    stroke: 1,
    mostPoints: 20_000,
  };
}

/** A column: three of them side by side are read at two thirds of their size. */
export function columnLayout(plotHeight: number, headingLines: number): PanelLayout {
  return {
    width: 400,
    plotHeight,
    margin: { left: 58, right: 16, top: 30 + 20 * headingLines, bottom: 34 },
    fontSize: 15.5,
    heading: "block",
    ticks: { x: 4, y: 5 },
    stroke: 0.85,
    mostPoints: 8000,
  };
}

/** Two of them beside one another fill the page. */
export function smallLayout(plotHeight: number): PanelLayout {
  return {
    width: 430,
    plotHeight,
    margin: { left: 62, right: 14, top: 44, bottom: 44 },
    fontSize: 12.5,
    heading: "block",
    ticks: { x: 4, y: 5 },
    stroke: 0.6,
    mostPoints: 6000,
  };
}

export function plotWidth({ width, margin }: PanelLayout): number {
  return width - margin.left - margin.right;
}

export function panelHeight({ plotHeight, margin }: PanelLayout): number {
  return margin.top + plotHeight + margin.bottom;
}
