/**
 * The border between an experiment and whoever runs it (the command in Node, a page in Chrome): configuration in, records and files
 * out. Types only, plain data only, so that everything crosses a process or a network as JSON and bytes.
 */

import type { DataFolder } from "../data/byteSource.ts";
import type { AdapterDescription } from "../device/adapter.ts";
import type { Engine } from "../device/engine.ts";
import type { HltmConfig } from "./hltm/config.ts";
import type { LinearConfig } from "./linear/config.ts";
import type { NetworkConfig } from "./network/config.ts";
import type { OperatorIdentityConfig } from "./operatorIdentity/config.ts";
import type { OperatorTrainingConfig } from "./operatorTraining/config.ts";

/** Version of the configuration's and the run folder's layout; a reader refuses later ones. */
export const RUN_FORMAT = 1;

/** Name of a run's checkpoint in its folder. */
export const CHECKPOINT_FILE = "checkpoint.safetensors";

/** The kernel and its knobs that a dispatch of a plan runs. */
export interface KernelVariant {
  readonly kernel: string;
  readonly knobs: Readonly<Record<string, number | boolean>>;
}

/** What every kind of experiment is configured by. */
export interface RunConfigBase {
  readonly format: typeof RUN_FORMAT;
  /** Name of the preset this came from. */
  readonly preset: string;
  readonly kind: string;
  readonly seed: number;
  /** Updates. */
  readonly steps: number;
  readonly kernels: KernelConfig;
}

/** Which kernels run. */
export interface KernelConfig {
  /** Which family of matrix products: by the adapter, or fixed. The choice made is written into config.json. */
  readonly family: "auto" | "register" | "workgroup";
  /** Variants of dispatches, by key (`label#n`); those that are not named are chosen. A run writes all it used into config.json. */
  readonly variants?: Readonly<Record<string, KernelVariant>> | undefined;
}

/** Every kind of experiment; discriminated by `kind`. */
export type RunConfig = LinearConfig | NetworkConfig | OperatorIdentityConfig | OperatorTrainingConfig | HltmConfig;

/** One line of metrics.jsonl. */
export interface MetricsRecord {
  readonly step: number;
  /** lr·step, divided by 1 − momentum. */
  readonly t: number;
  readonly loss: number;
  /** Descending. */
  readonly spectrum: readonly number[];
  /** What the experiment adds: further keys of the line. */
  readonly extra?: Readonly<Record<string, MetricValue>>;
}

/** A number, or an array of them. */
export type MetricValue = number | readonly number[];

/** What is known before the first step. */
export interface RunHeader {
  readonly config: RunConfig;
  readonly adapter: AdapterDescription;
  readonly theory: Readonly<Record<string, unknown>>;
  /** Plan and memory in a line or two, for people. */
  readonly description: string;
  /** Updates done before this session, of a resumed run. */
  readonly firstStep?: number;
  /** The step of the last record, for progress, where that is not the configuration's `steps`. */
  readonly steps?: number;
  /** An eigenvalue counts as learned from here on, for progress; undefined where no such value is known beforehand. */
  readonly learnedFrom?: number;
}

/** Content of summary.json except what only the command knows (runtime, out, version). */
export interface RunResult {
  readonly preset: string;
  readonly adapter: AdapterDescription;
  readonly steps: number;
  readonly seed: number;
  readonly loss: { readonly first: number; readonly last: number };
  readonly theory: Readonly<Record<string, unknown>>;
  readonly measured: Readonly<Record<string, unknown>>;
  readonly counters: RunCounters;
  readonly wallMs: number;
  /** Updates that an earlier run of this folder had done, when this one continued it. */
  readonly resumedFrom?: number;
  /** Why the run ended before its last step, if it did. */
  readonly stopped?: {
    readonly reason: "interrupted" | "diverged";
    readonly step: number;
    /** The first layer or parameter that held NaN or infinity, of a run that diverged. */
    readonly where?: string;
  };
}

export interface RunCounters {
  /** Dispatches of a step that records its spectrum, and of one that does not. */
  readonly dispatchesPerStep: number;
  readonly dispatchesPerStepWithoutSpectrum: number;
  readonly submits: number;
  readonly writeBuffersAfterWarmup: number;
  readonly gpuObjectsCreatedAfterWarmup: number;
  /** Bytes of one record, without the fixed header of each read-back. */
  readonly bytesReadBackPerStep: number;
  readonly readBackHeaderBytes: number;
  readonly peakGpuBytes: number;
}

/** What `--save` can ask for. */
export type SaveItem = "views" | "weights" | "embeddings" | "spectrum";

/** Where an experiment delivers. Calls arrive in order; a returned promise is awaited. */
export interface RunSink {
  /** A phase before or after training, for people: "reading data", "theory", "compiling". */
  phase(text: string): void;
  begin(header: RunHeader): void | Promise<void>;
  /** Records in step order; what is handed over here is kept whatever happens later. */
  records(batch: readonly MetricsRecord[]): void | Promise<void>;
  /** The state to resume from, as a safetensors file; replaces the one before. Everything recorded before it has been handed over. */
  checkpoint(bytes: Uint8Array): void | Promise<void>;
  /** A file of the run folder, e.g. `views_a.npy`. */
  file(name: string, bytes: Uint8Array): void | Promise<void>;
}

export interface RunRequest<C extends RunConfig = RunConfig> {
  readonly config: C;
  readonly save: readonly SaveItem[];
  /** Holds the data set's files; not needed by synthetic data. */
  readonly data?: DataFolder;
  /** Continue a run from what it left behind. */
  readonly resume?: ResumeState;
}

export interface ResumeState {
  /** Content of checkpoint.safetensors; none when the run ended before its first. */
  readonly checkpoint?: Uint8Array | undefined;
  /** Records of metrics.jsonl up to the checkpoint, in order. */
  readonly records: readonly MetricsRecord[];
}

/**
 * Runs an experiment to its end, to the abort of `signal`, or to divergence.
 *
 * @throws EngineError; nothing was delivered to `begin` when the configuration or the data are at fault
 */
export type RunExperiment = (
  engine: Engine,
  request: RunRequest,
  sink: RunSink,
  signal: AbortSignal,
) => Promise<RunResult>;
