/** Pacing against a simulated queue: how long is slept, how much one submit holds. */
import { describe, expect, it } from "vitest";
import { Pace, TARGET_SUBMIT_MS } from "../../src/train/pace.ts";
import { TestRandom } from "../support/random.ts";

/**
 * Two submits in flight on a queue that takes `firstMs` for the first and `eachMs` a repetition after that; every submit is slept over until
 * nine tenths of what is expected, as `Engine.rest` does. @returns time of every completion, as it is noticed, repetitions, and the time
 * between waking and completion, in which Dawn polls
 */
function simulate(
  submits: number,
  firstMs: number,
  eachMs: number | ((submit: number) => number),
): { readonly noticed: number[]; readonly counts: number[]; readonly awakeMs: number } {
  let now = 0;
  let queueFree = 0;
  const pace = new Pace(() => now);
  const inFlight: { readonly count: number; readonly at: number; readonly done: number; readonly wake: number }[] = [];
  const noticed: number[] = [];
  const counts: number[] = [];
  let awakeMs = 0;
  const each = typeof eachMs === "number" ? () => eachMs : eachMs;
  while (noticed.length < submits) {
    while (inFlight.length < 2) {
      const count = pace.perSubmit;
      const ahead = inFlight.reduce((total, other) => total + other.count, 0);
      const wake = now + 0.9 * pace.expectedMs(ahead + count, now);
      queueFree = Math.max(queueFree, now) + (counts.length === 0 ? firstMs : count * each(counts.length));
      inFlight.push({ count, at: now, done: queueFree, wake });
      counts.push(count);
    }
    const oldest = inFlight.shift()!;
    awakeMs += Math.max(0, oldest.done - Math.max(now, oldest.wake));
    now = Math.max(now, oldest.done, oldest.wake);
    pace.completed(oldest.count, oldest.at);
    noticed.push(now);
  }
  return { noticed, counts, awakeMs };
}

describe("pace", () => {
  it("does not sleep because the first submit took long", () => {
    const { noticed } = simulate(40, 60_000, 5);
    expect(noticed[0]).toBe(60_000);
    // Forty submits of at most about 30 ms.
    expect(noticed.at(-1)! - 60_000).toBeLessThan(40 * 2 * TARGET_SUBMIT_MS);
  });

  it("comes to the repetitions that take the target time, and sleeps no longer than the work takes", () => {
    const { noticed, counts } = simulate(60, 5, 0.5);
    expect(counts.at(-1)).toBe(TARGET_SUBMIT_MS / 0.5);
    const steady = noticed.slice(-20);
    expect((steady.at(-1)! - steady[0]!) / 19).toBeCloseTo(TARGET_SUBMIT_MS, 6);
  });

  it("sleeps most of the time when times vary, and loses little by it", () => {
    const random = new TestRandom(4);
    const times = Array.from({ length: 400 }, () => 30 * (0.7 + 0.6 * random.uniform()));
    const { noticed, awakeMs } = simulate(398, 30, (submit) => times[submit] ?? 30);
    const workMs = times.slice(0, 398).reduce((sum, ms) => sum + ms, 0);
    expect(noticed.at(-1)!).toBeLessThan(1.03 * workMs);
    // 41 % by the shortest of the last two times.
    expect(awakeMs).toBeLessThan(0.36 * workMs);
  });
});
