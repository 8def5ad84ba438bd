/** The workaround for Firefox's polling: where it is active, and that it stops with the last wait. Its effect: test/firefox. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Poke, pollsSlowly } from "../../src/device/firefoxPoke.ts";

describe("pollsSlowly", () => {
  const product = "Mozilla/5.0 (X11; Linux x86_64";
  it.each([
    [`${product}; rv:153.0) Gecko/20100101 Firefox/153.0`, true],
    ["Mozilla/5.0 (Android 15; Mobile; rv:153.0) Gecko/153.0 Firefox/153.0", true],
    [`${product}) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36`, false],
    [`${product}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15`, false],
    ["Node.js/22", false],
    ["", false],
  ])("%s: %s", (userAgent, expected) => expect(pollsSlowly(userAgent)).toBe(expected));
});

describe("Poke", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function counted(): { readonly poke: Poke; readonly submits: () => number } {
    const submit = vi.fn();
    return { poke: new Poke({ submit }), submits: () => submit.mock.calls.length };
  }

  it("submits empty lists while anything is pending, and then no more", () => {
    const { poke, submits } = counted();
    vi.advanceTimersByTime(100);
    expect(submits()).toBe(0);
    poke.begin();
    poke.begin();
    vi.advanceTimersByTime(100);
    poke.end();
    const one = submits();
    vi.advanceTimersByTime(100);
    expect(one).toBeGreaterThan(10);
    expect(submits()).toBeGreaterThan(one);
    poke.end();
    const all = submits();
    vi.advanceTimersByTime(100);
    expect(submits()).toBe(all);
    poke.begin();
    vi.advanceTimersByTime(1);
    expect(submits()).toBe(all + 1);
  });

  it("stops for good with the device", () => {
    const { poke, submits } = counted();
    poke.begin();
    poke.stop();
    poke.begin();
    poke.end();
    vi.advanceTimersByTime(100);
    expect(submits()).toBe(0);
  });
});
