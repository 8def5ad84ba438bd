/** The suite `eigh`: eigenvalues of symmetric matrices and the spectrum of an embedding matrix, beside the alternatives in the page. */

import { geometricValues, withSingularValues } from "../../../test/oracle/rectangularFamilies.ts";
import { svd } from "../../../test/oracle/svd.ts";
import { symmetricFamily } from "../../../test/oracle/symmetricFamilies.ts";
import { referenceEigenvalues } from "../../../test/oracle/tridiagonalEigen.ts";
import { isEngineError } from "../../errors.ts";
import type { KernelCall } from "../../kernels/call.ts";
import { type BenchContext, type BenchRow, OURS, type Suite } from "./contract.ts";
import { measurePeers } from "./eighPeers.ts";
import {
  BATCH,
  eighUnmeasured,
  type Problem,
  problemOf,
  promisedError,
  relativeError,
  rowName,
  SCALES,
  SIZES,
  SPECTRUM,
  spectrumName,
} from "./eighProblem.ts";
import { eighTargets } from "./eighTargets.ts";
import { countsBetween, type GpuCallCounts } from "./gpuCalls.ts";
import { prepareSolver, type SolverRun } from "./solverRun.ts";
import { type Timing, timed } from "./timing.ts";

/** Timed once: its run takes long, and it is there for the exponent. */
const LARGEST = 1024;
const SKIPPED_ORDER = 256;
/** A run this long is timed once at scales other than 1, where the error is what is asked. */
const LONG_MS = 1500;

export const eighSuite: Suite = {
  measure: measureEigh,
  targets: (rows, { isSoftware }) => eighTargets(rows, isSoftware),
};

async function measureEigh(context: BenchContext): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const { engine, progress, signal, peers, wants } = context;
  // What fails is a row that says so and fails the command; the rest is still measured.
  const add = async (name: string, measure: () => Promise<BenchRow | readonly BenchRow[]>): Promise<void> => {
    signal.throwIfAborted();
    if (!wants(name)) return;
    progress(`${OURS}: ${name}`);
    try {
      rows.push(...[await measure()].flat());
    } catch (error) {
      if (!isEngineError(error)) throw error;
      engine.assertUsable();
      rows.push(eighUnmeasured(name, OURS, `failed: ${error.code} ${error.message}`));
    }
  };
  for (const n of SIZES) {
    for (const scale of SCALES) await add(rowName(n, scale), () => measureOrder(context, problemOf(n, scale)));
  }
  await add(rowName(LARGEST, 1), () => measureOrder(context, problemOf(LARGEST, 1)));
  await add(`batch=${BATCH.batch} n=${BATCH.n}`, () => measureBatch(context));
  await add(spectrumName(), () => measureSpectrum(context));
  await add("one skipped dispatch", () => measureSkipped(context));
  if (peers.length > 0) rows.push(...(await measurePeers(context)));
  return rows;
}

/** Counts of one run. */
async function counts({ calls }: BenchContext, solver: SolverRun): Promise<GpuCallCounts> {
  const before = calls.counts;
  await solver.run();
  return countsBetween(before, calls.counts);
}

async function measureOrder(context: BenchContext, { n, scale, a, exact }: Problem): Promise<BenchRow> {
  using solver = await prepareSolver(context.engine, { n }, a);
  const started = performance.now();
  const { values, sweeps, flags } = await solver.solve();
  const firstMs = performance.now() - started;
  const error = relativeError(values, exact);
  const isOnce = n === LARGEST || (firstMs > LONG_MS && scale !== 1);
  const timing = await timed(() => solver.run(), isOnce ? { runs: 1, budgetMs: 0, warmUps: 0 } : { runs: 5 });
  const name = rowName(n, scale);
  const verified = flags === 0 && error <= promisedError(n);
  const counted = n === LARGEST ? { dispatches: solver.dispatches } : await counts(context, solver);
  return { suite: "eigh", name, engine: OURS, n, batch: 1, scale, ...timing, verified, error, sweeps, ...counted };
}

/** A batch in one submit, against its matrices one after another: each waited for, and all in one submit. */
async function measureBatch(context: BenchContext): Promise<BenchRow[]> {
  const { engine } = context;
  const { n, batch } = BATCH;
  const matrices = new Float32Array(batch * n * n);
  const exact: Float64Array[] = [];
  for (let g = 0; g < batch; g++) {
    const a = symmetricFamily("random", n, g);
    matrices.set(a, g * n * n);
    exact.push(referenceEigenvalues(a, n));
  }
  const errorOf = (values: Float32Array, g: number, at: number) =>
    relativeError(values.subarray(at * n, (at + 1) * n), exact[g] ?? []);
  const row = (name: string, timing: Timing, error: number, more: object): BenchRow => {
    const verified = error <= promisedError(n);
    return { suite: "eigh", name, engine: OURS, n, batch, scale: 1, ...timing, verified, error, ...more };
  };
  using together = await prepareSolver(engine, { n, batch }, matrices);
  const solved = await together.solve();
  const error = Math.max(...exact.map((_, g) => errorOf(solved.values, g, g)));
  const rows = [
    row(`batch=${batch} n=${n}`, await timed(() => together.run(), { runs: 5 }), error, {
      sweeps: solved.sweeps,
      ...(await counts(context, together)),
    }),
  ];
  const single: SolverRun[] = [];
  try {
    for (let g = 0; g < batch; g++) {
      single.push(await prepareSolver(engine, { n }, matrices.slice(g * n * n, (g + 1) * n * n)));
    }
    const oneByOne = async () => {
      const errors: number[] = [];
      for (const [g, solver] of single.entries()) errors.push(errorOf(await solver.run(), g, 0));
      return Math.max(...errors);
    };
    const singleError = await oneByOne();
    const timing = await timed(oneByOne, { runs: 5 });
    rows.push(row(`${batch} × n=${n}, one at a time`, timing, singleError, { dispatches: batch, submits: batch }));
  } finally {
    for (const solver of single) solver[Symbol.dispose]();
  }
  return rows;
}

/** Singular values of an embedding matrix whose spectrum falls by seven decades. */
async function measureSpectrum(context: BenchContext): Promise<BenchRow> {
  const { rows, columns } = SPECTRUM;
  const z = withSingularValues(geometricValues(columns, 1e-7), rows, 1);
  using solver = await prepareSolver(context.engine, { rows, columns }, z);
  const { values, sweeps, flags } = await solver.solve();
  const error = relativeError(values, svd(z, rows, columns).values);
  const timing = await timed(() => solver.run(), { runs: 7 });
  return {
    suite: "eigh",
    name: spectrumName(),
    engine: OURS,
    ...timing,
    verified: flags === 0 && error <= promisedError(columns),
    error,
    sweeps,
    ...(await counts(context, solver)),
  };
}

/**
 * The identity is finished after its first sweep: whatever the second half of the sweeps' dispatches takes is the cost of those that find
 * nothing to do. What comes after the sweeps and writes the result is left out.
 */
async function measureSkipped(context: BenchContext): Promise<BenchRow> {
  const n = SKIPPED_ORDER;
  const identity = symmetricFamily("identity", n);
  using complete = await prepareSolver(context.engine, { n }, identity);
  const { values, sweeps, flags } = await complete.solve();
  const error = relativeError(values, new Float64Array(n).fill(1));
  using whole = await prepareSolver(context.engine, { n }, identity, sweepCalls);
  using half = await prepareSolver(context.engine, { n }, identity, (calls) =>
    sweepCalls(calls).slice(0, Math.ceil(sweepCalls(calls).length / 2)),
  );
  const [full, first] = [await timed(() => whole.run(), { runs: 7 }), await timed(() => half.run(), { runs: 7 })];
  const skipped = whole.dispatches - half.dispatches;
  const perDispatch = (a: number, b: number) => (skipped > 0 ? (a - b) / skipped : null);
  return {
    suite: "eigh",
    name: "one skipped dispatch",
    engine: OURS,
    n,
    medianMs: perDispatch(full.medianMs, first.medianMs),
    fastestMs: perDispatch(full.fastestMs, first.fastestMs),
    slowestMs: perDispatch(full.slowestMs, first.slowestMs),
    runs: full.runs,
    verified: flags === 0 && error === 0,
    error,
    sweeps,
    dispatches: skipped,
  };
}

/** Up to the last call of a kernel that is called again and again. */
function sweepCalls(calls: readonly KernelCall[]): readonly KernelCall[] {
  const count = (call: KernelCall) => calls.filter(({ kernel }) => kernel === call.kernel).length;
  return calls.slice(0, calls.findLastIndex((call) => count(call) >= 10) + 1);
}
