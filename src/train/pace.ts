/** How many repetitions of some work one submit holds: steered so that a submit takes about 30 ms of GPU time. */

/** GPU time that one submit aims at: a page stays responsive and no watchdog fires. */
export const TARGET_SUBMIT_MS = 30;

/** One submit executes while the next is encoded. */
export const SUBMITS_IN_FLIGHT = 2;

/** Repetitions of a submit, and what they took together. */
interface Timed {
  readonly count: number;
  readonly ms: number;
}
const UNTIMED: Timed = { count: 0, ms: 0 };

/** What a repetition of two submits took; 0 where there is none. */
function meanMs(a: Timed, b: Timed): number {
  return (a.ms + b.ms) / Math.max(1, a.count + b.count);
}

export class Pace {
  readonly #clock: () => number;
  #perSubmit = 1;
  /** The last four submits; nothing is expected before there are three. */
  #last: readonly [Timed, Timed, Timed, Timed] = [UNTIMED, UNTIMED, UNTIMED, UNTIMED];
  #previousCompletion = 0;

  /** @param clock milliseconds, monotonic */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** The clock's time. */
  now(): number {
    return this.#clock();
  }

  /** Repetitions for the next submit. */
  get perSubmit(): number {
    return this.#perSubmit;
  }

  /**
   * When the oldest submit under way, of `count` repetitions, is expected to be done, from now on, in milliseconds: by the shorter of two
   * means, each of two submits. Whoever sleeps until then notices late what took longer once only (the first submit compiles pipelines),
   * and that lateness is part of the next time; by the last time alone it would grow from submit to submit. Means of two, since what is
   * noticed late makes the next one seem short, and per repetition, since the two differ in size; by the shortest single time whoever polls
   * would wake long before the end when times vary.
   */
  expectedMs(count: number, submittedAt: number): number {
    const before = Math.max(this.#previousCompletion, submittedAt);
    const [a, b, c, d] = this.#last;
    return Math.max(0, before + count * Math.min(meanMs(a, b), meanMs(c, d)) - this.#clock());
  }

  /** Notes that a submit of `count` repetitions has completed; submits complete in order. */
  completed(count: number, submittedAt: number): void {
    const now = this.#clock();
    const elapsed = now - Math.max(this.#previousCompletion, submittedAt);
    this.#previousCompletion = now;
    if (count === 0) return;
    const [, b, c, d] = this.#last;
    this.#last = [b, c, d, { count, ms: elapsed }];
    const wanted = (count * TARGET_SUBMIT_MS) / Math.max(elapsed, 0.1);
    this.#perSubmit = Math.max(1, Math.floor(Math.min(wanted, 2 * this.#perSubmit)));
  }
}

/** A submit under way. */
interface Paced {
  readonly repetitions: number;
  readonly at: number;
  readonly done: Promise<unknown>;
  /** Called when all earlier ones are done. */
  readonly tellExpected: (expectedMs: number) => void;
}

/**
 * Submits `count` repetitions of some work in as many submits as their time asks for, two of them in flight.
 *
 * @param submit submits this many repetitions at once, and resolves when they are done on the GPU. `expectedMs` resolves when all earlier
 *        submits are done, with what is left then. Two sleeps at a time, each for what it knew at its start, would be measured as the time
 *        of the work and lengthen one another.
 * @param options `most` repetitions in one submit; `mayGoOn` is asked before each, and false ends it after those in flight
 * @returns repetitions that were done
 */
export async function paced(
  pace: Pace,
  count: number,
  submit: (repetitions: number, expectedMs: Promise<number>) => Promise<unknown>,
  options: { readonly most?: number; readonly mayGoOn?: () => boolean } = {},
): Promise<number> {
  const { most = Number.POSITIVE_INFINITY, mayGoOn = () => true } = options;
  const inFlight: Paced[] = [];
  let submitted = 0;
  try {
    for (;;) {
      while (inFlight.length < SUBMITS_IN_FLIGHT && submitted < count && mayGoOn()) {
        const repetitions = Math.min(pace.perSubmit, most, count - submitted);
        let tellExpected: Paced["tellExpected"] = () => {};
        const expectedMs = new Promise<number>((resolve) => {
          tellExpected = resolve;
        });
        const at = pace.now();
        const done = submit(repetitions, expectedMs);
        // Awaited below, in order; a failure of an earlier one must not leave this one unhandled.
        done.catch(() => {});
        inFlight.push({ repetitions, at, done, tellExpected });
        submitted += repetitions;
      }
      const oldest = inFlight.shift();
      if (!oldest) return submitted;
      oldest.tellExpected(pace.expectedMs(oldest.repetitions, oldest.at));
      await oldest.done;
      pace.completed(oldest.repetitions, oldest.at);
    }
  } finally {
    // After a failure nobody awaits the others; they end all the same.
    for (const { tellExpected } of inFlight) tellExpected(0);
  }
}
