/** `eigenstep train`: resolves a configuration, runs it, and keeps what it delivers in a run folder. */
import { join, resolve } from "node:path";
import { EngineError } from "../../errors.ts";
import type { RunResult, RunSink, SaveItem } from "../../experiments/contract.ts";
import { resolveConfig } from "../config/resolve.ts";
import type { CommandContext } from "../context.ts";
import { dataPathFor } from "../dataPath.ts";
import { EXIT, exitCodeOf } from "../exitCodes.ts";
import { createProgress, type Progress } from "../progress.ts";
import { type Curve, finalReport } from "../report/finalReport.ts";
import { errorText } from "../reportError.ts";
import { RunFolder } from "../runFolder.ts";
import type { RuntimeName } from "../runtimes/runtime.ts";

export interface TrainOptions {
  readonly preset: string;
  readonly data?: string | undefined;
  readonly out?: string | undefined;
  readonly steps?: number | undefined;
  readonly seed?: number | undefined;
  readonly set: readonly string[];
  readonly save: readonly SaveItem[];
  readonly json: boolean;
  readonly runtime: RuntimeName;
  readonly browser?: string | undefined;
}

/**
 * @returns the exit code; a run that was stopped or diverged has said so on stderr
 * @throws EngineError for everything else
 */
export async function train(options: TrainOptions, context: CommandContext): Promise<number> {
  const config = await resolveConfig(options, context.presets, context.cwd);
  const folder =
    options.out === undefined
      ? await RunFolder.fresh(join(context.cwd, "runs"), config.preset, context.now())
      : await RunFolder.at(resolve(context.cwd, options.out));
  const dataPath = await dataPathFor(config, options.data, context);
  const runtime = context.openRuntime({ name: options.runtime, browserPath: options.browser });
  const progress = createProgress(context.stderr);
  const curve: MutableCurve = { times: [], losses: [] };

  progress.phase(runtime.name === "chrome" ? "starting the browser" : "starting Dawn");
  let result: RunResult;
  try {
    result = await runtime.train(
      { config, save: options.save, dataPath },
      recordingSink(folder, progress, curve),
      context.signal,
    );
  } catch (error) {
    progress.end();
    return failed(error, folder, context);
  }
  progress.end();

  const document = { ...result, runtime: runtime.name, version: context.version, out: folder.path };
  await folder.summary(document);
  if (options.json) context.stdout.write(`${JSON.stringify(document)}\n`);
  else context.stdout.write(finalReport(result, curve, folder.path));
  return announceStop(result, config.optimizer.learningRate, folder, context);
}

interface MutableCurve extends Curve {
  readonly times: number[];
  readonly losses: number[];
}

function recordingSink(folder: RunFolder, progress: Progress, curve: MutableCurve): RunSink {
  return {
    phase: (text) => progress.phase(text),
    async begin(header) {
      await folder.begin(header.config);
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
    file: (name, bytes) => folder.file(name, bytes),
  };
}

function announceStop(result: RunResult, learningRate: number, folder: RunFolder, context: CommandContext): number {
  if (!result.stopped) return EXIT.ok;
  const { reason, step } = result.stopped;
  const error =
    reason === "diverged"
      ? new EngineError({
          code: "RUN-DIVERGED",
          message: `The loss became NaN or infinite at step ${step}; what was recorded is kept in ${folder.path}`,
          fix: `Lower the learning rate, for example with --set optimizer.learningRate=${learningRate / 4}.`,
        })
      : interrupted(`The run was stopped at step ${step}; everything recorded is kept in ${folder.path}`);
  context.stderr.write(errorText(error));
  return reason === "diverged" ? EXIT.diverged : EXIT.interrupted;
}

/** A run that ended without a result: interrupted before its first step, or a failure. */
function failed(error: unknown, folder: RunFolder, context: CommandContext): number {
  if (context.signal.aborted && !folder.hasBegun) {
    context.stderr.write(errorText(interrupted("The run was stopped before its first step; nothing was written")));
    return EXIT.interrupted;
  }
  if (!folder.hasBegun) throw error;
  context.stderr.write(errorText(error));
  context.stderr.write(`what was recorded until then is kept in ${folder.path}\n`);
  return context.signal.aborted ? EXIT.interrupted : exitCodeOf(error);
}

function interrupted(message: string): EngineError {
  return new EngineError({ code: "RUN-INTERRUPTED", message, fix: "Run the command again to start over." });
}
