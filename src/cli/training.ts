/** Runs a prepared run to its end and keeps what it delivers in its folder: shared by the verbs that train. */
import { EngineError } from "../errors.ts";
import type { RunConfig, RunHeader, RunResult, RunSink, SaveItem } from "../experiments/contract.ts";
import type { CommandContext } from "./context.ts";
import { dataPathFor } from "./dataPath.ts";
import { EXIT, exitCodeOf } from "./exitCodes.ts";
import type { PreparedRun } from "./preparedRun.ts";
import { createProgress, type Progress, silentProgress } from "./progress.ts";
import type { Curve } from "./report/finalReport.ts";
import { errorText } from "./reportError.ts";
import type { RunFolder } from "./runFolder.ts";
import type { RuntimeName } from "./runtimes/runtime.ts";

export interface TrainingOptions {
  readonly data?: string | undefined;
  readonly save: readonly SaveItem[];
  readonly quiet: boolean;
  readonly runtime: RuntimeName;
  readonly browser?: string | undefined;
}

/** A run that ended with a result: all its steps, divergence, or an interruption. */
export interface TrainedRun {
  /** Content of summary.json. */
  readonly document: RunResult & { readonly runtime: string; readonly version: string; readonly out: string };
  /** Loss over time, of the records before a resumption, too. */
  readonly curve: Curve;
}

/** A run that ended without a result; stderr has said why. */
export interface FailedRun {
  readonly exitCode: number;
}

/**
 * @throws EngineError for what fails before the folder has been begun
 */
export async function trainRun(
  { config, folder, resume }: PreparedRun,
  options: TrainingOptions,
  context: CommandContext,
): Promise<TrainedRun | FailedRun> {
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
    return { exitCode: await failed(error, folder, context) };
  }
  progress.end();
  const document = { ...result, ...about };
  await folder.summary(document);
  return { document, curve };
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

/**
 * Says on stderr why a run ended before its last step, if it did.
 *
 * @param goOn how to go on with an interrupted run
 * @returns    the exit code
 */
export function announceStop(
  { document }: TrainedRun,
  config: RunConfig,
  context: CommandContext,
  goOn = `Go on with eigenstep train --resume ${document.out}.`,
): number {
  if (!document.stopped) return EXIT.ok;
  const { reason, step, where } = document.stopped;
  const error =
    reason === "diverged"
      ? new EngineError({
          code: "RUN-DIVERGED",
          message: `NaN or infinity appeared at step ${step}${where ? ` (first in ${where})` : ""}; what was recorded is kept in ${document.out}`,
          fix:
            "optimizer" in config
              ? `Lower the learning rate, for example with --set optimizer.learningRate=${config.optimizer.learningRate / 4}.`
              : "Start from smaller weights or data.",
        })
      : interrupted(`The run was stopped at step ${step}; everything recorded is kept in ${document.out}`, goOn);
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
