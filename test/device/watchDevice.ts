/** Observes a device from outside: shadows its methods with counting ones, so that what a test sees owes nothing to our own counters. */

export type MadeKind =
  | "buffer"
  | "texture"
  | "sampler"
  | "querySet"
  | "bindGroup"
  | "bindGroupLayout"
  | "pipelineLayout"
  | "shaderModule"
  | "pipeline"
  | "encoder"
  | "pass";

export interface Made {
  readonly kind: MadeKind;
  readonly label: string;
}

export interface Copy {
  readonly to: GPUBuffer;
  readonly sizeBytes: number;
}

export class DeviceWatch {
  readonly made: Made[] = [];
  /** Buffers created and not destroyed since the watch began. */
  readonly live = new Set<GPUBuffer>();
  /** Every buffer created, by label. */
  readonly buffers = new Map<string, GPUBuffer>();
  /** Copies of each command encoder, in order of creation. */
  readonly copies: Copy[][] = [];
  writes = 0;
  submits = 0;
  /** Maps that have resolved; a submit that ends in a read-back is over when its map has. */
  maps = 0;
  mostInFlight = 0;
  /** Called after each submit. */
  onSubmit: () => void = () => {};
  readonly #undo: (() => void)[] = [];

  constructor(device: GPUDevice) {
    const make = <T extends object>(
      kind: MadeKind,
      create: (descriptor: never) => T,
      seen: (made: T) => void = () => {},
    ) => {
      const original = create.bind(device) as (descriptor?: { readonly label?: string }) => T;
      return (descriptor?: { readonly label?: string }): T => {
        this.made.push({ kind, label: descriptor?.label ?? "" });
        const made = original(descriptor);
        seen(made);
        return made;
      };
    };
    this.#shadow(device, {
      createBuffer: make("buffer", device.createBuffer, (buffer) => this.#watchBuffer(buffer)),
      createTexture: make("texture", device.createTexture),
      createSampler: make("sampler", device.createSampler),
      createQuerySet: make("querySet", device.createQuerySet),
      createBindGroup: make("bindGroup", device.createBindGroup),
      createBindGroupLayout: make("bindGroupLayout", device.createBindGroupLayout),
      createPipelineLayout: make("pipelineLayout", device.createPipelineLayout),
      createShaderModule: make("shaderModule", device.createShaderModule),
      createComputePipeline: make("pipeline", device.createComputePipeline),
      createComputePipelineAsync: make("pipeline", device.createComputePipelineAsync),
      createCommandEncoder: make("encoder", device.createCommandEncoder, (encoder) => this.#watchEncoder(encoder)),
    });
    const { queue } = device;
    const [submit, writeBuffer] = [queue.submit.bind(queue), queue.writeBuffer.bind(queue)];
    this.#shadow(queue, {
      submit: (commands: readonly GPUCommandBuffer[]) => {
        this.submits += 1;
        this.mostInFlight = Math.max(this.mostInFlight, this.submits - this.maps);
        submit(commands as GPUCommandBuffer[]);
        this.onSubmit();
      },
      writeBuffer: (...parameters: Parameters<typeof writeBuffer>) => {
        this.writes += 1;
        writeBuffer(...parameters);
      },
    });
  }

  count(...kinds: readonly MadeKind[]): number {
    return this.made.filter(({ kind }) => kinds.includes(kind)).length;
  }

  /** GPU objects as the replay rule counts them: all but encoders and passes. */
  get objects(): number {
    return this.made.length - this.count("encoder", "pass");
  }

  /** Gives the device its own methods back. */
  stop(): void {
    for (const undo of this.#undo) undo();
  }

  #shadow(object: object, methods: Readonly<Record<string, unknown>>): void {
    Object.assign(object, methods);
    this.#undo.push(() => {
      for (const name of Object.keys(methods)) Reflect.deleteProperty(object, name);
    });
  }

  #watchBuffer(buffer: GPUBuffer): void {
    this.live.add(buffer);
    this.buffers.set(buffer.label, buffer);
    const [destroy, mapAsync] = [buffer.destroy.bind(buffer), buffer.mapAsync.bind(buffer)];
    Object.assign(buffer, {
      destroy: () => {
        this.live.delete(buffer);
        destroy();
      },
      mapAsync: async (...parameters: Parameters<typeof mapAsync>) => {
        await mapAsync(...parameters);
        this.maps += 1;
      },
    });
  }

  #watchEncoder(encoder: GPUCommandEncoder): void {
    const copies: Copy[] = [];
    this.copies.push(copies);
    const [beginComputePass, copy] = [
      encoder.beginComputePass.bind(encoder),
      encoder.copyBufferToBuffer.bind(encoder) as (...parameters: readonly unknown[]) => void,
    ];
    Object.assign(encoder, {
      beginComputePass: (descriptor?: GPUComputePassDescriptor) => {
        this.made.push({ kind: "pass", label: descriptor?.label ?? "" });
        return beginComputePass(descriptor);
      },
      copyBufferToBuffer: (source: GPUBuffer, from: number, to: GPUBuffer, at: number, sizeBytes: number) => {
        copies.push({ to, sizeBytes });
        copy(source, from, to, at, sizeBytes);
      },
    });
  }
}

/** The device, with some properties replaced; the device itself is not touched. */
export function disguise(device: GPUDevice, replaced: Readonly<Record<string, unknown>>): GPUDevice {
  return new Proxy(device, {
    get(target, name) {
      if (typeof name === "string" && Object.hasOwn(replaced, name)) return replaced[name];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value as (...all: unknown[]) => unknown).bind(target) : value;
    },
  });
}

/** A device whose loss the test decides: `lose` is what a driver crash looks like from outside. */
export function losable(device: GPUDevice): { readonly device: GPUDevice; readonly lose: (message: string) => void } {
  let resolve: (info: { readonly reason: string; readonly message: string }) => void = () => {};
  const lost = new Promise((settle) => {
    resolve = settle;
  });
  return { device: disguise(device, { lost }), lose: (message) => resolve({ reason: "unknown", message }) };
}
