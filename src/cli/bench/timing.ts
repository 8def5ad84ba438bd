/** Medians, and the fitted exponent of time in size. */

export interface Timing {
  readonly medianMs: number;
  readonly fastestMs: number;
  readonly slowestMs: number;
  readonly runs: number;
}

export interface TimingOptions {
  /** Fewest timed runs. */
  readonly runs: number;
  /** More runs are made until this much time has gone, up to five times as many. */
  readonly budgetMs?: number;
  /** Runs before the first timed one: caches, clocks, lazily compiled code. */
  readonly warmUps?: number;
}

/** Runs `work` one after another, each awaited. */
export async function timed(work: () => Promise<unknown>, options: TimingOptions): Promise<Timing> {
  const { runs, budgetMs = 1000, warmUps = 2 } = options;
  for (let i = 0; i < warmUps; i++) await work();
  const times: number[] = [];
  const started = performance.now();
  while (times.length < runs || (times.length < 5 * runs && performance.now() - started < budgetMs)) {
    const before = performance.now();
    await work();
    times.push(performance.now() - before);
  }
  return summarize(times);
}

/** Median and range; NaN without times. */
export function summarize(times: readonly number[]): Timing {
  return {
    medianMs: median(times),
    fastestMs: Math.min(...times),
    slowestMs: Math.max(...times),
    runs: times.length,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  const middle = Math.floor(sorted.length / 2);
  const [low = Number.NaN, high = Number.NaN] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return (low + high) / 2;
}

/** The exponent p of the least-squares line log y = p·log x + c; NaN for fewer than two points. */
export function fittedExponent(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (at: 0 | 1) => logs.reduce((sum, point) => sum + point[at], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  const covariance = logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  const variance = logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  return covariance / variance;
}
