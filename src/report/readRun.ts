/** Reads a run folder back: configuration, whole lines of metrics.jsonl, summary. Shared by `report` and `train --resume`. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { EngineError } from "../errors.ts";
import { type MetricsRecord, RUN_FORMAT } from "../experiments/contract.ts";

/** What every run's configuration has; the rest is kept as it stands, for whoever knows the kind. */
const configSchema = z.looseObject({
  format: z.int().min(1),
  preset: z.string(),
  kind: z.string(),
  seed: z.number(),
  steps: z.number(),
});

export type StoredConfig = z.infer<typeof configSchema>;

export interface StoredRun {
  readonly path: string;
  readonly config: StoredConfig;
  /** In step order. A loss or eigenvalue that was not finite (null in the file) is NaN. */
  readonly records: readonly MetricsRecord[];
  /** metrics.jsonl ends within a line: the run was cut off while writing, and that line is not among the records. */
  readonly hasPartialLine: boolean;
  /** Bytes of metrics.jsonl up to the end of its last whole line. */
  readonly wholeBytes: number;
  /** Absent while a run is going on, after it was killed, and when the file is damaged. */
  readonly summary?: Readonly<Record<string, unknown>>;
}

/**
 * Reads the run in the folder `path`.
 *
 * @throws EngineError RUN-NOT-A-RUN (no folder, or config.json or metrics.jsonl missing or foreign), RUN-NEWER (written by a later
 *         eigenstep), RUN-METRICS (a damaged line, named), RUN-UNREADABLE (permissions, disk)
 */
export async function readRunFolder(path: string): Promise<StoredRun> {
  const info = await stat(path).catch((cause: unknown) => {
    throw readFailure(path, path, cause);
  });
  if (!info.isDirectory()) throw notARun(path, "it is a file, not a folder");
  const config = parseConfig(path, (await readWhole(path, "config.json")).toString("utf8"));
  const metrics = parseMetrics(path, await readWhole(path, "metrics.jsonl"));
  const summary = await readSummary(path);
  return { path, config, ...metrics, ...(summary === undefined ? {} : { summary }) };
}

function parseConfig(path: string, text: string): StoredConfig {
  const value = jsonOrUndefined(text);
  // Before anything else: a later format may have changed the rest.
  const format = z.object({ format: z.number() }).safeParse(value).data?.format ?? 0;
  if (format > RUN_FORMAT) {
    throw new EngineError({
      code: "RUN-NEWER",
      message: `The run in ${path} has format ${format}; this eigenstep reads up to ${RUN_FORMAT}`,
      fix: "Update eigenstep to the version that wrote the run, or a later one.",
      where: path,
      detail: { format, supported: RUN_FORMAT },
    });
  }
  const parsed = configSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const key = parsed.error.issues[0]?.path.join(".");
  throw notARun(
    path,
    value === undefined
      ? "its config.json is not JSON"
      : `its config.json is not a run's: "${key || "format"}" is missing`,
  );
}

interface Metrics {
  readonly records: MetricsRecord[];
  readonly hasPartialLine: boolean;
  readonly wholeBytes: number;
}

function parseMetrics(path: string, bytes: Buffer): Metrics {
  const records: MetricsRecord[] = [];
  let start = 0;
  // Line by line: a long run's file may be longer than a string can be.
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    const record = parseRecord(bytes.toString("utf8", start, end));
    const before = records.at(-1);
    const line = records.length + 1;
    if (record === undefined) throw damaged(path, line, "it is not a record");
    if (before && record.step <= before.step) {
      throw damaged(path, line, `its step ${record.step} does not come after ${before.step}`);
    }
    if (before && record.spectrum.length !== before.spectrum.length) {
      throw damaged(
        path,
        line,
        `it has ${record.spectrum.length} eigenvalues, the line before ${before.spectrum.length}`,
      );
    }
    records.push(record);
    start = end + 1;
  }
  return { records, hasPartialLine: start < bytes.length, wholeBytes: start };
}

const NEWLINE = 0x0a;

/** By hand, not by schema: a run has hundreds of thousands of numbers. */
function parseRecord(line: string): MetricsRecord | undefined {
  const value = jsonOrUndefined(line);
  if (typeof value !== "object" || value === null) return undefined;
  const { step, t, loss, spectrum, ...added } = value as Record<string, unknown>;
  if (!Number.isSafeInteger(step) || typeof t !== "number" || !isNumberOrNull(loss)) return undefined;
  if (!Array.isArray(spectrum) || !spectrum.every(isNumberOrNull)) return undefined;
  const entries = Object.entries(added);
  if (!entries.every(([, extra]) => isNumberOrNull(extra) || (Array.isArray(extra) && extra.every(isNumberOrNull)))) {
    return undefined;
  }
  const record = { step: step as number, t, loss: loss ?? Number.NaN, spectrum: numbers(spectrum) };
  if (entries.length === 0) return record;
  const extra = entries.map(([name, more]) => [
    name,
    Array.isArray(more) ? numbers(more) : ((more as number | null) ?? Number.NaN),
  ]);
  return { ...record, extra: Object.fromEntries(extra) as NonNullable<MetricsRecord["extra"]> };
}

function numbers(values: readonly (number | null)[]): number[] {
  return values.map((value) => value ?? Number.NaN);
}

function isNumberOrNull(value: unknown): value is number | null {
  return typeof value === "number" || value === null;
}

async function readSummary(path: string): Promise<Record<string, unknown> | undefined> {
  const text = await readFile(join(path, "summary.json"), "utf8").catch(() => "");
  return z.record(z.string(), z.unknown()).safeParse(jsonOrUndefined(text)).data;
}

async function readWhole(path: string, name: string): Promise<Buffer> {
  return readFile(join(path, name)).catch((cause: unknown) => {
    throw readFailure(path, name, cause);
  });
}

function jsonOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readFailure(path: string, name: string, cause: unknown): EngineError {
  const code = cause instanceof Error && "code" in cause ? cause.code : "";
  if (code === "ENOENT" || code === "ENOTDIR") {
    return notARun(path, name === path ? "it does not exist" : `it holds no ${name}`, cause);
  }
  return new EngineError({
    code: "RUN-UNREADABLE",
    message: `${name === path ? path : join(path, name)} cannot be read: ${cause instanceof Error ? cause.message : cause}`,
    fix: "Give yourself permission to read it, or check the disk.",
    where: path,
    cause,
  });
}

function notARun(path: string, why: string, cause?: unknown): EngineError {
  return new EngineError({
    code: "RUN-NOT-A-RUN",
    message: `${path} is not the folder of a run: ${why}`,
    fix: "Give a folder that `eigenstep train` has written, such as runs/NAME.",
    where: path,
    cause,
  });
}

function damaged(path: string, line: number, why: string): EngineError {
  return new EngineError({
    code: "RUN-METRICS",
    message: `Line ${line} of ${join(path, "metrics.jsonl")} is damaged: ${why}`,
    fix: `Cut the file before that line (head -n ${line - 1}) to use what comes before it, or run \`eigenstep train\` again with its config.json.`,
    where: path,
    detail: { line },
  });
}
