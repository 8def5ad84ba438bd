/** A runtime: where an experiment is executed. All run the same code on one Engine and deliver to the same sink. */
import type { AdapterDescription } from "../../device/adapter.ts";
import type { ResumeState, RunConfig, RunResult, RunSink, SaveItem } from "../../experiments/contract.ts";
import type { EvaluationDocument } from "../../experiments/network/evaluate.ts";
import type { BenchDocument, BenchTask } from "../bench/contract.ts";
import type { PlanDocument } from "../experiment.ts";
import type { EighTask } from "../runner/eighTask.ts";
import type { EvalTask } from "../runner/evalTask.ts";
import type { SolveDocument } from "../runner/solveDocument.ts";
import type { SvdDocument, SvdTask } from "../runner/svdTask.ts";
import type { ViewsDocument, ViewsTask } from "../runner/viewsTask.ts";

export const RUNTIME_NAMES = ["chrome", "firefox", "node"] as const;
export type RuntimeName = (typeof RUNTIME_NAMES)[number];

export interface RuntimeOptions {
  readonly name: RuntimeName;
  /** Browser to start instead of the one that would be found; chrome and firefox only. */
  readonly browserPath?: string | undefined;
}

/** One experiment, ready to run. */
export interface Job {
  readonly config: RunConfig;
  readonly save: readonly SaveItem[];
  /** Folder with the data set's files, if the experiment reads any. */
  readonly dataPath?: string | undefined;
  /** Continue what a run folder holds. */
  readonly resume?: ResumeState | undefined;
}

/** What a runtime says about itself. */
export interface RuntimeInfo {
  readonly adapter: AdapterDescription;
  /** Browser or Dawn, with its version and path or driver. */
  readonly host: string;
  readonly selfCheck: SelfCheck;
}

/** Outcome of running a few kernels and comparing with the CPU. */
export interface SelfCheck {
  readonly ok: boolean;
  readonly message: string;
}

/** Takes a file that a task delivers. */
export type OnFile = (name: string, bytes: Uint8Array) => Promise<void>;

/** Everything a call opens (engine, server, browser) is closed when it returns or throws. */
export interface Runtime {
  readonly name: RuntimeName;
  train(job: Job, sink: RunSink, signal: AbortSignal): Promise<RunResult>;
  plan(job: Job, signal: AbortSignal): Promise<PlanDocument>;
  eigh(task: EighTask, signal: AbortSignal, onFile: OnFile): Promise<SolveDocument>;
  svd(task: SvdTask, signal: AbortSignal, onFile: OnFile): Promise<SvdDocument>;
  eval(
    task: EvalTask,
    dataPath: string,
    signal: AbortSignal,
    onPhase: (text: string) => void,
  ): Promise<EvaluationDocument>;
  views(task: ViewsTask, dataPath: string, signal: AbortSignal, onFile: OnFile): Promise<ViewsDocument>;
  /** @param peersRoot folder of the bundled alternatives; browsers only */
  bench(
    task: BenchTask,
    signal: AbortSignal,
    onPhase: (text: string) => void,
    peersRoot?: string,
  ): Promise<BenchDocument>;
  info(signal: AbortSignal): Promise<RuntimeInfo>;
}
