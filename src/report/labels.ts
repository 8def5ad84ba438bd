/** Places labels along a line so that none overlaps another. */

/**
 * Centres for labels of equal width, as near as possible (least squares) to where they want to be and in the same order.
 *
 * Pool adjacent violators: shifted by their number, the labels must not decrease, and overlapping ones share a mean.
 *
 * @param wanted centres, ascending
 * @returns      centres at least `width` apart within [from, to]; undefined when they do not fit
 */
export function spreadLabels(wanted: readonly number[], width: number, from: number, to: number): number[] | undefined {
  const room = to - from - (wanted.length - 1) * width;
  if (room < 0) return undefined;
  const pools: { sum: number; count: number }[] = [];
  for (const [index, centre] of wanted.entries()) {
    pools.push({ sum: centre - index * width, count: 1 });
    for (;;) {
      const last = pools.at(-1);
      const before = pools.at(-2);
      if (!last || !before || before.sum / before.count <= last.sum / last.count) break;
      before.sum += last.sum;
      before.count += last.count;
      pools.pop();
    }
  }
  const shifted = pools.flatMap(({ sum, count }) => new Array<number>(count).fill(sum / count));
  return shifted.map((value, index) => Math.min(Math.max(value, from), from + room) + index * width);
}

/**
 * Which of the labels, tried in order, to show so that none has to move further than `reach` from its place.
 *
 * @param wanted centres, ascending
 * @param order  indices into `wanted`, the most important first; from left to right unless given
 * @returns      indices into `wanted` and the centres they get
 */
export function placedLabels(
  wanted: readonly number[],
  width: number,
  range: readonly [from: number, to: number],
  reach: number,
  order: Iterable<number> = wanted.keys(),
): { readonly index: number; readonly centre: number }[] {
  let chosen: number[] = [];
  let centres: number[] = [];
  for (const index of order) {
    const tried = [...chosen, index].sort((a, b) => a - b);
    const places = tried.map((one) => wanted[one] as number);
    const spread = spreadLabels(places, width, ...range);
    if (!spread?.every((centre, at) => Math.abs(centre - (places[at] as number)) <= reach)) continue;
    chosen = tried;
    centres = spread;
  }
  return chosen.map((index, at) => ({ index, centre: centres[at] as number }));
}
