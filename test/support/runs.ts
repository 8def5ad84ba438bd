/** Runs an experiment in this process and keeps what it delivers. */

import type { DataFolder } from "../../src/data/byteSource.ts";
import { parseNpy } from "../../src/data/index.ts";
import type { Engine } from "../../src/device/engine.ts";
import type { LinearConfig, MetricsRecord, ResumeState, RunHeader, RunResult } from "../../src/experiments/contract.ts";
import { metricsLine } from "../../src/experiments/metricsLine.ts";
import { presets } from "../../src/experiments/presets.ts";
import { runExperiment } from "../../src/experiments/runLinear.ts";

export interface FinishedRun {
  readonly header: RunHeader;
  readonly result: RunResult;
  readonly records: readonly MetricsRecord[];
  /** Content of metrics.jsonl. */
  readonly text: string;
  /** In the order they were made; the last is of the run's end. */
  readonly checkpoints: readonly Uint8Array[];
  readonly arrays: Readonly<Record<string, Float32Array>>;
}

export function preset(name: string): LinearConfig {
  const config = presets[name];
  if (!config) throw new Error(`no preset ${name}`);
  return config;
}

export async function runToEnd(
  engine: Engine,
  config: LinearConfig,
  options: {
    readonly data?: DataFolder;
    readonly signal?: AbortSignal;
    readonly resume?: ResumeState;
    readonly abortAfter?: number;
  } = {},
): Promise<FinishedRun> {
  let header: RunHeader | undefined;
  const records: MetricsRecord[] = [];
  const arrays: Record<string, Float32Array> = {};
  const checkpoints: Uint8Array[] = [];
  const controller = new AbortController();
  options.signal?.addEventListener("abort", () => controller.abort());
  const result = await runExperiment(
    engine,
    {
      config,
      save: ["views", "weights"],
      ...(options.data ? { data: options.data } : {}),
      ...(options.resume ? { resume: options.resume } : {}),
    },
    {
      phase: () => {},
      begin: (given) => {
        header = given;
      },
      records: (batch) => {
        records.push(...batch);
        if (records.length >= (options.abortAfter ?? Number.POSITIVE_INFINITY)) controller.abort();
      },
      checkpoint: (bytes) => {
        checkpoints.push(bytes);
      },
      file: (name, bytes) => {
        arrays[name] = parseNpy(bytes, name).data as Float32Array;
      },
    },
    controller.signal,
  );
  if (!header) throw new Error("the experiment never began");
  return { header, result, records, text: records.map(metricsLine).join("\n"), checkpoints, arrays };
}
