/** A run in words: what was trained on what, and the numbers of its summary, as rows for tables. */
import { z } from "zod";
import type { Descent } from "./curves.ts";
import { formatBytes, formatDuration, formatNumber } from "./format.ts";
import type { StoredConfig, StoredRun } from "./readRun.ts";
import { relativeError, type StepTimes } from "./stepTimes.ts";

export type Row = readonly [name: string, value: string];

const descentSchema = z.object({
  steps: z.int().min(1),
  optimizer: z.object({ learningRate: z.number().positive(), momentum: z.number().min(0).lt(1) }),
});
const linearSchema = z.object({
  model: z.object({ outputs: z.number() }),
  data: z.object({
    source: z.string(),
    images: z.number().optional(),
    pairs: z.number().optional(),
    crop: z.number().optional(),
  }),
});
const adapterSchema = z.looseObject({
  vendor: z.string(),
  architecture: z.string(),
  device: z.string(),
  description: z.string(),
  isSoftware: z.boolean(),
});
const summarySchema = z.object({
  adapter: adapterSchema.optional().catch(undefined),
  counters: z.record(z.string(), z.number()).optional().catch(undefined),
  wallMs: z.number().optional().catch(undefined),
  runtime: z.string().optional().catch(undefined),
  version: z.string().optional().catch(undefined),
  stopped: z.object({ reason: z.string(), step: z.number() }).optional().catch(undefined),
});

/** Learning rate and momentum, if the run is gradient descent as the theory knows it. */
export function descentOf(config: StoredConfig): Descent | undefined {
  const parsed = config.kind === "linear" ? descentSchema.safeParse(config).data : undefined;
  return parsed && { ...parsed.optimizer, steps: parsed.steps };
}

/** One sentence: the encoder, the loss and the data. */
export function trainedOn(config: StoredConfig): string {
  const known = config.kind === "linear" ? linearSchema.safeParse(config).data : undefined;
  if (!known) return `An experiment of kind “${config.kind}”, preset ${config.preset}.`;
  const { data, model } = known;
  return `A linear encoder z = W x with ${model.outputs} outputs, trained by full-batch gradient descent on the loss ‖C − I‖², where C is the cross-correlation of the embeddings of two views, of ${dataWords(data)}.`;
}

function dataWords({ source, images, pairs, crop }: z.infer<typeof linearSchema>["data"]): string {
  const names: Readonly<Record<string, string>> = { cifar10: "CIFAR-10", mnist: "MNIST" };
  if (images !== undefined)
    return `${images} ${names[source] ?? source} images: two random ${crop} × ${crop} crops of each`;
  const data: Readonly<Record<string, string>> = {
    "synthetic-spectrum": "Gaussian pairs with a prescribed spectrum",
    "extent-bias": "pairs with a wide and a narrow feature",
    "amplitude-bias": "pairs with a strong and a weak feature",
  };
  return `${pairs ?? "some"} ${data[source] ?? `pairs (${source})`}`;
}

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
  if (known?.stopped) rows.push(["ended", `${known.stopped.reason} at step ${known.stopped.step}`]);
  if (known?.wallMs !== undefined) rows.push(["wall time", formatDuration(known.wallMs / 1000)]);
  if (known?.adapter) rows.push(["adapter", adapterText(known.adapter)]);
  if (known?.runtime) rows.push(["runtime", known.runtime]);
  if (known?.version) rows.push(["trained by", `eigenstep ${known.version}`]);
  for (const [name, value] of Object.entries(known?.counters ?? {})) rows.push(counterRow(name, value));
  return rows;
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

/** The largest error among the modes that the theory is held to. */
export function worstError(steps: StepTimes): number | undefined {
  const errors = steps.discrete.flatMap((_, mode) => {
    const error = steps.admitted[mode] ? relativeError(steps, mode) : null;
    return error === null ? [] : [Math.abs(error)];
  });
  return errors.length > 0 ? Math.max(...errors) : undefined;
}
