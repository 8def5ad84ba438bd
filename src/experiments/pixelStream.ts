/** The window of a streamed data set on the GPU: refilled between submits, the next one read from the file meanwhile. */
import { type ImageFile, type StreamPlan, type StreamWindow, windowAt } from "../data/imageStream.ts";
import type { Engine } from "../device/engine.ts";
import type { PixelLayout } from "../ops/random.ts";
import type { StepSource } from "../train/replay.ts";

/** A window's bytes on their way. */
interface Reading {
  readonly window: StreamWindow;
  readonly bytes: Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Keeps `plan.window` images of a file in one buffer of u8 pixels. A refill is `plan.chunksPerWindow` calls of writeBuffer every
 * `plan.stepsPerWindow` steps, the only writes of a run in steady state; the queue keeps them between the submits around them. The host
 * holds one window, the next.
 */
export class PixelStream implements StepSource {
  readonly plan: StreamPlan;
  /** u32[⌈window·bytes/4⌉]; destroyed with the stream. */
  readonly buffer: GPUBuffer;
  /** Of the images in the buffer. */
  readonly layout: PixelLayout;
  readonly #engine: Engine;
  readonly #file: ImageFile;
  readonly #seed: number;
  #held: number | undefined;
  #next: Reading | undefined;
  #writes = 0;

  private constructor(engine: Engine, file: ImageFile, plan: StreamPlan, seed: number, buffer: GPUBuffer) {
    const { layout, height, width, channels } = file;
    this.#engine = engine;
    this.#file = file;
    this.#seed = seed;
    this.plan = plan;
    this.buffer = buffer;
    this.layout = { ...layout, height, width, channels };
  }

  /** Makes the buffer; it holds nothing until `prepare`. @throws EngineError LIMIT-BUFFER, LIMIT-MEMORY */
  static async create(engine: Engine, file: ImageFile, plan: StreamPlan, seed: number): Promise<PixelStream> {
    const buffer = await engine.createBuffer({
      label: `window of ${file.name}`,
      // Plans bind whole units of 256 bytes.
      sizeBytes: Math.ceil((plan.window * file.layout.imageStride) / 256) * 256,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    return new PixelStream(engine, file, plan, seed, buffer);
  }

  /** Calls of writeBuffer so far. */
  get writes(): number {
    return this.#writes;
  }

  endOf(step: number): number {
    return windowAt(this.plan, this.#seed, step).endStep;
  }

  /** @throws EngineError DATA-… of the file */
  async prepare(step: number): Promise<void> {
    const window = windowAt(this.plan, this.#seed, step);
    if (this.#held === window.index) return;
    const reading = this.#next?.window.index === window.index ? this.#next : this.#read(window);
    this.#next = undefined;
    const bytes = await reading.bytes;
    const chunkBytes = this.plan.chunk * this.#file.layout.imageStride;
    for (let start = 0; start < bytes.byteLength; start += chunkBytes) {
      this.#engine.write(this.buffer, start, bytes.subarray(start, start + chunkBytes));
      this.#writes++;
    }
    this.#held = window.index;
    this.#next = this.#read(windowAt(this.plan, this.#seed, window.endStep));
  }

  destroy(): void {
    this.#engine.destroyBuffers([this.buffer]);
  }

  #read(window: StreamWindow): Reading {
    const { chunk } = this.plan;
    const { imageStride } = this.#file.layout;
    const read = async (): Promise<Uint8Array<ArrayBuffer>> => {
      const bytes = new Uint8Array(window.starts.length * chunk * imageStride);
      for (const [position, first] of window.starts.entries()) {
        const at = position * chunk * imageStride;
        await this.#file.read(first, bytes.subarray(at, at + chunk * imageStride));
      }
      return bytes;
    };
    const bytes = read();
    // A failure ahead of time is reported when the window's turn comes, or not at all when the run ends before.
    bytes.catch(() => {});
    return { window, bytes };
  }
}
