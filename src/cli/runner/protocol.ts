/** Messages from the page to the command: plain JSON, in order. Files travel beside them as bytes, in the same order. */
import { type EngineErrorInit, isEngineError } from "../../errors.ts";
import type { MetricsRecord, RunHeader } from "../../experiments/contract.ts";

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
