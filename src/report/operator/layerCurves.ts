/** What a run measured of the operators of its layers, as curves over the steps at which it did. */
import type { MetricsRecord, MetricValue } from "../../experiments/contract.ts";
import type { Series } from "../curves.ts";

/** Records with measurements of operators. */
export interface Measurements {
  readonly records: readonly MetricsRecord[];
  readonly layers: number;
}

export function measurementsOf(records: readonly MetricsRecord[]): Measurements {
  const measured = records.filter(({ extra }) => Array.isArray(extra?.cosine));
  const cosine = measured[0]?.extra?.cosine;
  return { records: measured, layers: Array.isArray(cosine) ? cosine.length : 0 };
}

/** One number of a key's array over the steps; NaN where a record lacks it. */
export function seriesOf({ records }: Measurements, key: string, index: number): Series {
  return {
    t: Float64Array.from(records, ({ step }) => step),
    y: Float64Array.from(records, ({ extra }) => at(extra?.[key], index)),
  };
}

/** Numbers that a key's array has in the first record that has it. */
export function lengthOf({ records }: Measurements, key: string): number {
  const value = records.map(({ extra }) => extra?.[key]).find((found) => found !== undefined);
  return Array.isArray(value) ? value.length : 0;
}

function at(value: MetricValue | undefined, index: number): number {
  return Array.isArray(value) ? (value[index] ?? Number.NaN) : Number.NaN;
}

/** Smallest and largest finite value of curves; of positive ones only with `isLog`. */
export function rangeOf(all: readonly Series[], isLog: boolean): [number, number] {
  const values = all.flatMap(({ y }) => [...y]).filter((value) => Number.isFinite(value) && (!isLog || value > 0));
  return values.length === 0 ? [isLog ? 0.1 : 0, 1] : [Math.min(...values), Math.max(...values)];
}
