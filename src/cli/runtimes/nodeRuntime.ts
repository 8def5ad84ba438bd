/** The runtime `node`: Dawn in this process. */
import { Engine } from "../../device/engine.ts";
import { nodeGpu } from "../../device/nodeRuntime.ts";
import type { RunSink } from "../../experiments/contract.ts";
import { nodeFolder } from "../nodeFiles.ts";
import { executeTask, type Task, type TaskResults } from "../runner/task.ts";
import type { Job, Runtime } from "./runtime.ts";

interface NodeRuntimeOptions {
  /** Further folders in which a software Vulkan driver may lie, e.g. that of a browser fetched during set-up. */
  readonly driverFolders: readonly string[];
}

export function createNodeRuntime(options: NodeRuntimeOptions): Runtime {
  const execute = async <K extends Task["kind"]>(
    task: Task & { readonly kind: K },
    sink: RunSink,
    signal: AbortSignal,
    dataPath?: string,
  ): Promise<TaskResults[K]> => {
    const { gpu, driver } = await nodeGpu({ browserFolders: options.driverFolders });
    const engine = await Engine.request({ gpu });
    try {
      return await executeTask(engine, task, {
        sink,
        signal,
        data: dataPath === undefined ? undefined : nodeFolder(dataPath),
        host: `Dawn in Node ${process.versions.node}, driver ${driver}`,
      });
    } finally {
      engine.destroy();
    }
  };
  const task = <K extends "train" | "plan">(kind: K, job: Job) => ({
    kind,
    config: job.config,
    save: job.save,
    hasData: job.dataPath !== undefined,
  });
  return {
    name: "node",
    train: (job, sink, signal) => execute(task("train", job), sink, signal, job.dataPath),
    plan: (job) => execute(task("plan", job), silentSink, new AbortController().signal, job.dataPath),
    info: () => execute({ kind: "info" }, silentSink, new AbortController().signal),
  };
}

/** For tasks that deliver nothing but their result. */
export const silentSink: RunSink = { phase() {}, begin() {}, records() {}, file() {} };
