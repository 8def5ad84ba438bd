/**
 * Engine: one GPUDevice, owned or borrowed, and everything this library creates on it.
 *
 * An owned device is destroyed with the engine; a borrowed one is left as it was found, only our buffers go. Nothing here is global:
 * two engines share nothing.
 */
import { EngineError } from "../errors.ts";
import { type AdapterDescription, describeDevice, type LimitName, requestAdapter, requiredLimits } from "./adapter.ts";
import { withErrorScopes } from "./errorScopes.ts";

export interface EngineRequest {
  /** Entry point of WebGPU; `navigator.gpu` unless given (the node runtime passes its own). */
  readonly gpu?: GPU;
  readonly powerPreference?: GPUPowerPreference;
  /** Smallest values the caller needs; an adapter without them is refused by name. */
  readonly needs?: Partial<Record<LimitName, number>>;
  /** Ask for default limits and no features: what every WebGPU device has. */
  readonly defaultLimits?: boolean;
  readonly label?: string;
}

export interface BufferRequest {
  readonly label: string;
  /** Rounded up to a multiple of 16, so that a `vec4` view of any buffer is whole. */
  readonly sizeBytes: number;
  readonly usage: GPUBufferUsageFlags;
}

export class Engine {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  readonly isBorrowed: boolean;
  /** Resolves when the device is lost or the engine destroyed; never rejects. */
  readonly lost: Promise<EngineError>;

  readonly #buffers = new Map<GPUBuffer, number>();
  readonly #memos = new Map<string, unknown>();
  #peakBytes = 0;
  #liveBytes = 0;
  #lostError: EngineError | undefined;
  /** Rejecters of what is pending. A set rather than listeners on `lost`: those would pile up over a long run. */
  readonly #pending = new Set<(error: EngineError) => void>();
  #resolveLost: (error: EngineError) => void = () => {};

  private constructor(device: GPUDevice, isBorrowed: boolean) {
    this.device = device;
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
    const hasTimestamps = !options.defaultLimits && adapter.features.has("timestamp-query");
    try {
      const device = await adapter.requestDevice({
        label: options.label ?? "eigenstep",
        requiredLimits: limits,
        requiredFeatures: hasTimestamps ? ["timestamp-query"] : [],
      });
      return new Engine(device, false);
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
    return new Engine(device, true);
  }

  /** Buffers and bytes alive now, and the most bytes alive at once. */
  get memory(): { readonly buffers: number; readonly bytes: number; readonly peakBytes: number } {
    return { buffers: this.#buffers.size, bytes: this.#liveBytes, peakBytes: this.#peakBytes };
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
            created.push(
              this.device.createBuffer({ label, size: Math.max(16, Math.ceil(sizeBytes / 16) * 16), usage }),
            );
          }
        }),
      );
    } catch (error) {
      for (const buffer of created) buffer.destroy();
      throw error;
    }
    for (const buffer of created) {
      this.#buffers.set(buffer, buffer.size);
      this.#liveBytes += buffer.size;
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
          this.device.queue.submit([encoder.finish()]);
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
      pending.then(
        (value) => {
          this.#pending.delete(reject);
          resolve(value);
        },
        (cause: unknown) => {
          this.#pending.delete(reject);
          reject(this.#lostError ?? cause);
        },
      );
    });
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
    for (const reject of this.#pending) reject(this.#lostError);
    this.#pending.clear();
    this.#resolveLost(this.#lostError);
  }
}
