/** Measurements as records of metrics.jsonl, and records as what a run has measured. */
import { nodesOfLevel } from "../../theory/index.ts";
import type { MetricsRecord } from "../contract.ts";
import { cellsOf, type HltmCell, placeOf, runStep } from "./cells.ts";
import type { HltmConfig } from "./config.ts";
import { LEVEL_MEASURES, type LevelValues, spreadOver } from "./measures.ts";

/** Digits that metrics.jsonl keeps: a resumed run, which reads them, sums up the same numbers. */
const DIGITS = 9;

function rounded(values: readonly number[]): number[] {
  return values.map((value) => Number(value.toPrecision(DIGITS)));
}

/**
 * One measurement of a cell. `extra` holds, root's level first: the mean over the seeds of every measure under its own name, the standard
 * deviation of the correlations as `correlationStd`, and each seed's as `correlations` [seeds, levels]; further `cell` and `epoch`.
 */
export function toRecord(
  config: HltmConfig,
  place: { readonly cell: number; readonly step: number },
  loss: number,
  trials: readonly LevelValues[],
): MetricsRecord {
  const spreads = LEVEL_MEASURES.map((name) => [name, spreadOver(trials.map((values) => values[name]))] as const);
  const correlation = spreads.find(([name]) => name === "correlation")?.[1];
  return {
    step: runStep(config, place.cell, place.step),
    t: config.optimizer.learningRate * place.step,
    loss,
    spectrum: [],
    extra: {
      cell: place.cell,
      epoch: Number((place.step / config.record.every).toPrecision(DIGITS)),
      ...Object.fromEntries(spreads.map(([name, { mean }]) => [name, rounded(mean)])),
      correlationStd: rounded(correlation?.std ?? []),
      correlations: rounded(trials.flatMap((values) => values.correlation)),
    },
  };
}

/** Rows by epoch, columns by level, root's level first. */
export interface CellMeasured extends HltmCell {
  /** Place among the run's cells. */
  readonly index: number;
  readonly correlation: {
    readonly levels: readonly number[];
    readonly epochs: readonly number[];
    readonly mean: readonly (readonly number[])[];
    /** Sample standard deviation over the seeds. */
    readonly std: readonly (readonly number[])[];
    readonly seeds: number;
  };
  /** Means over the seeds. */
  readonly operatorNorm: readonly (readonly number[])[];
  readonly weightNorm: readonly (readonly number[])[];
  readonly alignment: readonly (readonly number[])[];
  readonly effectiveRank: readonly (readonly number[])[];
  readonly bestGap: readonly (readonly number[])[];
}

/** What has been measured of every cell that was begun. */
export function measuredCells(
  config: Pick<HltmConfig, "steps" | "seeds" | "tree" | "model" | "sweep">,
  history: readonly MetricsRecord[],
): readonly CellMeasured[] {
  const levels = Array.from({ length: config.tree.depth }, (_, index) => config.tree.depth - index);
  return cellsOf(config).flatMap((cell, index) => {
    const records = history.filter(({ step }) => placeOf(config, step).cell === index);
    if (records.length === 0) return [];
    const rows = (name: string): (readonly number[])[] => records.map(({ extra }) => asArray(extra?.[name]));
    return {
      ...cell,
      index,
      correlation: {
        levels,
        epochs: records.map(({ extra }) => asNumber(extra?.epoch)),
        mean: rows("correlation"),
        std: rows("correlationStd"),
        seeds: config.seeds,
      },
      operatorNorm: rows("operatorNorm"),
      weightNorm: rows("weightNorm"),
      alignment: rows("alignment"),
      effectiveRank: rows("effectiveRank"),
      bestGap: rows("bestGap"),
    };
  });
}

function asArray(value: number | readonly number[] | undefined): readonly number[] {
  return Array.isArray(value) ? (value as readonly number[]) : [];
}

function asNumber(value: number | readonly number[] | undefined): number {
  return typeof value === "number" ? value : Number.NaN;
}

/** Means over the latents of a level, root's level first. */
export function byLevel(tree: HltmConfig["tree"], perLatent: ArrayLike<number>): number[] {
  return Array.from({ length: tree.depth }, (_, index) => {
    const { first, count } = nodesOfLevel(tree, tree.depth - index);
    let sum = 0;
    for (let node = first; node < first + count; node++) sum += perLatent[node] as number;
    return sum / count;
  });
}
