import { describe, expect, it } from "vitest";
import { CompiledPlan } from "../../src/autodiff/compiledPlan.ts";
import { affine, reshape, sumSquares } from "../../src/autodiff/functions.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { Engine } from "../../src/device/engine.ts";
import { type ReplayOptions, type ReplayResult, replay, type StepRecord } from "../../src/train/replay.ts";
import { planTrainingStep, trainingStep } from "../../src/train/trainingStep.ts";
import { DeviceWatch, losable } from "../device/watchDevice.ts";
import { testGpu, useEngine } from "../support/device.ts";
import { REGISTER_TARGET } from "../support/graphs.ts";
import { compileTiny, D, lossAndGradient, M, tinyStep, WEIGHTS } from "./tinyStep.ts";

const engine = useEngine();

interface Run {
  readonly records: readonly StepRecord[];
  /** Sizes of the deliveries. */
  readonly deliveries: readonly number[];
  readonly result: ReplayResult;
  readonly parameters: readonly number[];
}

interface RunOptions extends Partial<ReplayOptions> {
  readonly momentum?: number;
  readonly weights?: Float32Array<ArrayBuffer>;
  /** Called after each delivery with all records so far. */
  readonly onRecords?: (records: readonly StepRecord[]) => void | Promise<void>;
  readonly watch?: (watch: DeviceWatch) => void;
}

async function run(options: RunOptions = {}): Promise<Run> {
  const { momentum = 0.9, weights = WEIGHTS, ringCapacity = 256, onRecords = () => {}, ...rest } = options;
  const step = tinyStep({ momentum, ringCapacity });
  const compiled = await compileTiny(engine(), step, weights);
  const records: StepRecord[] = [];
  const deliveries: number[] = [];
  try {
    const { watch: _watch, ...replayOptions } = rest;
    const result = await replay(
      engine(),
      compiled,
      { steps: 20, recordEvery: 1, learningRate: 0.01, spectrumLength: D, ringCapacity, ...replayOptions },
      async (batch) => {
        deliveries.push(batch.length);
        records.push(...batch);
        await onRecords(records);
      },
    );
    const parameters = [...new Uint32Array(await engine().readBuffer(compiled.buffer("parameters"), 0, 4 * D * M))];
    return { records, deliveries, result, parameters };
  } finally {
    compiled.destroy();
    // Everything a run makes goes with it.
    expect(engine().memory.buffers).toBe(0);
  }
}

/** Records as bits: equal NaN and −0 are equal, all else must be the same to the last bit. */
const bitsOf = (records: readonly StepRecord[]) =>
  records.map(({ step, loss, spectrum }) => [step, ...new Uint32Array(Float32Array.of(loss, ...spectrum).buffer)]);
const stepsOf = (records: readonly StepRecord[]) => records.map(({ step }) => step);
const upTo = (last: number, every = 1) => Array.from({ length: Math.floor(last / every) + 1 }, (_, i) => i * every);

describe("a replay", () => {
  it("records the state each step starts from, and the last state: loss and eigenvalues of C", async () => {
    const { records, result } = await run({ steps: 5 });
    expect(stepsOf(records)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(result).toMatchObject({ steps: 5, nonfiniteStep: undefined, wasInterrupted: false });
    // Of the first weights, to within what sgd.test.ts bounds far more finely.
    const { loss, spectrumTrace } = lossAndGradient(WEIGHTS, false);
    expect(records[0]!.loss).toBeCloseTo(loss, 4);
    expect(records[0]!.spectrum.reduce((sum, value) => sum + value, 0)).toBeCloseTo(spectrumTrace, 4);
    expect(records[0]!.spectrum).toHaveLength(D);
    expect(records[5]!.loss).toBeLessThan(records[0]!.loss);
  });

  it("has the same bits for any number of steps per submit, adaptive too, and when repeated", async () => {
    const reference = await run({ stepsPerSubmit: 1 });
    expect(stepsOf(reference.records)).toEqual(upTo(20));
    expect(reference.result.submits).toBe(20);
    for (const stepsPerSubmit of [1, 3, 7, 64, undefined]) {
      const other = await run(stepsPerSubmit === undefined ? {} : { stepsPerSubmit });
      expect(bitsOf(other.records)).toEqual(bitsOf(reference.records));
      expect(other.parameters).toEqual(reference.parameters);
      expect(other.result.steps).toBe(20);
      if (stepsPerSubmit !== undefined) expect(other.result.submits).toBe(Math.ceil(20 / stepsPerSubmit));
    }
  });

  it.each([
    { recordEvery: 1, steps: 20, expected: upTo(20) },
    { recordEvery: 3, steps: 20, expected: [0, 3, 6, 9, 12, 15, 18, 20] },
    { recordEvery: 7, steps: 20, expected: [0, 7, 14, 20] },
    // The last state is recorded once, also where it is due anyway.
    { recordEvery: 7, steps: 21, expected: [0, 7, 14, 21] },
    { recordEvery: 100, steps: 5, expected: [0, 5] },
    { recordEvery: 3, steps: 1, expected: [0, 1] },
    { recordEvery: 3, steps: 0, expected: [0] },
  ])("of $steps steps recorded every $recordEvery ends with the last state", async ({ expected, ...options }) => {
    const all = await run({ steps: options.steps, stepsPerSubmit: 4 });
    const some = await run({ ...options, stepsPerSubmit: 4 });
    expect(stepsOf(some.records)).toEqual(expected);
    // Recording less changes neither what is recorded nor the training.
    expect(bitsOf(some.records)).toEqual(bitsOf(all.records).filter(([step]) => expected.includes(step!)));
    expect(some.parameters).toEqual(all.parameters);
  });

  it.each([
    // Wraps within a submit, between submits, at every record; a submit has more records than the ring holds.
    { ringCapacity: 5, stepsPerSubmit: 3, recordEvery: 1 },
    { ringCapacity: 4, stepsPerSubmit: 4, recordEvery: 1 },
    { ringCapacity: 1, stepsPerSubmit: 1, recordEvery: 1 },
    { ringCapacity: 2, stepsPerSubmit: 64, recordEvery: 1 },
    { ringCapacity: 3, stepsPerSubmit: 64, recordEvery: 3 },
    { ringCapacity: 3, stepsPerSubmit: undefined, recordEvery: 1 },
  ])(
    "loses no record in a ring of $ringCapacity, $stepsPerSubmit step(s) a submit, recorded every $recordEvery",
    async (options) => {
      const { ringCapacity, recordEvery, stepsPerSubmit } = options;
      const whole = await run({ stepsPerSubmit: 64 });
      const wrapped = await run({ ringCapacity, recordEvery, ...(stepsPerSubmit ? { stepsPerSubmit } : {}) });
      const expected = [...upTo(19, recordEvery), 20];
      expect(bitsOf(wrapped.records)).toEqual(bitsOf(whole.records).filter(([step]) => expected.includes(step!)));
      expect(Math.max(...wrapped.deliveries)).toBeLessThanOrEqual(ringCapacity);
      expect(wrapped.parameters).toEqual(whole.parameters);
    },
  );

  it("refuses options that would never end or never record: RUN-OPTIONS", async () => {
    for (const [name, value] of [
      ["stepsPerSubmit", 0],
      ["stepsPerSubmit", 1.5],
      ["recordEvery", 0],
      ["ringCapacity", 0],
      ["steps", -1],
      ["steps", Number.NaN],
    ] as const) {
      // The ring of the plan itself stays whole.
      const step = tinyStep();
      const compiled = await compileTiny(engine(), step);
      const options = {
        steps: 2,
        recordEvery: 1,
        learningRate: 0.01,
        spectrumLength: D,
        ringCapacity: 256,
        [name]: value,
      };
      await expect(replay(engine(), compiled, options, () => {})).rejects.toMatchObject({
        code: "RUN-OPTIONS",
        where: name,
      });
      compiled.destroy();
    }
  });
});

describe("what a replay asks of the device", () => {
  it("after the first submit: no object, no write, at most two submits in flight, 16 + 4·(1 + d)·records bytes each", async () => {
    const step = tinyStep();
    const compiled = await compileTiny(engine(), step);
    const watch = new DeviceWatch(engine().device);
    let [objects, writes] = [-1, -1];
    watch.onSubmit = () => {
      if (objects >= 0) return;
      [objects, writes] = [watch.objects, watch.writes];
    };
    const delivered: number[] = [];
    try {
      const options = {
        steps: 20,
        recordEvery: 2,
        learningRate: 0.01,
        spectrumLength: D,
        ringCapacity: 256,
        stepsPerSubmit: 3,
      };
      const result = await replay(engine(), compiled, options, (records) => {
        delivered.push(records.length);
      });
      // Two read-back buffers and the first step state, before the first submit; nothing afterwards.
      expect([objects, writes]).toEqual([2, 1]);
      expect([watch.objects, watch.writes]).toEqual([objects, writes]);
      expect(result).toMatchObject({ objectsCreated: 0, buffersWritten: 0, submits: 7 });
      expect(watch.submits).toBe(7);
      expect(watch.maps).toBe(7);
      expect(watch.mostInFlight).toBe(2);
      // One encoder and one pass per submit; steps 0 … 2 have records 0 and 2, steps 3 … 5 record 4, and so on; the last has 18 and 20.
      expect(watch.count("encoder", "pass")).toBe(14);
      expect(delivered).toEqual([2, 1, 2, 1, 2, 1, 2]);
      expect(watch.copies.map((copies) => copies.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))).toEqual(
        delivered.map((records) => 16 + 4 * (1 + D) * records),
      );
      expect(watch.made.filter(({ label }) => label === "")).toEqual([]);
      // The read-back buffers are gone; the plan's own stay until it is destroyed.
      expect(watch.live.size).toBe(0);
    } finally {
      watch.stop();
      compiled.destroy();
    }
  });
});

describe("a replay that is stopped", () => {
  it("stops within two submits of the signal, with everything recorded until then delivered in order", async () => {
    const controller = new AbortController();
    const { records, result } = await run({
      steps: 1000,
      stepsPerSubmit: 3,
      signal: controller.signal,
      onRecords: (so_far) => {
        if (so_far.length >= 9) controller.abort();
      },
    });
    // The signal comes with the third submit's records; the fourth is in flight then.
    expect(result.wasInterrupted).toBe(true);
    expect(result.submits).toBeLessThanOrEqual(5);
    expect(result.steps).toBe(3 * result.submits);
    expect(stepsOf(records)).toEqual(upTo(result.steps - 1));
    const reference = await run({ steps: result.steps });
    expect(bitsOf(records)).toEqual(bitsOf(reference.records).slice(0, result.steps));
  });

  it("before it began does nothing", async () => {
    const { records, result, parameters } = await run({ signal: AbortSignal.abort() });
    expect(records).toEqual([]);
    expect(result).toMatchObject({ steps: 0, submits: 0, wasInterrupted: true, nonfiniteStep: undefined });
    expect(parameters).toEqual([...new Uint32Array(WEIGHTS.buffer)]);
  });

  it("after the last submit is not interrupted", async () => {
    const controller = new AbortController();
    const onRecords = () => controller.abort();
    const { records, result } = await run({ steps: 4, stepsPerSubmit: 64, signal: controller.signal, onRecords });
    expect(result.wasInterrupted).toBe(false);
    expect(stepsOf(records)).toEqual(upTo(4));
  });

  it("by an error of the receiver passes it on and frees its buffers", async () => {
    const onRecords = () => {
      throw new Error("disk full");
    };
    await expect(run({ stepsPerSubmit: 2, onRecords })).rejects.toThrow("disk full");
  });
});

describe("a loss that is not finite", () => {
  // Gradient descent far beyond its stable rate multiplies the exponent of the weights by about three in each step.
  const learningRate = 2;
  /** Losses of the float64 loop; the first beyond f32's range is the step where the GPU must stop. */
  const losses = (() => {
    const weights = Float64Array.from(WEIGHTS);
    const list: number[] = [];
    while (list.length < 12 && (list.at(-1) ?? 0) < 1e45) {
      const { loss, gradient } = lossAndGradient(weights, false);
      list.push(loss);
      gradient.forEach((value, i) => {
        weights[i]! -= learningRate * value;
      });
    }
    return list;
  })();
  const overflow = losses.length - 1;

  it("is foreseen by the float64 loop: a clear gap around f32's largest number", () => {
    expect(overflow).toBeGreaterThanOrEqual(2);
    expect(losses[overflow]).toBeGreaterThan(1e45);
    // The sums inside the loss and the gradient stay finite until then too.
    expect(losses[overflow - 1]).toBeLessThan(1e30);
  });

  it.each([1, 2, 7])(
    "ends the run at its step, %s step(s) a submit: no record at or after it",
    async (stepsPerSubmit) => {
      const { records, result } = await run({ momentum: 0, learningRate, steps: 500, stepsPerSubmit });
      expect(result).toMatchObject({ nonfiniteStep: overflow, wasInterrupted: false });
      expect(stepsOf(records)).toEqual(upTo(overflow - 1));
      expect(records.every(({ loss }) => Number.isFinite(loss))).toBe(true);
      // The bad step's submit and one more at most.
      expect(result.submits).toBeLessThanOrEqual(Math.ceil((overflow + 1) / stepsPerSubmit) + 1);
    },
  );

  it("is found where no record is due", async () => {
    const { records, result } = await run({
      momentum: 0,
      learningRate,
      steps: 500,
      recordEvery: 100,
      stepsPerSubmit: 2,
    });
    expect(result.nonfiniteStep).toBe(overflow);
    expect(stepsOf(records)).toEqual([0]);
  });

  it("is found in the last record, after which no step comes", async () => {
    const { records, result } = await run({ momentum: 0, learningRate, steps: overflow, stepsPerSubmit: 2 });
    expect(result.nonfiniteStep).toBe(overflow);
    expect(stepsOf(records)).toEqual(upTo(overflow - 1));
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])("at once with a weight of %s: step 0, no record", async (bad) => {
    const weights = WEIGHTS.slice();
    weights[4] = bad;
    const { records, result } = await run({ weights, steps: 100, stepsPerSubmit: 3 });
    expect(result).toMatchObject({ nonfiniteStep: 0, wasInterrupted: false });
    expect(records).toEqual([]);
    expect(result.submits).toBeLessThanOrEqual(2);
  });
});

describe("a device that is lost during a run", () => {
  /** A step without large kernels: L = ‖w‖², "spectrum" 2w. */
  const compileSmall = async (own: Engine) => {
    const graph = new Graph();
    const w = graph.parameter("w", [4]);
    const step = trainingStep(
      graph,
      { loss: sumSquares(w), spectrum: reshape(affine(w, 2, 0), [4]) },
      { momentum: 0, ringCapacity: 16 },
    );
    return CompiledPlan.compile(own, planTrainingStep(step, REGISTER_TARGET));
  };
  const options = {
    steps: 1000,
    recordEvery: 1,
    learningRate: 0.1,
    spectrumLength: 4,
    ringCapacity: 16,
    stepsPerSubmit: 4,
  };

  it("rejects with DEVICE-LOST, and nothing is left", async () => {
    const { device, lose } = losable(engine().device);
    const own = Engine.from(device);
    const compiled = await compileSmall(own);
    let deliveries = 0;
    const running = replay(own, compiled, options, () => {
      deliveries += 1;
      if (deliveries === 2) lose("driver crashed");
    });
    await expect(running).rejects.toMatchObject({ code: "DEVICE-LOST" });
    expect(deliveries).toBeLessThanOrEqual(3);
    compiled.destroy();
    expect(own.memory.buffers).toBe(0);
  });

  it("rejects with DEVICE-DESTROYED when the engine is destroyed", async () => {
    const own = await Engine.request({ gpu: await testGpu() });
    const compiled = await compileSmall(own);
    const running = replay(own, compiled, options, () => own.destroy());
    await expect(running).rejects.toMatchObject({ code: "DEVICE-DESTROYED" });
    expect(own.memory.buffers).toBe(0);
  });
});
