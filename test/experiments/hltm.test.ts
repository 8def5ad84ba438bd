/** HLTM runs: training and measures against float64 references, trials beside one another, resume, bad input. */
import { describe, expect, it } from "vitest";
import { RandomStream } from "../../src/data/index.ts";
import type { Engine } from "../../src/device/engine.ts";
import type { MetricsRecord, ResumeState, RunHeader, RunResult } from "../../src/experiments/contract.ts";
import { CellRun, initialParameters, planCell } from "../../src/experiments/hltm/cellRun.ts";
import { cellsOf, measuredSteps, placeOf, runStep } from "../../src/experiments/hltm/cells.ts";
import type { HltmConfig, HltmLoss } from "../../src/experiments/hltm/config.ts";
import { measureShape } from "../../src/experiments/hltm/graph.ts";
import { levelValues } from "../../src/experiments/hltm/measures.ts";
import { runHltm } from "../../src/experiments/hltm/run.ts";
import { requireTreeFits, seedsOf, thresholdsOf, treesOf } from "../../src/experiments/hltm/trees.ts";
import { metricsLine } from "../../src/experiments/metricsLine.ts";
import { presets } from "../../src/experiments/presets.ts";
import { flatLayout } from "../../src/nn/spec.ts";
import { nodeCount, nodesOfLevel } from "../../src/theory/index.ts";
import { operatorNorm, sampleTrees } from "../oracle/hltm.ts";
import { forward, type TreeWeights, trainingStep } from "../oracle/treeTraining.ts";
import { useEngine } from "../support/device.ts";
import { U } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";

const engine = useEngine();

const preset = presets.hltm as HltmConfig;
const base: HltmConfig = {
  ...preset,
  seed: 5,
  seeds: 2,
  steps: 6,
  tree: { ...preset.tree, depth: 2, polarity: [0.7, 1] },
  model: { width: 3 },
  data: { batch: 9, negatives: "independent" },
  record: { every: 3, samples: 100, operatorSamples: 64 },
};

/** One trial's weights by level and node, from the flat parameter buffer. */
function weightsOf(parameters: ArrayLike<number>, specs: Parameters<typeof flatLayout>[0], trial: number): TreeWeights {
  const { offsets } = flatLayout(specs);
  return specs.map(({ shape: [, nodes = 0, width = 0, columns = 0] }, index) =>
    Array.from({ length: nodes }, (_, node) =>
      Array.from({ length: width }, (_, row) =>
        Array.from({ length: columns }, (_, i) => {
          return parameters[offsets[index]! + (((trial * nodes + node) * width + row) * columns + i)]!;
        }),
      ),
    ),
  );
}

/** All nodes of fresh samples of one trial, [views][rows][nodes]. */
function samplesOf(
  config: HltmConfig,
  trial: number,
  request: { views: number; rows: number; stream: number; step: number },
) {
  const trees = treesOf(config, cellsOf(config)[0]!);
  const nodes = nodeCount(config.tree);
  const thresholds = thresholdsOf(trees).subarray(2 * nodes * trial, 2 * nodes * (trial + 1));
  const values = sampleTrees({
    ...request,
    trials: 1,
    depth: config.tree.depth,
    branching: config.tree.branching,
    opposite: config.data.negatives === "opposite",
    seeds: [seedsOf(config)[trial]!],
    thresholds,
  });
  return Array.from({ length: request.views }, (_, view) =>
    Array.from({ length: request.rows }, (_, row) => {
      const start = (view * request.rows + row) * nodes;
      return [...values.subarray(start, start + nodes)];
    }),
  );
}

async function withCell<T>(config: HltmConfig, work: (run: CellRun) => Promise<T>): Promise<T> {
  const run = await CellRun.create(engine(), config, planCell(engine(), config, cellsOf(config)[0]!));
  try {
    return await work(run);
  } finally {
    run.destroy();
  }
}

describe("training", () => {
  const cases: readonly {
    loss: HltmLoss;
    negatives?: "independent" | "opposite";
    branching?: number;
    prior?: number;
  }[] = [
    { loss: { kind: "batchSigmoid", temperature: 0.1 } },
    { loss: { kind: "batchSigmoid", temperature: 0.1 }, negatives: "opposite", branching: 3 },
    { loss: { kind: "batchDifference" }, prior: 0.3 },
    { loss: { kind: "infoNce", temperature: 0.5 } },
    { loss: { kind: "softTriplet", temperature: 0.5, margin: 0.2 }, negatives: "opposite" },
    { loss: { kind: "simpleContrastive" } },
  ];

  it.each(cases)("$loss.kind, $negatives negatives: losses and weights of six steps as in float64", async (options) => {
    const config: HltmConfig = {
      ...base,
      loss: options.loss,
      data: { ...base.data, negatives: options.negatives ?? "independent" },
      tree: { ...base.tree, branching: options.branching ?? 2, prior: options.prior ?? 0.5 },
      optimizer: { learningRate: 0.2 },
    };
    const { leafFirst, shape } = {
      leafFirst: nodesOfLevel(config.tree, 0).first,
      shape: { depth: config.tree.depth, branching: config.tree.branching, width: config.model.width },
    };
    const { losses, parameters, specs } = await withCell(config, async (run) => {
      const losses: number[] = [];
      for (let step = 1; step <= config.steps; step++) {
        losses.push(await run.loss());
        await run.train(step, new AbortController().signal, Number.POSITIVE_INFINITY);
      }
      return { losses, parameters: await run.parameters(), specs: run.plans.training.parameters };
    });

    /** Losses and weights of all trials in float64; initial weights off by `perturbation` relative when given. */
    const reference = (perturbation: number) => {
      const initial = initialParameters(specs, seedsOf(config));
      const random = new TestRandom(1);
      return seedsOf(config).map((_, trial) => {
        const weights = weightsOf(initial, specs, trial);
        for (const row of weights.flat(2)) {
          row.forEach((value, i) => {
            row[i] = value * (1 + perturbation * (2 * random.uniform() - 1));
          });
        }
        const own = Array.from({ length: config.steps }, (_, step) => {
          const request = { views: 3, rows: config.data.batch, stream: RandomStream.treeTraining, step };
          const views = samplesOf(config, trial, request).map((rows) => rows.map((nodes) => nodes.slice(leafFirst)));
          return trainingStep(weights, views, shape, config.loss, config.optimizer.learningRate);
        });
        return { own, weights };
      });
    };
    const exact = reference(0);
    // What perturbations of 64 roundings at the start grow to is the scale of what roundings on the way can do.
    const moved = reference(64 * U);
    exact.forEach(({ weights }, trial) => {
      const found = weightsOf(parameters, specs, trial).flat(3);
      const other = moved[trial]!.weights.flat(3);
      const drift = Math.max(...weights.flat(3).map((value, i) => Math.abs(value - other[i]!)));
      weights.flat(3).forEach((value, i) => {
        expect(Math.abs(found[i]! - value)).toBeLessThan(8 * drift + 8 * U * Math.abs(value));
      });
    });
    losses.forEach((loss, step) => {
      const mean = (of: typeof exact) => of.reduce((sum, { own }) => sum + own[step]!, 0) / config.seeds;
      expect(Math.abs(loss - mean(exact))).toBeLessThan(8 * Math.abs(mean(moved) - mean(exact)) + 200 * U);
    });
    // The reference itself trains: its weights have moved by far more than the bounds.
    const start = weightsOf(initialParameters(specs, seedsOf(config)), specs, 0).flat(3);
    expect(Math.max(...exact[0]!.weights.flat(3).map((value, i) => Math.abs(value - start[i]!)))).toBeGreaterThan(1e-3);
  });
});

describe("measures", () => {
  it("correlations, gaps, alignment, norms: of the very samples, in float64", async () => {
    const config: HltmConfig = {
      ...base,
      tree: { ...base.tree, depth: 3, prior: 0.4 },
      record: { every: 3, samples: 200, operatorSamples: 96 },
    };
    const cell = cellsOf(config)[0]!;
    const shape = measureShape(config, cell);
    const { raw, plans } = await withCell(config, async (run) => {
      await run.train(3, new AbortController().signal, Number.POSITIVE_INFINITY);
      await run.measure(0);
      return { raw: await run.measure(1), plans: run.plans };
    });
    const values = levelValues(raw, { trees: plans.trees, parameters: plans.training.parameters });
    const { depth, branching } = config.tree;
    const { width } = config.model;
    const leafFirst = nodesOfLevel(config.tree, 0).first;
    for (const trial of [0, 1]) {
      const weights = weightsOf(raw.parameters, plans.training.parameters, trial);
      const samples = Array.from(
        { length: shape.dispatches },
        (_, dispatch) =>
          samplesOf(config, trial, {
            views: 1,
            rows: shape.rows,
            stream: RandomStream.treeMeasure,
            step: shape.dispatches + dispatch,
          })[0]!,
      ).flat();
      const passes = samples.map((nodes) => forward(nodes.slice(leafFirst), weights, { depth, branching, width }));
      for (let level = 1; level <= depth; level++) {
        const { first, count } = nodesOfLevel(config.tree, level);
        let best = 0;
        for (let node = 0; node < count; node++) {
          best +=
            Math.max(
              ...Array.from({ length: width }, (_, o) =>
                pearson(
                  samples.map((nodes) => nodes[first + node]!),
                  passes.map(({ outputs }) => outputs[level - 1]![node]![o]!),
                ),
              ),
            ) / count;
        }
        // Correlations of 200 samples in f32: sums of 200 terms of order one, against deviations of order a tenth and more.
        expect(Math.abs(values[trial]!.correlation[depth - level]! - best)).toBeLessThan(2e-4);
      }
      const operatorRows = samplesOf(config, trial, {
        views: 1,
        rows: shape.operatorRows,
        stream: RandomStream.treeOperator,
        step: 2 * shape.dispatches,
      })[0]!;
      for (let level = 1; level <= depth; level++) {
        const norm = rootOperatorNorm(
          operatorRows,
          weights,
          { depth, branching, width, leafFirst, level },
          config.tree.prior,
        );
        const measured = values[trial]!.operatorNorm[depth - level]!;
        expect(Math.abs(measured / norm - 1)).toBeLessThan(1e-4);
      }
      const rowNorms = weights[depth - 1]![0]!.map((row) =>
        row.slice(0, -1).reduce((sum, value) => sum + value * value, 0),
      );
      expect(values[trial]!.weightNorm[0]).toBeCloseTo(Math.sqrt(rowNorms.reduce((sum, value) => sum + value, 0)), 6);
    }
  });

  function pearson(z: readonly number[], p: readonly number[]): number {
    const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
    const [meanZ, meanP] = [mean(z), mean(p)];
    const product = mean(z.map((value, i) => (value - meanZ) * (p[i]! - meanP)));
    return (
      Math.abs(product) /
      Math.sqrt(mean(z.map((value) => (value - meanZ) ** 2)) * mean(p.map((value) => (value - meanP) ** 2)))
    );
  }

  /** Mean over the level's nodes of ‖V_{z_0}[E[K | z_0]]‖_F with the connections K = f ⊗ J of every sample formed one by one. */
  function rootOperatorNorm(
    samples: readonly (readonly number[])[],
    weights: TreeWeights,
    {
      depth,
      branching,
      width,
      leafFirst,
      level,
    }: { depth: number; branching: number; width: number; leafFirst: number; level: number },
    prior: number,
  ): number {
    const nodes = branching ** (depth - level);
    const meanRoot = samples.reduce((sum, values) => sum + values[0]!, 0) / samples.length;
    let total = 0;
    for (let node = 0; node < nodes; node++) {
      const columns: number[][] = [];
      for (const values of samples) {
        const { inputs, outputs } = forward(values.slice(leafFirst), weights, { depth, branching, width });
        // J = d outputs / d pre-activations of the node, by walking down from the root along its path.
        let jacobian: number[][] = Array.from({ length: width }, (_, k) =>
          Array.from({ length: width }, (_, o) => (k === o ? 1 : 0)),
        );
        for (let above = depth; above > level; above--) {
          const parent = Math.floor(node / branching ** (above - level));
          const child = Math.floor(node / branching ** (above - 1 - level));
          const offset = (child % branching) * width;
          jacobian = jacobian.map((row) =>
            Array.from({ length: width }, (_, j) => {
              if (!(outputs[above - 2]![child]![j]! > 0)) return 0;
              return row.reduce((sum, slope, o) => sum + slope * weights[above - 1]![parent]![o]![offset + j]!, 0);
            }),
          );
        }
        const input = inputs[level - 1]![node]!;
        jacobian.forEach((row, k) => {
          columns[k] ??= new Array<number>(width * input.length).fill(0);
          row.forEach((slope, o) => {
            input.forEach((value, i) => {
              columns[k]![o * input.length + i]! += ((values[0]! - meanRoot) * slope * value) / samples.length;
            });
          });
        });
      }
      total += operatorNorm(columns) / (prior * (1 - prior)) / nodes;
    }
    return total;
  }
});

interface Finished {
  readonly header: RunHeader;
  readonly result: RunResult;
  readonly lines: readonly string[];
  readonly records: readonly MetricsRecord[];
  readonly checkpoints: readonly { readonly bytes: Uint8Array; readonly records: number }[];
}

async function runToEnd(
  on: Engine,
  config: HltmConfig,
  options: { resume?: ResumeState; abortAfter?: number } = {},
): Promise<Finished> {
  let header: RunHeader | undefined;
  const records: MetricsRecord[] = [...(options.resume?.records ?? [])];
  const checkpoints: { bytes: Uint8Array; records: number }[] = [];
  const controller = new AbortController();
  const result = await runHltm(
    on,
    { config, save: [], ...(options.resume ? { resume: options.resume } : {}) },
    {
      phase: () => {},
      begin: (given) => {
        header = given;
      },
      records: (batch) => {
        records.push(...batch);
        if (records.length >= (options.abortAfter ?? Number.POSITIVE_INFINITY)) controller.abort();
      },
      checkpoint: (bytes) => {
        checkpoints.push({ bytes, records: records.length });
      },
      file: () => {},
    },
    controller.signal,
  );
  if (!header) throw new Error("the run never began");
  return { header, result, records, lines: records.map(metricsLine), checkpoints };
}

describe("runs", () => {
  const swept: HltmConfig = { ...base, steps: 7, sweep: { widths: [2, 3], polarities: [0.6, 0.9] } };

  it("cells one after another, records in order, the measured document", async () => {
    const { result, records, header } = await runToEnd(engine(), swept);
    expect(cellsOf(swept)).toEqual([
      { width: 2, polarity: [0.6, 1] },
      { width: 2, polarity: [0.9, 1] },
      { width: 3, polarity: [0.6, 1] },
      { width: 3, polarity: [0.9, 1] },
    ]);
    expect(measuredSteps(swept)).toEqual([0, 3, 6, 7]);
    expect(records.map(({ step }) => placeOf(swept, step))).toEqual(
      [0, 1, 2, 3].flatMap((cell) => [0, 3, 6, 7].map((step) => ({ cell, step }))),
    );
    expect(header.steps).toBe(runStep(swept, 3, 7));
    expect(records.at(-1)?.step).toBe(header.steps);
    const cells = result.measured.cells as {
      width: number;
      correlation: { levels: number[]; epochs: number[]; mean: number[][]; seeds: number };
    }[];
    expect(cells.map(({ width }) => width)).toEqual([2, 2, 3, 3]);
    expect(cells[3]!.correlation.levels).toEqual([2, 1]);
    expect(cells[3]!.correlation.epochs).toEqual([0, 1, 2, 7 / 3].map((epoch) => Number(epoch.toPrecision(9))));
    expect(cells[3]!.correlation.mean.map((row) => row.length)).toEqual([2, 2, 2, 2]);
    expect(cells[3]!.correlation.seeds).toBe(2);
    expect(result.measured).not.toHaveProperty("correlation");
    const ceiling = (result.theory.ceiling as { mean: number[] }[]).map(({ mean }) => mean);
    expect(ceiling).toHaveLength(4);
    // The same trees for both widths.
    expect(ceiling[0]).toEqual(ceiling[2]);
    expect(ceiling[0]![0]).toBeLessThan(ceiling[1]![0]!);
    expect(result.counters.gpuObjectsCreatedAfterWarmup).toBe(0);
    expect(result.counters.writeBuffersAfterWarmup).toBe(0);
  });

  it("a seed's correlations are the same bits alone and beside others", async () => {
    const together = await runToEnd(engine(), { ...base, seeds: 3 });
    for (const trial of [0, 2]) {
      const alone = await runToEnd(engine(), { ...base, seeds: 1, seed: base.seed + trial });
      alone.records.forEach((record, epoch) => {
        const all = together.records[epoch]!.extra!.correlations as readonly number[];
        expect(all.slice(2 * trial, 2 * trial + 2)).toEqual(record.extra!.correlations);
      });
    }
  });

  it("goes on from any checkpoint to the same lines and the same summary", async () => {
    const whole = await runToEnd(engine(), swept);
    // After the first record of a cell, in the middle of one, and at its end.
    for (const index of [0, 5, 7, 11]) {
      const { bytes, records } = whole.checkpoints[index]!;
      const resume = { checkpoint: bytes, records: whole.records.slice(0, records) };
      const resumed = await runToEnd(engine(), swept, { resume });
      expect(resumed.lines).toEqual(whole.lines);
      expect(resumed.result.measured).toEqual(whole.result.measured);
      expect(resumed.result.resumedFrom).toBe(whole.records[records - 1]!.step);
    }
  });

  it("an interrupted run says so and leaves a checkpoint to go on from", async () => {
    const whole = await runToEnd(engine(), swept);
    const stopped = await runToEnd(engine(), swept, { abortAfter: 6 });
    expect(stopped.result.stopped).toMatchObject({ reason: "interrupted", step: stopped.records.at(-1)!.step });
    expect(stopped.lines).toEqual(whole.lines.slice(0, 6));
    const { bytes, records } = stopped.checkpoints.at(-1)!;
    const resume = { checkpoint: bytes, records: stopped.records.slice(0, records) };
    expect((await runToEnd(engine(), swept, { resume })).lines).toEqual(whole.lines);
  });

  it("a run without a checkpoint starts from its first step; a foreign one is refused", async () => {
    const whole = await runToEnd(engine(), base);
    expect((await runToEnd(engine(), base, { resume: { records: [] } })).lines).toEqual(whole.lines);
    const resume = { checkpoint: whole.checkpoints[0]!.bytes, records: whole.records.slice(0, 1) };
    const code = "RUN-CHECKPOINT-FOREIGN";
    await expect(runToEnd(engine(), { ...base, seed: 6 }, { resume })).rejects.toMatchObject({ code });
  });

  it("a diverging run stops and names the seed", async () => {
    const config: HltmConfig = {
      ...base,
      optimizer: { learningRate: 1e30 },
      steps: 60,
      record: { ...base.record, every: 60 },
    };
    const { result, records } = await runToEnd(engine(), config);
    expect(records).toHaveLength(1);
    expect(result.stopped).toMatchObject({
      reason: "diverged",
      where: expect.stringMatching(/^level\d of seed [56]$/),
    });
  });

  it("correlations rise, and stay below the ceiling", async () => {
    const config: HltmConfig = {
      ...base,
      seeds: 4,
      steps: 400,
      tree: { ...base.tree, depth: 3, polarity: [0.8, 1] },
      model: { width: 6 },
      data: { batch: 64, negatives: "independent" },
      loss: { kind: "batchSigmoid", temperature: 0.1 },
      optimizer: { learningRate: 0.2 },
      record: { every: 400, samples: 4096, operatorSamples: 256 },
    };
    const { result } = await runToEnd(engine(), config);
    const { mean } = result.measured.correlation as { mean: number[][] };
    const { mean: ceiling } = (result.theory.ceiling as { mean: number[] }[])[0]!;
    expect(mean[1]![0]! - mean[0]![0]!).toBeGreaterThan(0.05);
    for (const row of mean) {
      // A correlation over 4096 samples has a standard error below 1/64; means over seeds and latents have less.
      row.forEach((value, level) => {
        expect(value).toBeLessThan(ceiling[level]! + 0.02);
      });
    }
  });
});

describe("bad input", () => {
  it("a polarity range that is none", () => {
    for (const polarity of [
      [0.9, 0.8],
      [-0.1, 1],
      [0.5, 1.1],
      [Number.NaN, 1],
    ] as const) {
      expect(() => treesOf({ ...base, tree: { ...base.tree, polarity } }, { width: 2, polarity })).toThrow(
        expect.objectContaining({ code: "CONFIG-POLARITY" }),
      );
    }
    expect(() => treesOf(base, { width: 2, polarity: [1, 1] })).not.toThrow();
  });

  it("a tree that the device cannot hold: says how many leaves fit", () => {
    const limits = { maxStorageBufferBindingSize: 2 ** 27, maxBufferSize: 2 ** 28 };
    const deep = { ...base, seeds: 10, data: { ...base.data, batch: 128 }, tree: { ...base.tree, depth: 20 } };
    const cell = { width: 10, polarity: [0.8, 1] as const };
    // 3 · 10 · 128 · 5 · 2^depth floats: 2^27 bytes hold depth 10.
    expect(() => requireTreeFits(deep, cell, limits)).toThrow(
      expect.objectContaining({
        code: "LIMIT-TREE",
        message: expect.stringContaining("1048576 leaves"),
        fix: expect.stringContaining("tree.depth=10 (1024 leaves fit)"),
      }),
    );
    expect(() => requireTreeFits({ ...deep, tree: { ...deep.tree, depth: 10 } }, cell, limits)).not.toThrow();
    expect(() => requireTreeFits({ ...deep, tree: { ...deep.tree, depth: 11 } }, cell, limits)).toThrow();
    const hopeless = { ...deep, data: { ...deep.data, batch: 2 ** 24 } };
    expect(() => requireTreeFits(hopeless, cell, limits)).toThrow(
      expect.objectContaining({ fix: expect.stringContaining("fewer seeds") }),
    );
  });

  it("seeds beyond the last one", () => {
    expect(() => seedsOf({ ...base, seed: 2 ** 32 - 2, seeds: 3 })).toThrow(
      expect.objectContaining({ code: "CONFIG-SEEDS" }),
    );
    expect(seedsOf({ ...base, seed: 2 ** 32 - 2, seeds: 2 })).toEqual([2 ** 32 - 2, 2 ** 32 - 1]);
  });

  it("one tree for all seeds, or one for each", () => {
    const cell = cellsOf(base)[0]!;
    const shared = treesOf({ ...base, tree: { ...base.tree, draw: "shared" } }, cell);
    expect(shared[0]!.givenOne).toEqual(shared[1]!.givenOne);
    const own = treesOf(base, cell);
    expect(own[0]!.givenOne).not.toEqual(own[1]!.givenOne);
    // Asymmetric conditionals keep the polarities and free the base rates.
    const free = treesOf({ ...base, tree: { ...base.tree, conditionals: "asymmetric" } }, cell)[0]!;
    own[0]!.givenOne.forEach((one, edge) => {
      const polarity = one - own[0]!.givenZero[edge]!;
      expect(free.givenOne[edge]! - free.givenZero[edge]!).toBeCloseTo(polarity, 12);
    });
    expect(Math.max(...free.givenOne.map((one, edge) => Math.abs(one + free.givenZero[edge]! - 1)))).toBeGreaterThan(
      0.01,
    );
  });
});
