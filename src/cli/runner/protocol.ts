/** Messages from the page to the command: plain JSON, in order. Files travel beside them as bytes, in the same order. */
import { type EngineErrorInit, isEngineError } from "../../errors.ts";
import type { MetricsRecord, RunHeader } from "../../experiments/contract.ts";
import type { Task } from "./task.ts";

export type Message =
  | { readonly type: "phase"; readonly text: string }
  | { readonly type: "begin"; readonly header: RunHeader }
  | { readonly type: "records"; readonly records: readonly WireRecord[] }
  | { readonly type: "result"; readonly result: unknown }
  | { readonly type: "error"; readonly error: EngineErrorInit };

type WireNumber = number | "NaN" | "Infinity" | "-Infinity";
/** step, t, loss, spectrum. */
export type WireRecord = readonly [number, WireNumber, WireNumber, readonly WireNumber[]];

/** JSON has no NaN and no infinities; every other double survives JSON unchanged. */
function toWire(value: number): WireNumber {
  return Number.isFinite(value) ? value : (String(value) as WireNumber);
}

export function encodeRecord(record: MetricsRecord): WireRecord {
  return [record.step, toWire(record.t), toWire(record.loss), record.spectrum.map(toWire)];
}

export function decodeRecord([step, t, loss, spectrum]: WireRecord): MetricsRecord {
  return { step, t: Number(t), loss: Number(loss), spectrum: spectrum.map(Number) };
}

/** A task as JSON; the bytes of its checkpoint, if it has one, are fetched apart. */
interface WireTask {
  readonly task: Task;
  readonly resume?: { readonly records: readonly WireRecord[]; readonly hasCheckpoint: boolean };
}

export function encodeTask(task: Task): string {
  if (task.kind === "info" || !task.resume) return JSON.stringify({ task } satisfies WireTask);
  const { resume, ...rest } = task;
  const wire: WireTask = {
    task: rest,
    resume: { records: resume.records.map(encodeRecord), hasCheckpoint: resume.checkpoint !== undefined },
  };
  return JSON.stringify(wire);
}

/** @param fetchCheckpoint asks for the bytes that `encodeTask` left out */
export async function decodeTask(json: unknown, fetchCheckpoint: () => Promise<Uint8Array>): Promise<Task> {
  const { task, resume } = json as WireTask;
  if (task.kind === "info" || !resume) return task;
  const checkpoint = resume.hasCheckpoint ? await fetchCheckpoint() : undefined;
  return { ...task, resume: { records: resume.records.map(decodeRecord), checkpoint } };
}

/** Any failure as plain data. What is no EngineError is a defect and keeps its stack in `detail`. */
export function encodeError(error: unknown): EngineErrorInit {
  if (isEngineError(error)) return JSON.parse(JSON.stringify(error)) as EngineErrorInit;
  const stack = error instanceof Error ? error.stack : undefined;
  return {
    code: "CLI-DEFECT",
    message: `The runner page failed: ${error instanceof Error ? error.message : String(error)}`,
    fix: "This is a defect in eigenstep; please report it with the output of `eigenstep info`.",
    detail: stack === undefined ? {} : { stack },
  };
}
