/** `eigenstep train`: resolves a configuration, runs it, and keeps what it delivers in a run folder. */
import { join, resolve } from "node:path";
import { EngineError } from "../../errors.ts";
import type { RunConfig } from "../../experiments/contract.ts";
import { savesOf } from "../../experiments/experiments.ts";
import { resolveConfig } from "../config/resolve.ts";
import type { CommandContext } from "../context.ts";
import { openRun, type PreparedRun } from "../preparedRun.ts";
import { finalReport } from "../report/finalReport.ts";
import { RunFolder } from "../runFolder.ts";
import { announceStop, type TrainingOptions, trainRun } from "../training.ts";

export interface TrainOptions extends TrainingOptions {
  /** Name of a preset or path of a config.json; not with `resume`. */
  readonly preset?: string | undefined;
  /** Run folder to go on with. */
  readonly resume?: string | undefined;
  readonly out?: string | undefined;
  readonly steps?: number | undefined;
  readonly seed?: number | undefined;
  readonly set: readonly string[];
  readonly json: boolean;
}

/**
 * @returns the exit code; a run that was stopped or diverged has said so on stderr
 * @throws EngineError for everything else
 */
export async function train(options: TrainOptions, context: CommandContext): Promise<number> {
  const run = await prepareRun(options, context);
  requireSaved(options.save, run.config);
  const trained = await trainRun(run, options, context);
  if ("exitCode" in trained) return trained.exitCode;
  const { document, curve } = trained;
  if (options.json) context.stdout.write(`${JSON.stringify(document)}\n`);
  else if (!options.quiet) context.stdout.write(finalReport(document, curve, document.out));
  return announceStop(trained, run.config, context);
}

/** @throws EngineError CLI-USAGE for what this kind of run does not have */
function requireSaved(save: TrainOptions["save"], config: RunConfig): void {
  const offered = savesOf(config);
  const missing = save.find((item) => !offered.includes(item));
  if (missing === undefined) return;
  throw new EngineError({
    code: "CLI-USAGE",
    message: `Runs of ${config.preset} have no ${missing} to save`,
    fix: offered.length === 0 ? "Leave out --save." : `They have ${offered.join(", ")}.`,
    where: "--save",
  });
}

async function prepareRun(options: TrainOptions, context: CommandContext): Promise<PreparedRun> {
  if (options.resume !== undefined) return prepareResumed(options, options.resume, context);
  const { preset } = options;
  if (preset === undefined) {
    throw new EngineError({
      code: "CLI-USAGE",
      message: "train needs the name of a preset, a config.json, or --resume RUN",
      fix: `Name one of ${Object.keys(context.presets).sort().join(", ")}.`,
    });
  }
  const config = await resolveConfig({ ...options, preset }, context.presets, context.cwd);
  const folder =
    options.out === undefined
      ? await RunFolder.fresh(join(context.cwd, "runs"), config.preset, context.now())
      : await RunFolder.at(resolve(context.cwd, options.out));
  return { config, folder };
}

/** What a run folder holds to go on with. Its configuration is fixed: another one would be another run. */
async function prepareResumed(options: TrainOptions, run: string, context: CommandContext): Promise<PreparedRun> {
  const { preset, out, steps, seed, set } = options;
  const given = { preset, "--out": out, "--steps": steps, "--seed": seed, "--set": set[0] };
  const conflict = Object.entries(given).find(([, value]) => value !== undefined);
  if (conflict) {
    throw new EngineError({
      code: "CLI-USAGE",
      message: `--resume goes on with a run as it was configured and takes no ${conflict[0]}`,
      fix: `Leave it out, or start a new run with eigenstep train ${join(run, "config.json")}.`,
    });
  }
  const path = resolve(context.cwd, run);
  const opened = await openRun(path);
  if (opened.state !== "complete") return opened;
  throw new EngineError({
    code: "RUN-COMPLETE",
    message: `The run in ${path} has done all its ${opened.config.steps} steps`,
    fix: `See it with eigenstep report ${run}, or start a longer one with eigenstep train ${join(run, "config.json")} --steps N.`,
    where: path,
  });
}
