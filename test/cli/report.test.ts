/** What people read: numbers, tables, the staircase, and progress on a terminal and elsewhere. */
import { describe, expect, it } from "vitest";
import { createProgress } from "../../src/cli/progress.ts";
import { staircasePlot } from "../../src/cli/report/staircasePlot.ts";
import { stepTable } from "../../src/cli/report/stepTable.ts";
import { alignColumns, formatBytes, formatDuration, formatNumber, formatPercent } from "../../src/report/format.ts";
import { stepTimesOf } from "../../src/report/stepTimes.ts";
import { presets } from "./fakeExperiment.ts";
import { adapter } from "./support.ts";

describe("format", () => {
  it("numbers", () => {
    expect([0, 1, -0.5, 12345.678, 1e-5, 1.5e9, Number.NaN, null].map((value) => formatNumber(value, 4))).toEqual([
      "0",
      "1",
      "-0.5",
      "12350",
      "1e-5",
      "1.5e+9",
      "NaN",
      "-",
    ]);
  });
  it("durations, percentages, bytes", () => {
    expect([0.04, 9.96, 59.7, 185, 7800, Number.POSITIVE_INFINITY].map(formatDuration)).toEqual([
      "0.0 s",
      "10 s",
      "1 min 00 s",
      "3 min 05 s",
      "2 h 10 min",
      "-",
    ]);
    expect([0, 0.001, -0.2, null].map(formatPercent)).toEqual(["0.00 %", "+0.10 %", "-20.0 %", "-"]);
    expect([0, 1023, 1024, 1.5 * 2 ** 30].map(formatBytes)).toEqual(["0 B", "1023 B", "1 KiB", "1.5 GiB"]);
  });
  it("columns", () => {
    expect(
      alignColumns(
        [
          ["a", "b"],
          ["ccc", "dd"],
        ],
        [0],
      ),
    ).toEqual(["a     b", "ccc  dd"]);
  });
});

describe("staircasePlot", () => {
  const times = Array.from({ length: 1000 }, (_, i) => (i + 1) / 100);
  const losses = times.map((t) => (t < 1 ? 2 : t < 4 ? 1 : 0));

  it("draws the falls at the predicted times", () => {
    const lines = staircasePlot({ times, losses, predicted: [1, 4, null], width: 40, height: 5 });
    expect(lines).toHaveLength(8);
    const theory = lines[6]!;
    const fall = lines[0]!.indexOf("╮");
    expect(Math.abs(fall - theory.indexOf("▲"))).toBeLessThanOrEqual(1);
    expect(lines[2]!.slice(fall, theory.lastIndexOf("▲"))).toMatch(/^.?─+.?$/);
    expect(lines.every((line) => line.length <= 50)).toBe(true);
    expect(lines.map((line) => line.slice(0, 8).trim())).toEqual(["2", "", "1", "", "0", "", "theory", ""]);
  });

  it("keeps its scale when a run diverges", () => {
    const lines = staircasePlot({ times: [1, 2, 3, 4], losses: [2, 1, 3, 1e30], width: 20, height: 5 });
    expect(lines[0]).toMatch(/^ {7}4 │ +╭$/);
  });

  it("does without prediction, skips NaN, and draws nothing from nothing", () => {
    expect(staircasePlot({ times: [0, 1, 2, 3], losses: [2, 2, Number.NaN, 1], width: 20, height: 4 })).toHaveLength(6);
    expect(staircasePlot({ times: [0], losses: [1] })).toEqual([]);
    expect(staircasePlot({ times: [1, 2], losses: [Number.NaN, Number.NaN] })).toEqual([]);
    expect(staircasePlot({ times: [1, 2], losses: [0, 0] }).length).toBeGreaterThan(0);
  });
});

describe("stepTable", () => {
  const theory = { gamma: [0.5, 0.25], stepTimes: [1, 2], discreteStepTimes: [1.1, null], gapAdmits: [true, false] };

  it("compares measured with discrete, marks modes that theory does not bind, and says what is missing", () => {
    const lines = stepTable(stepTimesOf(theory, { stepTimes: [1.089, null] })!);
    expect(lines[1]).toBe("   1              0.5              1       1.1     1.089  -1.00 %");
    expect(lines[2]).toBe("   2             0.25              2         -   not yet        -  ~");
    expect(lines.at(-1)).toContain("~ ");
  });

  it("is absent for experiments without step times", () => {
    expect(stepTimesOf({}, {})).toBeUndefined();
  });
});

describe("progress", () => {
  const header = {
    config: presets.fake!,
    adapter: { ...adapter, isSoftware: true },
    theory: {},
    description: "a plan",
    learnedFrom: 0.5,
  };
  const record = (step: number) => ({ step, t: step, loss: 0.5, spectrum: [0.9, 0.5, 0.49, 0] });

  function shown(isTTY: boolean) {
    let text = "";
    let now = 0;
    const output = { write: (part: string) => (text += part), isTTY, columns: 80, on() {}, removeListener() {} };
    const progress = createProgress(output, { clock: () => now, plainEveryMs: 1000 });
    progress.phase("reading data");
    progress.begin(header);
    for (let step = 0; step <= 400; step++) {
      now += 10;
      progress.record(record(step));
    }
    progress.end();
    return text;
  }

  it("is plain lines without control codes elsewhere, one per interval and the last step", () => {
    const lines = shown(false).split("\n");
    expect(lines.slice(0, 4)).toEqual([
      "reading data",
      "adapter: acme test, software",
      "warning: no GPU was found, the CPU does the work (software adapter); a GPU is many times faster",
      "a plan",
    ]);
    expect(lines.at(-2)).toBe("step 400/400  99.8 steps/s  0.0 s left  loss 0.5  2 of 4 eigenvalues learned");
    expect(lines).toHaveLength(10);
    expect([...lines.join("")].every((character) => character >= " ")).toBe(true);
  });

  it("is a bar on a terminal", () => {
    const text = shown(true);
    expect(text).toContain("\u001b[");
    expect(text).toContain("2 of 4 eigenvalues learned");
  });
});
