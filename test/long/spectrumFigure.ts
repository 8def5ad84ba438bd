/** One panel: eigenvalues by rank on a logarithmic axis, as SVG with the report's axes and colours. */
import { type Axis, scaleOf, ticksOf } from "../../src/report/axes.ts";
import { attributes, escaped, pixels } from "../../src/report/markup.ts";

export interface Spectra {
  /** λ in float64, descending. */
  readonly exact: readonly number[];
  /** σ̂² of the embeddings. */
  readonly spectrum: readonly number[];
  /** Eigenvalues of the covariance formed in f32; may be negative. */
  readonly covariance: readonly number[];
  readonly rows: number;
}

const [WIDTH, HEIGHT] = [860, 480];
const FRAME = { left: 82, right: 844, top: 84, bottom: 424 };
const FLOOR = 1e-16;
/** Okabe and Ito's colours, told apart with any colour vision; as in the report. */
const COLOURS = { exact: "#000", spectrum: "#56B4E9", covariance: "#D55E00" };

export function spectrumFigure({ exact, spectrum, covariance, rows }: Spectra): string {
  const x: Axis = { scale: "linear", domain: [0, exact.length + 1], label: "rank of the eigenvalue" };
  const y: Axis = { scale: "log", domain: [FLOOR, 10], label: "λ / λ₁" };
  const toX = scaleOf(x, [FRAME.left, FRAME.right]);
  const toY = scaleOf(y, [FRAME.bottom, FRAME.top]);
  const top = exact[0] ?? 1;
  const at = (value: number, i: number) => [toX(i + 1), toY(Math.max(value / top, FLOOR))] as const;
  const lost = covariance.filter((value) => value <= 0).length;
  const title = `Spectrum of one ${rows} × ${exact.length} embedding matrix in f32`;
  const legend: readonly (readonly [string, string])[] = [
    ["exact", "float64"],
    ["spectrum", "spectrum: one-sided Jacobi on the embeddings, f32"],
    ["covariance", `covariance formed in f32, then eigh (▽ zero or negative: ${lost} of ${covariance.length})`],
  ];
  const legendMarkup = legend.map(([name, text], index) => {
    const [left, middle] = [FRAME.left + (index === 1 ? 84 : 0), index === 2 ? 62 : 43];
    return mark(name, left + 8, middle) + label(text, { x: left + 20, y: middle + 4 });
  });
  const xTicks = ticksOf(x, 8);
  const yTicks = ticksOf(y, 9);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg"${attributes({ viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img", "aria-label": title, "font-family": "Helvetica, Arial, 'Liberation Sans', sans-serif", "font-size": 12.5, fill: "#222" })}>`,
    `<rect${attributes({ width: WIDTH, height: HEIGHT, fill: "#fff" })}/>`,
    label(title, { x: FRAME.left, y: 22, "font-size": 15, "font-weight": "bold" }),
    ...legendMarkup,
    `<g fill="none" stroke="#e6e6e6"><path${attributes({ d: yTicks.map(({ value }) => `M${FRAME.left},${pixels(toY(value))}H${FRAME.right}`).join("") })}/></g>`,
    ...yTicks
      .filter((tick) => tick.label)
      .map((tick) => label(tick.label, { x: FRAME.left - 8, y: toY(tick.value) + 4, "text-anchor": "end" })),
    ...xTicks.map((tick) => label(tick.label, { x: toX(tick.value), y: FRAME.bottom + 20, "text-anchor": "middle" })),
    `<path${attributes({ d: `M${FRAME.left},${FRAME.top}V${FRAME.bottom}H${FRAME.right}`, fill: "none", stroke: "#222" })}/>`,
    label(x.label, { x: (FRAME.left + FRAME.right) / 2, y: HEIGHT - 12, "text-anchor": "middle" }),
    label(y.label, {
      transform: `translate(20 ${(FRAME.top + FRAME.bottom) / 2}) rotate(-90)`,
      "text-anchor": "middle",
    }),
    ...covariance.map((value, i) => mark(value > 0 ? "covariance" : "lost", ...at(value, i))),
    ...spectrum.map((value, i) => mark("spectrum", ...at(value, i))),
    ...exact.map((value, i) => mark("exact", ...at(value, i))),
    "</svg>",
    "",
  ].join("\n");
}

/** Shape as well as colour: a bar, a disc, a ring, a triangle. */
function mark(name: string, x: number, y: number): string {
  if (name === "exact") {
    const d = `M${pixels(x - 4.5)},${pixels(y)}h9`;
    return `<path${attributes({ d, stroke: COLOURS.exact, "stroke-width": 1.6 })}/>`;
  }
  if (name === "lost") {
    const d = `M${pixels(x - 4)},${pixels(y - 8)}h8l-4,7z`;
    return `<path${attributes({ d, fill: "none", stroke: COLOURS.covariance, "stroke-width": 1.4 })}/>`;
  }
  return name === "spectrum"
    ? `<circle${attributes({ cx: x, cy: y, r: 4.2, fill: COLOURS.spectrum })}/>`
    : `<circle${attributes({ cx: x, cy: y, r: 6, fill: "none", stroke: COLOURS.covariance, "stroke-width": 1.6 })}/>`;
}

function label(text: string, at: Readonly<Record<string, string | number>>): string {
  return `<text${attributes(at)}>${escaped(text)}</text>`;
}
