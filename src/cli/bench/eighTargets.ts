/** What the suite `eigh` is held to, on the software adapter; ratios between rows of one run. */
import { type BenchRow, type BenchTarget, OURS } from "./contract.ts";
import { BATCH, rowName, spectrumName } from "./eighProblem.ts";
import { atLeast, atMost } from "./targets.ts";
import { fittedExponent } from "./timing.ts";

const PEER = "jax-js webgpu";
const EXPONENT_ORDERS = [64, 128, 256, 512, 1024];

/** @param isSoftware times are promised for software adapters; ratios and the exponent everywhere */
export function eighTargets(rows: readonly BenchRow[], isSoftware: boolean): BenchTarget[] {
  const ms = (name: string, engine = OURS): number | null =>
    rows.find((row) => row.name === name && row.engine === engine && row.verified)?.medianMs ?? null;
  // A peer is beaten in time even where its result is not within our bound.
  const peerMs = (name: string): number | null =>
    rows.find((row) => row.name === name && row.engine === PEER)?.medianMs ?? null;
  const ratio = (a: number | null, b: number | null): number | null => (a === null || b === null ? null : a / b);
  const points = EXPONENT_ORDERS.flatMap((n) => {
    const value = ms(rowName(n, 1));
    return value === null ? [] : [[n, value] as const];
  });
  const isComplete = points.length === EXPONENT_ORDERS.length;
  const skipped = ms("one skipped dispatch");
  const times: BenchTarget[] = [
    atMost("eigenvalues, n=256: ms", ms(rowName(256, 1)), 1200),
    atMost(`${spectrumName()}: ms`, ms(spectrumName()), 40),
    atMost("a skipped dispatch: µs", skipped === null ? null : 1000 * skipped, 50),
  ];
  return [
    ...[64, 128].map((n) =>
      atLeast(`eigenvalues, n=${n}: times as fast as ${PEER}`, ratio(peerMs(rowName(n, 1)), ms(rowName(n, 1))), {
        least: 8,
      }),
    ),
    atLeast(
      `batch of ${BATCH.batch}, n=${BATCH.n}: matrices per second over one at a time`,
      ratio(ms(`${BATCH.batch} × n=${BATCH.n}, one at a time`), ms(`batch=${BATCH.batch} n=${BATCH.n}`)),
      { least: 1.6 },
    ),
    atMost("exponent of time in n, 64 … 1024", isComplete ? fittedExponent(points) : null, 3.2),
    ...(isSoftware ? times : times.map((target) => ({ ...target, met: null }))),
  ];
}
