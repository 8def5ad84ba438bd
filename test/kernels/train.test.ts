import { describe, expect, it } from "vitest";
import { metricsRecord, noteNonfinite, stepAdvance } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import * as oracle from "../oracle/train.ts";
import { useEngine } from "../support/device.ts";
import { TestRandom } from "../support/random.ts";
import { packStepState } from "./stepState.ts";

const engine = useEngine();
const start: oracle.StepState = { step: 5, records: 2, nonfiniteStep: oracle.NONE, learningRate: 0.25 };

describe("step_advance", () => {
  const advance = async (state: oracle.StepState, lossBits: number) => {
    const result = await runKernel(engine(), stepAdvance, {
      buffers: { loss: Uint32Array.of(lossBits), state: packStepState(state) },
      read: ["state"],
    });
    const loss = new Float32Array(Uint32Array.of(lossBits).buffer)[0]!;
    expect(result.state).toEqual(packStepState(oracle.stepAdvance(state, loss)));
  };
  const LOSSES = {
    zero: 0,
    "minus zero": 0x80000000,
    one: 0x3f800000,
    "the smallest denormal": 1,
    "the largest finite": 0x7f7fffff,
    "the largest negative finite": 0xff7fffff,
    infinity: 0x7f800000,
    "minus infinity": 0xff800000,
    "a quiet NaN": 0x7fc00000,
    "a signalling NaN": 0x7f800001,
    "a negative NaN": 0xffffffff,
  };
  for (const [name, bits] of Object.entries(LOSSES)) {
    it(`loss ${name}`, async () => {
      await advance(start, bits);
      await advance({ ...start, step: 0 }, bits);
      // The first bad step is kept, even when it was step 0.
      await advance({ ...start, nonfiniteStep: 3 }, bits);
      await advance({ ...start, nonfiniteStep: 0 }, bits);
      // The next step may be noted for what this one's update left.
      await advance({ ...start, nonfiniteStep: 6 }, bits);
    });
  }
});

describe("note_nonfinite", () => {
  const BITS = { infinity: 0x7f800000, "minus infinity": 0xff800000, "a quiet NaN": 0x7fc00000, "a NaN": 0x7f800001 };

  async function note(state: oracle.StepState, parameters: Float32Array, averages: Float32Array) {
    const result = await runKernel(engine(), noteNonfinite, {
      buffers: {
        parameters: new Uint32Array(parameters.buffer as ArrayBuffer),
        averages: averages.length > 0 ? new Uint32Array(averages.buffer as ArrayBuffer) : new Uint32Array(4),
        state: packStepState(state),
      },
      params: { parameter_count: parameters.length, average_count: averages.length },
      read: ["state"],
    });
    expect(result.state).toEqual(packStepState(oracle.noteNonfinite(state, { parameters, averages })));
  }
  const spoilt = (length: number, at: number, bits: number) => {
    const values = new TestRandom(length).normals(length);
    if (at >= 0) new Uint32Array(values.buffer)[at] = bits;
    return values;
  };

  for (const [parameters, averages] of [
    [64, 0],
    [64, 4],
    [576, 1000],
  ] as const) {
    it(`${parameters} parameters, ${averages} averages: every place, the first step kept`, async () => {
      await note(start, spoilt(parameters, -1, 0), spoilt(averages, -1, 0));
      // Numbers beside the largest and the smallest are numbers.
      await note(start, spoilt(parameters, 3, 0xff7fffff), spoilt(averages, -1, 0));
      for (const bits of Object.values(BITS)) {
        for (const at of [0, 1, 2, 3, parameters - 1]) {
          await note(start, spoilt(parameters, at, bits), spoilt(averages, -1, 0));
        }
        if (averages > 0) {
          for (const at of [0, averages - 1]) await note(start, spoilt(parameters, -1, 0), spoilt(averages, at, bits));
          await note(start, spoilt(parameters, 9, bits), spoilt(averages, 1, bits));
        }
      }
      await note({ ...start, nonfiniteStep: 0 }, spoilt(parameters, 9, BITS.infinity), spoilt(averages, -1, 0));
      await note({ ...start, nonfiniteStep: 5 }, spoilt(parameters, 9, BITS.infinity), spoilt(averages, -1, 0));
    });
  }
});

describe("metrics_record", () => {
  for (const d of [1, 5, 63, 64, 65, 130]) {
    it(`${d} eigenvalues, from the first record to beyond the wrap`, async () => {
      const capacity = 3;
      const random = new TestRandom(d);
      const ring = random.normals(capacity * (1 + d));
      const spectrum = random.normals(d);
      for (const records of [0, 1, 2, 3, 4, 6, 1_000_000_001]) {
        const state = { ...start, records };
        const result = await runKernel(engine(), metricsRecord, {
          buffers: { loss: Float32Array.of(records + 0.5), spectrum, ring, state: packStepState(state) },
          params: { d, capacity },
          read: ["ring", "state"],
        });
        const reference = oracle.metricsRecord(state, ring, { loss: Math.fround(records + 0.5), spectrum, capacity });
        expect(result.ring).toEqual(Float32Array.from(reference.ring));
        expect(result.state).toEqual(packStepState(reference.state));
      }
    });
  }
});
