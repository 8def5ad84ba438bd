/** Pacing against a simulated queue: how long is slept, how much one submit holds. */
import { describe, expect, it } from "vitest";
import { Pace, TARGET_SUBMIT_MS } from "../../src/train/pace.ts";

/**
 * Two submits in flight on a queue that takes `firstMs` for the first and `eachMs` a repetition after that; every submit is slept over until
 * nine tenths of what is expected, as `Engine.rest` does. @returns time of every completion, as it is noticed, and repetitions
 */
function simulate(
  submits: number,
  firstMs: number,
  eachMs: number,
): { readonly noticed: number[]; readonly counts: number[] } {
  let now = 0;
  let queueFree = 0;
  const pace = new Pace(() => now);
  const inFlight: { readonly count: number; readonly at: number; readonly done: number; readonly wake: number }[] = [];
  const noticed: number[] = [];
  const counts: number[] = [];
  while (noticed.length < submits) {
    while (inFlight.length < 2) {
      const count = pace.perSubmit;
      const ahead = inFlight.reduce((total, other) => total + other.count, 0);
      const wake = now + 0.9 * pace.expectedMs(ahead + count, now);
      queueFree = Math.max(queueFree, now) + (counts.length === 0 ? firstMs : count * eachMs);
      inFlight.push({ count, at: now, done: queueFree, wake });
      counts.push(count);
    }
    const oldest = inFlight.shift()!;
    now = Math.max(now, oldest.done, oldest.wake);
    pace.completed(oldest.count, oldest.at);
    noticed.push(now);
  }
  return { noticed, counts };
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
});
