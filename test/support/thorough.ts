/**
 * How much is tried. `npm test` tries a part of the crossed cases and the smaller sizes; `npm run test:long` runs the same files with
 * EIGENSTEP_THOROUGH=1, and they try everything.
 */
export const isThorough = typeof process === "object" && process.env.EIGENSTEP_THOROUGH === "1";

/** All cases when thorough, else every `n`-th from `offset` on: tests that cross families and cases give each family another part. */
export function thinned<T>(cases: readonly T[], n: number, offset = 0): readonly T[] {
  return isThorough ? cases : cases.filter((_, at) => at % n === offset % n);
}
