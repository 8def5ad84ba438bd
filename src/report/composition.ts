/** Several panels as one SVG: one above the other, or a column for each run. */
import { type Figure, panelsOf, type TheoryName, type View } from "./figure.ts";
import { FONT, INK, textWidth, wrappedLines } from "./frame.ts";
import { columnLayout, panelHeight, plotWidth } from "./layout.ts";
import { attributes, escaped, pixels } from "./markup.ts";
import { type PanelSpec, panelSvg } from "./panel.ts";

/** One above the other. */
export function stackedSvg(panels: readonly PanelSpec[]): string {
  const heights = panels.map(({ layout }) => panelHeight(layout));
  const tops = heights.map((_, index) => sum(heights.slice(0, index)));
  const width = Math.max(...panels.map(({ layout }) => layout.width));
  return documentSvg(
    width,
    sum(heights),
    panels.map((panel, index) => panelSvg(panel, { y: tops[index] ?? 0 })),
  );
}

/** A run of a figure with columns. */
export interface Column {
  /** Of this run alone. */
  readonly figure: Figure;
  /** Above the column, large. */
  readonly title: string;
  /** Below the title. */
  readonly subtitle: string;
}

/** Height of a column's title and subtitle. */
const HEAD = 58;
const LOSS_HEIGHT = 190;
const EIGENVALUE_HEIGHT = 240;
/** Columns beside one another, and the space between rows of them. */
const MOST_COLUMNS = 3;
const ROW_GAP = 26;

/**
 * A column for each run, at most three beside one another: loss above, eigenvalues below, on axes of their own.
 *
 * @param options.theories what is drawn of them in a picture without switches
 * @param options.id       distinguishes the figure's clip paths from others' in one document
 */
export function columnsSvg(
  columns: readonly Column[],
  view: View,
  options: { readonly theories?: readonly TheoryName[]; readonly id?: string } = {},
): string {
  const perRow = columns.length === 4 ? 2 : Math.min(columns.length, MOST_COLUMNS);
  // Names of matrices take one line or two; rows of panels stay aligned.
  const lines = columns.map(({ figure }) =>
    headingLines(`Eigenvalues of ${figure.runs[0]?.run.words.spectrumOf ?? ""}`),
  );
  const layouts = [columnLayout(LOSS_HEIGHT, 1), columnLayout(EIGENVALUE_HEIGHT, Math.max(...lines))] as const;
  const lossLayout = { ...layouts[0], margin: { ...layouts[0].margin, bottom: 30 } };
  const eigenvalueLayout = { ...layouts[1], margin: { ...layouts[1].margin, bottom: 56 } };
  const { width } = lossLayout;
  const rowHeight = HEAD + panelHeight(lossLayout) + panelHeight(eigenvalueLayout);
  const rows = Math.ceil(columns.length / perRow);
  const content = columns.flatMap(({ figure, title, subtitle }, index) => {
    const x = width * (index % perRow);
    const y = (rowHeight + ROW_GAP) * Math.floor(index / perRow);
    const [loss, eigenvalues] = panelsOf(figure, view, {
      ...(options.theories ? { theories: options.theories } : {}),
      layouts: [lossLayout, eigenvalueLayout],
      id: `${options.id ?? ""}${index}-`,
    });
    const left = x + lossLayout.margin.left;
    return [
      `<text${attributes({ x: left, y: y + 26, "font-size": 21, "font-weight": "bold" })}>${escaped(title)}</text>`,
      `<text${attributes({ x: left, y: y + 48, "font-size": 14.5, fill: "#555" })}>${escaped(fitting(subtitle, plotWidth(lossLayout)))}</text>`,
      panelSvg(loss, { x, y: y + HEAD }),
      panelSvg(eigenvalues, { x, y: y + HEAD + panelHeight(lossLayout) }),
    ];
  });
  return documentSvg(width * perRow, rows * rowHeight + (rows - 1) * ROW_GAP, content);
}

function headingLines(text: string): number {
  const layout = columnLayout(0, 1);
  return wrappedLines(text, plotWidth(layout), layout.fontSize).length;
}

/** Long names of folders are cut at their start, where they are alike. */
function fitting(text: string, width: number): string {
  if (textWidth(text, 14.5) <= width) return text;
  const letters = [...text];
  return `…${letters.slice(letters.length - Math.floor(width / textWidth("x", 14.5)) + 1).join("")}`;
}

function documentSvg(width: number, height: number, content: readonly string[]): string {
  const size = { viewBox: `0 0 ${width} ${pixels(height)}`, width, height };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg"${attributes({ ...size, "font-family": FONT, fill: INK })}>`,
    `<rect${attributes({ width, height, fill: "#fff" })}/>`,
    ...content,
    "</svg>",
  ].join("\n");
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
