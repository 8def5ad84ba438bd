/**
 * The border between an experiment and whoever runs it (the command in Node, a page in Chrome): configuration in, records and files
 * out. Types only, plain data only, so that everything crosses a process or a network as JSON and bytes.
 */

import type { DataFolder } from "../data/byteSource.ts";
import type { AdapterDescription } from "../device/adapter.ts";
import type { Engine } from "../device/engine.ts";

/** Images cropped twice at random: the two views of a positive pair. */
export interface ImageData {
  readonly source: "mnist" | "cifar10";
  /** Number of images = positive pairs. */
  readonly images: number;
  /** Side of the square crop, pixels. */
  readonly crop: number;
  /** Subtract each view's mean over the images from every feature. */
  readonly centered: boolean;
}

/** Gaussian pairs whose feature cross-correlation Γ has the eigenvalues decay^-j, j = 0 … modes − 1, then the listed negative ones. */
export interface SyntheticData {
  readonly source: "synthetic-spectrum";
  readonly pairs: number;
  readonly modes: number;
  readonly decay: number;
  readonly negative: readonly number[];
  /** Variance of the difference between the views in every direction. */
  readonly noise: number;
  readonly centered: boolean;
}

/** The two toy data sets with a strong and a weak feature. */
export interface BiasData {
  readonly source: "extent-bias" | "amplitude-bias";
  readonly pairs: number;
  readonly noise: number;
  readonly centered: boolean;
}

/** Version of the configuration's and the run folder's layout; a reader refuses later ones. */
export const RUN_FORMAT = 1;

/** The kernel and its knobs that a dispatch of a plan runs. */
export interface KernelVariant {
  readonly kernel: string;
  readonly knobs: Readonly<Record<string, number | boolean>>;
}

/** A linear encoder z = W x trained by full-batch gradient descent on ‖C − I‖_F² (Simon et al. 2023, §4). */
export interface LinearConfig {
  readonly format: typeof RUN_FORMAT;
  /** Name of the preset this came from. */
  readonly preset: string;
  readonly kind: "linear";
  readonly seed: number;
  /** Updates. */
  readonly steps: number;
  readonly data: ImageData | SyntheticData | BiasData;
  readonly model: {
    /** Embedding dimension d. */
    readonly outputs: number;
    /** Standard deviation of the entries of the initial W. */
    readonly initScale: number;
  };
  readonly optimizer: { readonly learningRate: number; readonly momentum: number };
  /** A record (loss and spectrum) every so many steps, and one of the initial and the final state. */
  readonly record: { readonly every: number };
  readonly kernels: {
    /** Which family of matrix products: by the adapter, or fixed. The choice made is written into config.json. */
    readonly family: "auto" | "register" | "workgroup";
    /** Variants of dispatches, by key (`label#n`); those that are not named are chosen. A run writes all it used into config.json. */
    readonly variants?: Readonly<Record<string, KernelVariant>> | undefined;
  };
  /** Run although the learning rate is above its bound. */
  readonly force: boolean;
}

export type RunConfig = LinearConfig;

/** One line of metrics.jsonl. */
export interface MetricsRecord {
  readonly step: number;
  /** lr·step, divided by 1 − momentum. */
  readonly t: number;
  readonly loss: number;
  /** Descending. */
  readonly spectrum: readonly number[];
}

/** What is known before the first step. */
export interface RunHeader {
  readonly config: RunConfig;
  readonly adapter: AdapterDescription;
  readonly theory: Readonly<Record<string, unknown>>;
  /** Plan and memory in a line or two, for people. */
  readonly description: string;
  /** Updates done before this session, of a resumed run. */
  readonly firstStep?: number;
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
  readonly stopped?: { readonly reason: "interrupted" | "diverged"; readonly step: number };
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
export type SaveItem = "views" | "weights";

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

export interface RunRequest {
  readonly config: RunConfig;
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
