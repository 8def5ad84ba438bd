/** The kinds of experiments: how each is run, what its step consists of, which files it reads. */
import type { Engine } from "../device/engine.ts";
import type { RunConfig, RunExperiment, RunRequest, RunResult, RunSink, SaveItem } from "./contract.ts";
import type { PlanDocument } from "./describePlan.ts";
import { hltmExperiment } from "./hltm/experiment.ts";
import { linearExperiment } from "./linear/experiment.ts";
import { networkExperiment } from "./network/experiment.ts";
import { operatorIdentityExperiment } from "./operatorIdentity/experiment.ts";
import { operatorTrainingExperiment } from "./operatorTraining/experiment.ts";

/** Data sets that come as files. */
export type FileSource = "mnist" | "cifar10" | "stl10";

/** A kind of experiment. */
export interface Experiment<C extends RunConfig> {
  /** @throws EngineError; nothing was delivered to `begin` when the configuration or the data are at fault */
  run(engine: Engine, request: RunRequest<C>, sink: RunSink, signal: AbortSignal): Promise<RunResult>;
  /** The training step's plan; needs no data. @throws EngineError CONFIG-… */
  describePlan(engine: Engine, config: C): PlanDocument;
  /** The data set whose files it reads; undefined when it makes its data itself. */
  fileSource(config: C): FileSource | undefined;
  /** What `--save` may ask of it. */
  readonly saves: readonly SaveItem[];
}

const EXPERIMENTS: { readonly [K in RunConfig["kind"]]: Experiment<Extract<RunConfig, { kind: K }>> } = {
  linear: linearExperiment,
  network: networkExperiment,
  "operator-identity": operatorIdentityExperiment,
  "operator-training": operatorTrainingExperiment,
  hltm: hltmExperiment,
};

/** The table's types say that each entry takes its own kind; TypeScript cannot follow that through an index. */
function experimentOf(config: RunConfig): Experiment<RunConfig> {
  return EXPERIMENTS[config.kind] as unknown as Experiment<RunConfig>;
}

/** Runs the experiment that the configuration's kind names. */
export const runExperiment: RunExperiment = (engine, request, sink, signal) =>
  experimentOf(request.config).run(engine, request, sink, signal);

/** What a training step of the configuration dispatches. */
export function describePlan(engine: Engine, config: RunConfig): PlanDocument {
  return experimentOf(config).describePlan(engine, config);
}

/** What a run of the configuration can save beside its records. */
export function savesOf(config: RunConfig): readonly SaveItem[] {
  return experimentOf(config).saves;
}

/** The data set whose files a configuration reads. */
export function fileSourceOf(config: RunConfig): FileSource | undefined {
  return experimentOf(config).fileSource(config);
}
