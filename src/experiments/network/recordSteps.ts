/** At which updates a network run is recorded besides every so many: densely at first, evenly on a logarithmic axis. */
import type { NetworkConfig } from "./config.ts";

/** `logSpaced` steps evenly spaced in ln(step + 1) from 0 to the last; fewer where they round to the same. */
export function recordSteps({ steps, record: { logSpaced } }: NetworkConfig): ReadonlySet<number> {
  const last = Math.log(steps + 1);
  const spread = Math.max(1, logSpaced - 1);
  return new Set(Array.from({ length: logSpaced }, (_, index) => Math.round(Math.exp((last * index) / spread)) - 1));
}
