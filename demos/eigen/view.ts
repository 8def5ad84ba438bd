/** What the page shows of a frame: picture, chart, numbers. */
import { block, element, input, setText } from "../staircase/elements.ts";
import { drawScale, HeatMap } from "./heatMap.ts";
import { drawOffNorms } from "./offChart.ts";
import { diagonal, type Frame, type Solution } from "./sweeper.ts";

export interface Shown {
  readonly n: number;
  /** Largest magnitude of the matrix as given. */
  readonly largest: number;
  readonly frames: readonly Frame[];
  readonly at: number;
  /** Once the last frame is shown. */
  readonly solution: Solution | undefined;
}

export class View {
  readonly #canvas = element("map", HTMLCanvasElement);
  readonly #map = new HeatMap(this.#canvas);
  readonly #chart = document.querySelector<SVGSVGElement>("#off-chart");

  constructor() {
    drawScale(element("scale", HTMLCanvasElement));
    this.#canvas.onpointermove = (event) => this.#point(event);
  }

  draw({ n, largest, frames, at, solution }: Shown): void {
    const frame = frames[at];
    if (!frame) return;
    this.#map.draw(frame.entries, n, largest || 1);
    if (this.#chart) {
      drawOffNorms(
        this.#chart,
        frames.map(({ offNorm }) => offNorm),
        at,
      );
    }
    const off = figure(frame.offNorm);
    const sweeps = `${frame.sweep} sweep${frame.sweep === 1 ? "" : "s"}`;
    this.#canvas.setAttribute(
      "aria-label",
      `Heat map of the ${n} by ${n} matrix after ${sweeps}; ${off} of its norm is off the diagonal`,
    );
    setText(block("caption-sweep"), sweeps);
    setText(block("caption-off"), off);
    input("sweep").max = String(frames.length - 1);
    input("sweep").value = String(at);
    setText(block("sweep-value"), String(frame.sweep));
    setText(block("out-n"), String(n));
    setText(block("out-sweep"), String(frame.sweep));
    setText(block("out-off"), off);
    setText(block("out-status"), solution?.status ?? "–");
    setText(block("out-residual"), solution ? figure(solution.residual) : "–");
    setText(block("out-orthogonality"), solution ? figure(solution.orthogonality) : "–");
    setText(block("values-caption"), solution ? "Eigenvalues" : "Diagonal, largest first");
    drawValues(solution?.values ?? diagonal(frame, n));
  }

  #point(event: PointerEvent): void {
    const pointed = this.#map.at(event);
    if (!pointed) return;
    const { row, column, value } = pointed;
    setText(block("pointed"), `row ${row + 1}, column ${column + 1}: ${entryText(value)}`);
  }
}

function drawValues(values: Float32Array): void {
  const body = block("values");
  while (body.childElementCount > values.length) body.lastElementChild?.remove();
  while (body.childElementCount < values.length) {
    const row = document.createElement("tr");
    row.append(document.createElement("td"), document.createElement("td"));
    body.append(row);
  }
  values.forEach((value, j) => {
    const [index, cell] = body.children[j]?.children ?? [];
    if (index) index.textContent = String(j + 1);
    if (cell) cell.textContent = entryText(value);
  });
}

/** Two digits are enough for an error. */
function figure(value: number): string {
  if (value === 0) return "0";
  return value >= 0.01 ? value.toFixed(3) : value.toExponential(1).replace("e-", "e−");
}

/** As many digits as f32 has. */
function entryText(value: number): string {
  const text = Math.abs(value) >= 1e-4 && Math.abs(value) < 1e6 ? value.toPrecision(8) : value.toExponential(7);
  return (value === 0 ? "0" : text).replace("-", "−").replace("e-", "e−").replace("e+", "e");
}
