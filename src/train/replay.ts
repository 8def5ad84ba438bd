/**
 * Replays a compiled training step: many steps per submit, at most two submits in flight, metrics read back through a ring of mapped
 * buffers. In steady state it creates nothing and writes nothing: the step counter lives on the GPU.
 */
import type { CommandList, CompiledPlan } from "../autodiff/compiledPlan.ts";
import type { Engine } from "../device/engine.ts";
import { MetricsReadback, type ReadbackSlot } from "./metricsReadback.ts";
import { decodeStepState, encodeStepState } from "./stepState.ts";

export interface ReplayOptions {
  /** Updates to do. */
  readonly steps: number;
  /** A record before every so many updates, starting with the first, and one after the last. */
  readonly recordEvery: number;
  readonly learningRate: number;
  readonly spectrumLength: number;
  readonly ringCapacity: number;
  /** Fixed number of steps per submit; adapted to about 30 ms of GPU time unless given. Never changes a bit of the results. */
  readonly stepsPerSubmit?: number;
  readonly signal?: AbortSignal;
}

/** A record as it comes off the GPU. */
export interface StepRecord {
  readonly step: number;
  readonly loss: number;
  readonly spectrum: Float32Array;
}

export interface ReplayResult {
  /** Updates done. */
  readonly steps: number;
  readonly submits: number;
  /** GPU objects created and buffers written after the first submit: zero in steady state. */
  readonly objectsCreated: number;
  readonly buffersWritten: number;
  readonly nonfiniteStep: number | undefined;
  readonly wasInterrupted: boolean;
}

/** GPU time that one submit aims at: a page stays responsive and no watchdog fires. */
const TARGET_SUBMIT_MS = 30;
/** One submit executes while the next is encoded. */
const SUBMITS_IN_FLIGHT = 2;

/**
 * @param onRecords receives records in step order; awaited
 * @throws EngineError DEVICE-LOST and others of the device
 */
export async function replay(
  engine: Engine,
  compiled: CompiledPlan,
  options: ReplayOptions,
  onRecords: (records: readonly StepRecord[]) => void | Promise<void>,
): Promise<ReplayResult> {
  const { steps, recordEvery, ringCapacity } = options;
  compiled.write(
    "stepState",
    encodeStepState({ step: 0, records: 0, nonfiniteStep: undefined, learningRate: options.learningRate }),
  );
  const programs = {
    plain: compiled.program("update"),
    recorded: compiled.program("update", "record"),
    last: compiled.program("record"),
  };
  const readback = await MetricsReadback.create(engine, compiled, {
    floatsPerRecord: 1 + options.spectrumLength,
    ringCapacity,
    slots: SUBMITS_IN_FLIGHT,
  });
  const inFlight: { readonly slot: ReadbackSlot; readonly steps: number; readonly submittedAt: number }[] = [];
  let perSubmit = options.stepsPerSubmit ?? 1;
  let submits = 0;
  let encoded = 0;
  let encodedRecords = 0;
  let done = 0;
  let nonfiniteStep: number | undefined;
  let isFinished = false;
  let previousCompletion = 0;
  let stepMs = 0;

  const before = { objects: engine.objectsCreated, writes: engine.calls.writeBuffers };
  const collect = async (): Promise<void> => {
    const oldest = inFlight.shift();
    if (!oldest) return;
    const { header, records } = await readback.read(
      oldest.slot,
      oldest.steps * stepMs - (performance.now() - oldest.submittedAt),
    );
    const now = performance.now();
    const state = decodeStepState(header);
    done = state.step;
    nonfiniteStep ??= state.nonfiniteStep;
    const elapsed = now - Math.max(previousCompletion, oldest.submittedAt);
    stepMs = elapsed / Math.max(1, oldest.steps);
    if (options.stepsPerSubmit === undefined && oldest.steps > 0) {
      const wanted = (perSubmit * TARGET_SUBMIT_MS) / Math.max(elapsed, 0.1);
      perSubmit = Math.max(1, Math.min(Math.floor(Math.min(wanted, 2 * perSubmit)), ringCapacity - 1));
    }
    previousCompletion = now;
    const kept = records.filter((record) => nonfiniteStep === undefined || record.step < nonfiniteStep);
    if (kept.length > 0) await onRecords(kept);
  };

  try {
    while (!isFinished) {
      if (options.signal?.aborted || nonfiniteStep !== undefined) break;
      const batch = Math.min(perSubmit, steps - encoded);
      const firstRecord = encodedRecords;
      const recordedSteps: number[] = [];
      const encoder = engine.device.createCommandEncoder({ label: "training" });
      const pass = encoder.beginComputePass({ label: "training" });
      for (let i = 0; i < batch; i++) {
        const isRecorded = (encoded + i) % recordEvery === 0;
        compiled.encode(pass, isRecorded ? programs.recorded : programs.plain);
        if (isRecorded) recordedSteps.push(encoded + i);
      }
      encoded += batch;
      if (encoded === steps) {
        encodeLast(compiled, pass, programs.last);
        recordedSteps.push(steps);
        isFinished = true;
      }
      pass.end();
      encodedRecords += recordedSteps.length;
      const slot = readback.encode(encoder, firstRecord, recordedSteps);
      engine.submit(encoder.finish());
      submits++;
      inFlight.push({ slot, steps: batch, submittedAt: performance.now() });
      if (inFlight.length === SUBMITS_IN_FLIGHT) await collect();
    }
    while (inFlight.length > 0) await collect();
  } finally {
    readback.destroy();
  }
  const wasInterrupted = !isFinished && nonfiniteStep === undefined;
  return {
    steps: done,
    submits,
    objectsCreated: engine.objectsCreated - before.objects,
    buffersWritten: engine.calls.writeBuffers - before.writes,
    nonfiniteStep,
    wasInterrupted,
  };
}

/** The record of the final state, without an update. */
function encodeLast(compiled: CompiledPlan, pass: GPUComputePassEncoder, program: CommandList): void {
  compiled.encode(pass, program);
}
