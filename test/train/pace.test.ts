/** Pacing against a simulated queue: how long is slept, how much one submit holds. */
import { describe, expect, it } from "vitest";
import { Pace, paced, TARGET_SUBMIT_MS } from "../../src/train/pace.ts";
import { TestRandom } from "../support/random.ts";

interface Simulated {
  /** Time of every completion, as it is noticed. */
  readonly noticed: readonly number[];
  /** Repetitions of every submit. */
  readonly counts: readonly number[];
  /** Time between waking and completion, in which Dawn polls. */
  readonly awakeMs: number;
  /** Time in which the queue had work. */
  readonly workMs: number;
}

/** Two submits in flight on a queue; every one is slept over until nine tenths of what is expected, as `Engine.rest` does. */
async function simulate(submits: number, timeOf: (submit: number, repetitions: number) => number): Promise<Simulated> {
  let now = 0;
  let queueFree = 0;
  let awakeMs = 0;
  let workMs = 0;
  const noticed: number[] = [];
  const counts: number[] = [];
  const submit = async (repetitions: number, expectedMs: Promise<number>): Promise<void> => {
    const takes = timeOf(counts.length, repetitions);
    const done = Math.max(queueFree, now) + takes;
    queueFree = done;
    workMs += takes;
    counts.push(repetitions);
    const sleepMs = 0.9 * (await expectedMs);
    const woken = now + sleepMs;
    awakeMs += Math.max(0, done - woken);
    now = Math.max(woken, done);
    noticed.push(now);
  };
  await paced(new Pace(() => now), Number.POSITIVE_INFINITY, submit, { mayGoOn: () => counts.length < submits });
  return { noticed, counts, awakeMs, workMs };
}

const last = (values: readonly number[]): number => values.at(-1)!;

describe("pace", () => {
  it("does not sleep because the first submit took long", async () => {
    const { noticed } = await simulate(40, (submit, repetitions) => (submit === 0 ? 60_000 : 5 * repetitions));
    expect(noticed[0]).toBe(60_000);
    // Forty submits of at most about 30 ms.
    expect(last(noticed) - 60_000).toBeLessThan(40 * 2 * TARGET_SUBMIT_MS);
  });

  it("comes to the repetitions that take the target time, and sleeps no longer than the work takes", async () => {
    const { noticed, counts } = await simulate(60, (submit, repetitions) => (submit === 0 ? 5 : 0.5 * repetitions));
    expect(last(counts)).toBe(TARGET_SUBMIT_MS / 0.5);
    const steady = noticed.slice(-20);
    expect((last(steady) - steady[0]!) / 19).toBeCloseTo(TARGET_SUBMIT_MS, 6);
  });

  it("sleeps most of the time when times vary, and loses little by it", async () => {
    const random = new TestRandom(4);
    const times = Array.from({ length: 400 }, () => 30 * (0.7 + 0.6 * random.uniform()));
    const { noticed, awakeMs, workMs } = await simulate(398, (submit) => times[submit]!);
    expect(last(noticed)).toBeLessThan(1.03 * workMs);
    // 41 % by the shortest of the last two times.
    expect(awakeMs).toBeLessThan(0.36 * workMs);
  });

  it("recovers where short work is disturbed, again and again", async () => {
    const random = new TestRandom(7);
    // Repetitions of 40 µs or of 20 ms, a submit in ten held up by up to 200 ms: sizes of submits go up and down all the time.
    for (const eachMs of [0.04, 20]) {
      const { noticed, workMs } = await simulate(
        2_000,
        (_submit, repetitions) => eachMs * repetitions + (random.uniform() < 0.1 ? 200 * random.uniform() : 0.05),
      );
      expect(last(noticed), `${eachMs} ms`).toBeLessThan(2 * workMs);
    }
  });

  it("lets the others end after a failure", async () => {
    const ended: string[] = [];
    const submit = async (_repetitions: number, expectedMs: Promise<number>): Promise<void> => {
      await expectedMs;
      ended.push("one");
      if (ended.length === 3) throw new Error("lost");
    };
    await expect(paced(new Pace(), 100, submit)).rejects.toThrow("lost");
    await Promise.resolve();
    expect(ended).toHaveLength(4);
  });
});
