/** One run on the GPU, from its configuration to a trainer at step 0, with the theory that goes with it. Runs in the worker. */
import { memoryFolder } from "../../src/data/byteSource.ts";
import type { DataFolder } from "../../src/data/index.ts";
import type { Engine } from "../../src/device/engine.ts";
import { EngineError } from "../../src/errors.ts";
import type { LinearConfig } from "../../src/experiments/linear/config.ts";
import { linearShape, loadLinearSource, prepareLinearRun } from "../../src/experiments/linear/data.ts";
import { linearGraph, VIEWS } from "../../src/experiments/linear/graph.ts";
import { assertStableLearningRate, type LinearTheory, linearTheory, stepWidth } from "../../src/theory/index.ts";
import { Trainer } from "../../src/train/trainer.ts";
import { compileTrainingStep, dispatchCounts, planTrainingStep, targetOf } from "../../src/train/trainingStep.ts";
import type { RunFacts } from "./messages.ts";

/** A page keeps every record in memory: 40,000 of 64 eigenvalues are 10 MB. */
const MAX_HORIZON = 40_000;

export interface Session {
  readonly trainer: Trainer;
  readonly gpuBytes: number;
  /** Initial weights and step 0 again. */
  reset(): void;
  release(): void;
}

/**
 * @param tell gets the name of what comes next, for people, and the theory as soon as it is known
 * @throws EngineError CONFIG-…, DATA-…, THEORY-LR-BOUND, DEVICE-…, LIMIT-…
 */
export async function openSession(
  engine: Engine,
  config: LinearConfig,
  tell: { readonly phase: (text: string) => void; readonly facts: (facts: RunFacts) => void },
): Promise<Session> {
  const shape = linearShape(config);
  tell.phase("Reading data");
  const source = await loadLinearSource(config, config.data.source === "mnist" ? await mnistDigits() : undefined);
  tell.phase("Preparing two views of every example");
  const prepared = await prepareLinearRun(engine, config, shape, source);
  try {
    tell.phase("Computing the theory");
    const { learningRate, momentum } = config.optimizer;
    const theory = linearTheory({ ...prepared, ...shape, weights0: prepared.weights, learningRate, momentum });
    assertStableLearningRate(learningRate, theory.gamma1);
    const step = linearGraph(shape, momentum);
    const plan = planTrainingStep(step, targetOf(engine.adapter, config.kernels.family));
    tell.facts({
      adapter: engine.adapter,
      theory,
      horizon: horizonOf(theory, config),
      description: `${shape.n} pairs of ${shape.m} features, ${dispatchCounts(plan).withRecord} dispatches a step`,
    });
    tell.phase("Compiling the training step");
    const compiled = await compileTrainingStep(engine, plan, { [VIEWS]: prepared.views });
    const weights = new Float32Array(prepared.weights);
    compiled.write("parameters", weights);
    const { spectrumLength, ringCapacity } = step;
    const trainer = await Trainer.create(engine, compiled, { learningRate, spectrumLength, ringCapacity });
    return {
      trainer,
      gpuBytes: engine.memory.bytes,
      reset() {
        compiled.write("parameters", weights);
        trainer.restart();
      },
      release() {
        trainer.destroy();
        compiled.destroy();
        prepared.release();
      },
    };
  } catch (error) {
    prepared.release();
    throw error;
  }
}

/** Updates until every mode that can be learned has gone from 0.1 to 0.9, and a little more. */
function horizonOf(theory: LinearTheory, config: LinearConfig): number {
  const ends = theory.discreteStepTimes.map((time, j) => (time ?? 0) + stepWidth(Math.max(theory.gamma[j] ?? 0, 1e-9)));
  const learnable = ends.filter((_, j) => theory.discreteStepTimes[j] !== null);
  const end = Math.max(0, ...learnable);
  const steps = learnable.length === 0 ? config.steps : Math.ceil(end / config.optimizer.learningRate);
  return Math.min(Math.max(steps, 20), MAX_HORIZON);
}

/** 512 digits of MNIST that the build puts beside the page, in MNIST's own file format. */
async function mnistDigits(): Promise<DataFolder> {
  // A variable, so that the bundler leaves the addresses alone: tools/demoDigits.mjs writes these files.
  const here = import.meta.url;
  const files = await Promise.all([
    digitFile("train-images-idx3-ubyte", new URL("../mnist/images.bin", here)),
    digitFile("train-labels-idx1-ubyte", new URL("../mnist/labels.bin", here)),
  ]);
  return memoryFolder("digits of this page", Object.fromEntries(files));
}

async function digitFile(name: string, url: URL): Promise<[string, Uint8Array]> {
  const response = await fetch(url).catch((cause: unknown) => ({ ok: false as const, status: String(cause) }));
  if (response.ok) return [name, new Uint8Array(await response.arrayBuffer())];
  throw new EngineError({
    code: "DATA-NOT-FOUND",
    message: `The digits that belong to this page could not be loaded (${response.status})`,
    fix: "Reload the page, or choose another data set.",
    where: url.pathname,
  });
}
