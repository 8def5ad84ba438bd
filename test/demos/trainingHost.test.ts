/** The worker's side of the page without a worker: commands in any order, exact pauses and steps, refusals, a device that goes away. */
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Report } from "../../demos/staircase/messages.ts";
import { defaults, type Settings, toConfig } from "../../demos/staircase/settings.ts";
import { TrainingHost } from "../../demos/staircase/trainingHost.ts";
import { Engine } from "../../src/device/engine.ts";
import { losable } from "../device/watchDevice.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();

type Kind = Report["type"];
type Of<K extends Kind> = Extract<Report, { readonly type: K }>;

/** A run of 12 features that needs some 60 updates. */
const SMALL: Settings = { ...defaults("linear-synthetic"), d: 2, init: 0.05, lr: 0.02 };

class Watched {
  readonly reports: Report[] = [];
  readonly engines: Engine[] = [];
  readonly host: TrainingHost;
  /** Takes the device of the present engine away. */
  lose: (message: string) => void = () => {};
  #seen: () => void = () => {};

  constructor() {
    this.host = new TrainingHost(
      (report) => {
        this.reports.push(report);
        this.#seen();
      },
      async () => {
        // One real device for all, which compiles once; each engine sees a loss of its own.
        const { device, lose } = losable(engine().device);
        this.lose = lose;
        const made = Engine.from(device);
        this.engines.push(made);
        return made;
      },
    );
    onTestFinished(() => {
      for (const made of this.engines) made.destroy();
    });
  }

  /** The first report that fits, of those that came or come from number `from` on. */
  async until(fits: (report: Report) => boolean, from = 0): Promise<Report> {
    for (;;) {
      const found = this.reports.slice(from).find(fits);
      if (found) return found;
      await new Promise<void>((resolve) => {
        this.#seen = resolve;
      });
    }
  }

  prepare(generation: number, settings: Settings = SMALL): Promise<Report> {
    const from = this.reports.length;
    this.host.receive({ type: "prepare", generation, config: toConfig(settings) });
    return this.until((report) => report.generation === generation && isOneOf(report, ["state", "failed"]), from);
  }

  of<K extends Kind>(type: K, generation = 1): Of<K>[] {
    return this.reports.filter((report): report is Of<K> => report.type === type && report.generation === generation);
  }

  /** Losses of a generation by step; fails on a gap or a repetition. */
  losses(generation = 1): number[] {
    const losses: number[] = [];
    for (const { firstStep, losses: batch } of this.of("records", generation)) {
      expect(firstStep).toBe(losses.length);
      losses.push(...batch);
    }
    return losses;
  }
}

function isOneOf(report: Report, types: readonly Kind[]): boolean {
  return types.includes(report.type);
}

describe("TrainingHost", () => {
  it("predicts, is ready at step 0, steps once, runs to where it was told, and goes on from there", async () => {
    const run = new Watched();
    await run.prepare(1);
    const [{ facts }] = run.of("predicted") as [Of<"predicted">];
    expect(facts.theory.discreteStepTimes).toHaveLength(2);
    expect(facts.horizon).toBeGreaterThan(20);
    expect(run.losses()).toHaveLength(1);

    let from = run.reports.length;
    run.host.receive({ type: "step" });
    await run.until((report) => report.type === "state", from);
    expect(run.losses()).toHaveLength(2);

    for (const until of [facts.horizon, facts.horizon + 10]) {
      from = run.reports.length;
      run.host.receive({ type: "run", until });
      await run.until((report) => report.type === "state" && report.state === "finished", from);
      expect(run.losses()).toHaveLength(until + 1);
    }
    const losses = run.losses();
    expect(losses.at(-1)).toBeLessThan(0.01 * losses[0]!);
  });

  it("pauses at once at a limited rate, and resets to the same bits", async () => {
    const run = new Watched();
    await run.prepare(1);
    run.host.receive({ type: "rate", stepsPerSecond: 50 });
    let from = run.reports.length;
    run.host.receive({ type: "run", until: 1000 });
    await new Promise((resolve) => setTimeout(resolve, 400));
    run.host.receive({ type: "pause" });
    await run.until((report) => report.type === "state" && report.state === "paused", from);
    const before = run.losses();
    // 0.4 s at 50 a second are 20 steps; a timer that comes late makes up for it, but nothing runs ahead.
    expect(before.length).toBeGreaterThan(2);
    expect(before.length).toBeLessThanOrEqual(60);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(run.losses()).toHaveLength(before.length);

    from = run.reports.length;
    run.host.receive({ type: "reset", generation: 2 });
    run.host.receive({ type: "step" });
    await run.until((report) => report.type === "records" && report.firstStep === 1, from);
    expect(run.losses(2)).toEqual(before.slice(0, 2));
  });

  it("runs by a clock that stands still, as Firefox's does for a millisecond at a time", async () => {
    const run = new Watched();
    await run.prepare(1);
    const clock = vi.spyOn(performance, "now").mockReturnValue(1234);
    onTestFinished(() => clock.mockRestore());
    run.host.receive({ type: "run", until: 40 });
    await run.until((report) => report.type === "state" && report.state === "finished");
    expect(run.losses()).toHaveLength(41);
  });

  it("takes the last of many settings", async () => {
    const run = new Watched();
    for (let generation = 1; generation < 5; generation++) {
      run.host.receive({ type: "prepare", generation, config: toConfig({ ...SMALL, seed: generation }) });
    }
    await run.prepare(5);
    const ready = run.reports.filter((report) => report.type === "ready").map((report) => report.generation);
    expect(ready.at(-1)).toBe(5);
    expect(ready.length).toBeLessThanOrEqual(2);
    // What was given up holds no memory.
    const used = run.engines[0]?.memory.buffers;
    await run.prepare(6);
    expect(run.engines[0]?.memory.buffers).toBe(used);
  });

  it("refuses a learning rate above its bound, with the bound and one that works, and then takes another", async () => {
    const run = new Watched();
    const failed = await run.prepare(1, { ...SMALL, lr: 0.26 });
    expect(failed).toMatchObject({ type: "failed", error: { code: "THEORY-LR-BOUND" } });
    const { bound, suggested } = (failed as Of<"failed">).error.detail as { bound: number; suggested: number };
    expect(bound).toBeCloseTo(0.25, 5);
    expect(await run.prepare(2, { ...SMALL, lr: suggested })).toMatchObject({ type: "state", state: "paused" });
  });

  it("reports a lost device in the middle of training, and prepares the next run on a new one", async () => {
    const run = new Watched();
    await run.prepare(1);
    run.host.receive({ type: "run", until: 100_000 });
    await run.until((report) => report.type === "records" && report.firstStep > 10);
    run.lose("a driver crash");
    const failed = await run.until((report) => report.type === "failed");
    expect(failed).toMatchObject({ error: { code: "DEVICE-LOST" } });
    expect(await run.prepare(2)).toMatchObject({ type: "state", state: "paused" });
    expect(run.engines).toHaveLength(2);
    expect(run.losses(2)[0]).toBe(run.losses(1)[0]);
  });

  it("reports a lost device while nothing runs", async () => {
    const run = new Watched();
    await run.prepare(1);
    run.lose("a driver crash");
    await run.until((report) => report.type === "failed");
    expect(await run.prepare(2)).toMatchObject({ type: "state", state: "paused" });
  });

  it("says that there is no adapter", async () => {
    const reports: Report[] = [];
    const host = new TrainingHost(
      (report) => reports.push(report),
      () => Engine.request({ gpu: { requestAdapter: async () => null } as unknown as GPU }),
    );
    host.receive({ type: "prepare", generation: 1, config: toConfig(SMALL) });
    await expect.poll(() => reports.at(-1)).toMatchObject({ type: "failed", error: { code: "DEVICE-NO-ADAPTER" } });
  });
});
