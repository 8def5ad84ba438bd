/**
 * The golden numbers in another browser: with another compiler, another WebGPU and another driver, a linear run gives the numbers it gives
 * in Chrome.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { MetricsRecord, RunResult } from "../../src/experiments/contract.ts";
import { runSweptUp } from "../browser/browserRuntime.ts";
import { dist } from "../cli/support.ts";

/** Relative agreement of loss and spectrum until the first eigenvalue has been learned: rounding has hardly been amplified until then. */
const EARLY = 1e-5;
/** Relative agreement of all step times. */
const STEP_TIMES = 2e-3;

const RUNS = {
  "linear-synthetic": ["linear-synthetic"],
  "linear-mnist, 128 images": ["linear-mnist", "--set", "data.images=128", "--steps", "1500"],
};

interface GoldenRun {
  readonly summary: RunResult;
  readonly records: readonly MetricsRecord[];
}

async function goldenRun(runtime: string, args: readonly string[]): Promise<GoldenRun> {
  const all = ["train", ...args, "--out", "out", "--json", "--runtime", runtime];
  const { code, stdout, stderr, cwd } = await runSweptUp(all, { distPath: await dist() });
  expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
  const lines = (await readFile(join(cwd, "out", "metrics.jsonl"), "utf8")).trim().split("\n");
  return { summary: JSON.parse(stdout), records: lines.map((line) => JSON.parse(line)) };
}

const stepTimes = ({ summary }: GoldenRun) => summary.measured.stepTimes as readonly (number | null)[];
const relative = (value: number, reference: number, scale = Math.abs(reference)) => Math.abs(value - reference) / scale;

describe("Firefox agrees with Chrome", () => {
  for (const [name, args] of Object.entries(RUNS)) {
    it(name, { timeout: 180_000 }, async () => {
      const firefox = await goldenRun("firefox", args);
      const chrome = await goldenRun("chrome", args);
      const [times, wanted] = [stepTimes(firefox), stepTimes(chrome)];
      // At least two eigenvalues are learned in either, and the same number.
      expect(wanted.filter((time) => time !== null).length).toBeGreaterThan(1);
      expect(times.map((time) => time === null)).toEqual(wanted.map((time) => time === null));

      expect(firefox.records.map(({ step }) => step)).toEqual(chrome.records.map(({ step }) => step));
      const first = wanted[0] ?? 0;
      let worst = 0;
      firefox.records.forEach((record, index) => {
        const reference = chrome.records[index];
        if (!reference || reference.t > first) return;
        const largest = Math.max(...reference.spectrum.map(Math.abs));
        worst = Math.max(worst, relative(record.loss, reference.loss));
        record.spectrum.forEach((value, mode) => {
          worst = Math.max(worst, relative(value, reference.spectrum[mode] ?? Number.NaN, largest));
        });
      });
      expect(worst).toBeLessThanOrEqual(EARLY);
      const errors = wanted.map((time, mode) => (time === null ? 0 : relative(times[mode] ?? Number.NaN, time)));
      expect(Math.max(...errors)).toBeLessThanOrEqual(STEP_TIMES);
      console.log(
        `${name}: worst relative difference ${worst} until the first step time, step times ${Math.max(...errors)}`,
      );
    });
  }
});
