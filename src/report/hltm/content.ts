/** An HLTM run as its folder holds it: cells with their measures and ceilings, ready to be drawn and put into tables. */
import { z } from "zod";
import type { HltmConfig } from "../../experiments/hltm/config.ts";
import { type CellMeasured, measuredCells } from "../../experiments/hltm/records.ts";
import type { StoredRun } from "../readRun.ts";

const configSchema = z.looseObject({
  steps: z.number(),
  seeds: z.number(),
  tree: z.looseObject({ depth: z.number(), branching: z.number(), polarity: z.tuple([z.number(), z.number()]) }),
  model: z.looseObject({ width: z.number() }),
  data: z.looseObject({ batch: z.number(), negatives: z.string() }),
  loss: z.looseObject({ kind: z.string(), temperature: z.number().optional() }),
  record: z.looseObject({ every: z.number(), samples: z.number() }),
  sweep: z.looseObject({ widths: z.array(z.number()), polarities: z.array(z.number()) }),
});
const theorySchema = z.looseObject({
  ceiling: z.array(z.looseObject({ mean: z.array(z.number()), std: z.array(z.number()) })),
});

/** What a report needs of the configuration. */
export type ReportedConfig = Pick<
  HltmConfig,
  "steps" | "seeds" | "tree" | "model" | "data" | "loss" | "record" | "sweep"
>;

export interface HltmContent {
  readonly config: ReportedConfig;
  readonly cells: readonly ShownCell[];
}

export interface ShownCell extends CellMeasured {
  /** Of the cell's trees, root's level first; none of a run that was killed before it wrote its summary. */
  readonly ceiling: { readonly mean: readonly number[]; readonly std: readonly number[] } | undefined;
}

/** undefined for a configuration that is not one of an HLTM run */
export function hltmContent(stored: StoredRun): HltmContent | undefined {
  const parsed = configSchema.safeParse(stored.config).data;
  if (!parsed) return undefined;
  const config = parsed as unknown as ReportedConfig;
  const ceilings = theorySchema.safeParse(stored.summary?.theory).data?.ceiling;
  const cells = measuredCells(config, stored.records).map((cell) => ({ ...cell, ceiling: ceilings?.[cell.index] }));
  return { config, cells };
}

/** `width 10, |ρ| in [0.8, 1]`. */
export function cellTitle({ width, polarity }: CellMeasured): string {
  return `width ${width}, |ρ| in [${polarity.join(", ")}]`;
}
