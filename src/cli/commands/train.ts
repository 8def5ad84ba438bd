/** `eigenstep train`: resolves a configuration, runs it, and keeps what it delivers in a run folder. */
import { join, resolve } from "node:path";
import { parseSafetensors } from "../../data/index.ts";
import { EngineError } from "../../errors.ts";
import { CHECKPOINT_FILE } from "../../experiments/checkpointFile.ts";
import type { ResumeState, RunConfig, RunHeader, RunResult, RunSink, SaveItem } from "../../experiments/contract.ts";
import { resolveConfig, validateConfig } from "../config/resolve.ts";
import type { CommandContext } from "../context.ts";
import { dataPathFor } from "../dataPath.ts";
import { EXIT, exitCodeOf } from "../exitCodes.ts";
import { createProgress, type Progress, silentProgress } from "../progress.ts";
import { type Curve, finalReport } from "../report/finalReport.ts";
import { errorText } from "../reportError.ts";
import { RunFolder } from "../runFolder.ts";
import type { RuntimeName } from "../runtimes/runtime.ts";

export interface TrainOptions {
  /** Name of a preset or path of a config.json; not with `resume`. */
  readonly preset?: string | undefined;
  /** Run folder to go on with. */
  readonly resume?: string | undefined;
  readonly data?: string | undefined;
  readonly out?: string | undefined;
  readonly steps?: number | undefined;
  readonly seed?: number | undefined;
  readonly set: readonly string[];
  readonly save: readonly SaveItem[];
  readonly json: boolean;
  readonly quiet: boolean;
  readonly runtime: RuntimeName;
  readonly browser?: string | undefined;
}

/**
 * @returns the exit code; a run that was stopped or diverged has said so on stderr
 * @throws EngineError for everything else
 */
export async function train(options: TrainOptions, context: CommandContext): Promise<number> {
  const { config, folder, resume } = await prepareRun(options, context);
  const dataPath = await dataPathFor(config, options.data, context);
  const runtime = context.openRuntime({ name: options.runtime, browserPath: options.browser });
  const progress = options.quiet ? silentProgress : createProgress(context.stderr);
  const curve: MutableCurve = { times: [], losses: [] };
  for (const { t, loss } of resume?.records ?? []) {
    curve.times.push(t);
    curve.losses.push(loss);
  }

  const about = { runtime: runtime.name, version: context.version, out: folder.path };

  progress.phase(runtime.name === "node" ? "starting Dawn" : "starting the browser");
  let result: RunResult;
  try {
    const job = { config, save: options.save, dataPath, resume };
    result = await runtime.train(job, recordingSink(folder, progress, curve, about), context.signal);
  } catch (error) {
    progress.end();
    return failed(error, folder, context);
  }
  progress.end();

  const document = { ...result, ...about };
  await folder.summary(document);
  if (options.json) context.stdout.write(`${JSON.stringify(document)}\n`);
  else if (!options.quiet) context.stdout.write(finalReport(result, curve, folder.path));
  return announceStop(result, config, folder, context);
}

interface PreparedRun {
  readonly config: RunConfig;
  readonly folder: RunFolder;
  readonly resume?: ResumeState;
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
  const given = { "a preset": preset, "--out": out, "--steps": steps, "--seed": seed, "--set": set[0] };
  const conflict = Object.entries(given).find(([, value]) => value !== undefined);
  if (conflict) {
    throw new EngineError({
      code: "CLI-USAGE",
      message: `--resume goes on with a run as it was configured and takes no ${conflict[0]}`,
      fix: `Leave it out, or start a new run with eigenstep train ${join(run, "config.json")}.`,
    });
  }
  const path = resolve(context.cwd, run);
  const { folder, stored, checkpoint } = await RunFolder.resume(path);
  const config = validateConfig(stored.config, join(path, "config.json"));
  if (stored.summary && stored.summary.stopped === undefined) {
    throw new EngineError({
      code: "RUN-COMPLETE",
      message: `The run in ${path} has done all its ${config.steps} steps`,
      fix: `See it with eigenstep report ${run}, or start a longer one with eigenstep train ${join(run, "config.json")} --steps N.`,
      where: path,
    });
  }
  const records = checkpoint ? Number(parseSafetensors(checkpoint, CHECKPOINT_FILE).metadata.records ?? 0) : 0;
  folder.continueAfter(records);
  return { config, folder, resume: { records: stored.records.slice(0, records), checkpoint } };
}

interface MutableCurve extends Curve {
  readonly times: number[];
  readonly losses: number[];
}

function recordingSink(folder: RunFolder, progress: Progress, curve: MutableCurve, about: object): RunSink {
  return {
    phase: (text) => progress.phase(text),
    async begin(header) {
      await folder.begin(header.config);
      await folder.summary({ ...beginning(header), ...about });
      progress.begin(header);
    },
    async records(batch) {
      await folder.append(batch);
      for (const record of batch) {
        curve.times.push(record.t);
        curve.losses.push(record.loss);
      }
      const last = batch.at(-1);
      if (last) progress.record(last);
    },
    checkpoint: (bytes) => folder.checkpoint(bytes),
    file: (name, bytes) => folder.file(name, bytes),
  };
}

/** What a summary can say before the first step; it stays when the process is killed. */
function beginning({ config, adapter, theory, firstStep = 0 }: RunHeader) {
  const { preset, seed } = config;
  return { preset, adapter, steps: firstStep, seed, theory, stopped: { reason: "unfinished", step: firstStep } };
}

function announceStop(result: RunResult, config: RunConfig, folder: RunFolder, context: CommandContext): number {
  if (!result.stopped) return EXIT.ok;
  const { reason, step, where } = result.stopped;
  const error =
    reason === "diverged"
      ? new EngineError({
          code: "RUN-DIVERGED",
          message: `The loss became NaN or infinite at step ${step}${where ? ` (first in ${where})` : ""}; what was recorded is kept in ${folder.path}`,
          fix:
            "optimizer" in config
              ? `Lower the learning rate, for example with --set optimizer.learningRate=${config.optimizer.learningRate / 4}.`
              : "Start from smaller weights or data.",
        })
      : interrupted(
          `The run was stopped at step ${step}; everything recorded is kept in ${folder.path}`,
          `Go on with eigenstep train --resume ${folder.path}.`,
        );
  context.stderr.write(errorText(error));
  return reason === "diverged" ? EXIT.diverged : EXIT.interrupted;
}

/** A run that ended without a result: interrupted before its first step, or a failure. */
async function failed(error: unknown, folder: RunFolder, context: CommandContext): Promise<number> {
  if (context.signal.aborted && !folder.hasBegun) {
    context.stderr.write(errorText(interrupted("The run was stopped before its first step", "Run the command again.")));
    return EXIT.interrupted;
  }
  if (!folder.hasBegun) throw error;
  // A failed write is what ended the run, or changes nothing about why it did.
  await folder.flush().catch(() => {});
  context.stderr.write(errorText(error));
  context.stderr.write(`what was recorded until then is kept in ${folder.path}\n`);
  return context.signal.aborted ? EXIT.interrupted : exitCodeOf(error);
}

function interrupted(message: string, fix: string): EngineError {
  return new EngineError({ code: "RUN-INTERRUPTED", message, fix });
}
