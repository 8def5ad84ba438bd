/** The state of a training run outside the GPU: read through a buffer made once, written as safetensors, restored bit for bit. */
import type { CompiledPlan } from "../autodiff/compiledPlan.ts";
import type { Segment } from "../autodiff/graph.ts";
import type { Engine } from "../device/engine.ts";
import { EngineError } from "../errors.ts";
import { decodeStepState, STEP_STATE_BYTES, type StepState } from "./stepState.ts";

/** Flat parameters and optimiser state, and the counters. */
export interface TrainingState {
  readonly stepState: StepState;
  /** Laid out like the buffer: segments at their offsets, gaps included. */
  readonly parameters: Float32Array;
  /** Empty without momentum. */
  readonly velocity: Float32Array;
}

/** Persistent buffers that make up the state, in the order they are packed. */
const BUFFERS = ["stepState", "parameters", "velocity"] as const;

/** Reads the state back; its buffer is made before training, so that a checkpoint creates no GPU object. */
export class StateReadback {
  readonly #engine: Engine;
  readonly #compiled: CompiledPlan;
  readonly #staging: GPUBuffer;

  private constructor(engine: Engine, compiled: CompiledPlan, staging: GPUBuffer) {
    this.#engine = engine;
    this.#compiled = compiled;
    this.#staging = staging;
  }

  static async create(engine: Engine, compiled: CompiledPlan): Promise<StateReadback> {
    const sizeBytes = BUFFERS.reduce((total, name) => total + compiled.buffer(name).size, 0);
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return new StateReadback(engine, compiled, await engine.createBuffer({ label: "checkpoint", sizeBytes, usage }));
  }

  /** Copies the state as it is after the commands encoded so far; the caller submits, then reads. */
  encode(encoder: GPUCommandEncoder): void {
    let at = 0;
    for (const name of BUFFERS) {
      const buffer = this.#compiled.buffer(name);
      encoder.copyBufferToBuffer(buffer, 0, this.#staging, at, buffer.size);
      at += buffer.size;
    }
  }

  async read(): Promise<TrainingState> {
    await this.#engine.guard(this.#staging.mapAsync(GPUMapMode.READ));
    const bytes = this.#staging.getMappedRange().slice(0);
    this.#staging.unmap();
    const stateBytes = this.#compiled.buffer("stepState").size;
    const parameterBytes = this.#compiled.buffer("parameters").size;
    return {
      stepState: decodeStepState(bytes.slice(0, STEP_STATE_BYTES)),
      parameters: new Float32Array(bytes, stateBytes, parameterBytes / 4),
      velocity: new Float32Array(bytes, stateBytes + parameterBytes),
    };
  }

  destroy(): void {
    this.#engine.destroyBuffers([this.#staging]);
  }
}

/** A named array, as a checkpoint file holds it. */
export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint32Array;
}

/** Prefix of the optimiser's velocity of a parameter. */
const VELOCITY = "optimizer.velocity.";

/** Tensors of a checkpoint: one for each parameter under its own name, its velocity when there is momentum. */
export function stateTensors(
  state: TrainingState,
  segments: readonly Segment[],
  momentum: number,
): Record<string, NamedTensor> {
  const part = (flat: Float32Array, { offset, elements, shape }: Segment): NamedTensor => ({
    shape,
    data: flat.slice(offset, offset + elements),
  });
  return {
    ...Object.fromEntries(segments.map((segment) => [segment.name, part(state.parameters, segment)])),
    ...(momentum === 0
      ? {}
      : Object.fromEntries(segments.map((segment) => [VELOCITY + segment.name, part(state.velocity, segment)]))),
  };
}

/**
 * Writes a checkpoint's tensors into the plan's buffers.
 *
 * @throws EngineError RUN-CHECKPOINT-TENSORS when a tensor is missing or has another shape
 */
export function restoreTensors(
  compiled: CompiledPlan,
  tensors: Readonly<Record<string, NamedTensor>>,
  segments: readonly Segment[],
  momentum: number,
): void {
  const write = (buffer: string, prefix: string): void => {
    for (const { name, shape, offset } of segments) {
      const tensor = tensors[prefix + name];
      if (!tensor || tensor.shape.join() !== shape.join() || !(tensor.data instanceof Float32Array)) {
        throw new EngineError({
          code: "RUN-CHECKPOINT-TENSORS",
          message: `The checkpoint has ${tensor ? `${prefix}${name} [${tensor.shape.join(", ")}]` : `no ${prefix}${name}`}; the model needs [${shape.join(", ")}] in f32`,
          fix: "Resume with the checkpoint of this very run.",
          where: prefix + name,
        });
      }
      compiled.write(buffer, new Float32Array(tensor.data), 4 * offset);
    }
  };
  write("parameters", "");
  if (momentum !== 0) write("velocity", VELOCITY);
}
