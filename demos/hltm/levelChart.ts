/** Correlations by level against updates, each level's ceiling dashed. */
import { scaleLinear } from "d3-scale";
import { modeColor } from "../staircase/palette.ts";
import { shape } from "./svg.ts";

const WIDTH = 880;
const HEIGHT = 270;
const LEFT = 46;
const RIGHT = 74;
const TOP = 12;
const BOTTOM = 34;

/** Least range of the axis of updates. */
const LEAST_UPDATES = 200;

export interface LevelHistory {
  readonly steps: readonly number[];
  /** [looks][levels], the root's first. */
  readonly levels: readonly (readonly number[])[];
  readonly ceiling: readonly number[];
}

export function drawLevels(target: SVGSVGElement, { steps, levels, ceiling }: LevelHistory): void {
  const depth = ceiling.length;
  const last = Math.max(LEAST_UPDATES, steps.at(-1) ?? 0);
  const x = (step: number): number => LEFT + (step / last) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => TOP + (1 - value) * (HEIGHT - TOP - BOTTOM);
  const parts: SVGElement[] = [];
  for (let tenth = 0; tenth <= 10; tenth += 2) {
    const at = y(tenth / 10);
    parts.push(shape("path", { class: "grid", d: `M${LEFT} ${at}H${WIDTH - RIGHT}` }));
    parts.push(shape("text", { x: LEFT - 8, y: at + 4, "text-anchor": "end" }, (tenth / 10).toFixed(1)));
  }
  for (const step of scaleLinear([0, last], [0, 1]).ticks(6)) {
    parts.push(shape("text", { x: x(step), y: HEIGHT - 14, "text-anchor": "middle" }, step.toLocaleString("en")));
  }
  parts.push(shape("text", { x: WIDTH - RIGHT, y: HEIGHT - 4, "text-anchor": "end" }, "updates"));
  const labels: { readonly level: number; readonly at: number; readonly color: string }[] = [];
  for (let index = 0; index < depth; index++) {
    const color = modeColor(index, depth);
    const most = y(ceiling[index] ?? 0);
    parts.push(shape("path", { class: "ceiling", stroke: color, d: `M${LEFT} ${most}H${WIDTH - RIGHT}` }));
    const points = steps.map((step, look) => `${x(step).toFixed(1)} ${y(levels[look]?.[index] ?? 0).toFixed(1)}`);
    if (points.length > 0) parts.push(shape("path", { class: "level", stroke: color, d: `M${points.join("L")}h0.01` }));
    labels.push({ level: depth - index, at: y(levels.at(-1)?.[index] ?? ceiling[index] ?? 0), color });
  }
  let free = Number.NEGATIVE_INFINITY;
  for (const { level, at, color } of labels.sort((a, b) => a.at - b.at)) {
    free = Math.max(at + 4, free + 14);
    const name = level === depth ? "root" : `level ${level}`;
    parts.push(shape("text", { x: WIDTH - RIGHT + 8, y: free, fill: color, class: "name" }, name));
  }
  target.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  target.replaceChildren(...parts);
}
