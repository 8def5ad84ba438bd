/** Targets from rows of one run: ratios between engines, and bounds on single numbers. */
import { type BenchRow, type BenchTarget, OURS, type SuiteName } from "./contract.ts";

export interface Bound {
  readonly least: number;
  readonly aim?: number;
  readonly where?: string | undefined;
}

export function atLeast(name: string, value: number | null, { least, aim, where }: Bound): BenchTarget {
  return {
    name,
    value,
    atLeast: least,
    ...(aim === undefined ? {} : { aim }),
    met: value === null ? null : value >= least,
    ...(where === undefined ? {} : { where }),
  };
}

export function atMost(name: string, value: number | null, bound: number, aim?: number): BenchTarget {
  return {
    name,
    value,
    atMost: bound,
    ...(aim === undefined ? {} : { aim }),
    met: value === null ? null : value <= bound,
  };
}

/**
 * For each peer, the least ratio over the suite's rows of its median time to ours. Rows of ours that are not verified count as 0; a peer is
 * beaten in time even where its result is not within our bound.
 */
export function speedTargets(
  suite: SuiteName,
  rows: readonly BenchRow[],
  bounds: Readonly<Record<string, Bound>>,
): BenchTarget[] {
  const isOurs = ({ engine }: BenchRow) => engine === OURS;
  const verified = new Set(rows.filter((row) => isOurs(row) && row.verified).map(({ name }) => name));
  return Object.entries(bounds).map(([peer, bound]) => {
    const measured = rows.filter((row) => row.suite === suite && row.engine === peer && row.medianMs !== null);
    const ratios = measured.map(({ name, ratio }) => ({ name, ratio: verified.has(name) ? (ratio ?? 0) : 0 }));
    const least = ratios.toSorted((a, b) => a.ratio - b.ratio)[0];
    const name = `${suite}: times as fast as ${peer}, least of ${ratios.length} rows`;
    return atLeast(name, least?.ratio ?? null, { ...bound, where: least?.name });
  });
}
