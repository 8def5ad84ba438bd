import { describe, expect, it } from "vitest";
import { metricsRecord, stepAdvance } from "../../src/kernels/library.ts";
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
