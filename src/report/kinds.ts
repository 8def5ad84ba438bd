/** How runs of each kind are shown. */
import { linearRun } from "./linearRun.ts";
import { networkRun } from "./network/networkRun.ts";
import { otherRun } from "./otherRun.ts";
import type { StoredRun } from "./readRun.ts";
import type { ReportRun } from "./reportRun.ts";

const KINDS: Readonly<Record<string, (stored: StoredRun, label: string) => ReportRun>> = {
  linear: linearRun,
  network: networkRun,
};

export function reportRun(stored: StoredRun, label: string): ReportRun {
  const { kind } = stored.config;
  return (Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined)?.(stored, label) ?? otherRun(stored, label);
}
