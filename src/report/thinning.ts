/**
 * Fewer points for a curve that looks the same. In pixel space: first the first, lowest, highest and last point of every pixel column
 * (M4: a line through them covers the same pixels as the whole series), then Ramer–Douglas–Peucker.
 * Sources: Jugel et al., "M4: a visualization-oriented time series data aggregation", VLDB 2014; Douglas & Peucker 1973.
 */

/** Points of a curve in pixels; x does not decrease. */
export interface Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
}

/** No point of the drawn curve is further from the whole one than this, pixels: below what a printer shows. */
export const DEVIATION_PX = 0.2;

/**
 * Thins several curves to at most about `most` points together.
 *
 * Each drawn curve stays within `DEVIATION_PX` of its original; only when that leaves more than `most` points (many curves of pure
 * noise) is what is left thinned again, with the deviation doubled, until it fits: the sum of all is less than twice the last. Runs of
 * points that are not finite become one gap, a point with y = NaN.
 */
export function thinCurves(curves: readonly Points[], most: number): Points[] {
  let thinned = curves.map((curve) => segmentsOf(curve).map(extremesByColumn));
  for (let deviation = DEVIATION_PX; ; deviation *= 2) {
    thinned = thinned.map((segments) => segments.map((segment) => simplified(segment, deviation)));
    const count = thinned.flat().reduce((sum, { x }) => sum + x.length, 0);
    // Two points a segment are always left, so the deviation could grow for ever.
    if (count <= most || deviation > 50) return thinned.map(joined);
  }
}

/** The stretches of finite points. */
function segmentsOf({ x, y }: Points): Points[] {
  const segments: Points[] = [];
  let start = 0;
  for (let index = 0; index <= x.length; index++) {
    if (index < x.length && Number.isFinite(x[index]) && Number.isFinite(y[index])) continue;
    if (index > start) segments.push({ x: x.subarray(start, index), y: y.subarray(start, index) });
    start = index + 1;
  }
  return segments;
}

/** First, lowest, highest and last point of every pixel column, in their order. */
export function extremesByColumn({ x, y }: Points): Points {
  const kept: number[] = [];
  let start = 0;
  for (let index = 1; index <= x.length; index++) {
    if (index < x.length && Math.floor(x[index] as number) === Math.floor(x[start] as number)) continue;
    let lowest = start;
    let highest = start;
    for (let inside = start; inside < index; inside++) {
      if ((y[inside] as number) < (y[lowest] as number)) lowest = inside;
      if ((y[inside] as number) > (y[highest] as number)) highest = inside;
    }
    const chosen = [start, Math.min(lowest, highest), Math.max(lowest, highest), index - 1];
    for (const one of chosen) if (one !== kept.at(-1)) kept.push(one);
    start = index;
  }
  return picked({ x, y }, kept);
}

/** Ramer–Douglas–Peucker, with a stack of its own: a curve may have more points than calls may nest. */
export function simplified(points: Points, deviation: number): Points {
  const { x, y } = points;
  if (x.length <= 2) return points;
  const keep = new Uint8Array(x.length);
  keep[0] = 1;
  keep[x.length - 1] = 1;
  const stack: [number, number][] = [[0, x.length - 1]];
  for (let range = stack.pop(); range; range = stack.pop()) {
    const [from, to] = range;
    let furthest = 0;
    let distance = deviation * deviation;
    for (let index = from + 1; index < to; index++) {
      const squared = squaredDistance(x, y, index, from, to);
      if (squared > distance) {
        distance = squared;
        furthest = index;
      }
    }
    if (furthest === 0) continue;
    keep[furthest] = 1;
    stack.push([from, furthest], [furthest, to]);
  }
  const kept: number[] = [];
  for (let index = 0; index < keep.length; index++) if (keep[index]) kept.push(index);
  return picked(points, kept);
}

/** Of point `index` from the line segment between points `from` and `to`. */
function squaredDistance(x: Float64Array, y: Float64Array, index: number, from: number, to: number): number {
  const x0 = x[from] as number;
  const y0 = y[from] as number;
  const dx = (x[to] as number) - x0;
  const dy = (y[to] as number) - y0;
  const px = (x[index] as number) - x0;
  const py = (y[index] as number) - y0;
  const length = dx * dx + dy * dy;
  const along = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
  return (px - along * dx) ** 2 + (py - along * dy) ** 2;
}

/** Loops, not `Float64Array.from`, which is ten times slower. */
function picked({ x, y }: Points, indices: readonly number[]): Points {
  const made = { x: new Float64Array(indices.length), y: new Float64Array(indices.length) };
  for (let at = 0; at < indices.length; at++) {
    const index = indices[at] as number;
    made.x[at] = x[index] as number;
    made.y[at] = y[index] as number;
  }
  return made;
}

/** One series, with a point of y = NaN between the segments. */
function joined(segments: readonly Points[]): Points {
  const [first] = segments;
  if (first && segments.length === 1) return first;
  const length = segments.reduce((sum, { x }) => sum + x.length + 1, 0);
  const made = { x: new Float64Array(length), y: new Float64Array(length).fill(Number.NaN) };
  let at = 0;
  for (const { x, y } of segments) {
    made.x.set(x, at);
    made.y.set(y, at);
    at += x.length;
    made.x[at++] = x.at(-1) ?? 0;
  }
  return made;
}
