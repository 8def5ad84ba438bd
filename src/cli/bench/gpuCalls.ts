/**
 * What a page asks of WebGPU, counted on the prototypes of its objects: installed before any engine starts, it counts everybody's calls
 * alike and owes nothing to our own counters.
 */

/** Calls and amounts since the counter was installed. */
export interface GpuCallCounts {
  readonly dispatches: number;
  readonly passes: number;
  readonly submits: number;
  readonly buffersCreated: number;
  readonly bindGroupsCreated: number;
  /** Buffers and bind groups included; encoders, passes and command buffers are unavoidable and not among them. */
  readonly objectsCreated: number;
  readonly writeBuffers: number;
  /** Mapped for reading. */
  readonly bytesReadBack: number;
  /** Time in JavaScript, milliseconds: of every turn of the event loop from its first WebGPU call to its end. */
  readonly jsMs: number;
}

const NO_CALLS: GpuCallCounts = {
  dispatches: 0,
  passes: 0,
  submits: 0,
  buffersCreated: 0,
  bindGroupsCreated: 0,
  objectsCreated: 0,
  writeBuffers: 0,
  bytesReadBack: 0,
  jsMs: 0,
};

/** Methods of GPUDevice that create an object; buffers and bind groups are counted apart as well. */
const CREATORS = [
  "createTexture",
  "createSampler",
  "createBindGroupLayout",
  "createPipelineLayout",
  "createShaderModule",
  "createComputePipeline",
  "createComputePipelineAsync",
  "createRenderPipeline",
  "createRenderPipelineAsync",
  "createQuerySet",
] as const;

type Counter = keyof GpuCallCounts;
type Method = (this: unknown, ...parameters: unknown[]) => unknown;

export class GpuCalls implements Disposable {
  readonly #counts: Record<Counter, number> = { ...NO_CALLS };
  readonly #restore: (() => void)[] = [];
  /** Weak, so that counting keeps no buffer alive that its owner dropped; such a buffer counts as alive. */
  readonly #sizes = new WeakMap<object, number>();
  #liveBytes = 0;
  #peakBytes = 0;
  #isInTurn = false;

  private constructor() {}

  /** Wraps the prototypes of this realm; `dispose` gives them their own methods back. */
  static install(): GpuCalls {
    const calls = new GpuCalls();
    calls.#wrapAll();
    return calls;
  }

  get counts(): GpuCallCounts {
    return { ...this.#counts };
  }

  /** Bytes of all buffers created and not destroyed. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** The most bytes alive at once since `resetPeak`. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  resetPeak(): void {
    this.#peakBytes = this.#liveBytes;
  }

  [Symbol.dispose](): void {
    for (const restore of this.#restore.splice(0)) restore();
  }

  #wrapAll(): void {
    const count = (counter: Counter) => () => {
      this.#counts[counter] += 1;
    };
    for (const method of CREATORS) this.#wrap(GPUDevice.prototype, method, count("objectsCreated"));
    this.#wrap(GPUDevice.prototype, "createBindGroup", () => {
      this.#counts.bindGroupsCreated += 1;
      this.#counts.objectsCreated += 1;
    });
    this.#wrap(GPUDevice.prototype, "createBuffer", (_, buffer) => {
      this.#counts.buffersCreated += 1;
      this.#counts.objectsCreated += 1;
      const { size } = buffer as GPUBuffer;
      this.#sizes.set(buffer as GPUBuffer, size);
      this.#liveBytes += size;
      this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
    });
    this.#wrap(GPUBuffer.prototype, "destroy", (buffer) => this.#forget(buffer));
    this.#wrap(GPUBuffer.prototype, "mapAsync", (buffer, _, [mode, offset = 0, size]) => {
      if (mode !== GPUMapMode.READ) return;
      this.#counts.bytesReadBack += Number(size ?? (buffer as GPUBuffer).size - Number(offset));
    });
    this.#wrap(GPUCommandEncoder.prototype, "beginComputePass", count("passes"));
    this.#wrap(GPUComputePassEncoder.prototype, "dispatchWorkgroups", count("dispatches"));
    this.#wrap(GPUComputePassEncoder.prototype, "dispatchWorkgroupsIndirect", count("dispatches"));
    this.#wrap(GPUQueue.prototype, "submit", count("submits"));
    this.#wrap(GPUQueue.prototype, "writeBuffer", count("writeBuffers"));
  }

  #forget(buffer: object): void {
    this.#liveBytes -= this.#sizes.get(buffer) ?? 0;
    this.#sizes.delete(buffer);
  }

  #wrap(
    prototype: object,
    method: string,
    note: (self: object, result: unknown, parameters: readonly unknown[]) => void,
  ): void {
    const original = Reflect.get(prototype, method) as Method | undefined;
    if (!original) return;
    const calls = this;
    const counting: Method = function (this, ...parameters) {
      calls.#beginTurn();
      const result = original.apply(this, parameters);
      note(this as object, result, parameters);
      return result;
    };
    Reflect.set(prototype, method, counting);
    this.#restore.push(() => Reflect.set(prototype, method, original));
  }

  /** A microtask runs when the code that made the first call has returned. */
  #beginTurn(): void {
    if (this.#isInTurn) return;
    this.#isInTurn = true;
    const start = performance.now();
    queueMicrotask(() => {
      this.#counts.jsMs += performance.now() - start;
      this.#isInTurn = false;
    });
  }
}

/** What happened between two readings. */
export function countsBetween(before: GpuCallCounts, after: GpuCallCounts): GpuCallCounts {
  return mapCounts((counter) => after[counter] - before[counter]);
}

/** The share of one of `runs` equal runs. */
export function countsPerRun(total: GpuCallCounts, runs: number): GpuCallCounts {
  return mapCounts((counter) => total[counter] / runs);
}

function mapCounts(of: (counter: Counter) => number): GpuCallCounts {
  const names = Object.keys(NO_CALLS) as Counter[];
  return Object.fromEntries(names.map((name) => [name, of(name)])) as unknown as GpuCallCounts;
}
