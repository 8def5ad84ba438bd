/** Kernels of latent trees: tree_edges and tree_values; latent_moments, root_contrast and operator_norm. */
import { describe, expect, it } from "vitest";
import { Graph } from "../../src/autodiff/graph.ts";
import { latentMoments, operatorNorm, rootContrast } from "../../src/kernels/library.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { operand } from "../../src/ops/opDefinition.ts";
import { type TreeSamplesAttributes, treeSamplesOp } from "../../src/ops/treeSamples.ts";
import { nodeCount, nodesOfLevel, parentOf } from "../../src/theory/index.ts";
import * as oracle from "../oracle/hltm.ts";
import { sampleTrees, type TreeSampling } from "../oracle/hltm.ts";
import { useEngine } from "../support/device.ts";
import { evaluate } from "../support/graphs.ts";
import { gamma } from "../support/matchers.ts";
import { TestRandom } from "../support/random.ts";
import { unwritten } from "./runF32.ts";
import { packStepState } from "./stepState.ts";

const engine = useEngine();

interface Request extends Omit<TreeSampling, "opposite"> {
  readonly opposite?: boolean;
  readonly isSoftware?: boolean;
}

/** Leaves and, when asked for, the nodes above them as the GPU draws them. */
async function sample(request: Request) {
  const { views, trials, rows, depth, branching, opposite = false, stream, step, seeds, thresholds } = request;
  const shape = { depth, branching };
  const nodes = nodeCount(shape);
  const leaves = nodesOfLevel(shape, 0).count;
  const graph = new Graph();
  const attributes: TreeSamplesAttributes = {
    branching,
    leaves,
    views: views as 1 | 2 | 3,
    rows,
    negatives: opposite ? "opposite" : "independent",
    stream,
    withLatents: true,
  };
  const inputs = [
    graph.state("stepState", [4], "u32"),
    graph.input("seeds", [trials], "u32"),
    graph.input("thresholds", [trials, nodes, 2], "u32"),
  ];
  const outputs = graph.add(treeSamplesOp, inputs, attributes);
  const wanted = { leaves: operand(outputs, 0), latents: operand(outputs, 1) };
  const state = packStepState({ step, records: 0, nonfiniteStep: 0xffffffff, learningRate: 0 });
  const feeds = {
    stepState: new Uint32Array(state),
    seeds: Uint32Array.from(seeds),
    thresholds: Uint32Array.from(thresholds),
  };
  const isSoftware = request.isSoftware ?? true;
  const target = { isSoftware, matmulFamily: isSoftware ? ("register" as const) : ("workgroup" as const) };
  const result = await evaluate(engine(), graph, feeds, wanted, target);
  return { leaves: result.leaves, latents: new Uint32Array(result.latents.buffer), nodes, leafCount: leaves };
}

/** Thresholds of random conditionals, with the certain ones 0 and 2³⁰ among them. */
function randomThresholds(trials: number, nodes: number, seed: number): Uint32Array {
  const random = new TestRandom(seed);
  return Uint32Array.from({ length: trials * nodes * 2 }, (_, i) => {
    const u = random.uniform();
    const value = u < 0.05 ? 0 : u < 0.1 ? 2 ** 30 : Math.round(random.uniform() * 2 ** 30);
    // The root has no parent.
    return Math.floor(i / 2) % nodes === 0 ? 2 ** 29 + 12345 : value;
  });
}

const base = { stream: 21, step: 7, views: 3, trials: 2, rows: 40, depth: 3, branching: 2, seeds: [5, 4_000_000_000] };

describe("tree_edges and tree_values: every node of every sample is the oracle's", () => {
  const cases: readonly Partial<Request>[] = [
    {},
    { opposite: true },
    { rows: 1, views: 1 },
    { rows: 31, views: 2 },
    { rows: 32 },
    { rows: 33 },
    { rows: 97, trials: 1, seeds: [0], step: 4_294_967_295 },
    { depth: 1, branching: 1 },
    { depth: 1, branching: 7 },
    { depth: 2, branching: 3, opposite: true },
    { depth: 6, branching: 1 },
    { depth: 5, branching: 2, trials: 3, seeds: [1, 2, 3], rows: 64, isSoftware: false },
  ];
  it.each(cases)("%o", async (changes) => {
    const { depth, branching } = { ...base, ...changes };
    const nodes = nodeCount({ depth, branching });
    const trials = changes.trials ?? base.trials;
    const request = { ...base, ...changes, thresholds: randomThresholds(trials, nodes, 3) };
    const { leaves, latents, leafCount } = await sample(request);
    const expected = sampleTrees({ ...request, opposite: request.opposite ?? false });
    const internal = nodes - leafCount;
    const blocks = Math.ceil(request.rows / 32);
    let wrong = 0;
    expected.forEach((value, at) => {
      const node = at % nodes;
      const sampleAt = Math.floor(at / nodes);
      if (node >= internal) {
        if (leaves[sampleAt * leafCount + node - internal] !== value) wrong++;
        return;
      }
      const row = sampleAt % request.rows;
      const strip = Math.floor(sampleAt / request.rows) * blocks + Math.floor(row / 32);
      if (((latents[strip * internal + node]! >>> (row % 32)) & 1) !== value) wrong++;
    });
    expect(wrong).toBe(0);
  });
});

describe("samples as random variables", () => {
  const shape = { depth: 3, branching: 2 };
  const nodes = nodeCount(shape);
  const rows = 16_384;
  const rho = [0.9, -0.7, 0.4, 0.8, -1, 0, 0.6, 0.95, -0.3, 1, 0.5, -0.8, 0.7, 0.2];
  const thresholds = Uint32Array.from({ length: 2 * nodes }, (_, i) => {
    const node = Math.floor(i / 2);
    const probability = node === 0 ? 0.5 : (1 + (i % 2 === 1 ? 1 : -1) * rho[node - 1]!) / 2;
    return Math.round(probability * 2 ** 30);
  });
  const request = { ...base, trials: 1, seeds: [77], rows, thresholds };

  /** Value of a node in a sample, from leaves and words. */
  const nodeValue = (
    { leaves, latents, leafCount }: Awaited<ReturnType<typeof sample>>,
    view: number,
    row: number,
    node: number,
  ) => {
    const internal = nodes - leafCount;
    if (node >= internal) return leaves[(view * rows + row) * leafCount + node - internal]!;
    return (latents[(view * (rows / 32) + Math.floor(row / 32)) * internal + node]! >>> (row % 32)) & 1;
  };

  it("every edge has its polarity, every node is balanced", async () => {
    const drawn = await sample(request);
    for (const view of [0, 1, 2]) {
      for (let node = 1; node < nodes; node++) {
        let [same, ones] = [0, 0];
        for (let row = 0; row < rows; row++) {
          const value = nodeValue(drawn, view, row, node);
          same += value === nodeValue(drawn, view, row, parentOf(shape, node)) ? 1 : 0;
          ones += value;
        }
        // Five standard errors of a frequency; certain edges have none.
        const p = (1 + rho[node - 1]!) / 2;
        expect(Math.abs(same / rows - p)).toBeLessThanOrEqual(5 * Math.sqrt((p * (1 - p)) / rows));
        expect(Math.abs(ones / rows - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / rows));
      }
    }
  });

  it("a positive shares the root and nothing else; negatives have a root of their own, or the opposite one", async () => {
    const independent = await sample(request);
    const opposite = await sample({ ...request, opposite: true });
    let [contaminated, clean] = [0, 0];
    for (let row = 0; row < rows; row++) {
      const root = nodeValue(independent, 0, row, 0);
      expect(nodeValue(independent, 1, row, 0)).toBe(root);
      contaminated += nodeValue(independent, 2, row, 0) === root ? 1 : 0;
      clean += nodeValue(opposite, 2, row, 0) === nodeValue(opposite, 0, row, 0) ? 1 : 0;
    }
    expect(clean).toBe(0);
    expect(Math.abs(contaminated / rows - 0.5)).toBeLessThan(5 * Math.sqrt(0.25 / rows));
    // Given the root, node 1 of sample and positive are independent: E[(s − E s)(s' − E s')] = 0, s = ±1 relative to the root.
    let correlation = 0;
    for (let row = 0; row < rows; row++) {
      const root = nodeValue(independent, 0, row, 0);
      const sign = (view: number) => (nodeValue(independent, view, row, 1) === root ? 1 : -1) - rho[0]!;
      correlation += sign(0) * sign(1);
    }
    // Variance of a product of independent deviations: (1 − ρ²)².
    expect(Math.abs(correlation / rows)).toBeLessThan((5 * (1 - rho[0]! ** 2)) / Math.sqrt(rows));
  });

  it("neighbouring samples, and the same samples of the next step, are independent", async () => {
    const now = await sample(request);
    const next = await sample({ ...request, step: request.step + 1 });
    const node = 7;
    let [lagged, later] = [0, 0];
    for (let row = 0; row + 1 < rows; row++) {
      const sign = (value: number) => 2 * value - 1;
      lagged += sign(nodeValue(now, 0, row, node)) * sign(nodeValue(now, 0, row + 1, node));
      later += sign(nodeValue(now, 0, row, node)) * sign(nodeValue(next, 0, row, node));
    }
    for (const sum of [lagged, later]) expect(Math.abs(sum / rows)).toBeLessThan(5 / Math.sqrt(rows));
  });

  it("a trial draws the same bits alone and among others; equal requests give equal bits", async () => {
    const all = { ...base, rows: 50, seeds: [11, 12, 13], trials: 3, thresholds: randomThresholds(3, nodes, 8) };
    const together = await sample(all);
    expect((await sample(all)).leaves).toEqual(together.leaves);
    for (let trial = 0; trial < 3; trial++) {
      const own = all.thresholds.slice(2 * nodes * trial, 2 * nodes * (trial + 1));
      const alone = await sample({ ...all, trials: 1, seeds: [all.seeds[trial]!], thresholds: own });
      const perView = 50 * together.leafCount;
      for (const view of [0, 1, 2]) {
        const start = (view * 3 + trial) * perView;
        expect(together.leaves.slice(start, start + perView)).toEqual(
          alone.leaves.slice(view * perView, (view + 1) * perView),
        );
      }
    }
  });
});

describe("latent_moments", () => {
  const latents = 5;

  async function accumulate(
    shape: oracle.MomentsShape,
    batches: readonly { readonly p: Float32Array; readonly words: Uint32Array; readonly step: number }[],
    dispatches: number,
    first: number,
  ): Promise<Float32Array> {
    const { trials, rows, nodes, units } = shape;
    let moments = unwritten(trials * nodes * units * 8);
    for (const { p, words, step } of batches) {
      const results = await runKernel(engine(), latentMoments, {
        buffers: {
          state: packStepState({ step, records: 0, nonfiniteStep: 0xffffffff, learningRate: 0 }),
          p,
          latents: words,
          moments,
        },
        params: { trials, rows, nodes, units, latents, first, dispatches },
        knobs: { WG: 16 },
        read: ["moments"],
      });
      moments = results.moments as Float32Array;
    }
    return moments;
  }

  it.each([
    { trials: 1, rows: 32, nodes: 1, units: 1, first: 0 },
    { trials: 2, rows: 64, nodes: 2, units: 3, first: 1 },
    { trials: 3, rows: 160, nodes: 4, units: 5, first: 1 },
  ])("%o: two dispatches that are added up, anew after them", async ({ first, ...shape }) => {
    const random = new TestRandom(6);
    const width = shape.nodes * shape.units;
    const batch = (step: number) => ({
      step,
      // Means far from zero beside their spread: unshifted sums of squares would cancel.
      p: random.normals(shape.trials * shape.rows * width, 0.3).map((value, i) => value + ((i % width) - 2) * 5),
      words: Uint32Array.from({ length: shape.trials * (shape.rows / 32) * latents }, () => random.integer(2 ** 32)),
    });
    const stale = batch(3);
    const batches = [batch(4), batch(5)];
    const found = await accumulate(shape, [stale, ...batches], 2, first);
    const total = {
      sums: new Float64Array(shape.trials * width * 6),
      scale: new Float64Array(shape.trials * width * 6),
    };
    const centers = Float64Array.from({ length: shape.trials * width }, (_, unit) => found[unit * 8]!);
    for (const { p, words } of batches) {
      const blocks = shape.rows / 32;
      const latent = (trial: number, row: number, node: number) =>
        (words[(trial * blocks + Math.floor(row / 32)) * latents + first + node]! >>> (row % 32)) & 1;
      const own = oracle.latentSums(p, centers, shape, latent);
      own.sums.forEach((value, i) => {
        total.sums[i]! += value;
        total.scale[i]! += own.scale[i]!;
      });
    }
    for (let unit = 0; unit < shape.trials * width; unit++) {
      const trial = Math.floor(unit / width);
      // The centre is the first row's value of the first batch that counts.
      expect(found[unit * 8]).toBe(batches[0]!.p[trial * shape.rows * width + (unit % width)]);
      expect(found.subarray(unit * 8 + 1, unit * 8 + 7)).toMatchOracle(total.sums.subarray(unit * 6, unit * 6 + 6), {
        factor: gamma(32 + shape.rows / 32 + 2 + 3),
        scale: total.scale.subarray(unit * 6, unit * 6 + 6),
      });
      expect(found[unit * 8 + 7]).toBe(2 * shape.rows);
    }
  });
});

describe("root_contrast", () => {
  it.each([
    [1, 32, 1],
    [2, 96, 3],
    [3, 64, 10],
  ])("%d trials of %d rows, %d outputs", async (trials, rows, outputs) => {
    const random = new TestRandom(7);
    const latents = 3;
    const words = Uint32Array.from({ length: (trials * rows * latents) / 32 }, () => random.integer(2 ** 32));
    const roots = Float64Array.from({ length: trials * rows }, (_, i) => {
      return (words[Math.floor(i / 32) * latents]! >>> (i % 32)) & 1;
    });
    const results = await runKernel(engine(), rootContrast, {
      buffers: { latents: words, y: unwritten(outputs * trials * rows * outputs) },
      params: { trials, rows, latents, outputs },
      knobs: { WG: 16 },
      read: ["y"],
    });
    const reference = oracle.rootContrast(roots, trials, rows, outputs);
    const scale = reference.map((value) => (value === 0 ? 0 : 1 / rows));
    expect(results.y as Float32Array).toMatchOracle(reference, { factor: gamma(3), scale });
  });
});

describe("operator_norm", () => {
  it.each([
    { cells: 1, columns: 1, fanIn: 1, fanOut: 1 },
    { cells: 3, columns: 4, fanIn: 2, fanOut: 5 },
    { cells: 6, columns: 10, fanIn: 20, fanOut: 10 },
  ])("%o", async ({ cells, columns, fanIn, fanOut }) => {
    const random = new TestRandom(8);
    const perCell = fanOut * (fanIn + 1);
    const slice = 4 * Math.ceil((cells * perCell) / 4);
    const m = random.normals(columns * slice);
    for (const WG of [1, 4, 64]) {
      const results = await runKernel(engine(), operatorNorm, {
        buffers: { m, y: unwritten(cells) },
        params: { columns, slice, cells, fan_in: fanIn, fan_out: fanOut },
        knobs: { WG },
        read: ["y"],
      });
      const norms = (of: (value: number) => number) =>
        Float64Array.from({ length: cells }, (_, cell) =>
          oracle.operatorNorm(
            Array.from({ length: columns }, (_, k) => {
              const start = k * slice + cell * perCell;
              // Weights without the bias, every (fanIn + 1)-th number.
              return Array.from(m.subarray(start, start + perCell), of).filter((_, i) => i % (fanIn + 1) !== fanIn);
            }),
          ),
        );
      const k = fanOut * fanIn + Math.ceil(columns ** 2 / WG) + Math.log2(WG) + 4;
      expect(results.y as Float32Array).toMatchOracle(
        norms((x) => x),
        { factor: gamma(k), scale: norms(Math.abs) },
      );
    }
  });
});
