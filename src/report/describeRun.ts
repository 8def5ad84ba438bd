/** What every run can say about itself: its configuration, and the numbers of its summary, as rows for tables. */
import { z } from "zod";
import { formatBytes, formatDuration, formatNumber } from "./format.ts";
import type { StoredConfig, StoredRun } from "./readRun.ts";
import type { Row } from "./tables.ts";

const adapterSchema = z.looseObject({
  vendor: z.string(),
  architecture: z.string(),
  device: z.string(),
  description: z.string(),
  isSoftware: z.boolean(),
});
const stopSchema = z.object({ reason: z.string(), step: z.number(), where: z.string().optional() });
const summarySchema = z.object({
  adapter: adapterSchema.optional().catch(undefined),
  counters: z.record(z.string(), z.number()).optional().catch(undefined),
  wallMs: z.number().optional().catch(undefined),
  runtime: z.string().optional().catch(undefined),
  version: z.string().optional().catch(undefined),
  stopped: stopSchema.optional().catch(undefined),
});

type Stop = z.infer<typeof stopSchema>;

/** Every value of the configuration by its path, as `--set` names it. Kernel variants, which are many, are counted. */
export function configRows(config: StoredConfig): Row[] {
  const rows: Row[] = [];
  const visit = (path: string, value: unknown) => {
    if (path === "kernels.variants" && typeof value === "object" && value !== null) {
      rows.push([path, `${Object.keys(value).length} dispatches (in config.json)`]);
    } else if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      for (const [key, inner] of Object.entries(value)) visit(path ? `${path}.${key}` : key, inner);
    } else rows.push([path, typeof value === "string" ? value : JSON.stringify(value)]);
  };
  visit("", config);
  return rows;
}

/** Outcome, adapter, versions and counters. */
export function summaryRows(run: StoredRun): Row[] {
  const known = summarySchema.safeParse(run.summary ?? {}).data;
  const first = run.records[0];
  const last = run.records.at(-1);
  const rows: Row[] = [
    ["records", `${run.records.length}, steps ${first?.step ?? "-"} to ${last?.step ?? "-"}`],
    ["loss", `${lossText(first?.loss)} → ${lossText(last?.loss)}`],
  ];
  if (known?.stopped) rows.push(["ended", stopWords(known.stopped)]);
  if (known?.wallMs !== undefined) rows.push(["wall time", formatDuration(known.wallMs / 1000)]);
  if (known?.adapter) rows.push(["adapter", adapterText(known.adapter)]);
  if (known?.runtime) rows.push(["runtime", known.runtime]);
  if (known?.version) rows.push(["trained by", `eigenstep ${known.version}`]);
  for (const [name, value] of Object.entries(known?.counters ?? {})) rows.push(counterRow(name, value));
  return rows;
}

/** "diverged at step 7, first in the output of encoder.layer1". */
function stopWords({ reason, step, where }: Stop): string {
  return `${reason} at step ${step}${where ? `, first in ${where}` : ""}`;
}

/** Why and where a run ended before its last step, if it did. */
export function stopOf(run: StoredRun): Stop | undefined {
  return summarySchema.safeParse(run.summary ?? {}).data?.stopped;
}

/** Vendor, architecture and so on; a software adapter is called one. */
export function adapterOf(run: StoredRun): string | undefined {
  const adapter = summarySchema.safeParse(run.summary ?? {}).data?.adapter;
  return adapter && adapterText(adapter);
}

function adapterText({ vendor, architecture, device, description, isSoftware }: z.infer<typeof adapterSchema>): string {
  const name = [...new Set([vendor, architecture, device, description])].filter((part) => part !== "").join(" ");
  return `${name || "unnamed"}${isSoftware ? " (software adapter: no GPU)" : ""}`;
}

/** `dispatchesPerStep` → `dispatches per step`. */
function counterRow(name: string, value: number): Row {
  const words = name
    .replace(/[A-Z]+/g, (part) => ` ${part.length > 1 ? part : part.toLowerCase()}`)
    .replace(/gpu/i, "GPU");
  return name.startsWith("peak") && name.endsWith("Bytes")
    ? [words.replace(/ bytes$/, " memory"), formatBytes(value)]
    : [words, String(value)];
}

export function lossText(loss: number | undefined): string {
  return loss === undefined ? "-" : Number.isNaN(loss) ? "not finite" : formatNumber(loss);
}
