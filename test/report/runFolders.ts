/** Run folders made by hand: aligned gradient descent on a geometric spectrum, in float64, so that every number is known. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MetricsRecord } from "../../src/experiments/contract.ts";
import type { LinearConfig } from "../../src/experiments/linear/config.ts";
import { metricsLine } from "../../src/experiments/metricsLine.ts";
import { discreteStepTime, discreteTrajectory, measuredStepTimes, stepTime } from "../../src/theory/index.ts";
import { TestRandom } from "../support/random.ts";

export interface MadeRun {
  readonly config: LinearConfig;
  readonly records: readonly MetricsRecord[];
  readonly summary: { readonly theory: Record<string, unknown>; readonly measured: Record<string, unknown> };
}

export interface RunShape {
  readonly modes?: number;
  readonly steps?: number;
  readonly learningRate?: number;
  readonly decay?: number;
  /** Added to every eigenvalue, as rounding in float32 does. */
  readonly noise?: number;
}

export function makeRun({ modes = 3, steps = 600, learningRate = 0.02, decay = 2, noise = 0 }: RunShape = {}): MadeRun {
  const gamma = Array.from({ length: modes + 1 }, (_, mode) => decay ** -mode);
  const amplitudes = Array.from({ length: modes }, (_, mode) => 1e-3 / (mode + 1));
  const trajectories = amplitudes.map((amplitude, mode) =>
    discreteTrajectory(gamma[mode]!, amplitude, learningRate, steps),
  );
  const random = new TestRandom(7);
  const records = Array.from({ length: steps + 1 }, (_, step): MetricsRecord => {
    const values = trajectories.map((s, mode) => gamma[mode]! * s[step]! ** 2);
    const noises = noise === 0 ? values.map(() => 0) : random.normals(modes, noise);
    const spectrum = values.map((value, mode) => value + noises[mode]!).sort((a, b) => b - a);
    const loss = spectrum.reduce((sum, value) => sum + (1 - value) ** 2, 0);
    return { step, t: step * learningRate, loss, spectrum };
  });
  const config: LinearConfig = {
    format: 1,
    preset: "by-hand",
    kind: "linear",
    seed: 0,
    steps,
    data: {
      source: "synthetic-spectrum",
      pairs: 512,
      modes: modes + 1,
      decay,
      negative: [],
      noise: 0,
      centered: false,
    },
    model: { outputs: modes, initScale: 1e-3 },
    optimizer: { learningRate, momentum: 0 },
    record: { every: 1 },
    kernels: { family: "register" },
    force: false,
  };
  const stepTimes = measuredStepTimes(
    records.map(({ t }) => t),
    records.map(({ spectrum }) => spectrum),
    modes,
  );
  return {
    config,
    records,
    summary: {
      theory: {
        gamma,
        amplitudes,
        stepTimes: amplitudes.map((amplitude, mode) => stepTime(gamma[mode]!, amplitude)),
        discreteStepTimes: amplitudes.map((amplitude, mode) => discreteStepTime(gamma[mode]!, amplitude, learningRate)),
        gapAdmits: amplitudes.map((_, mode) => mode !== 1),
        tolerance: 0.02,
      },
      measured: { stepTimes },
      ...{
        adapter: { vendor: "acme", architecture: "test", device: "", description: "", isSoftware: true },
        counters: { dispatchesPerStep: 10, peakGpuBytes: 3 * 2 ** 20 },
        wallMs: 65_000,
        runtime: "node",
        version: "0.1.0",
      },
    },
  };
}

/** Writes the files of a run; `null` leaves one out. */
export async function writeRun(
  folder: string,
  run: { readonly config: object; readonly records: readonly MetricsRecord[]; readonly summary: object },
  changes: { config?: unknown; metrics?: string | null; summary?: unknown } = {},
): Promise<string> {
  await mkdir(folder, { recursive: true });
  const put = async (name: string, given: unknown, otherwise: string) => {
    if (given === null) return;
    const text = given === undefined ? otherwise : typeof given === "string" ? given : JSON.stringify(given);
    await writeFile(join(folder, name), text);
  };
  await put("config.json", changes.config, JSON.stringify(run.config));
  await put("metrics.jsonl", changes.metrics, metricsText(run.records));
  await put("summary.json", changes.summary, JSON.stringify(run.summary));
  return folder;
}

export function metricsText(records: readonly MetricsRecord[]): string {
  return records.map((record) => `${metricsLine(record)}\n`).join("");
}
