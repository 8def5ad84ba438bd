/** Residuals of identities as dots on a logarithmic axis, a row for each group, wrong operators as crosses, the tolerance as a line. */
import { axesSvg, type Frame, frameOf, panelDocument, textWidth } from "../frame.ts";
import type { PanelLayout } from "../layout.ts";
import { attributes, escaped, pixels } from "../markup.ts";

export interface StripRow {
  readonly label: string;
  /** Relative residuals of identities. */
  readonly values: readonly number[];
  /** Those of wrong operators. */
  readonly wrong: readonly number[];
}

const ROW = 17;
const GOOD = "#0072B2";
const WRONG = "#D55E00";

/** @param rows from top to bottom */
export function residualStripSvg(rows: readonly StripRow[], tolerance: number): string {
  const labelWidth = Math.max(...rows.map(({ label }) => textWidth(label, 12.5)));
  const layout: PanelLayout = {
    width: 860,
    plotHeight: ROW * rows.length,
    margin: { left: Math.ceil(labelWidth) + 24, right: 22, top: 44, bottom: 48 },
    fontSize: 12.5,
    heading: "line",
    ticks: { x: 10, y: 0 },
    stroke: 1,
    mostPoints: 20_000,
  };
  const all = rows.flatMap(({ values, wrong }) => [...values, ...wrong]).filter((value) => value > 0);
  const domain: [number, number] = [
    10 ** Math.floor(Math.log10(Math.min(1e-8, ...all))),
    10 ** Math.ceil(Math.log10(Math.max(1, ...all))),
  ];
  const frame = frameOf(
    { scale: "log", domain, label: "‖−∇W − OP·vec(W)‖ / ‖∇W‖  (logarithmic)" },
    { scale: "linear", domain: [rows.length, 0], label: "" },
    layout,
  );
  const limit = pixels(frame.toX(tolerance));
  const content = [
    legend(frame, tolerance),
    bands(rows, frame),
    `<path d="M${limit},${frame.top}V${frame.bottom}" fill="none" stroke="#000" stroke-width="1.3" stroke-dasharray="6 4"/>`,
    ...rows.flatMap((row, index) => marks(row, rowMiddle(index, frame), frame)),
    axesSvg({
      ...frame,
      y: { ...frame.y, domain: [0, 0] },
      toY: frame.toY,
      layout: { ...layout, ticks: { x: 10, y: 0 } },
    }),
  ];
  return panelDocument(content, layout, "Relative residuals of operator identities by loss, and of wrong operators");
}

function rowMiddle(index: number, { top }: Frame): number {
  return top + ROW * (index + 0.5);
}

function bands(rows: readonly StripRow[], frame: Frame): string {
  const { left, right } = frame;
  const texts = rows.map(({ label }, index) => {
    const y = rowMiddle(index, frame);
    const band =
      index % 2 === 0
        ? `<rect${attributes({ x: left, y: y - ROW / 2, width: right - left, height: ROW, fill: "#f4f4f4" })}/>`
        : "";
    return `${band}<text${attributes({ x: left - 10, y: y + 4, "text-anchor": "end" })}>${escaped(label)}</text>`;
  });
  return `<g>${texts.join("\n")}</g>`;
}

function marks({ values, wrong }: StripRow, y: number, { toX }: Frame): string[] {
  const dots = values
    .filter((value) => value > 0)
    .map((value) => `<circle${attributes({ cx: toX(value), cy: y, r: 2.6 })}/>`);
  const crosses = wrong
    .filter((value) => value > 0)
    .map((value) => {
      const x = toX(value);
      return `M${pixels(x - 3)},${pixels(y - 3)}l6,6m0,-6l-6,6`;
    });
  return [
    `<g fill="${GOOD}" fill-opacity="0.45">${dots.join("")}</g>`,
    ...(crosses.length > 0 ? [`<path d="${crosses.join("")}" fill="none" stroke="${WRONG}" stroke-width="1.4"/>`] : []),
  ];
}

function legend({ left }: Frame, tolerance: number): string {
  const entries: readonly (readonly [string, string])[] = [
    [`<circle cx="8" cy="15" r="3" fill="${GOOD}" fill-opacity="0.6"/>`, "an identity at one layer"],
    [`<path d="M5,12l6,6m0,-6l-6,6" stroke="${WRONG}" stroke-width="1.4"/>`, "a wrong operator"],
    [`<path d="M8,6v18" stroke="#000" stroke-width="1.3" stroke-dasharray="6 4"/>`, `tolerance ${tolerance}`],
  ];
  let x = left;
  return entries
    .map(([mark, text]) => {
      const start = x;
      x += 22 + textWidth(text, 12.5) + 22;
      return `<g transform="translate(${pixels(start)},4)">${mark}<text x="22" y="19">${escaped(text)}</text></g>`;
    })
    .join("");
}
