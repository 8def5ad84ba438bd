/** Runs an experiment in this process and keeps what it delivers. */

import type { DataFolder } from "../../src/data/byteSource.ts";
import { parseNpy } from "../../src/data/index.ts";
import type { Engine } from "../../src/device/engine.ts";
import type {
  MetricsRecord,
  ResumeState,
  RunConfig,
  RunHeader,
  RunResult,
  SaveItem,
} from "../../src/experiments/contract.ts";
import { runExperiment } from "../../src/experiments/experiments.ts";
import type { LinearConfig } from "../../src/experiments/linear/config.ts";
import { metricsLine } from "../../src/experiments/metricsLine.ts";
import { linearPresets } from "../../src/experiments/presets.ts";

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
  const config = linearPresets[name];
  if (!config) throw new Error(`no preset ${name}`);
  return config;
}

export async function runToEnd(
  engine: Engine,
  config: RunConfig,
  options: {
    readonly data?: DataFolder;
    readonly signal?: AbortSignal;
    readonly resume?: ResumeState;
    readonly abortAfter?: number;
    readonly save?: readonly SaveItem[];
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
      save: options.save ?? ["views", "weights"],
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
        if (name.endsWith(".npy")) arrays[name] = parseNpy(bytes, name).data as Float32Array;
      },
    },
    controller.signal,
  );
  if (!header) throw new Error("the experiment never began");
  return { header, result, records, text: records.map(metricsLine).join("\n"), checkpoints, arrays };
}
