/** Reads the step state and the metrics ring back: buffers made once, mapped in turn, 4·(1 + d) bytes per record plus the header. */
import type { CompiledPlan } from "../autodiff/compiledPlan.ts";
import type { Engine } from "../device/engine.ts";
import type { StepRecord } from "./replay.ts";
import { STEP_STATE_BYTES } from "./stepState.ts";
import type { RecordedExtra } from "./trainingStep.ts";

export interface ReadbackOptions {
  readonly spectrumLength: number;
  readonly extras: readonly RecordedExtra[];
  readonly ringCapacity: number;
  /** Buffers, one for each submit in flight. */
  readonly slots: number;
}

/** Loss, spectrum and extras. */
function floatsPerRecord({ spectrumLength, extras }: ReadbackOptions): number {
  return extras.reduce((total, { elements }) => total + elements, 1 + spectrumLength);
}

/** A read-back that has been encoded. */
export interface ReadbackSlot {
  readonly buffer: GPUBuffer;
  readonly sizeBytes: number;
  readonly steps: readonly number[];
}

export class MetricsReadback {
  readonly #engine: Engine;
  readonly #compiled: CompiledPlan;
  readonly #options: ReadbackOptions;
  readonly #floatsPerRecord: number;
  readonly #buffers: readonly GPUBuffer[];
  #next = 0;

  private constructor(engine: Engine, compiled: CompiledPlan, options: ReadbackOptions, buffers: readonly GPUBuffer[]) {
    this.#engine = engine;
    this.#compiled = compiled;
    this.#options = options;
    this.#floatsPerRecord = floatsPerRecord(options);
    this.#buffers = buffers;
  }

  static async create(engine: Engine, compiled: CompiledPlan, options: ReadbackOptions): Promise<MetricsReadback> {
    const sizeBytes = STEP_STATE_BYTES + 4 * floatsPerRecord(options) * options.ringCapacity;
    const buffers = await engine.createBuffers(
      Array.from({ length: options.slots }, (_, index) => ({
        label: `metrics read-back ${index}`,
        sizeBytes,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      })),
    );
    return new MetricsReadback(engine, compiled, options, buffers);
  }

  /**
   * Copies the header and the records of `steps` into the next buffer; the caller submits.
   *
   * @param firstRecord number of records before these, since the start
   */
  encode(encoder: GPUCommandEncoder, firstRecord: number, steps: readonly number[]): ReadbackSlot {
    const { ringCapacity } = this.#options;
    const buffer = this.#buffers[this.#next];
    if (!buffer) throw new Error("unreachable: the ring has buffers");
    this.#next = (this.#next + 1) % this.#buffers.length;
    const recordBytes = 4 * this.#floatsPerRecord;
    encoder.copyBufferToBuffer(this.#compiled.buffer("stepState"), 0, buffer, 0, STEP_STATE_BYTES);
    // The records may wrap around the ring's end.
    const start = firstRecord % ringCapacity;
    const head = Math.min(steps.length, ringCapacity - start);
    const ring = this.#compiled.buffer("metricsRing");
    if (head > 0) encoder.copyBufferToBuffer(ring, start * recordBytes, buffer, STEP_STATE_BYTES, head * recordBytes);
    if (steps.length > head) {
      const rest = (steps.length - head) * recordBytes;
      encoder.copyBufferToBuffer(ring, 0, buffer, STEP_STATE_BYTES + head * recordBytes, rest);
    }
    return { buffer, sizeBytes: STEP_STATE_BYTES + steps.length * recordBytes, steps };
  }

  /**
   * Waits for a read-back.
   *
   * @param expectedMs when it is expected, from now on; runtimes that poll busily sleep until shortly before
   * @returns the header bytes and the records, in step order
   */
  async read(
    slot: ReadbackSlot,
    expectedMs: number | Promise<number> = 0,
  ): Promise<{ readonly header: ArrayBuffer; readonly records: StepRecord[] }> {
    const { spectrumLength, extras } = this.#options;
    await this.#engine.rest(await expectedMs);
    await this.#engine.guard(slot.buffer.mapAsync(GPUMapMode.READ, 0, slot.sizeBytes));
    const bytes = slot.buffer.getMappedRange(0, slot.sizeBytes).slice(0);
    slot.buffer.unmap();
    const records = slot.steps.map((step, index): StepRecord => {
      const floats = new Float32Array(
        bytes,
        STEP_STATE_BYTES + 4 * this.#floatsPerRecord * index,
        this.#floatsPerRecord,
      );
      let at = 1 + spectrumLength;
      const named = extras.map(({ name, elements }) => {
        at += elements;
        return [name, floats.slice(at - elements, at)] as const;
      });
      return {
        step,
        loss: floats[0] ?? Number.NaN,
        spectrum: floats.slice(1, 1 + spectrumLength),
        extras: Object.fromEntries(named),
      };
    });
    return { header: bytes.slice(0, STEP_STATE_BYTES), records };
  }

  destroy(): void {
    this.#engine.destroyBuffers(this.#buffers);
  }
}
