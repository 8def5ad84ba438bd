/** One cell on the GPU: its plans, buffers made once, training between measurements. Creates no GPU object after its first submits. */
import { CompiledPlan } from "../../autodiff/compiledPlan.ts";
import { kernelVariants, type Plan } from "../../autodiff/plan.ts";
import { planGraph } from "../../autodiff/planner.ts";
import { CounterRandom, RandomStream } from "../../data/index.ts";
import type { Engine } from "../../device/engine.ts";
import { flatLayout, type ParameterSpec } from "../../nn/spec.ts";
import { elementCount } from "../../ops/opDefinition.ts";
import type { LatentTree } from "../../theory/index.ts";
import { type StateBuffer, StateReadback } from "../../train/checkpoint.ts";
import { Pace, paced } from "../../train/pace.ts";
import { encodeStepState } from "../../train/stepState.ts";
import { Trainer } from "../../train/trainer.ts";
import { compileTrainingStep, planTrainingStep, targetOf } from "../../train/trainingStep.ts";
import type { HltmCell } from "./cells.ts";
import type { HltmConfig } from "./config.ts";
import {
  type HltmMeasure,
  type HltmStep,
  measureGraph,
  measureShape,
  SEEDS,
  THRESHOLDS,
  trainingGraph,
} from "./graph.ts";
import type { RawMeasure } from "./measures.ts";
import { requireTreeFits, seedsOf, thresholdsOf, treesOf } from "./trees.ts";

/** The plans of a cell; pure, before anything is made on the GPU. */
export interface CellPlans {
  readonly cell: HltmCell;
  readonly trees: readonly LatentTree[];
  readonly training: HltmStep;
  readonly trainingPlan: Plan;
  readonly measure: HltmMeasure;
  readonly measurePlan: Plan;
  readonly dispatches: number;
}

/** @throws EngineError CONFIG-…, LIMIT-TREE, LIMIT-COUNTER, LIMIT-GRID, GRAPH-… */
export function planCell(engine: Engine, config: HltmConfig, cell: HltmCell): CellPlans {
  requireTreeFits(config, cell, engine.adapter.limits);
  const target = targetOf(engine.adapter, config.kernels.family);
  const training = trainingGraph(config, cell);
  const shape = measureShape(config, cell);
  const measure = measureGraph(config, cell, shape);
  return {
    cell,
    trees: treesOf(config, cell),
    training,
    trainingPlan: planTrainingStep(training.step, target, config.kernels.variants),
    measure,
    measurePlan: planGraph({ graph: measure.graph, programs: measure.programs, outputs: measure.operators, target }),
    dispatches: shape.dispatches,
  };
}

/** The variants of the training step's dispatches. */
export function variantsOf({ trainingPlan }: CellPlans) {
  return kernelVariants(trainingPlan);
}

export class CellRun {
  readonly plans: CellPlans;
  readonly #engine: Engine;
  readonly #config: HltmConfig;
  readonly #training: CompiledPlan;
  readonly #measuring: CompiledPlan;
  readonly #trainer: Trainer;
  readonly #measured: StateReadback;
  readonly #state: StateReadback;
  readonly #trainingPace = new Pace();
  readonly #measurePace = new Pace();
  /** The measurement whose samples the GPU's counter stands before. */
  #nextMeasure: number | undefined;

  private constructor(
    engine: Engine,
    config: HltmConfig,
    plans: CellPlans,
    parts: {
      readonly training: CompiledPlan;
      readonly measuring: CompiledPlan;
      readonly trainer: Trainer;
      readonly measured: StateReadback;
      readonly state: StateReadback;
    },
  ) {
    this.#engine = engine;
    this.#config = config;
    this.plans = plans;
    this.#training = parts.training;
    this.#measuring = parts.measuring;
    this.#trainer = parts.trainer;
    this.#measured = parts.measured;
    this.#state = parts.state;
  }

  /** Compiles the plans; the network has its first values. @throws EngineError LIMIT-…, KERNEL-COMPILE, DEVICE-… */
  static async create(engine: Engine, config: HltmConfig, plans: CellPlans): Promise<CellRun> {
    const training = await compileTrainingStep(engine, plans.trainingPlan, {});
    const made: { destroy(): void }[] = [training];
    try {
      const shared = Object.fromEntries([SEEDS, THRESHOLDS, "parameters"].map((name) => [name, training.buffer(name)]));
      const measuring = await CompiledPlan.compile(engine, plans.measurePlan, shared);
      made.push(measuring);
      const trainer = await Trainer.create(engine, training, {
        learningRate: config.optimizer.learningRate,
        spectrumLength: plans.training.step.spectrumLength,
        ringCapacity: plans.training.step.ringCapacity,
      });
      made.push(trainer);
      const { moments, operators } = plans.measure;
      const names = [...moments, ...Object.keys(operators), "parameters"];
      const measured = await StateReadback.create(engine, measuring, names);
      made.push(measured);
      const state = await StateReadback.create(engine, training, ["parameters"]);
      training.write(SEEDS, Uint32Array.from(seedsOf(config)));
      training.write(THRESHOLDS, thresholdsOf(plans.trees));
      training.write("parameters", initialParameters(plans.training.parameters, seedsOf(config)));
      return new CellRun(engine, config, plans, { training, measuring, trainer, measured, state });
    } catch (error) {
      for (const part of made) part.destroy();
      throw error;
    }
  }

  /** What a checkpoint holds of this cell, and how restoring finds it. */
  get stateLayout(): readonly StateBuffer[] {
    return [{ buffer: "parameters", prefix: "", holds: { parameters: this.plans.training.parameters } }];
  }

  /** The training plan, whose `parameters` a checkpoint is put into. */
  get compiled(): CompiledPlan {
    return this.#training;
  }

  /** Updates done. */
  get step(): number {
    return this.#trainer.step;
  }

  /** Goes on from a step whose parameters are in place. */
  resumeAt(step: number): void {
    this.#trainer.restart(step);
  }

  /**
   * Trains until `until` updates are done in all, the loss is no longer finite, `signal` is aborted, or `deadline` (of performance.now) has
   * passed.
   *
   * @returns the first step whose loss was not finite
   * @throws EngineError DEVICE-…
   */
  async train(until: number, signal: AbortSignal, deadline: number): Promise<number | undefined> {
    let badStep: number | undefined;
    await paced(
      this.#trainingPace,
      until - this.step,
      async (updates, expectedMs) => {
        const { nonfiniteStep } = await this.#trainer.advance(updates, expectedMs);
        badStep ??= nonfiniteStep;
      },
      {
        most: this.#trainer.maxUpdates,
        mayGoOn: () => !signal.aborted && badStep === undefined && performance.now() < deadline,
      },
    );
    return badStep;
  }

  /** Mean over the seeds of the loss of the next step's triplets. */
  async loss(): Promise<number> {
    const { records } = await this.#trainer.look();
    return (records[0]?.loss ?? Number.NaN) / this.#config.seeds;
  }

  /**
   * Measures the network as it is, on fresh samples that depend on the seeds and `epoch` alone.
   *
   * @param epoch number of this measurement, 0 for the first
   */
  async measure(epoch: number): Promise<RawMeasure> {
    const { dispatches, measure } = this.plans;
    if (this.#nextMeasure !== epoch) {
      const state = { step: epoch * dispatches, records: 0, nonfiniteStep: undefined, learningRate: 0 };
      this.#measuring.write("stepState", encodeStepState(state));
    }
    this.#nextMeasure = epoch + 1;
    const program = this.#measuring.program("measure");
    await paced(this.#measurePace, dispatches, async (repetitions, expectedMs) => {
      this.#encode("measure", (pass) => {
        for (let i = 0; i < repetitions; i++) this.#measuring.encode(pass, program);
      });
      await this.#engine.rest(await expectedMs);
      await this.#engine.guard(this.#engine.device.queue.onSubmittedWorkDone());
    });
    this.#encode(
      "operators",
      (pass) => this.#measuring.encode(pass, this.#measuring.program("operators")),
      (encoder) => this.#measured.encode(encoder),
    );
    const { buffers } = await this.#measured.read();
    const named = (name: string): Float32Array => buffers[name] ?? new Float32Array(0);
    return {
      moments: measure.moments.map(named),
      operatorNorms: Object.entries(measure.operators).map(([name, { elements }]) => named(name).subarray(0, elements)),
      parameters: new Float32Array(named("parameters")),
    };
  }

  /** The parameters as they are. */
  async parameters(): Promise<Float32Array<ArrayBuffer>> {
    const encoder = this.#engine.device.createCommandEncoder({ label: "checkpoint" });
    this.#state.encode(encoder);
    this.#engine.submit(encoder.finish());
    const { buffers } = await this.#state.read();
    return buffers.parameters ?? new Float32Array(0);
  }

  destroy(): void {
    this.#state.destroy();
    this.#measured.destroy();
    this.#trainer.destroy();
    this.#measuring.destroy();
    this.#training.destroy();
  }

  #encode(label: string, record: (pass: GPUComputePassEncoder) => void, after?: (encoder: GPUCommandEncoder) => void) {
    const encoder = this.#engine.device.createCommandEncoder({ label });
    const pass = encoder.beginComputePass({ label });
    record(pass);
    pass.end();
    after?.(encoder);
    this.#engine.submit(encoder.finish());
  }
}

/**
 * First values U(±bound) of all parameters, laid out like the buffer. Trial t draws parameter i from stream `parameters` + i of its own
 * seed: the same numbers alone and among others.
 */
export function initialParameters(
  parameters: readonly ParameterSpec[],
  seeds: readonly number[],
): Float32Array<ArrayBuffer> {
  const { offsets, elements } = flatLayout(parameters);
  const values = new Float32Array(elements);
  parameters.forEach(({ shape, init }, index) => {
    const perTrial = elementCount(shape.slice(1));
    const bound = init.kind === "uniform" ? init.bound : 0;
    seeds.forEach((seed, trial) => {
      const random = new CounterRandom(seed, RandomStream.parameters + index);
      const start = (offsets[index] ?? 0) + trial * perTrial;
      for (let i = 0; i < perTrial; i++) values[start + i] = bound * (2 * random.uniform(i) - 1);
    });
  });
  return values;
}
