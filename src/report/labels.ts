/** Places labels along a line so that none overlaps another. */

export interface Label {
  /** Where its centre wants to be. */
  readonly wanted: number;
  readonly width: number;
}

/**
 * Centres for labels, as near as possible (least squares) to where they want to be and in the same order.
 *
 * Pool adjacent violators: shifted by the room that those before them take, the labels must not decrease, and overlapping ones share a mean.
 *
 * @param labels by ascending `wanted`
 * @returns      centres within [from, to], neighbours at least half of both widths apart; undefined when they do not fit
 */
export function spreadLabels(labels: readonly Label[], from: number, to: number): number[] | undefined {
  const offsets: number[] = [];
  for (const [index, { width }] of labels.entries()) {
    const before = labels[index - 1];
    offsets.push(before ? (offsets[index - 1] ?? 0) + (before.width + width) / 2 : 0);
  }
  const room = to - from - (offsets.at(-1) ?? 0);
  if (room < 0) return undefined;
  const pools: { sum: number; count: number }[] = [];
  for (const [index, { wanted }] of labels.entries()) {
    pools.push({ sum: wanted - (offsets[index] ?? 0), count: 1 });
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
  return shifted.map((value, index) => Math.min(Math.max(value, from), from + room) + (offsets[index] ?? 0));
}

/**
 * Which of the labels, tried in order, to show so that none has to move further than `reach` from its place.
 *
 * @param labels by ascending `wanted`
 * @param order  indices into `labels`, the most important first; from left to right unless given
 * @returns      indices into `labels` and the centres they get
 */
export function placedLabels(
  labels: readonly Label[],
  range: readonly [from: number, to: number],
  reach: number,
  order: Iterable<number> = labels.keys(),
): { readonly index: number; readonly centre: number }[] {
  let chosen: number[] = [];
  let centres: number[] = [];
  for (const index of order) {
    const tried = [...chosen, index].sort((a, b) => a - b);
    const shown = tried.map((one) => labels[one] as Label);
    const spread = spreadLabels(shown, ...range);
    if (!spread?.every((centre, at) => Math.abs(centre - (shown[at] as Label).wanted) <= reach)) continue;
    chosen = tried;
    centres = spread;
  }
  return chosen.map((index, at) => ({ index, centre: centres[at] as number }));
}
