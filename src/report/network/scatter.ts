/** Points along three principal axes, in a row of pictures at one scale: in space, seen obliquely, or flat along two of the axes. */
import { FONT, INK } from "../frame.ts";
import { attributes, escaped, pixels } from "../markup.ts";

/** Directions that a picture's right and up show, as weights of the principal axes. */
export interface Projection {
  readonly right: readonly [number, number, number];
  readonly up: readonly [number, number, number];
  /** Principal axes that are drawn, by number from 0. */
  readonly axes: readonly number[];
}

export interface Picture {
  readonly title: string;
  /** Three coordinates each: the first views of all images, then the second ones in the same order. */
  readonly points: readonly (readonly number[])[];
  readonly projection: Projection;
}

const TURN = Math.PI / 6;
const HEIGHT = (25 * Math.PI) / 180;

/** Seen from 30° aside and 25° above; the third component points up. */
export const OBLIQUE: Projection = {
  right: [Math.cos(TURN), -Math.sin(TURN), 0],
  up: [Math.sin(TURN) * Math.sin(HEIGHT), Math.cos(TURN) * Math.sin(HEIGHT), Math.cos(HEIGHT)],
  axes: [0, 1, 2],
};

/** Along two of the axes. */
export function flat(right: number, up: number): Projection {
  const along = (axis: number): [number, number, number] => [
    axis === 0 ? 1 : 0,
    axis === 1 ? 1 : 0,
    axis === 2 ? 1 : 0,
  ];
  return { right: along(right), up: along(up), axes: [right, up] };
}

const WIDTH = 860;
const TITLE = 26;
const GAP = 12;
const FIRST_VIEW = "#0072B2";
const SECOND_VIEW = "#D55E00";

/** @param extent largest coordinate that has to be seen */
export function scatterSvg(pictures: readonly Picture[], extent: number, description: string): string {
  const side = (WIDTH - GAP * (pictures.length - 1)) / pictures.length;
  const height = TITLE + side;
  const size = { viewBox: `0 0 ${WIDTH} ${pixels(height)}`, width: WIDTH, height };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg"${attributes({ ...size, role: "img", "aria-label": description, "font-family": FONT, "font-size": 12.5, fill: INK })}>`,
    `<rect${attributes({ width: WIDTH, height, fill: "#fff" })}/>`,
    ...pictures.map((picture, index) => pictureSvg(picture, extent, (side + GAP) * index, side)),
    "</svg>",
  ].join("\n");
}

function pictureSvg({ title, points, projection }: Picture, extent: number, left: number, side: number): string {
  const scale = (0.42 * side) / (extent || 1);
  const [centreX, centreY] = [left + side / 2, TITLE + side / 2];
  const place = (point: readonly number[]): [number, number] => [
    centreX + scale * dot(projection.right, point),
    centreY - scale * dot(projection.up, point),
  ];
  const shown = points.map((point) => (point.every(Number.isFinite) ? place(point) : undefined));
  const half = shown.length / 2;
  const pairs = shown.slice(0, half).flatMap((one, index) => {
    const other = shown[half + index];
    return one && other ? [`M${at(one)}L${at(other)}`] : [];
  });
  const dots = (from: number, to: number, fill: string) => {
    const marks = shown.slice(from, to).flatMap((point) => (point ? [`M${at(point)}h0`] : []));
    return `<path d="${marks.join("")}" fill="none" stroke="${fill}" stroke-width="4.2" stroke-linecap="round" stroke-opacity="0.75"/>`;
  };
  return [
    `<rect${attributes({ x: left + 0.5, y: TITLE + 0.5, width: side - 1, height: side - 1, fill: "none", stroke: "#ccc" })}/>`,
    `<text${attributes({ x: left, y: 17 })}>${escaped(title)}</text>`,
    ...projection.axes.map((axis) => axisSvg(axis, extent, place)),
    `<path d="${pairs.join("")}" fill="none" stroke="#999" stroke-width="0.6" stroke-opacity="0.7"/>`,
    dots(0, half, FIRST_VIEW),
    dots(half, shown.length, SECOND_VIEW),
  ].join("");
}

function axisSvg(axis: number, extent: number, place: (point: readonly number[]) => [number, number]): string {
  const end = (factor: number) => place([0, 1, 2].map((one) => (one === axis ? factor * extent : 0)));
  const label = end(1.1);
  const text = { x: label[0], y: label[1] + 4, "text-anchor": "middle", "font-size": 11, fill: "#555" };
  return `<path d="M${at(end(-1))}L${at(end(1))}" fill="none" stroke="#bbb"/><text${attributes(text)}>${axis + 1}</text>`;
}

function at([x, y]: readonly [number, number]): string {
  return `${pixels(x)},${pixels(y)}`;
}

function dot(weights: readonly number[], point: readonly number[]): number {
  return weights.reduce((sum, weight, axis) => sum + weight * (point[axis] ?? 0), 0);
}
