/** A Runtime out of one function that executes tasks: what both runtimes have in common. */
import type { RunSink } from "../../experiments/contract.ts";
import type { Task, TaskResults } from "../runner/task.ts";
import type { Job, Runtime, RuntimeName } from "./runtime.ts";

/** Opens what it needs, executes, closes everything; resolves to the `TaskResults` entry of the task's kind. */
export type ExecuteTask = (
  task: Task,
  sink: RunSink,
  signal: AbortSignal,
  dataPath: string | undefined,
  peersRoot?: string,
) => Promise<unknown>;

export function taskRuntime(name: RuntimeName, execute: ExecuteTask): Runtime {
  const experiment = (kind: "train" | "plan", { config, save, dataPath, resume }: Job): Task => ({
    kind,
    config,
    save,
    hasData: dataPath !== undefined,
    ...(resume ? { resume } : {}),
  });
  return {
    name,
    async train(job, sink, signal) {
      return (await execute(experiment("train", job), sink, signal, job.dataPath)) as TaskResults["train"];
    },
    async plan(job, signal) {
      return (await execute(experiment("plan", job), silentSink, signal, job.dataPath)) as TaskResults["plan"];
    },
    async eigh(task, signal, onFile) {
      return (await execute(task, { ...silentSink, file: onFile }, signal, undefined)) as TaskResults["eigh"];
    },
    async bench(task, signal, onPhase, peersRoot) {
      const sink = { ...silentSink, phase: onPhase };
      return (await execute(task, sink, signal, undefined, peersRoot)) as TaskResults["bench"];
    },
    async svd(task, signal, onFile) {
      return (await execute(task, { ...silentSink, file: onFile }, signal, undefined)) as TaskResults["svd"];
    },
    async eval(task, dataPath, signal, onPhase) {
      return (await execute(task, { ...silentSink, phase: onPhase }, signal, dataPath)) as TaskResults["eval"];
    },
    async views(task, dataPath, signal, onFile) {
      return (await execute(task, { ...silentSink, file: onFile }, signal, dataPath)) as TaskResults["views"];
    },
    async info(signal) {
      return (await execute({ kind: "info" }, silentSink, signal, undefined)) as TaskResults["info"];
    },
  };
}

/** For tasks that deliver nothing but their result. */
const silentSink: RunSink = { phase() {}, begin() {}, records() {}, checkpoint() {}, file() {} };
