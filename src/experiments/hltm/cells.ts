/** The settings that an HLTM run goes through one after another, and how their steps are counted. */
import type { HltmConfig } from "./config.ts";

/** One setting: all its seeds run side by side. */
export interface HltmCell {
  readonly width: number;
  readonly polarity: readonly [low: number, high: number];
}

/** Widths vary slowest. */
export function cellsOf({ model, sweep, tree }: Pick<HltmConfig, "model" | "sweep" | "tree">): readonly HltmCell[] {
  const widths = sweep.widths.length > 0 ? sweep.widths : [model.width];
  const lows = sweep.polarities.length > 0 ? sweep.polarities : [tree.polarity[0]];
  return widths.flatMap((width) => lows.map((low) => ({ width, polarity: [low, tree.polarity[1]] as const })));
}

/**
 * Steps of records count on through the cells: cell c has c·(steps + 1) … c·(steps + 1) + steps, so that the last record of a cell and the
 * first of the next differ.
 */
export function runStep({ steps }: Pick<HltmConfig, "steps">, cell: number, step: number): number {
  return cell * (steps + 1) + step;
}

/** The inverse of `runStep`. */
export function placeOf(
  { steps }: Pick<HltmConfig, "steps">,
  step: number,
): { readonly cell: number; readonly step: number } {
  return { cell: Math.floor(step / (steps + 1)), step: step % (steps + 1) };
}

/** Steps of a cell that are measured. */
export function measuredSteps({ steps, record }: HltmConfig): number[] {
  const last = Math.floor(steps / record.every) * record.every;
  const regular = Array.from({ length: last / record.every + 1 }, (_, epoch) => epoch * record.every);
  return last === steps ? regular : [...regular, steps];
}
