/** `eigenstep eval`: how well a linear classifier and a vote of neighbours read the classes from what a run has learned. */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { EngineError } from "../../errors.ts";
import { CHECKPOINT_FILE } from "../../experiments/contract.ts";
import type { NetworkConfig } from "../../experiments/network/config.ts";
import type { EvaluationDocument, FeatureEvaluation } from "../../experiments/network/evaluate.ts";
import { readRunFolder } from "../../report/readRun.ts";
import { validateConfig } from "../config/resolve.ts";
import type { CommandContext } from "../context.ts";
import { dataPathFor } from "../dataPath.ts";
import { EXIT } from "../exitCodes.ts";
import { createProgress } from "../progress.ts";
import { requireNetwork } from "../requireNetwork.ts";
import type { RuntimeName } from "../runtimes/runtime.ts";
import { writeWhole } from "../wholeFile.ts";

export interface EvaluateOptions {
  /** Run folder. */
  readonly run: string;
  readonly data?: string | undefined;
  readonly protocol: "converged" | "adam";
  readonly neighbors: number;
  readonly temperature: number;
  readonly json: boolean;
  readonly runtime: RuntimeName;
  readonly browser?: string | undefined;
}

export const EVALUATION_FILE = "eval.json";

/** @throws EngineError RUN-…, DATA-…, and others of the evaluation; eval.json is written at the end alone */
export async function evaluate(options: EvaluateOptions, context: CommandContext): Promise<number> {
  const path = resolve(context.cwd, options.run);
  const { config: stored } = await readRunFolder(path);
  const config: NetworkConfig = requireNetwork(validateConfig(stored, join(path, "config.json")), "eval");
  const checkpoint = await readFile(join(path, CHECKPOINT_FILE)).catch((cause: unknown) => {
    throw new EngineError({
      code: "RUN-CHECKPOINT-MISSING",
      message: `The run in ${path} has no ${CHECKPOINT_FILE} to evaluate`,
      fix: `Train it first: eigenstep train --resume ${options.run}.`,
      where: path,
      cause,
    });
  });
  const dataPath = await dataPathFor(config, options.data, context);
  if (dataPath === undefined) throw new Error("unreachable: network runs read files");
  const runtime = context.openRuntime({ name: options.runtime, browserPath: options.browser });
  const progress = createProgress(context.stderr);
  progress.phase(runtime.name === "node" ? "starting Dawn" : "starting the browser");
  const { neighbors, temperature, protocol } = options;
  const task = {
    kind: "eval",
    config,
    probe: { protocol },
    neighbors: { neighbors, temperature },
    hasData: true,
    checkpoint: new Uint8Array(checkpoint),
  } as const;
  let result: EvaluationDocument;
  try {
    result = await runtime.eval(task, dataPath, context.signal, (text) => progress.phase(text));
  } finally {
    progress.end();
  }
  const document = { ...result, runtime: runtime.name, version: context.version };
  const file = join(path, EVALUATION_FILE);
  await writeWhole(file, `${JSON.stringify(document, null, 2)}\n`, "Make the run folder writable.");
  context.stdout.write(options.json ? `${JSON.stringify(document)}\n` : evaluationReport(result, file));
  return EXIT.ok;
}

/** Accuracies with their standard errors, one kind of features a line. */
export function evaluationReport(document: EvaluationDocument, file: string): string {
  const { data, preset, step, trained } = document;
  const { linear, neighbors } = trained;
  const rows = (["trained", "untrained", "pixels"] as const).map((name) => row(name, document[name]));
  const penalty =
    linear.penalty === undefined ? "" : `, L2 penalty ${linear.penalty.toPrecision(2)} chosen on held-out rows`;
  return [
    `${preset}, step ${step}: encoder features of ${data.source} images at ${data.side}×${data.side}`,
    `${data.train} labelled images to learn from, ${data.test} to test on`,
    "",
    `${"".padEnd(10)}${"linear probe".padStart(16)}${`${neighbors.neighbors}-NN`.padStart(16)}${"features".padStart(10)}`,
    ...rows,
    "",
    `± standard error of the test sample; probe: ${linear.protocol}${penalty}`,
    `written: ${file}`,
    "",
  ].join("\n");
}

function row(name: string, { linear, neighbors, columns }: FeatureEvaluation): string {
  const percent = ({ accuracy, standardError }: FeatureEvaluation["linear"]["test"]): string =>
    `${(100 * accuracy).toFixed(1)} ± ${(100 * standardError).toFixed(1)} %`.padStart(16);
  return `${name.padEnd(10)}${percent(linear.test)}${percent(neighbors.test)}${String(columns).padStart(10)}`;
}
