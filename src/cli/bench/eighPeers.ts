/** The alternatives on the matrices of the suite `eigh`, in the same page. The slowest come last: they cannot be interrupted. */
import { EngineError } from "../../errors.ts";
import type { BenchContext, BenchRow } from "./contract.ts";
import {
  eighUnmeasured,
  type Problem,
  problemOf,
  promisedError,
  relativeError,
  rowName,
  SCALES,
  SIZES,
} from "./eighProblem.ts";
import { countsBetween, countsPerRun } from "./gpuCalls.ts";
import type { EigenvaluesPeer } from "./peerContract.ts";
import { summarize, timed } from "./timing.ts";

/** A peer that offers eigenvalues. */
interface Solver extends EigenvaluesPeer {
  readonly engine: string;
}

/** What takes longer than `LONG_MS` is timed once after its first run; what is foreseen to take longer than `LIMIT_MS` is left out. */
const LONG_MS = 3_000;
const LIMIT_MS = 30_000;

export async function measurePeers(context: BenchContext): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const { engine, eigenvalues } of context.peers) {
    if (!eigenvalues) continue;
    const peer: Solver = { engine, ...eigenvalues };
    // The order and time before, by scale (some stop early at small scales): a serial solver grows at least with the cube.
    const last = new Map<number, { readonly n: number; readonly ms: number }>();
    let failure: string | undefined;
    for (const n of SIZES) {
      for (const scale of SCALES) {
        context.signal.throwIfAborted();
        if (!context.wants(rowName(n, scale))) continue;
        const before = last.get(scale) ?? last.get(1);
        const foreseenMs = before ? before.ms * (n / before.n) ** 3 : 0;
        const problem = { n, scale };
        if (failure !== undefined) rows.push(leftOut(peer, problem, `not run: ${failure}`));
        else if (foreseenMs > LIMIT_MS || (foreseenMs > LONG_MS && scale !== 1)) {
          rows.push(leftOut(peer, problem, `not run: foreseen to take ${Math.round(foreseenMs / 1000)} s`));
        } else {
          context.progress(`${peer.engine} ${rowName(n, scale)}`);
          const row = await measurePeer(context, peer, problemOf(n, scale), foreseenMs > LONG_MS);
          rows.push(row);
          if (row.medianMs === null) failure = row.note ?? "failed";
          else last.set(scale, { n, ms: row.medianMs });
        }
      }
    }
  }
  return rows;
}

type Named = Pick<Problem, "n" | "scale">;

function leftOut({ engine }: Solver, { n, scale }: Named, note: string): BenchRow {
  return { ...eighUnmeasured(rowName(n, scale), engine, note), n, batch: 1, scale };
}

async function measurePeer(context: BenchContext, peer: Solver, problem: Problem, isOnce: boolean): Promise<BenchRow> {
  const { n, scale, a, exact } = problem;
  const { engine } = context;
  const [input] = peer.readsBack ? await matrixOnGpu(context, a) : [];
  try {
    const prepared = await peer.prepare(a, n);
    const solve = async () => prepared.run(input && new Float32Array(await engine.readBuffer(input, 0, a.byteLength)));
    try {
      const started = performance.now();
      const values = await withLimit(solve(), 3 * LIMIT_MS);
      const firstMs = performance.now() - started;
      const error = relativeError(values, exact);
      // A first run may have waited for something else, so what seems slow gets another one, unless that would take too long.
      const isOne = isOnce || firstMs > LONG_MS;
      const warmUps = isOne ? 0 : 1;
      const runs = isOne ? 1 : scale === 1 ? 5 : 3;
      const before = context.calls.counts;
      const timing =
        firstMs > LIMIT_MS
          ? summarize([firstMs])
          : await timed(solve, { runs, warmUps, ...(isOne ? { budgetMs: 0 } : {}) });
      const counts = countsBetween(before, context.calls.counts);
      return {
        suite: "eigh",
        name: rowName(n, scale),
        engine: peer.engine,
        n,
        batch: 1,
        scale,
        ...timing,
        verified: error <= promisedError(n),
        error,
        ...(firstMs > LIMIT_MS
          ? { note: "one run, compilation included" }
          : countsPerRun(counts, timing.runs + warmUps)),
      };
    } finally {
      prepared.release();
    }
  } catch (error) {
    // A peer's failure is a result; that of our own engine is not.
    engine.assertUsable();
    return leftOut(peer, problem, `failed: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    if (input) engine.destroyBuffers([input]);
  }
}

/** The matrix where a training step would have it. */
async function matrixOnGpu({ engine }: BenchContext, a: Float32Array): Promise<GPUBuffer[]> {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
  const buffer = await engine.createBuffer({ label: "bench matrix", sizeBytes: a.byteLength, usage });
  engine.write(buffer, 0, a as Float32Array<ArrayBuffer>);
  return [buffer];
}

async function withLimit<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `more than ${limitMs / 1000} s`;
      reject(new EngineError({ code: "BENCH-LIMIT", message, fix: "Measure smaller matrices." }));
    }, limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
