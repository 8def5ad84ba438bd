/** The state of a training run outside the GPU: read through a buffer made once, written as named tensors, restored bit for bit. */
import type { CompiledPlan } from "../autodiff/compiledPlan.ts";
import type { Engine } from "../device/engine.ts";
import { EngineError } from "../errors.ts";
import { type ModelSpec, type ParameterSpec, torchShape } from "../nn/spec.ts";
import { exportWeights, importWeights, type NamedWeight } from "../nn/weights.ts";
import { decodeStepState, STEP_STATE_BYTES, type StepState } from "./stepState.ts";

/** Counters and flat state buffers. */
export interface TrainingState {
  readonly stepState: StepState;
  /** By name: parameters, optimiser state, moving averages. Laid out like the buffers, gaps included. */
  readonly buffers: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
}

/** Reads the state back; its buffer is made before training, so that a checkpoint creates no GPU object. */
export class StateReadback {
  readonly #engine: Engine;
  readonly #compiled: CompiledPlan;
  readonly #names: readonly string[];
  readonly #staging: GPUBuffer;

  private constructor(engine: Engine, compiled: CompiledPlan, names: readonly string[], staging: GPUBuffer) {
    this.#engine = engine;
    this.#compiled = compiled;
    this.#names = names;
    this.#staging = staging;
  }

  /** @param buffers names of the plan's state buffers beside the step state */
  static async create(engine: Engine, compiled: CompiledPlan, buffers: readonly string[]): Promise<StateReadback> {
    const names = ["stepState", ...buffers];
    const sizeBytes = names.reduce((total, name) => total + compiled.buffer(name).size, 0);
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const staging = await engine.createBuffer({ label: "checkpoint", sizeBytes, usage });
    return new StateReadback(engine, compiled, names, staging);
  }

  /** Copies the state as it is after the commands encoded so far; the caller submits, then reads. */
  encode(encoder: GPUCommandEncoder): void {
    let at = 0;
    for (const name of this.#names) {
      const buffer = this.#compiled.buffer(name);
      encoder.copyBufferToBuffer(buffer, 0, this.#staging, at, buffer.size);
      at += buffer.size;
    }
  }

  async read(): Promise<TrainingState> {
    await this.#engine.guard(this.#staging.mapAsync(GPUMapMode.READ));
    const bytes = this.#staging.getMappedRange().slice(0);
    this.#staging.unmap();
    const buffers: Record<string, Float32Array<ArrayBuffer>> = {};
    let at = 0;
    for (const name of this.#names) {
      const { size } = this.#compiled.buffer(name);
      if (at > 0) buffers[name] = new Float32Array(bytes, at, size / 4);
      at += size;
    }
    return { stepState: decodeStepState(bytes.slice(0, STEP_STATE_BYTES)), buffers };
  }

  destroy(): void {
    this.#engine.destroyBuffers([this.#staging]);
  }
}

/** What a state buffer holds, and under which names it goes into a file. */
export interface StateBuffer {
  readonly buffer: string;
  /** Put before the names of its tensors; empty for the parameters themselves. */
  readonly prefix: string;
  /** Laid out like these parameters (or the first of them), or like these running statistics. */
  readonly holds: { readonly parameters: readonly ParameterSpec[] } | Pick<ModelSpec, "running">;
}

function specOf({ holds }: StateBuffer): ModelSpec {
  return { parameters: [], running: [], ...holds };
}

/** Tensors of a checkpoint, under PyTorch's names and layouts. */
export function stateTensors(state: TrainingState, layout: readonly StateBuffer[]): Record<string, NamedWeight> {
  const tensors: Record<string, NamedWeight> = {};
  for (const part of layout) {
    const flat = state.buffers[part.buffer] ?? new Float32Array(0);
    const named = exportWeights(specOf(part), { parameters: flat, running: flat });
    for (const [name, tensor] of Object.entries(named)) tensors[part.prefix + name] = tensor;
  }
  return tensors;
}

/** @throws EngineError RUN-CHECKPOINT-TENSORS when a tensor is missing or has another shape */
export function requireTensors(tensors: Readonly<Record<string, NamedWeight>>, layout: readonly StateBuffer[]): void {
  for (const part of layout) {
    for (const { name, shape } of expectedTensors(specOf(part))) requireTensor(tensors, part.prefix + name, shape);
  }
}

/**
 * Writes a checkpoint's tensors into the plan's buffers.
 *
 * @throws EngineError RUN-CHECKPOINT-TENSORS when a tensor is missing or has another shape
 */
export function restoreTensors(
  compiled: CompiledPlan,
  tensors: Readonly<Record<string, NamedWeight>>,
  layout: readonly StateBuffer[],
): void {
  for (const part of layout) {
    const spec = specOf(part);
    const own: Record<string, NamedWeight> = {};
    for (const { name, shape } of expectedTensors(spec)) own[name] = requireTensor(tensors, part.prefix + name, shape);
    const { parameters, running } = importWeights(spec, own);
    compiled.write(part.buffer, spec.parameters.length > 0 ? parameters : running);
  }
}

function expectedTensors({ parameters, running }: ModelSpec): { name: string; shape: readonly number[] }[] {
  return [
    ...parameters.map((parameter) => ({ name: parameter.name, shape: torchShape(parameter) })),
    ...running.flatMap(({ name, channels }) =>
      ["running_mean", "running_var"].map((statistic) => ({ name: `${name}.${statistic}`, shape: [channels] })),
    ),
  ];
}

function requireTensor(
  tensors: Readonly<Record<string, NamedWeight>>,
  name: string,
  shape: readonly number[],
): NamedWeight {
  const tensor = tensors[name];
  if (tensor && tensor.shape.join() === shape.join() && tensor.data instanceof Float32Array) return tensor;
  throw new EngineError({
    code: "RUN-CHECKPOINT-TENSORS",
    message: `The checkpoint has ${tensor ? `${name} [${tensor.shape.join(", ")}]` : `no ${name}`}; the model needs [${shape.join(", ")}] in f32`,
    fix: "Resume with the checkpoint of this very run.",
    where: name,
  });
}
