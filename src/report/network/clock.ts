/** Between steps and the clock t of a run's records. */
import type { MetricsRecord } from "../../experiments/contract.ts";

/** t of a step between records: linear in the step there, whatever the schedule. undefined outside the records. */
export function clockAt(records: readonly MetricsRecord[], step: number): number | undefined {
  const after = records.findIndex((record) => record.step >= step);
  const [one, two] = [records[Math.max(0, after - 1)], records[after]];
  if (!one || !two) return undefined;
  if (two.step === one.step) return two.t;
  return one.t + ((step - one.step) / (two.step - one.step)) * (two.t - one.t);
}
