/** checkpoint.safetensors of a run: the tensors of the training state, and in the metadata what it belongs to. */

import type { CompiledPlan } from "../autodiff/compiledPlan.ts";
import { encodeSafetensors, parseSafetensors } from "../data/index.ts";
import { EngineError } from "../errors.ts";
import type { NamedWeight } from "../nn/weights.ts";
import {
  requireTensors,
  restoreTensors,
  type StateBuffer,
  stateTensors,
  type TrainingState,
} from "../train/checkpoint.ts";
import { CHECKPOINT_FILE, type ResumeState, RUN_FORMAT, type RunConfig } from "./contract.ts";
import { IMPLIED_VALUES } from "./impliedValues.ts";

/** Time between checkpoints: what a killed run loses at most, beside the records, which are kept as they are made. */
export const CHECKPOINT_MS = 5_000;

/** What a checkpoint belongs to: the run's configuration and the data it was trained on. */
export interface CheckpointOwner {
  readonly config: RunConfig;
  /** SHA-256 of the data set as it was read or generated. */
  readonly dataHash: string;
}

export interface Checkpoint {
  /** Updates done, and records made by then. */
  readonly step: number;
  readonly records: number;
  readonly tensors: Readonly<Record<string, NamedWeight>>;
}

export function encodeCheckpoint(
  state: TrainingState,
  layout: readonly StateBuffer[],
  owner: CheckpointOwner,
): Uint8Array {
  return encodeSafetensors({
    tensors: stateTensors(state, layout),
    metadata: {
      format: String(RUN_FORMAT),
      step: String(state.stepState.step),
      records: String(state.stepState.records),
      dataHash: owner.dataHash,
      config: canonicalConfig(owner.config),
    },
  });
}

/**
 * @throws EngineError those of `decodeCheckpointOf`, RUN-DATA-CHANGED when the data set is not the one it was trained on
 */
export function decodeCheckpoint(bytes: Uint8Array, owner: CheckpointOwner): Checkpoint {
  const { dataHash, ...checkpoint } = decodeCheckpointOf(bytes, owner.config);
  if (dataHash === owner.dataHash) return checkpoint;
  throw new EngineError({
    code: "RUN-DATA-CHANGED",
    message: `The run was trained on other data: SHA-256 ${dataHash?.slice(0, 12)}… before, ${owner.dataHash.slice(0, 12)}… now`,
    fix: "Resume with --data naming the folder the run was started with.",
    where: "--data",
    detail: { before: dataHash, now: owner.dataHash },
  });
}

/**
 * A checkpoint of a configuration, on whatever data.
 *
 * @throws EngineError DATA-SAFETENSORS, DATA-TRUNCATED for a damaged file, RUN-NEWER, RUN-CHECKPOINT-FOREIGN for one of another run
 */
export function decodeCheckpointOf(
  bytes: Uint8Array,
  owner: RunConfig,
): Checkpoint & { readonly dataHash: string | undefined } {
  const { tensors, metadata } = parseSafetensors(bytes, CHECKPOINT_FILE);
  const { format = "", step = "", records = "", dataHash, config } = metadata;
  if (Number(format) > RUN_FORMAT) {
    throw new EngineError({
      code: "RUN-NEWER",
      message: `${CHECKPOINT_FILE} has format ${format}; this version reads up to ${RUN_FORMAT}`,
      fix: "Resume with the version of eigenstep that wrote it, or a later one.",
      where: CHECKPOINT_FILE,
    });
  }
  if (!/^\d+$/.test(step) || !/^\d+$/.test(records) || config !== canonicalConfig(owner)) {
    throw new EngineError({
      code: "RUN-CHECKPOINT-FOREIGN",
      message: `${CHECKPOINT_FILE} ${config === undefined ? "was not written by eigenstep" : "belongs to a run with another configuration"}`,
      fix: "Put back the checkpoint of this run, or remove the file to start from the first step.",
      where: CHECKPOINT_FILE,
    });
  }
  return { step: Number(step), records: Number(records), tensors, dataHash };
}

/**
 * Checks a checkpoint before anything is made for it: that it is whole, of this configuration, and has the model's tensors.
 *
 * @throws EngineError RUN-CHECKPOINT-TENSORS and those of `decodeCheckpointOf`
 */
export function requireCheckpoint(bytes: Uint8Array, config: RunConfig, layout: readonly StateBuffer[]): void {
  requireTensors(decodeCheckpointOf(bytes, config).tensors, layout);
}

/**
 * Puts a checkpoint's state into the plan's buffers.
 *
 * @returns where to go on; undefined without a checkpoint
 * @throws EngineError RUN-METRICS, RUN-CHECKPOINT-TENSORS and those of `decodeCheckpoint`
 */
export function restoreCheckpoint(
  { checkpoint, records }: ResumeState,
  compiled: CompiledPlan,
  layout: readonly StateBuffer[],
  owner: CheckpointOwner,
) {
  if (!checkpoint) return undefined;
  const state = decodeCheckpoint(checkpoint, owner);
  if (records.length !== state.records) {
    throw new EngineError({
      code: "RUN-METRICS",
      message: `The checkpoint was made after ${state.records} records; metrics.jsonl has ${records.length} of them`,
      fix: "Put back the metrics.jsonl of this run, or remove checkpoint.safetensors to start from the first step.",
      where: "metrics.jsonl",
    });
  }
  restoreTensors(compiled, state.tensors, layout);
  return { step: state.step, records: state.records };
}

/** The configuration as text that depends neither on the order of keys nor on whether an implied value is written out. */
function canonicalConfig(config: RunConfig): string {
  const isImplied = (path: string, value: unknown): boolean => path in IMPLIED_VALUES && IMPLIED_VALUES[path] === value;
  const sorted = (value: unknown, path: string): unknown =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .filter(([key, inner]) => inner !== undefined && !isImplied(path + key, inner))
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, inner]) => [key, sorted(inner, `${path}${key}.`)]),
        )
      : value;
  return JSON.stringify(sorted(config, ""));
}
