/** One record as a line of metrics.jsonl: the same text wherever a run is executed. */
import type { MetricsRecord } from "./contract.ts";

/** Nine significant digits: enough to get every f32 back, and no more. */
function f32Text(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(9))) : "null";
}

/** JSON without a line break. Keys in the order step, t, loss, spectrum; NaN and infinities as null. */
export function metricsLine(record: MetricsRecord): string {
  const spectrum = record.spectrum.map(f32Text).join(",");
  return `{"step":${record.step},"t":${String(Number(record.t.toPrecision(15)))},"loss":${f32Text(record.loss)},"spectrum":[${spectrum}]}`;
}
