/**
 * A compiled training step advanced by hand: so many updates now, a look at the state, from the start again. For a page with start, pause
 * and single step; `replay` runs to an end. The records are the same bits, however the updates are divided into calls.
 */
import type { CommandList, CompiledPlan } from "../autodiff/compiledPlan.ts";
import type { Engine } from "../device/engine.ts";
import { EngineError } from "../errors.ts";
import { MetricsReadback } from "./metricsReadback.ts";
import type { StepRecord } from "./replay.ts";
import { decodeStepState, encodeStepState } from "./stepState.ts";
import type { RecordedExtra } from "./trainingStep.ts";

export interface TrainerOptions {
  readonly learningRate: number;
  readonly spectrumLength: number;
  /** What a record holds after its spectrum: `TrainingStep.extras`. */
  readonly extras?: readonly RecordedExtra[];
  readonly ringCapacity: number;
}

/** What one call brought back. */
export interface Advance {
  /** In step order; each is of the state that its update started from. */
  readonly records: readonly StepRecord[];
  /** First step whose loss was NaN or infinite. */
  readonly nonfiniteStep: number | undefined;
}

/** Calls that may wait for the GPU at once: one executes while the next is encoded. */
const CALLS_IN_FLIGHT = 2;

export class Trainer {
  readonly #engine: Engine;
  readonly #compiled: CompiledPlan;
  readonly #options: TrainerOptions;
  readonly #readback: MetricsReadback;
  readonly #recordedUpdate: CommandList;
  readonly #record: CommandList;
  #step = 0;
  #records = 0;
  #inFlight = 0;

  private constructor(engine: Engine, compiled: CompiledPlan, options: TrainerOptions, readback: MetricsReadback) {
    this.#engine = engine;
    this.#compiled = compiled;
    this.#options = options;
    this.#readback = readback;
    this.#recordedUpdate = compiled.program("update", "record");
    this.#record = compiled.program("record");
    this.restart();
  }

  /** The step counter starts at 0; weights and optimiser state are as the caller wrote them. */
  static async create(engine: Engine, compiled: CompiledPlan, options: TrainerOptions): Promise<Trainer> {
    const readback = await MetricsReadback.create(engine, compiled, {
      spectrumLength: options.spectrumLength,
      extras: options.extras ?? [],
      ringCapacity: options.ringCapacity,
      slots: CALLS_IN_FLIGHT,
    });
    return new Trainer(engine, compiled, options, readback);
  }

  /** Updates submitted so far. */
  get step(): number {
    return this.#step;
  }

  /** Most updates of one call. */
  get maxUpdates(): number {
    return this.#options.ringCapacity;
  }

  /** Sets the step counter, to 0 unless given. Only between calls; the caller writes the weights (and optimiser state) of that step. */
  restart(step = 0): void {
    this.#assertInFlightBelow(1);
    this.#step = step;
    this.#records = 0;
    const { learningRate } = this.#options;
    this.#compiled.write("stepState", encodeStepState({ step, records: 0, nonfiniteStep: undefined, learningRate }));
  }

  /**
   * Submits `updates` updates, each with a record of the state before it. Two calls may be pending.
   *
   * @param updates    1 … `maxUpdates`
   * @param expectedMs when they will be done, from now on; runtimes that poll busily sleep until shortly before. A promise of it: from when
   *        it resolves, and nothing is waited for before.
   * @throws EngineError TRAIN-UPDATES, TRAIN-IN-FLIGHT, DEVICE-LOST and others of the device
   */
  async advance(updates: number, expectedMs: number | Promise<number> = 0): Promise<Advance> {
    if (!Number.isInteger(updates) || updates < 1 || updates > this.maxUpdates) {
      throw new EngineError({
        code: "TRAIN-UPDATES",
        message: `${updates} updates were asked of one call; it takes 1 to ${this.maxUpdates}`,
        fix: "Call advance several times.",
        where: "updates",
      });
    }
    const first = this.#step;
    const steps = Array.from({ length: updates }, (_, index) => first + index);
    this.#step += updates;
    return this.#submit(steps, this.#recordedUpdate, expectedMs);
  }

  /** The record of the current state, without an update. Errors as `advance`. */
  async look(): Promise<Advance> {
    return this.#submit([this.#step], this.#record);
  }

  destroy(): void {
    this.#readback.destroy();
  }

  /** Runs `program` once for each record. */
  async #submit(
    steps: readonly number[],
    program: CommandList,
    expectedMs: number | Promise<number> = 0,
  ): Promise<Advance> {
    this.#assertInFlightBelow(CALLS_IN_FLIGHT);
    const encoder = this.#engine.device.createCommandEncoder({ label: "training" });
    const pass = encoder.beginComputePass({ label: "training" });
    for (let i = 0; i < steps.length; i++) this.#compiled.encode(pass, program);
    pass.end();
    const slot = this.#readback.encode(encoder, this.#records, steps);
    this.#records += steps.length;
    this.#engine.submit(encoder.finish());
    this.#inFlight++;
    try {
      const { header, records } = await this.#readback.read(slot, expectedMs);
      return { records, nonfiniteStep: decodeStepState(header).nonfiniteStep };
    } finally {
      this.#inFlight--;
    }
  }

  #assertInFlightBelow(limit: number): void {
    if (this.#inFlight < limit) return;
    throw new EngineError({
      code: "TRAIN-IN-FLIGHT",
      message: `${this.#inFlight} calls of this trainer still wait for the GPU`,
      fix: "Await an earlier advance or look first.",
    });
  }
}
