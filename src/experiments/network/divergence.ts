/** Where a diverged run went bad: its step is made again from the last state, and every layer's output is looked at. */
import type { CompiledPlan } from "../../autodiff/compiledPlan.ts";
import type { Engine } from "../../device/engine.ts";
import { initialRunning } from "../../nn/init.ts";
import { RUNNING_STATISTICS } from "../../nn/scope.ts";
import type { TrainingState } from "../../train/checkpoint.ts";
import { readTensors } from "../../train/readTensors.ts";
import { type ReplayOptions, replay } from "../../train/replay.ts";
import { targetOf } from "../../train/trainingStep.ts";
import { type PreparedNetworkRun, TRAINED_FROM_START } from "./data.ts";
import type { NetworkStep } from "./graph.ts";

export interface PostMortem {
  readonly engine: Engine;
  readonly compiled: CompiledPlan;
  readonly network: NetworkStep;
  /** Of the replay that diverged. */
  readonly options: ReplayOptions;
  /** First step with NaN or infinity in its loss, parameters or batch statistics. */
  readonly badStep: number;
  /** The last state that was kept; undefined when none was since the run began or went on. */
  readonly latest: TrainingState | undefined;
  /** Puts the checkpoint that the run went on from into the buffers again; its step, or undefined where the run began at its first. */
  readonly restart: () => number | undefined;
  /** Makes the run's inputs anew. */
  readonly prepare: () => Promise<PreparedNetworkRun>;
}

/**
 * The first tensor in order of computation that holds NaN or infinity in the bad step: a parameter (its update overflowed), a layer's
 * batch statistics or output, or the loss. Training is deterministic, so that making the steps again meets the same numbers.
 *
 * @returns in words; undefined when it could not be found, for want of memory for instance
 */
export async function firstBadPlace(mortem: PostMortem): Promise<string | undefined> {
  try {
    await returnTo(mortem);
    return await look(mortem);
  } catch {
    // What is being explained matters more than a failed explanation.
    return undefined;
  }
}

/** Brings the state to the beginning of the bad step. */
async function returnTo(mortem: PostMortem): Promise<void> {
  const { compiled, options, badStep, latest, restart } = mortem;
  const from = latest && latest.stepState.step <= badStep ? latest : undefined;
  let step = from?.stepState.step;
  if (from) {
    for (const [name, values] of Object.entries(from.buffers)) compiled.write(name, values);
  } else {
    step = restart();
    if (step === undefined) await returnToStart(mortem);
  }
  await updates(mortem, step ?? 0, badStep);
  await options.source?.prepare(badStep);
}

async function returnToStart({ engine, compiled, network, prepare }: PostMortem): Promise<void> {
  const prepared = await prepare();
  try {
    const encoder = engine.device.createCommandEncoder({ label: "initial state" });
    for (const { buffer } of network.state) {
      const target = compiled.buffer(buffer);
      const source = TRAINED_FROM_START.includes(buffer) ? prepared.buffers[buffer] : undefined;
      if (source) encoder.copyBufferToBuffer(source, 0, target, 0, Math.min(source.size, target.size));
      else encoder.clearBuffer(target);
    }
    engine.submit(encoder.finish());
  } finally {
    prepared.release();
  }
  const { running } = network.spec;
  if (running.length > 0) compiled.write(RUNNING_STATISTICS, initialRunning(running));
}

/** Makes the updates from one step to another again, without records. */
async function updates({ engine, compiled, options }: PostMortem, from: number, to: number): Promise<void> {
  const { checkpoint: _, recordAt: __, ...rest } = options;
  const again = { ...rest, steps: to, recordEvery: Number.MAX_SAFE_INTEGER, recordLast: false };
  await replay(engine, compiled, { ...again, start: { step: from, records: 0 } }, () => {});
  options.signal?.throwIfAborted();
}

async function look(mortem: PostMortem): Promise<string | undefined> {
  const { engine, compiled, network } = mortem;
  const parameters = new Float32Array(await engine.readBuffer(compiled.buffer("parameters")));
  const { segments } = network.step.graph;
  const bad = segments.find(({ offset, elements }) => !hasOnlyNumbers(parameters.subarray(offset, offset + elements)));
  if (bad) return `the parameter ${bad.name}, whose last update overflowed`;
  const outputs = Object.fromEntries(network.outputs);
  const values = await readTensors(engine, compiled, network.step.graph, outputs, targetOf(engine.adapter));
  // A ReLU may turn NaN into 0: the averages of what came before it still tell.
  const statistics = await badStatistics(mortem);
  for (const name of network.outputs.keys()) {
    if (statistics.has(name)) return `the batch statistics of ${name}`;
    if (!hasOnlyNumbers(values[name] ?? new Float32Array(0))) return `the output of ${name}`;
  }
  return "the loss";
}

/** Layers whose running statistics the bad step spoils; makes that step. */
async function badStatistics(mortem: PostMortem): Promise<ReadonlySet<string>> {
  const { engine, compiled, network, badStep } = mortem;
  const { running } = network.spec;
  if (running.length === 0) return new Set();
  await updates(mortem, badStep, badStep + 1);
  const values = new Float32Array(await engine.readBuffer(compiled.buffer(RUNNING_STATISTICS)));
  const isBad = ({ offset, channels }: { offset: number; channels: number }) =>
    !hasOnlyNumbers(values.subarray(offset, offset + 2 * channels));
  return new Set(running.filter(isBad).map(({ name }) => name));
}

function hasOnlyNumbers(values: Float32Array): boolean {
  return values.every(Number.isFinite);
}
