/** A third program that runs now and then: on time, on the state a step starts from, without changing the training. */
import { describe, expect, it } from "vitest";
import { CompiledPlan } from "../../src/autodiff/compiledPlan.ts";
import { reshape, sumSquares } from "../../src/autodiff/functions.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { assignOp } from "../../src/ops/memory.ts";
import { type ReplayOptions, replay } from "../../src/train/replay.ts";
import { planTrainingStep, trainingStep } from "../../src/train/trainingStep.ts";
import { useEngine } from "../support/device.ts";
import { REGISTER_TARGET } from "../support/graphs.ts";

const engine = useEngine();

/** loss = ½‖w‖², so that w shrinks by 1 − rate a step; the program notes 8·‖w‖². */
async function run(options: Partial<ReplayOptions>, hasProgram = true) {
  const graph = new Graph();
  const w = graph.parameter("w", [3]);
  const loss = sumSquares(w, 0.5);
  const noted = graph.state("noted", [1]);
  graph.add(assignOp, [sumSquares(w, 8), noted], {});
  const node = graph.nodes.at(-1)!;
  const objective = { loss, spectrum: reshape(loss, [1]), extras: { noted } };
  const programs = hasProgram ? { look: [node] } : {};
  const step = trainingStep(graph, objective, { momentum: 0, ringCapacity: 5, programs });
  const compiled = await CompiledPlan.compile(engine(), planTrainingStep(step, REGISTER_TARGET));
  try {
    compiled.write("parameters", Float32Array.of(1, 2, 2));
    const records: { step: number; loss: number; noted: number }[] = [];
    const { extras, spectrumLength, ringCapacity } = step;
    const base = { steps: 12, recordEvery: 1, learningRate: 0.25, spectrumLength, extras, ringCapacity };
    const result = await replay(engine(), compiled, { ...base, ...options }, (batch) => {
      for (const one of batch) records.push({ step: one.step, loss: one.loss, noted: one.extras.noted![0]! });
    });
    return { records, result };
  } finally {
    compiled.destroy();
  }
}

describe("an occasional program", () => {
  const occasional = { program: "look", every: 4 };

  for (const stepsPerSubmit of [1, 3, 100]) {
    it(`sees the state its step starts from, ${stepsPerSubmit} steps a submit`, async () => {
      const { records, result } = await run({ occasional, stepsPerSubmit });
      expect(records.map(({ step }) => step)).toEqual(Array.from({ length: 13 }, (_, i) => i));
      // Until its next turn its state stays: 16 times the loss of the last multiple of four, the final state among them.
      for (const { step, noted } of records) expect(noted).toBe(16 * records[step - (step % 4)]!.loss);
      expect(result).toMatchObject({ steps: 12, objectsCreated: 0, buffersWritten: 0 });
    });
  }

  it("has a submit of its own", async () => {
    const { result } = await run({ occasional, stepsPerSubmit: 100, recordEvery: 4 });
    // 0 | 1 2 3 | 4 | 5 6 7 | 8 | 9 10 11 | 12
    expect(result.submits).toBe(7);
  });

  it("runs at records only, and changes no bit of the training", async () => {
    const [with4, without] = [await run({ occasional, recordEvery: 6 }), await run({ recordEvery: 6 }, false)];
    expect(with4.records.map(({ loss }) => loss)).toEqual(without.records.map(({ loss }) => loss));
    // Records 0, 6 and 12: step 6 is none of the program's, so that it shows what step 0 had.
    expect(with4.records.map(({ noted }) => noted)).toEqual([0, 0, 2].map((index) => 16 * with4.records[index]!.loss));
  });

  it("an interval that is no whole number is refused", async () => {
    await expect(run({ occasional: { program: "look", every: 0 } })).rejects.toThrow(/every is 0/);
  });
});
