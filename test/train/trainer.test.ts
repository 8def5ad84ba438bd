/** The trainer that is advanced by hand: the same bits as a replay, however the updates are divided; counters, restart, misuse. */
import { describe, expect, it, onTestFinished } from "vitest";
import { replay, type StepRecord } from "../../src/train/replay.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { useEngine } from "../support/device.ts";
import { compileTiny, D, tinyStep, WEIGHTS } from "./tinyStep.ts";

const engine = useEngine();
const LEARNING_RATE = 0.02;
const RING = 8;

async function trainer() {
  const compiled = await compileTiny(engine(), tinyStep({ ringCapacity: RING }));
  const made = await Trainer.create(engine(), compiled, {
    learningRate: LEARNING_RATE,
    spectrumLength: D,
    ringCapacity: RING,
  });
  onTestFinished(() => {
    made.destroy();
    compiled.destroy();
  });
  return { trainer: made, compiled };
}

async function replayed(steps: number): Promise<StepRecord[]> {
  const compiled = await compileTiny(engine(), tinyStep());
  onTestFinished(() => compiled.destroy());
  const records: StepRecord[] = [];
  const options = { steps, recordEvery: 1, learningRate: LEARNING_RATE, spectrumLength: D, ringCapacity: 256 };
  await replay(engine(), compiled, options, (batch) => {
    records.push(...batch);
  });
  return records;
}

describe("Trainer", () => {
  it("gives the bits of a replay, in calls of any size, across the end of the ring, two calls pending", async () => {
    const { trainer: by } = await trainer();
    const records: StepRecord[] = [];
    const sizes = [1, 3, RING, 5, 2, RING];
    for (let i = 0; i < sizes.length; i += 2) {
      const pending = [by.advance(sizes[i]!), by.advance(sizes[i + 1]!)];
      for (const call of pending) records.push(...(await call).records);
    }
    records.push(...(await by.look()).records);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(by.step).toBe(total);
    expect(records).toEqual(await replayed(total));
  });

  it("looks without a step, as often as one likes", async () => {
    const { trainer: by } = await trainer();
    const first = (await by.look()).records;
    expect((await by.look()).records).toEqual(first);
    expect((await by.advance(1)).records).toEqual(first);
    expect((await by.look()).records[0]).toMatchObject({ step: 1 });
  });

  it("restarts at step 0 with the same bits", async () => {
    const { trainer: by, compiled } = await trainer();
    const { records } = await by.advance(6);
    compiled.write("parameters", WEIGHTS);
    by.restart();
    expect(by.step).toBe(0);
    expect((await by.advance(6)).records).toEqual(records);
  });

  it("refuses a third call in flight, a restart in flight, and a number of updates it cannot record", async () => {
    const { trainer: by } = await trainer();
    const pending = [by.advance(1), by.advance(1)];
    await expect(by.look()).rejects.toMatchObject({ code: "TRAIN-IN-FLIGHT" });
    expect(() => by.restart()).toThrow(expect.objectContaining({ code: "TRAIN-IN-FLIGHT" }));
    await Promise.all(pending);
    for (const updates of [0, -1, 1.5, RING + 1, Number.NaN]) {
      await expect(by.advance(updates)).rejects.toMatchObject({ code: "TRAIN-UPDATES" });
    }
    expect(by.step).toBe(2);
  });

  it("names the first step whose loss is not finite", async () => {
    const { trainer: by, compiled } = await trainer();
    compiled.write("parameters", new Float32Array(WEIGHTS.length).fill(1e30));
    expect((await by.advance(3)).nonfiniteStep).toBe(0);
  });
});
