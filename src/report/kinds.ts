/** How runs of each kind are shown. */
import { hltmRun } from "./hltm/hltmRun.ts";
import { linearRun } from "./linearRun.ts";
import { networkRun } from "./network/networkRun.ts";
import { identityRun } from "./operator/identityRun.ts";
import { operatorRun } from "./operator/operatorRun.ts";
import { otherRun } from "./otherRun.ts";
import type { StoredRun } from "./readRun.ts";
import type { ReportRun } from "./reportRun.ts";

const KINDS: Readonly<Record<string, (stored: StoredRun, label: string) => ReportRun>> = {
  linear: linearRun,
  network: networkRun,
  hltm: hltmRun,
  "operator-identity": identityRun,
  "operator-training": operatorRun,
};

export function reportRun(stored: StoredRun, label: string): ReportRun {
  const { kind } = stored.config;
  return (Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined)?.(stored, label) ?? otherRun(stored, label);
}
