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
type WireValue = WireNumber | readonly WireNumber[];
/** step, t, loss, spectrum, and what the experiment adds. */
export type WireRecord = readonly [
  number,
  WireNumber,
  WireNumber,
  readonly WireNumber[],
  Readonly<Record<string, WireValue>>?,
];

/** JSON has no NaN and no infinities; every other double survives JSON unchanged. */
function toWire(value: number): WireNumber {
  return Number.isFinite(value) ? value : (String(value) as WireNumber);
}

export function encodeRecord(record: MetricsRecord): WireRecord {
  const { step, t, loss, spectrum, extra } = record;
  const plain = [step, toWire(t), toWire(loss), spectrum.map(toWire)] as const;
  return extra ? [...plain, mapValues(extra, toWire)] : plain;
}

export function decodeRecord([step, t, loss, spectrum, extra]: WireRecord): MetricsRecord {
  const plain = { step, t: Number(t), loss: Number(loss), spectrum: spectrum.map(Number) };
  return extra ? { ...plain, extra: mapValues(extra, Number) } : plain;
}

/** Applies `convert` to numbers and to the entries of arrays. */
function mapValues<A, B>(
  values: Readonly<Record<string, A | readonly A[]>>,
  convert: (value: A) => B,
): Record<string, B | B[]> {
  const one = (value: A | readonly A[]): B | B[] =>
    Array.isArray(value) ? (value as readonly A[]).map(convert) : convert(value as A);
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, one(value)]));
}

/** A task as JSON; its bytes (a checkpoint, matrices) are fetched apart. */
interface WireTask {
  readonly task: Task;
  readonly records?: readonly WireRecord[] | undefined;
  readonly hasAttachment: boolean;
}

/** The bytes of a task that do not travel as JSON. */
export function attachmentOf(task: Task): Uint8Array | undefined {
  if (task.kind === "eigh" || task.kind === "svd") {
    const { buffer, byteOffset, byteLength } = task.matrices;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }
  if (task.kind === "eval") return task.checkpoint;
  return "resume" in task ? task.resume?.checkpoint : undefined;
}

export function encodeTask(task: Task): string {
  const hasAttachment = attachmentOf(task) !== undefined;
  if (task.kind === "eigh" || task.kind === "svd") {
    return JSON.stringify({ task: { ...task, matrices: [] }, hasAttachment });
  }
  if (task.kind === "eval") return JSON.stringify({ task: { ...task, checkpoint: [] }, hasAttachment });
  if (!("resume" in task) || !task.resume) return JSON.stringify({ task, hasAttachment } satisfies WireTask);
  const { resume, ...rest } = task;
  return JSON.stringify({ task: rest, records: resume.records.map(encodeRecord), hasAttachment } satisfies WireTask);
}

/** @param fetchAttachment asks for the bytes that `encodeTask` left out */
export async function decodeTask(
  json: unknown,
  fetchAttachment: () => Promise<Uint8Array<ArrayBuffer>>,
): Promise<Task> {
  const { task, records, hasAttachment } = json as WireTask;
  const bytes = hasAttachment ? await fetchAttachment() : undefined;
  if (task.kind === "eigh" || task.kind === "svd") {
    return { ...task, matrices: new Float32Array(bytes?.buffer ?? new ArrayBuffer(0)) };
  }
  if (task.kind === "eval") return { ...task, checkpoint: bytes ?? new Uint8Array(0) };
  if ((task.kind !== "train" && task.kind !== "plan") || !records) return task;
  return { ...task, resume: { records: records.map(decodeRecord), checkpoint: bytes } };
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
