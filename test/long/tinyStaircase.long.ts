/**
 * The staircase of a small residual net on real images, three losses, a full batch of fixed views: each run must show at least five
 * accepted steps (src/spectrum/stepDetection.ts). About 27 MFLOP a step.
 */
import { describe, expect, it } from "vitest";
import { RECIPES } from "../../src/augment/recipes.ts";
import { augmentedViews } from "../../src/augment/views.ts";
import { CompiledPlan } from "../../src/autodiff/compiledPlan.ts";
import { center, concat, slice } from "../../src/autodiff/functions.ts";
import { Graph, type Tensor } from "../../src/autodiff/graph.ts";
import { eigenvalues, spectrum } from "../../src/autodiff/linalg.ts";
import { planGraph } from "../../src/autodiff/planner.ts";
import { l2Normalize } from "../../src/autodiff/ssl.ts";
import { RandomStream, readCifar10 } from "../../src/data/index.ts";
import type { Engine } from "../../src/device/engine.ts";
import { drawParameters } from "../../src/nn/init.ts";
import { ParameterScope } from "../../src/nn/scope.ts";
import { smallResNet } from "../../src/nn/smallNets.ts";
import { detectSteps } from "../../src/spectrum/stepDetection.ts";
import { barlowTerms } from "../../src/ssl/barlowTwins.ts";
import { ntXent } from "../../src/ssl/ntXent.ts";
import { vicreg } from "../../src/ssl/vicreg.ts";
import { replay } from "../../src/train/replay.ts";
import { STEP_STATE_WORDS } from "../../src/train/stepState.ts";
import { compileTrainingStep, planTrainingStep, targetOf, trainingStep } from "../../src/train/trainingStep.ts";
import { cifarFolder } from "../support/datasets.ts";
import { useEngine } from "../support/device.ts";

const engine = useEngine();
const [PAIRS, SIDE, WIDTH, D] = [64, 12, 4, 8];

interface TinyRun {
  readonly steps: number;
  readonly learningRate: number;
  readonly weightScale: number;
  readonly biasScale?: number;
  /** Loss of the two views' embeddings [PAIRS, D], and the eigenvalues to watch. */
  objective(za: Tensor, zb: Tensor): { readonly loss: Tensor; readonly spectrum: Tensor };
}

const RUNS: Readonly<Record<string, TinyRun>> = {
  barlow: {
    steps: 1500,
    learningRate: 0.015,
    weightScale: 1e-2,
    objective(za, zb) {
      const { loss, correlation } = barlowTerms(za, zb, { form: "centered", lambda: 1 });
      return { loss, spectrum: eigenvalues(correlation) };
    },
  },
  vicreg: {
    steps: 1500,
    learningRate: 0.005,
    weightScale: 1e-2,
    objective: (za, zb) => ({
      loss: vicreg(za, zb, { invariance: 10, variance: 25, covariance: 10 }),
      spectrum: spectrum(center(concat([za, zb]))),
    }),
  },
  simclr: {
    steps: 2000,
    learningRate: 0.01,
    weightScale: 1e-5,
    biasScale: 5,
    objective: (za, zb) => ({
      loss: ntXent(za, zb, { temperature: 0.2 }),
      spectrum: spectrum(center(l2Normalize(concat([za, zb])))),
    }),
  },
};

/** Views [2·PAIRS, SIDE, SIDE, 4] of the first images, drawn once. */
async function fixedViews(device: Engine, seed: number): Promise<Float32Array<ArrayBuffer>> {
  const { folder, origin } = cifarFolder();
  expect(origin).toBe("real samples");
  const images = await readCifar10(folder, { limit: PAIRS });
  const graph = new Graph();
  const pixels = graph.input("pixels", [Math.ceil(images.pixels.byteLength / 4)], "u32");
  const indices = graph.input("indices", [PAIRS], "u32");
  const stepState = graph.state("stepState", [STEP_STATE_WORDS], "u32");
  const { layout, height, width, channels } = images;
  const views = augmentedViews(
    { stepState, pixels, indices },
    {
      recipe: RECIPES.staircase,
      layout: { ...layout, height, width, channels },
      height: SIDE,
      width: SIDE,
      mean: [0.4914, 0.4822, 0.4465],
      std: [0.247, 0.2435, 0.2616],
      key: { seed, stream: RandomStream.augmentation },
    },
  ).images;
  const plan = planGraph({ graph, programs: { main: [views] }, outputs: { views }, target: targetOf(true) });
  const compiled = await CompiledPlan.compile(device, plan);
  try {
    const bytes = new Uint8Array(Math.ceil(images.pixels.byteLength / 4) * 4);
    bytes.set(images.pixels);
    compiled.write("pixels", bytes);
    compiled.write(
      "indices",
      Uint32Array.from({ length: PAIRS }, (_, i) => i),
    );
    compiled.run("main");
    return new Float32Array(await device.readBuffer(compiled.buffer("views"), 0, 4 * views.elements));
  } finally {
    compiled.destroy();
  }
}

describe("tiny staircases on real images", () => {
  it.each(Object.keys(RUNS))("%s: at least five accepted steps", async (name) => {
    const run = RUNS[name]!;
    const seed = 0;
    const views = await fixedViews(engine(), seed);
    const graph = new Graph();
    const scope = ParameterScope.create(graph);
    const { weightScale, biasScale } = run;
    const model = smallResNet({ width: WIDTH, d: D, weightScale, ...(biasScale === undefined ? {} : { biasScale }) });
    const z = model(scope, graph.input("images", [2 * PAIRS, SIDE, SIDE, 4]));
    const objective = run.objective(slice(z, 0, PAIRS), slice(z, PAIRS, 2 * PAIRS));
    const step = trainingStep(graph, objective, { momentum: 0, ringCapacity: 256 });
    const compiled = await compileTrainingStep(engine(), planTrainingStep(step, targetOf(true)), {});
    const draws = new Graph();
    const drawn = drawParameters(draws, scope.spec().parameters, { seed, stream: 1 << 16 });
    const drawPlan = await CompiledPlan.compile(
      engine(),
      planGraph({ graph: draws, programs: { main: [drawn] }, outputs: { drawn }, target: targetOf(true) }),
    );
    try {
      drawPlan.run("main");
      compiled.write("images", views);
      compiled.write(
        "parameters",
        new Float32Array(await engine().readBuffer(drawPlan.buffer("drawn"), 0, 4 * drawn.elements)),
      );
      const steps: number[] = [];
      const spectra: Float32Array[] = [];
      const losses: number[] = [];
      const started = performance.now();
      const { steps: total, learningRate } = { steps: run.steps, learningRate: run.learningRate };
      await replay(
        engine(),
        compiled,
        { steps: total, recordEvery: 4, learningRate, spectrumLength: D, ringCapacity: 256 },
        (records) => {
          for (const record of records) {
            steps.push(record.step);
            spectra.push(record.spectrum);
            losses.push(record.loss);
          }
        },
      );
      const seconds = (performance.now() - started) / 1000;
      const found = detectSteps(steps, spectra);
      const times = found.modes.map(({ time }) => Math.round(time ?? Number.NaN)).join(" ");
      console.log(
        `${name}: ${found.accepted} of ${found.modes.length} learned modes accepted at ${times}; loss ${losses[0]} to ${losses.at(-1)}; ${seconds.toFixed(1)} s`,
      );
      expect(found.accepted).toBeGreaterThanOrEqual(5);
    } finally {
      drawPlan.destroy();
      compiled.destroy();
    }
  });
});
