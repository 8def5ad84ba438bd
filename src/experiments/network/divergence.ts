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
  /** First step whose loss was not finite. */
  readonly badStep: number;
  /** The last state that was good; undefined when there is none before the bad step. */
  readonly latest: TrainingState | undefined;
  /** Makes the run's inputs anew, where there is no good state. */
  readonly prepare: () => Promise<PreparedNetworkRun>;
}

/**
 * The first tensor in order of computation that holds NaN or infinity in the bad step: a parameter (its update overflowed), a layer's
 * output, or the loss. Training is deterministic, so that making the steps again meets the same numbers.
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
async function returnTo({ engine, compiled, network, options, badStep, latest, prepare }: PostMortem): Promise<void> {
  const from = latest && latest.stepState.step <= badStep ? latest : undefined;
  if (from) {
    for (const [name, values] of Object.entries(from.buffers)) compiled.write(name, values);
  } else {
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
  const step = from?.stepState.step ?? 0;
  const { checkpoint: _, recordAt: __, signal: ___, ...rest } = options;
  const again = { ...rest, steps: badStep, recordEvery: Number.MAX_SAFE_INTEGER, recordLast: false };
  await replay(engine, compiled, { ...again, start: { step, records: 0 } }, () => {});
  await options.source?.prepare(badStep);
}

async function look({ engine, compiled, network }: PostMortem): Promise<string | undefined> {
  const parameters = new Float32Array(await engine.readBuffer(compiled.buffer("parameters")));
  const { segments } = network.step.graph;
  const bad = segments.find(({ offset, elements }) => !hasOnlyNumbers(parameters.subarray(offset, offset + elements)));
  if (bad) return `the parameter ${bad.name}, whose last update overflowed`;
  const target = targetOf(engine.adapter);
  const outputs = Object.fromEntries(network.outputs);
  const values = await readTensors(engine, compiled, network.step.graph, outputs, target);
  const layer = Object.keys(outputs).find((name) => !hasOnlyNumbers(values[name] ?? new Float32Array(0)));
  return layer ? `the output of ${layer}` : "the loss";
}

function hasOnlyNumbers(values: Float32Array): boolean {
  return values.every(Number.isFinite);
}
