/** What a runtime executes on its engine: the same function in a page and in Node. */

import type { DataFolder } from "../../data/byteSource.ts";
import { type AdapterDescription, adapterLine } from "../../device/adapter.ts";
import type { Engine } from "../../device/engine.ts";
import type { ResumeState, RunConfig, RunRequest, RunResult, RunSink, SaveItem } from "../../experiments/contract.ts";
import type { EvaluationDocument } from "../../experiments/network/evaluate.ts";
import type { BenchDocument, BenchTask } from "../bench/contract.ts";
import type { GpuCalls } from "../bench/gpuCalls.ts";
import type { OpenPeers } from "../bench/peerContract.ts";
import { describePlan, type PlanDocument, runExperiment } from "../experiment.ts";
import type { SelfCheck } from "../runtimes/runtime.ts";
import { selfCheck } from "../selfCheck/selfCheck.ts";
import { type EighTask, executeEigh } from "./eighTask.ts";
import { type EvalTask, executeEval } from "./evalTask.ts";
import type { SolveDocument } from "./solveDocument.ts";
import { executeSvd, type SvdDocument, type SvdTask } from "./svdTask.ts";
import { executeViews, type ViewsDocument, type ViewsTask } from "./viewsTask.ts";

/** Plain JSON. */
export type Task =
  | {
      readonly kind: "train" | "plan";
      readonly config: RunConfig;
      readonly save: readonly SaveItem[];
      readonly hasData: boolean;
      /** Crosses a border by `encodeTask` and `decodeTask`: the checkpoint's bytes travel beside the JSON. */
      readonly resume?: ResumeState;
    }
  | EighTask
  | SvdTask
  | EvalTask
  | ViewsTask
  | BenchTask
  | { readonly kind: "info" };

/** Result of each kind of task; plain JSON. */
export interface TaskResults {
  readonly train: RunResult;
  readonly plan: PlanDocument;
  readonly eigh: SolveDocument;
  readonly svd: SvdDocument;
  readonly eval: EvaluationDocument;
  readonly views: ViewsDocument;
  readonly bench: BenchDocument;
  readonly info: { readonly adapter: AdapterDescription; readonly host: string; readonly selfCheck: SelfCheck };
}

export interface TaskSurroundings {
  readonly sink: RunSink;
  readonly signal: AbortSignal;
  readonly data?: DataFolder | undefined;
  /** Name of the browser or of Dawn, for `info`. */
  readonly host: string;
  /** The alternatives that a benchmark compares with, as modules beside the page. */
  readonly openPeers?: OpenPeers | undefined;
  /** For benchmarks: installed before the engine was started. */
  readonly gpuCalls?: GpuCalls | undefined;
}

/**
 * @returns the `TaskResults` entry of the task's kind
 * @throws EngineError of the experiment
 */
export async function executeTask(
  engine: Engine,
  task: Task,
  surroundings: TaskSurroundings,
): Promise<TaskResults[Task["kind"]]> {
  return toPlainJson(await execute(engine, task, surroundings));
}

async function execute(engine: Engine, task: Task, surroundings: TaskSurroundings): Promise<TaskResults[Task["kind"]]> {
  if (task.kind === "info") {
    surroundings.sink.phase(`self-check on ${adapterLine(engine.adapter)}`);
    return { adapter: engine.adapter, host: surroundings.host, selfCheck: await selfCheck(engine) };
  }
  if (task.kind === "eigh") return executeEigh(engine, task, surroundings.sink);
  if (task.kind === "svd") return executeSvd(engine, task, surroundings.sink);
  if (task.kind === "eval") return executeEval(engine, task, surroundings);
  if (task.kind === "views") return executeViews(engine, task, surroundings);
  if (task.kind === "bench") {
    // Loaded for benchmarks alone.
    const { executeBench } = await import("../bench/suites.ts");
    const { signal, sink, gpuCalls: calls } = surroundings;
    if (!calls) throw new Error("unreachable: every runtime counts the calls of a benchmark");
    const progress = (text: string) => sink.phase(text);
    const peers = task.peers ? await surroundings.openPeers?.() : [];
    return executeBench(task, { engine, signal, progress, calls, peers: peers ?? [] });
  }
  const request: RunRequest = {
    config: task.config,
    save: task.save,
    ...(surroundings.data ? { data: surroundings.data } : {}),
    ...(task.resume ? { resume: task.resume } : {}),
  };
  if (task.kind === "plan") return describePlan(engine, task.config);
  return runExperiment(engine, request, surroundings.sink, surroundings.signal);
}

/** What crossing a border as JSON does to a value (NaN becomes null), done in every runtime so that all give the same document. */
function toPlainJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
