/** One record as a line of metrics.jsonl: the same text wherever a run is executed. */
import type { MetricsRecord, MetricValue } from "./contract.ts";

/** Nine significant digits: enough to get every f32 back, and no more. */
function f32Text(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(9))) : "null";
}

function valueText(value: MetricValue): string {
  return typeof value === "number" ? f32Text(value) : `[${value.map(f32Text).join(",")}]`;
}

/** JSON without a line break. Keys in the order step, t, loss, spectrum, then what the experiment adds; NaN and infinities as null. */
export function metricsLine({ step, t, loss, spectrum, extra = {} }: MetricsRecord): string {
  const added = Object.entries(extra).map(([name, value]) => `,${JSON.stringify(name)}:${valueText(value)}`);
  const time = String(Number(t.toPrecision(15)));
  return `{"step":${step},"t":${time},"loss":${f32Text(loss)},"spectrum":${valueText(spectrum)}${added.join("")}}`;
}
