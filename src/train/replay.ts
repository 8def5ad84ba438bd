/**
 * Replays a compiled training step: many steps per submit, at most two submits in flight, metrics read back through a ring of mapped
 * buffers. In steady state it creates nothing and writes nothing: the step counter lives on the GPU.
 */
import type { CommandList, CompiledPlan } from "../autodiff/compiledPlan.ts";
import type { Engine } from "../device/engine.ts";
import { EngineError } from "../errors.ts";
import { StateReadback, type TrainingState } from "./checkpoint.ts";
import { MetricsReadback, type ReadbackSlot } from "./metricsReadback.ts";
import { Pace, SUBMITS_IN_FLIGHT } from "./pace.ts";
import { decodeStepState, encodeStepState } from "./stepState.ts";
import type { RecordedExtra } from "./trainingStep.ts";

export interface ReplayOptions {
  /** Updates in all, those before `start` included. */
  readonly steps: number;
  /** A record before every so many updates, starting with the first, and one after the last. */
  readonly recordEvery: number;
  /** Further updates before which a record is made. */
  readonly recordAt?: ReadonlySet<number>;
  readonly learningRate: number;
  readonly spectrumLength: number;
  /** What a record holds after its spectrum: `TrainingStep.extras`. */
  readonly extras?: readonly RecordedExtra[];
  readonly ringCapacity: number;
  /** Fixed number of steps per submit; adapted to about 30 ms of GPU time unless given. Never changes a bit of the results. */
  readonly stepsPerSubmit?: number;
  readonly signal?: AbortSignal;
  /** Where an earlier replay of the same buffers ended: updates done and records made. 0 and 0 unless given. */
  readonly start?: { readonly step: number; readonly records: number };
  /** False: no record of the state after the last update. */
  readonly recordLast?: boolean;
  /**
   * A program of the step that runs before every so many updates, at records only, in a submit of its own: it may be long beside an update.
   * The final state has it, too, where the number of steps is a multiple.
   */
  readonly occasional?: { readonly program: string; readonly every: number };
  /** What steps read that does not stay on the GPU; none unless given. */
  readonly source?: StepSource;
  /** Hands over the state about every so many milliseconds, and at the end unless the run diverged. */
  readonly checkpoint?: {
    readonly everyMs: number;
    /** State buffers beside the step state, by name. */
    readonly buffers: readonly string[];
    readonly onState: (state: TrainingState) => void | Promise<void>;
  };
}

/** Data that is brought to the GPU for a run of steps at a time, into buffers of the plan, by writes between submits. */
export interface StepSource {
  /** Brings what `step` reads, before it is submitted; does nothing where it is there already. */
  prepare(step: number): Promise<void>;
  /** The first step after `step` that reads something else. */
  endOf(step: number): number;
}

/** A record as it comes off the GPU. */
export interface StepRecord {
  readonly step: number;
  readonly loss: number;
  readonly spectrum: Float32Array;
  /** The numbers of `ReplayOptions.extras`, by name. */
  readonly extras: Readonly<Record<string, Float32Array>>;
}

export interface ReplayResult {
  /** Updates done in all. */
  readonly steps: number;
  readonly submits: number;
  /** GPU objects created and buffers written from the first submit on: zero in steady state, but for what a `source` writes. */
  readonly objectsCreated: number;
  readonly buffersWritten: number;
  /** First step with NaN or infinity in its loss, or where the step looks at them (`noteNonfinite`) in parameters or running averages. */
  readonly nonfiniteStep: number | undefined;
  readonly wasInterrupted: boolean;
}

interface Submit {
  readonly slot: ReadbackSlot;
  readonly steps: number;
  readonly submittedAt: number;
  /** It also copied the state for a checkpoint. */
  readonly hasState: boolean;
  /** It ran the occasional program, so that its time says nothing about steps. */
  readonly isLong: boolean;
}

/**
 * @param onRecords receives records in step order; awaited
 * @throws EngineError RUN-OPTIONS, DEVICE-LOST and others of the device
 */
export async function replay(
  engine: Engine,
  compiled: CompiledPlan,
  options: ReplayOptions,
  onRecords: (records: readonly StepRecord[]) => void | Promise<void>,
): Promise<ReplayResult> {
  requireWhole(options);
  const start = options.start ?? { step: 0, records: 0 };
  compiled.write(
    "stepState",
    encodeStepState({ ...start, nonfiniteStep: undefined, learningRate: options.learningRate }),
  );
  const readback = await MetricsReadback.create(engine, compiled, {
    spectrumLength: options.spectrumLength,
    extras: options.extras ?? [],
    ringCapacity: options.ringCapacity,
    slots: SUBMITS_IN_FLIGHT,
  });
  let state: StateReadback | undefined;
  try {
    state = options.checkpoint ? await StateReadback.create(engine, compiled, options.checkpoint.buffers) : undefined;
    return await new Replay(engine, compiled, options, readback, state, onRecords).run();
  } finally {
    state?.destroy();
    readback.destroy();
  }
}

class Replay {
  readonly #engine: Engine;
  readonly #compiled: CompiledPlan;
  readonly #options: ReplayOptions;
  readonly #readback: MetricsReadback;
  readonly #state: StateReadback | undefined;
  readonly #onRecords: (records: readonly StepRecord[]) => void | Promise<void>;
  readonly #programs: {
    readonly plain: CommandList;
    readonly recorded: CommandList;
    readonly last: CommandList;
    /** With the occasional program. */
    readonly measured: CommandList;
    readonly measuredLast: CommandList;
  };
  readonly #inFlight: Submit[] = [];
  readonly #pace = new Pace();
  #submits = 0;
  /** Steps and records encoded so far, since the start of training. */
  #encoded: number;
  #encodedRecords: number;
  /** Updates that are known to be done. */
  #done: number;
  #nonfiniteStep: number | undefined;
  #checkpointDue: number;

  constructor(
    engine: Engine,
    compiled: CompiledPlan,
    options: ReplayOptions,
    readback: MetricsReadback,
    state: StateReadback | undefined,
    onRecords: (records: readonly StepRecord[]) => void | Promise<void>,
  ) {
    this.#engine = engine;
    this.#compiled = compiled;
    this.#options = options;
    this.#readback = readback;
    this.#state = state;
    this.#onRecords = onRecords;
    const occasional = options.occasional ? [options.occasional.program] : [];
    this.#programs = {
      plain: compiled.program("update"),
      recorded: compiled.program("update", "record"),
      last: compiled.program("record"),
      measured: compiled.program(...occasional, "update", "record"),
      measuredLast: compiled.program(...occasional, "record"),
    };
    this.#encoded = options.start?.step ?? 0;
    this.#encodedRecords = options.start?.records ?? 0;
    this.#done = this.#encoded;
    this.#checkpointDue = performance.now() + (options.checkpoint?.everyMs ?? Number.POSITIVE_INFINITY);
  }

  async run(): Promise<ReplayResult> {
    const before = { objects: this.#engine.objectsCreated, writes: this.#engine.calls.writeBuffers };
    let isFinished = false;
    while (!isFinished && !this.#options.signal?.aborted && this.#nonfiniteStep === undefined) {
      // The record of the final state belongs to the last update's data.
      const { source, steps } = this.#options;
      await source?.prepare(Math.max(0, Math.min(this.#encoded, steps - 1)));
      isFinished = this.#submitBatch();
      if (this.#inFlight.length === SUBMITS_IN_FLIGHT) await this.#collect();
    }
    while (this.#inFlight.length > 0) await this.#collect();
    // The last state, so that an interrupted run resumes where it stopped; a diverged one keeps its earlier checkpoint.
    if (this.#state && this.#nonfiniteStep === undefined) await this.#finalState(this.#state);
    return {
      steps: this.#done,
      submits: this.#submits,
      objectsCreated: this.#engine.objectsCreated - before.objects,
      buffersWritten: this.#engine.calls.writeBuffers - before.writes,
      nonfiniteStep: this.#nonfiniteStep,
      wasInterrupted: !isFinished && this.#nonfiniteStep === undefined,
    };
  }

  /** Encodes and submits the next steps. @returns true when the last step and its record are among them */
  #submitBatch(): boolean {
    const end = this.#options.source?.endOf(this.#encoded) ?? Number.POSITIVE_INFINITY;
    const wanted = Math.min(this.#options.stepsPerSubmit ?? this.#pace.perSubmit, end - this.#encoded);
    const { updates, recordedSteps, isLast } = nextBatch(this.#encoded, wanted, this.#options);
    const recorded = new Set(recordedSteps);
    const encoder = this.#engine.device.createCommandEncoder({ label: "training" });
    const pass = encoder.beginComputePass({ label: "training" });
    const { plain, recorded: recording, last, measured, measuredLast } = this.#programs;
    const isMeasured = (step: number): boolean => recorded.has(step) && isOccasion(step, this.#options);
    for (let step = this.#encoded; step < this.#encoded + updates; step++) {
      this.#compiled.encode(pass, isMeasured(step) ? measured : recorded.has(step) ? recording : plain);
    }
    const { steps } = this.#options;
    if (recorded.has(steps)) this.#compiled.encode(pass, isMeasured(steps) ? measuredLast : last);
    pass.end();
    const slot = this.#readback.encode(encoder, this.#encodedRecords, recordedSteps);
    this.#encoded += updates;
    this.#encodedRecords += recordedSteps.length;
    const hasState = this.#encodeDueState(encoder, isLast);
    this.#engine.submit(encoder.finish());
    this.#submits++;
    const isLong = recordedSteps.some(isMeasured);
    this.#inFlight.push({ slot, steps: updates, submittedAt: performance.now(), hasState, isLong });
    return isLast;
  }

  /** Adds the copies of a checkpoint when one is due and none is under way; the end of the run makes its own. */
  #encodeDueState(encoder: GPUCommandEncoder, isLast: boolean): boolean {
    if (!this.#state || isLast || performance.now() < this.#checkpointDue) return false;
    if (this.#inFlight.some((submit) => submit.hasState)) return false;
    this.#state.encode(encoder);
    this.#checkpointDue = performance.now() + (this.#options.checkpoint?.everyMs ?? 0);
    return true;
  }

  async #collect(): Promise<void> {
    const oldest = this.#inFlight.shift();
    if (!oldest) return;
    const { slot, steps, submittedAt, isLong } = oldest;
    const { header, records } = await this.#readback.read(slot, this.#pace.expectedMs(steps, submittedAt));
    // A submit with a measurement says nothing about a step's time.
    this.#pace.completed(isLong ? 0 : steps, submittedAt);
    const state = decodeStepState(header);
    this.#done = state.step;
    // No update follows the last record, so that the GPU has noted nothing where its loss is the first bad one.
    this.#nonfiniteStep ??= state.nonfiniteStep ?? records.find(({ loss }) => !Number.isFinite(loss))?.step;
    const limit = this.#nonfiniteStep ?? Number.POSITIVE_INFINITY;
    const kept = records.filter((record) => record.step < limit);
    if (kept.length > 0) await this.#onRecords(kept);
    if (oldest.hasState && this.#state && this.#nonfiniteStep === undefined) {
      await this.#options.checkpoint?.onState(await this.#state.read());
    }
  }

  async #finalState(state: StateReadback): Promise<void> {
    const encoder = this.#engine.device.createCommandEncoder({ label: "checkpoint" });
    state.encode(encoder);
    this.#engine.submit(encoder.finish());
    await this.#options.checkpoint?.onState(await state.read());
  }
}

/**
 * What the next submit does: up to `wanted` updates from step `first` on, fewer where their records would not fit the ring, and after the
 * last update the record of the final state (in a submit of its own where the ring is full).
 */
function nextBatch(first: number, wanted: number, options: ReplayOptions) {
  const { steps, recordEvery, recordAt, ringCapacity, recordLast } = options;
  const recordedSteps: number[] = [];
  let step = first;
  const isRecorded = (at: number): boolean => at % recordEvery === 0 || (recordAt?.has(at) ?? false);
  const isMeasured = (at: number): boolean => isOccasion(at, options) && (at === steps || isRecorded(at));
  const end = Math.min(steps, isMeasured(first) ? first + 1 : first + wanted);
  for (; step < end; step++) {
    if (step > first && isMeasured(step)) break;
    if (!isRecorded(step)) continue;
    if (recordedSteps.length === ringCapacity) break;
    recordedSteps.push(step);
  }
  // The final record comes alone where it has the occasional program.
  const isRoom = recordedSteps.length < ringCapacity && !(step > first && isMeasured(steps));
  const isLast = step === steps && (recordLast === false || isRoom);
  if (isLast && recordLast !== false) recordedSteps.push(steps);
  return { updates: step - first, recordedSteps, isLast };
}

/** True at updates before which the occasional program is due. */
function isOccasion(step: number, { occasional }: ReplayOptions): boolean {
  return occasional !== undefined && step % occasional.every === 0;
}

/** @throws EngineError RUN-OPTIONS for counts with which a run would never end or never record */
function requireWhole(options: ReplayOptions): void {
  const { steps, recordEvery, ringCapacity, stepsPerSubmit = 1, start } = options;
  const every = options.occasional?.every ?? 1;
  const least = { steps: start?.step ?? 0, recordEvery: 1, ringCapacity: 1, stepsPerSubmit: 1, every: 1 };
  for (const [name, value] of Object.entries({ steps, recordEvery, ringCapacity, stepsPerSubmit, every })) {
    const minimum = least[name as keyof typeof least];
    if (Number.isInteger(value) && value >= minimum) continue;
    throw new EngineError({
      code: "RUN-OPTIONS",
      message: `${name} is ${value}, not a whole number of at least ${minimum}`,
      fix: `Correct ${name}.`,
      where: name,
    });
  }
}
