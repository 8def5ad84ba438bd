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

/** Every k-th of `items`, with the least k for which at most `most` remain; the first is among them. */
export function everyFew<T>(items: readonly T[], most: number): T[] {
  const stride = Math.max(1, Math.ceil(items.length / Math.max(1, most)));
  return items.filter((_, index) => index % stride === 0);
}
