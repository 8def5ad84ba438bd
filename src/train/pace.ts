/** How many repetitions of some work one submit holds: steered so that a submit takes about 30 ms of GPU time. */

/** GPU time that one submit aims at: a page stays responsive and no watchdog fires. */
export const TARGET_SUBMIT_MS = 30;

/** One submit executes while the next is encoded. */
export const SUBMITS_IN_FLIGHT = 2;

export class Pace {
  readonly #clock: () => number;
  #perSubmit = 1;
  /** What a repetition took in the last four submits; nothing is expected before there are three. */
  #lastMs: readonly [number, number, number, number] = [0, 0, 0, 0];
  #previousCompletion = 0;

  /** @param clock milliseconds, monotonic */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** Repetitions for the next submit. */
  get perSubmit(): number {
    return this.#perSubmit;
  }

  /**
   * When a submit of `count` repetitions is expected to be done, from now on, in milliseconds: by the shorter of two means, each of two
   * submits. Whoever sleeps until then notices late what took longer once only (the first submit compiles pipelines), and that lateness is
   * part of the next time; by the last time alone it would grow from submit to submit. Means of two, since what is noticed late makes the
   * next one seem short; by the shortest single time whoever polls would wake long before the end when times vary.
   */
  expectedMs(count: number, submittedAt: number): number {
    const before = Math.max(this.#previousCompletion, submittedAt);
    const [a, b, c, d] = this.#lastMs;
    return Math.max(0, before + (count * Math.min(a + b, c + d)) / 2 - this.#clock());
  }

  /** Notes that a submit of `count` repetitions has completed; submits complete in order. */
  completed(count: number, submittedAt: number): void {
    const now = this.#clock();
    const elapsed = now - Math.max(this.#previousCompletion, submittedAt);
    this.#previousCompletion = now;
    if (count === 0) return;
    this.#lastMs = [this.#lastMs[1], this.#lastMs[2], this.#lastMs[3], elapsed / count];
    const wanted = (count * TARGET_SUBMIT_MS) / Math.max(elapsed, 0.1);
    this.#perSubmit = Math.max(1, Math.floor(Math.min(wanted, 2 * this.#perSubmit)));
  }
}

/**
 * Submits `count` repetitions of some work in as many submits as their time asks for, two of them in flight.
 *
 * @param submit submits this many repetitions; resolves when they are done on the GPU, `expectedMs` from now
 * @param options `most` repetitions in one submit; `mayGoOn` is asked before each, and false ends it after those in flight
 * @returns repetitions that were done
 */
export async function paced(
  pace: Pace,
  count: number,
  submit: (repetitions: number, expectedMs: number) => Promise<unknown>,
  options: { readonly most?: number; readonly mayGoOn?: () => boolean } = {},
): Promise<number> {
  const { most = Number.POSITIVE_INFINITY, mayGoOn = () => true } = options;
  const inFlight: { readonly repetitions: number; readonly at: number; readonly done: Promise<unknown> }[] = [];
  let submitted = 0;
  for (;;) {
    while (inFlight.length < SUBMITS_IN_FLIGHT && submitted < count && mayGoOn()) {
      const repetitions = Math.min(pace.perSubmit, most, count - submitted);
      const at = performance.now();
      const ahead = inFlight.reduce((total, other) => total + other.repetitions, 0);
      const done = submit(repetitions, pace.expectedMs(ahead + repetitions, at));
      // Awaited below, in order; a failure of an earlier one must not leave this one unhandled.
      done.catch(() => {});
      inFlight.push({ repetitions, at, done });
      submitted += repetitions;
    }
    const oldest = inFlight.shift();
    if (!oldest) return submitted;
    await oldest.done;
    pace.completed(oldest.repetitions, oldest.at);
  }
}
