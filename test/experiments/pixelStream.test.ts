/** The window on the GPU: its bytes at every step, what it writes and when, resumption, a replay that reads it, failures. */
import { describe, expect, it } from "vitest";
import { epochIndices } from "../../src/augment/index.ts";
import { gatherRows } from "../../src/autodiff/classification.ts";
import { CompiledPlan } from "../../src/autodiff/compiledPlan.ts";
import { matmul, reshape, sumSquares } from "../../src/autodiff/functions.ts";
import { Graph } from "../../src/autodiff/graph.ts";
import { type ImageFile, planStream, RandomStream, windowAt } from "../../src/data/index.ts";
import { PixelStream } from "../../src/experiments/pixelStream.ts";
import { replay, type StepRecord } from "../../src/train/replay.ts";
import { planTrainingStep, stepStateTensor, trainingStep } from "../../src/train/trainingStep.ts";
import { epochIndices as orderOf } from "../oracle/augment.ts";
import { useEngine } from "../support/device.ts";
import { REGISTER_TARGET } from "../support/graphs.ts";

const engine = useEngine({ unrollsLoops: false });
const SIDE = 4;
const IMAGE_BYTES = 4 * SIDE * SIDE;

/** Images of four channels; pixel p of image i is i·16 + p as f32, so that a graph can read the bytes as numbers. */
function numberedFile(count: number, reads: number[] = []): ImageFile {
  const values = Float32Array.from({ length: count * SIDE * SIDE }, (_, at) => at / 16);
  const bytes = new Uint8Array(values.buffer);
  return {
    name: "numbers",
    count,
    height: SIDE,
    width: SIDE,
    channels: 4,
    layout: { imageStride: IMAGE_BYTES, channelStride: 1, rowStride: 4 * SIDE, columnStride: 4, offset: 0 },
    async read(first, target) {
      reads.push(first);
      target.set(bytes.subarray(first * IMAGE_BYTES, first * IMAGE_BYTES + target.byteLength));
    },
  };
}

const [COUNT, BATCH, SEED] = [50, 4, 9];
const plan = planStream({ images: COUNT, imageBytes: IMAGE_BYTES, batch: BATCH, maxBytes: 13 * IMAGE_BYTES });

/** Numbers of the images in the stream's buffer. */
async function held(stream: PixelStream): Promise<number[]> {
  const values = new Float32Array(await engine().readBuffer(stream.buffer));
  return Array.from({ length: plan.window }, (_, image) => values[image * SIDE * SIDE]!);
}

describe("PixelStream", () => {
  it("holds the window's images at every step, writes once a window, reads the next one ahead", async () => {
    const reads: number[] = [];
    const stream = await PixelStream.create(engine(), numberedFile(COUNT, reads), plan, SEED);
    try {
      expect(plan).toMatchObject({ window: 13, chunk: 1, stepsPerWindow: 3, windowsPerEpoch: 3 });
      for (let step = 0; step < 20; step++) {
        await stream.prepare(step);
        const { index, starts, endStep } = windowAt(plan, SEED, step);
        expect(await held(stream)).toEqual([...starts]);
        expect(stream.endOf(step)).toBe(endStep);
        expect(stream.writes).toBe((index + 1) * plan.chunksPerWindow);
      }
      // Each window was read once, and the one after the last is on its way.
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(reads).toHaveLength(8 * plan.chunksPerWindow);
    } finally {
      stream.destroy();
    }
  });

  it("needs nothing but the step to go on: any order of steps gives the same windows", async () => {
    const stream = await PixelStream.create(engine(), numberedFile(COUNT), plan, SEED);
    try {
      for (const step of [14, 2, 2, 100, 14]) {
        await stream.prepare(step);
        expect(await held(stream)).toEqual([...windowAt(plan, SEED, step).starts]);
      }
    } finally {
      stream.destroy();
    }
  });

  it("a file that fails is reported at its window's turn", async () => {
    const file = numberedFile(COUNT);
    let left = 2 * plan.chunksPerWindow - 1;
    const failing: ImageFile = {
      ...file,
      read: (first, target) => (left-- > 0 ? file.read(first, target) : Promise.reject(new Error("the disk is gone"))),
    };
    const stream = await PixelStream.create(engine(), failing, plan, SEED);
    try {
      await stream.prepare(0);
      await new Promise((resolve) => setTimeout(resolve, 20));
      await stream.prepare(2);
      await expect(stream.prepare(3)).rejects.toThrow("the disk is gone");
    } finally {
      stream.destroy();
    }
  });
});

describe("a replay over a stream", () => {
  /** Loss: the mean square of w·x over the step's batch, x the images' numbers; recorded on the batch itself. */
  async function run(options: { stepsPerSubmit?: number; start?: number; steps?: number; parameters?: Float32Array }) {
    const stream = await PixelStream.create(engine(), numberedFile(COUNT), plan, SEED);
    const graph = new Graph();
    const stepState = stepStateTensor(graph);
    const table = graph.input("images", [plan.window, SIDE * SIDE]);
    const key = { seed: SEED, stream: RandomStream.permutation };
    const batch = gatherRows(table, epochIndices(stepState, key, { count: plan.window, batch: BATCH }));
    const z = matmul(batch, reshape(graph.parameter("w", [SIDE * SIDE]), [SIDE * SIDE, 1]));
    const loss = sumSquares(z, 1 / BATCH);
    const step = trainingStep(graph, { loss, spectrum: loss }, { stepState, ringCapacity: 64 });
    const compiled = await CompiledPlan.compile(engine(), planTrainingStep(step, REGISTER_TARGET), {
      images: stream.buffer,
    });
    const records: StepRecord[] = [];
    try {
      compiled.write("parameters", Float32Array.from(options.parameters ?? new Float32Array(SIDE * SIDE).fill(1e-3)));
      const { start = 0, steps = 25, stepsPerSubmit } = options;
      const result = await replay(
        engine(),
        compiled,
        {
          steps,
          recordEvery: 1,
          learningRate: 1e-9,
          spectrumLength: 1,
          ringCapacity: 64,
          source: stream,
          start: { step: start, records: start },
          ...(stepsPerSubmit === undefined ? {} : { stepsPerSubmit }),
        },
        (delivered) => {
          records.push(...delivered);
        },
      );
      const parameters = new Float32Array(await engine().readBuffer(compiled.buffer("parameters"), 0, 4 * SIDE * SIDE));
      return { records, result, parameters };
    } finally {
      compiled.destroy();
      stream.destroy();
    }
  }
  const losses = (records: readonly StepRecord[]) => records.map(({ loss }) => loss);

  it("every step sees its own window: losses in float64 from the schedule", async () => {
    const { records, result } = await run({ stepsPerSubmit: 7 });
    let w = Array.from({ length: SIDE * SIDE }, () => Math.fround(1e-3));
    records.slice(0, 25).forEach(({ step, loss }) => {
      const { starts } = windowAt(plan, SEED, step);
      const order = { count: plan.window, batch: BATCH, seed: SEED, stream: RandomStream.permutation };
      const rows = orderOf(step, order).map((place) => w.map((_, p) => starts[place]! + p / 16));
      const z = rows.map((row) => row.reduce((sum, x, p) => sum + x * w[p]!, 0));
      const exact = z.reduce((sum, value) => sum + value * value, 0) / BATCH;
      // Sixteen terms, a square and a mean of four, after up to 25 updates of a few roundings each: 200u.
      expect(Math.abs(loss - exact)).toBeLessThan(200 * 2 ** -24 * exact);
      w = w.map((value, p) => value - 1e-9 * (2 / BATCH) * rows.reduce((sum, row, i) => sum + row[p]! * z[i]!, 0));
    });
    // Windows of steps 0 … 24: nine of them, thirteen writes each, and none else but the step state's before the first submit.
    expect(result.buffersWritten).toBe(9 * plan.chunksPerWindow);
    expect(result.objectsCreated).toBe(0);
  });

  it("has the same bits for any number of steps per submit, adaptive too, and when it is resumed", async () => {
    const whole = await run({ stepsPerSubmit: 1 });
    for (const stepsPerSubmit of [2, 3, 25, undefined]) {
      const other = await run(stepsPerSubmit === undefined ? {} : { stepsPerSubmit });
      expect(losses(other.records)).toEqual(losses(whole.records));
      expect([...other.parameters]).toEqual([...whole.parameters]);
    }
    const first = await run({ steps: 11 });
    const rest = await run({ start: 11, parameters: first.parameters });
    expect([...losses(first.records).slice(0, 11), ...losses(rest.records)]).toEqual(losses(whole.records));
    expect([...rest.parameters]).toEqual([...whole.parameters]);
  });
});
