/**
 * An independent replication (plain CPU code, other random numbers) of the reference setting that `hltm-table` repeats: depth 5, branching 2,
 * batch 128, 64,000 triplets an epoch, learning rate 0.1, loss −σ((r₋ − r₊)/0.1), ten seeds; means and deviations over the seeds of the
 * levels' means, root first. Two decimals. The paper's own table was not at hand to quote.
 */

/** Mean and standard deviation; the latter not recorded everywhere. */
export type Cell = readonly [mean: number, std: number | undefined];

export interface ReplicationRow {
  readonly width: number;
  readonly low: number;
  readonly epoch: number;
  /** Levels 5 … 1. */
  readonly levels: readonly [Cell, Cell, Cell, Cell, Cell];
}

const row = (
  low: number,
  width: number,
  epoch: number,
  means: readonly number[],
  stds: readonly (number | undefined)[],
) => ({
  low,
  width,
  epoch,
  levels: means.map((mean, index) => [mean, stds[index]] as const) as unknown as ReplicationRow["levels"],
});

export const REPLICATION: readonly ReplicationRow[] = [
  row(0.7, 2, 0, [0.41, 0.42, 0.5, 0.67, 0.85], [0.24, 0.19, 0.13, 0.07, 0.04]),
  row(0.7, 2, 1, [0.47, 0.43, 0.51, 0.68, 0.85], [0.26, 0.22, 0.12, 0.08, 0.04]),
  row(0.7, 2, 20, [0.52, 0.5, 0.56, 0.7, 0.86], [0.24, 0.19, 0.13, 0.08, 0.04]),
  row(0.7, 10, 0, [0.62, 0.66, 0.74, 0.84, 0.93], [0.09, 0.07, 0.04, 0.03, 0.01]),
  row(0.7, 10, 1, [0.8, 0.79, 0.82, 0.86, 0.93], [0.09, 0.07, 0.05, 0.03, 0.01]),
  row(0.7, 10, 20, [0.85, 0.84, 0.86, 0.88, 0.93], [0.05, 0.04, 0.03, 0.02, 0.01]),
  row(0.8, 2, 0, [0.54, 0.51, 0.58, 0.75, 0.89], [0.25, undefined, undefined, undefined, undefined]),
  row(0.8, 2, 20, [0.55, 0.62, 0.62, 0.77, 0.9], [0.33, 0.2, 0.15, 0.08, 0.03]),
  row(0.8, 10, 0, [0.75, 0.77, 0.83, 0.89, 0.95], [0.06, 0.06, 0.03, 0.02, 0.01]),
  row(0.8, 10, 1, [0.9, 0.89, 0.9, 0.91, 0.95], [0.03, 0.02, 0.02, 0.02, 0.01]),
  row(0.8, 10, 20, [0.91, 0.91, 0.91, 0.92, 0.95], [0.03, 0.02, 0.02, 0.01, 0.01]),
  row(0.9, 2, 0, [0.7, 0.63, 0.69, 0.85, 0.94], [0.22, undefined, undefined, undefined, undefined]),
  row(0.9, 2, 20, [0.78, 0.78, 0.75, 0.86, 0.94], [0.19, 0.16, 0.13, 0.07, 0.02]),
  row(0.9, 10, 0, [0.88, 0.88, 0.92, 0.95, 0.98], [0.04, 0.04, 0.02, 0.01, 0.005]),
  row(0.9, 10, 1, [0.95, 0.95, 0.95, 0.96, 0.98], [0.02, 0.01, 0.01, 0.01, 0.005]),
  row(0.9, 10, 20, [0.96, 0.96, 0.96, 0.96, 0.98], [0.01, 0.01, 0.01, 0.01, 0.005]),
];

/** Seeds of the replication. */
export const REPLICATION_SEEDS = 10;

/**
 * True where two means over seeds agree as the comparison asks: within two standard errors of their difference, or within 0.03.
 *
 * @param ours mean, standard deviation and number of seeds
 */
export function agrees(
  ours: { readonly mean: number; readonly std: number; readonly seeds: number },
  [mean, std = 0]: Cell,
): boolean {
  const error = Math.sqrt(ours.std ** 2 / ours.seeds + std ** 2 / REPLICATION_SEEDS);
  return Math.abs(ours.mean - mean) <= Math.max(0.03, 2 * error);
}
