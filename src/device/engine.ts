/**
 * Engine: one GPUDevice, owned or borrowed, and everything this library creates on it.
 *
 * An owned device is destroyed with the engine; a borrowed one is left as it was found, only our buffers go. Nothing here is global:
 * two engines share nothing.
 */
import { EngineError } from "../errors.ts";
import { type AdapterDescription, describeDevice, type LimitName, requestAdapter, requiredLimits } from "./adapter.ts";
import { withErrorScopes } from "./errorScopes.ts";
import { Poke, pollsSlowly } from "./firefoxPoke.ts";

export interface EngineRequest {
  /** Entry point of WebGPU; `navigator.gpu` unless given (the node runtime passes its own). */
  readonly gpu?: GPU;
  readonly powerPreference?: GPUPowerPreference;
  /** Smallest values the caller needs; an adapter without them is refused by name. */
  readonly needs?: Partial<Record<LimitName, number>>;
  /** Ask for default limits and no features: what every WebGPU device has. */
  readonly defaultLimits?: boolean;
  readonly label?: string;
  /** The runtime spins while a map is pending (Dawn in Node); see `rest`. */
  readonly pollsBusily?: boolean;
  /** Submit nothing now and then while waiting for the GPU; in Firefox unless given, see firefoxPoke.ts. */
  readonly pokesWhileWaiting?: boolean;
  /**
   * Unroll the loops that shaders mark for it; true unless given. Without, software adapters compile pipelines in half the time and run
   * them up to five times slower: for programs that run once. The numbers have the same bits.
   */
  readonly unrollsLoops?: boolean;
}

/** Features that a device gets where the adapter has them; nothing needs one. */
const WANTED_FEATURES = ["timestamp-query", "subgroups"] as const;

type OwnOptions = Pick<EngineRequest, "pollsBusily" | "pokesWhileWaiting" | "unrollsLoops">;

export interface BufferRequest {
  readonly label: string;
  /** Rounded up to a multiple of 16, so that a `vec4` view of any buffer is whole. */
  readonly sizeBytes: number;
  readonly usage: GPUBufferUsageFlags;
}

/** What WebGPU was asked for through an engine; the objects of architecture's replay rule, and the work around them. */
export type CallKind =
  | "buffers"
  | "bindGroups"
  | "layouts"
  | "shaderModules"
  | "pipelines"
  | "submits"
  | "writeBuffers";

/** The kinds that count as GPU objects created; encoders, passes and command buffers are unavoidable and not among them. */
export const OBJECT_KINDS: readonly CallKind[] = ["buffers", "bindGroups", "layouts", "shaderModules", "pipelines"];

export class Engine {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  readonly isBorrowed: boolean;
  /** Loops that shaders mark are unrolled; see `EngineRequest`. */
  readonly unrollsLoops: boolean;
  /** Resolves when the device is lost or the engine destroyed; never rejects. */
  readonly lost: Promise<EngineError>;

  readonly #buffers = new Map<GPUBuffer, number>();
  readonly #memos = new Map<string, unknown>();
  readonly #calls: Record<CallKind, number> = {
    buffers: 0,
    bindGroups: 0,
    layouts: 0,
    shaderModules: 0,
    pipelines: 0,
    submits: 0,
    writeBuffers: 0,
  };
  #peakBytes = 0;
  #liveBytes = 0;
  #lostError: EngineError | undefined;
  /** Rejecters of what is pending. A set rather than listeners on `lost`: those would pile up over a long run. */
  readonly #pending = new Set<(error: EngineError) => void>();
  #resolveLost: (error: EngineError) => void = () => {};

  readonly #pollsBusily: boolean;
  readonly #poke: Poke | undefined;

  private constructor(device: GPUDevice, isBorrowed: boolean, options: OwnOptions) {
    this.device = device;
    this.unrollsLoops = options.unrollsLoops ?? true;
    this.#pollsBusily = options.pollsBusily ?? false;
    const pokes = options.pokesWhileWaiting ?? pollsSlowly(globalThis.navigator?.userAgent ?? "");
    this.#poke = pokes ? new Poke(device.queue) : undefined;
    this.adapter = describeDevice(device);
    this.isBorrowed = isBorrowed;
    this.lost = new Promise((resolve) => {
      this.#resolveLost = resolve;
    });
    void device.lost.then((info) => this.#markLost(info.reason, info.message));
  }

  /**
   * A device of our own. Hardware is preferred; check `engine.adapter.isSoftware`.
   *
   * @throws EngineError DEVICE-UNSUPPORTED, DEVICE-NO-ADAPTER, LIMIT-ADAPTER, DEVICE-REQUEST
   */
  static async request(options: EngineRequest = {}): Promise<Engine> {
    const gpu = options.gpu ?? (globalThis.navigator as Navigator | undefined)?.gpu;
    const adapter = await requestAdapter(gpu, options.powerPreference);
    const limits = requiredLimits(adapter, options.needs ?? {}, options.defaultLimits ?? false);
    const features = options.defaultLimits ? [] : WANTED_FEATURES.filter((feature) => adapter.features.has(feature));
    try {
      const device = await adapter.requestDevice({
        label: options.label ?? "eigenstep",
        requiredLimits: limits,
        requiredFeatures: features,
      });
      const engine = new Engine(device, false, options);
      // Dawn in Node loses the device, or aborts, once its entry point is garbage; a page keeps its own.
      engine.memo("device.gpu", () => gpu);
      return engine;
    } catch (cause) {
      throw new EngineError({
        code: "DEVICE-REQUEST",
        message: `The adapter refused a device: ${cause instanceof Error ? cause.message : String(cause)}`,
        fix: "Close other programs that use the GPU, update the driver, or choose another runtime.",
        cause,
      });
    }
  }

  /** Uses the caller's device: never destroyed, resized or reconfigured by us. */
  static from(device: GPUDevice): Engine {
    return new Engine(device, true, {});
  }

  /** Buffers and bytes alive now, and the most bytes alive at once. */
  get memory(): { readonly buffers: number; readonly bytes: number; readonly peakBytes: number } {
    return { buffers: this.#buffers.size, bytes: this.#liveBytes, peakBytes: this.#peakBytes };
  }

  /** Calls made so far, by kind. */
  get calls(): Readonly<Record<CallKind, number>> {
    return { ...this.#calls };
  }

  /** GPU objects created so far. */
  get objectsCreated(): number {
    return OBJECT_KINDS.reduce((total, kind) => total + this.#calls[kind], 0);
  }

  /** Notes calls that another layer makes on the device itself. */
  count(kind: CallKind, calls = 1): void {
    this.#calls[kind] += calls;
  }

  /** Submits one command buffer. */
  submit(commands: GPUCommandBuffer): void {
    this.assertUsable();
    this.count("submits");
    this.device.queue.submit([commands]);
  }

  /** Copies host data into a buffer before the next submit; for set-up, not for steps. */
  write(buffer: GPUBuffer, offsetBytes: number, data: GPUAllowSharedBufferSource): void {
    this.assertUsable();
    this.count("writeBuffers");
    this.device.queue.writeBuffer(buffer, offsetBytes, data);
  }

  /** One value per engine and key, made on first use: how higher layers keep caches without global state. */
  memo<T>(key: string, make: () => T): T {
    if (!this.#memos.has(key)) this.#memos.set(key, make());
    return this.#memos.get(key) as T;
  }

  /**
   * Creates buffers inside validation and out-of-memory scopes; all or none.
   *
   * @throws EngineError LIMIT-BUFFER when one is larger than the device allows, LIMIT-MEMORY when memory runs out, DEVICE-VALIDATION
   */
  async createBuffers(requests: readonly BufferRequest[]): Promise<GPUBuffer[]> {
    this.assertUsable();
    const largest = this.adapter.limits.maxBufferSize;
    for (const { label, sizeBytes } of requests) {
      if (sizeBytes <= largest) continue;
      throw new EngineError({
        code: "LIMIT-BUFFER",
        message: `Buffer ${label} needs ${sizeBytes} bytes; the device allows ${largest}`,
        fix: "Use a smaller batch or model, or a device with larger buffers.",
        where: label,
        detail: { sizeBytes, maxBufferSize: largest },
      });
    }
    const total = requests.reduce((sum, request) => sum + request.sizeBytes, 0);
    const created: GPUBuffer[] = [];
    try {
      await this.guard(
        withErrorScopes(this.device, `${requests.length} buffers, ${total} bytes`, () => {
          for (const { label, sizeBytes, usage } of requests) {
            this.count("buffers");
            const size = Math.max(16, Math.ceil(sizeBytes / 16) * 16);
            const buffer = this.device.createBuffer({ label, size, usage });
            created.push(buffer);
            // Ours from the first moment on: a `destroy` that comes during the wait takes it along.
            this.#buffers.set(buffer, buffer.size);
            this.#liveBytes += buffer.size;
          }
        }),
      );
    } catch (error) {
      this.destroyBuffers(created);
      throw error;
    }
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
    return created;
  }

  async createBuffer(request: BufferRequest): Promise<GPUBuffer> {
    const [buffer] = await this.createBuffers([request]);
    if (!buffer) throw new Error("unreachable: createBuffers returns as many buffers as requests");
    return buffer;
  }

  /** Destroys buffers made by `createBuffers`; others and repeated calls are ignored. */
  destroyBuffers(buffers: Iterable<GPUBuffer>): void {
    for (const buffer of buffers) {
      const sizeBytes = this.#buffers.get(buffer);
      if (sizeBytes === undefined) continue;
      this.#buffers.delete(buffer);
      this.#liveBytes -= sizeBytes;
      buffer.destroy();
    }
  }

  /**
   * Reads a range of a buffer back: a copy, a submit and a wait. For set-up and tests; a training step reads through MetricsReadback.
   *
   * @returns a fresh ArrayBuffer of `sizeBytes`
   */
  async readBuffer(buffer: GPUBuffer, offsetBytes = 0, sizeBytes = buffer.size - offsetBytes): Promise<ArrayBuffer> {
    const padded = Math.ceil(sizeBytes / 4) * 4;
    const staging = await this.createBuffer({
      label: `${buffer.label} read-back`,
      sizeBytes: padded,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });
    try {
      await this.guard(
        withErrorScopes(this.device, `read-back of ${buffer.label}`, () => {
          const encoder = this.device.createCommandEncoder({ label: `${buffer.label} read-back` });
          encoder.copyBufferToBuffer(buffer, offsetBytes, staging, 0, padded);
          this.submit(encoder.finish());
        }),
      );
      await this.guard(staging.mapAsync(GPUMapMode.READ, 0, padded));
      return staging.getMappedRange(0, padded).slice(0, sizeBytes);
    } finally {
      this.destroyBuffers([staging]);
    }
  }

  /** Waits for a GPU promise, or rejects with the loss when the device goes first: nothing pending is left hanging. */
  guard<T>(pending: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#lostError) {
        pending.catch(() => {});
        reject(this.#lostError);
        return;
      }
      this.#pending.add(reject);
      this.#poke?.begin();
      const settled = () => {
        this.#pending.delete(reject);
        this.#poke?.end();
      };
      pending.then(
        (value) => {
          settled();
          resolve(value);
        },
        (cause: unknown) => {
          settled();
          reject(this.#lostError ?? cause);
        },
      );
    });
  }

  /**
   * Lets time pass before a wait whose end is expected in `expectedMs`. Dawn in Node polls without pause while a map is pending, which
   * takes a core from a software adapter; a timer first leaves it to the work. Elsewhere this returns at once.
   */
  async rest(expectedMs: number): Promise<void> {
    // Short waits are not worth a timer; the last tenth is left to the poll, so that a step is not noticed late.
    if (this.#pollsBusily && expectedMs > 2) await new Promise((resolve) => setTimeout(resolve, 0.9 * expectedMs));
  }

  /** @throws the loss, when the device is lost or the engine destroyed */
  assertUsable(): void {
    if (this.#lostError) throw this.#lostError;
  }

  /** Destroys every buffer we made, and the device if it is ours. Idempotent. */
  destroy(): void {
    this.destroyBuffers([...this.#buffers.keys()]);
    this.#memos.clear();
    this.#markLost("destroyed", "the engine was destroyed");
    if (!this.isBorrowed) this.device.destroy();
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  #markLost(reason: string, message: string): void {
    if (this.#lostError) return;
    this.#lostError = new EngineError({
      code: reason === "destroyed" ? "DEVICE-DESTROYED" : "DEVICE-LOST",
      message:
        reason === "destroyed" ? "The engine or its device was destroyed" : `The GPU device was lost: ${message}`,
      fix: "Request a new engine and continue from the last checkpoint.",
      detail: { reason },
    });
    this.#poke?.stop();
    for (const reject of this.#pending) reject(this.#lostError);
    this.#pending.clear();
    this.#resolveLost(this.#lostError);
  }
}
