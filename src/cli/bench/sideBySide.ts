/**
 * The same work by several engines in one page: each verified first, then run in turns, so that what slows the machine down for a while
 * slows all of them down alike.
 */
import { isEngineError } from "../../errors.ts";
import { type BenchContext, type BenchRow, OURS, type SuiteName, unmeasured } from "./contract.ts";
import { countsBetween, type GpuCallCounts } from "./gpuCalls.ts";
import type { Peer, PreparedWork } from "./peerContract.ts";
import { summarize } from "./timing.ts";

export interface Contest {
  readonly suite: SuiteName;
  readonly name: string;
  readonly flops: number;
  /** Compares a result with float64. */
  check(result: Float32Array): Verdict;
  ours(): Promise<PreparedWork>;
  /** Undefined for a peer that does not offer this work. */
  theirs(peer: Peer): (() => Promise<PreparedWork>) | undefined;
  /** Other work that takes its turn, too, for ours to be measured against. */
  readonly yardstick?: Entry;
}

/** One of those that take turns. */
export interface Entry {
  readonly engine: string;
  readonly prepare: () => Promise<PreparedWork>;
  readonly flops: number;
  check(result: Float32Array): Verdict;
}

export interface Verdict {
  readonly verified: boolean;
  /** Largest error over the largest magnitude. */
  readonly error: number;
}

/** Timed runs: 11, fewer (at least 3) where they would take longer than this, more where they are short. */
const RUNS = 11;
const LEAST_RUNS = 3;
const LIMIT_MS = 3_000;
const SHORT_MS = 250;

interface Contestant {
  readonly engine: string;
  readonly flops: number;
  readonly work: PreparedWork;
  readonly verdict: Verdict;
  readonly firstMs: number;
  readonly times: number[];
  totalMs: number;
  counts: GpuCallCounts | undefined;
}

/** Rows of all engines that offer the work, ours first. A peer's failure is a row that says so; so is one of our kernels'. */
export async function measureContest(context: BenchContext, contest: Contest): Promise<BenchRow[]> {
  const same = { flops: contest.flops, check: (result: Float32Array) => contest.check(result) };
  const entries: readonly Entry[] = [
    { ...same, engine: OURS, prepare: () => contest.ours() },
    ...(contest.yardstick ? [contest.yardstick] : []),
    ...context.peers.flatMap((peer) => {
      const prepare = contest.theirs(peer);
      return prepare ? [{ ...same, engine: peer.engine, prepare }] : [];
    }),
  ];
  const rows = new Map<string, BenchRow>();
  const contestants: Contestant[] = [];
  const fail = (engine: string, error: unknown): void => {
    context.signal.throwIfAborted();
    context.engine.assertUsable();
    if (engine === OURS && !isEngineError(error)) throw error;
    const text = isEngineError(error) ? `${error.code} ${error.message}` : String(error);
    rows.set(engine, unmeasured({ ...contest, engine }, `failed: ${text}`));
  };
  try {
    for (const entry of entries) {
      context.signal.throwIfAborted();
      context.progress(`${contest.suite}: ${contest.name}, ${entry.engine}`);
      try {
        contestants.push(await enter(entry));
      } catch (error) {
        fail(entry.engine, error);
      }
    }
    let active = contestants;
    while (active.length > 0) {
      for (const contestant of active) {
        context.signal.throwIfAborted();
        await runOnce(context, contestant).catch((error: unknown) => fail(contestant.engine, error));
      }
      active = active.filter((contestant) => !rows.has(contestant.engine) && wantsMore(contestant));
    }
    for (const contestant of contestants) {
      if (!rows.has(contestant.engine)) rows.set(contestant.engine, rowOf(contest, contestant));
    }
  } finally {
    for (const { work } of contestants) work.release();
  }
  return entries.flatMap(({ engine }) => rows.get(engine) ?? []);
}

/** The run that is verified is the warm-up, too. */
async function enter({ engine, prepare, flops, check }: Entry): Promise<Contestant> {
  const started = performance.now();
  const work = await prepare();
  try {
    const result = await work.result();
    const firstMs = performance.now() - started;
    const verdict = check(result);
    return { engine, flops, work, verdict, firstMs, times: [], totalMs: 0, counts: undefined };
  } catch (error) {
    work.release();
    throw error;
  }
}

async function runOnce({ calls }: BenchContext, contestant: Contestant): Promise<void> {
  const before = calls.counts;
  const started = performance.now();
  await contestant.work.run();
  const ms = performance.now() - started;
  const counts = countsBetween(before, calls.counts);
  contestant.times.push(ms);
  contestant.totalMs += ms;
  // The first one may still create what later ones reuse.
  if (contestant.times.length > 1 || contestant.counts === undefined) contestant.counts = counts;
}

function wantsMore({ times, totalMs }: Contestant): boolean {
  if (times.length < LEAST_RUNS) return true;
  return times.length < RUNS ? totalMs < LIMIT_MS : times.length < 5 * RUNS && totalMs < SHORT_MS;
}

function rowOf({ suite, name }: Contest, contestant: Contestant): BenchRow {
  const { engine, flops, verdict, firstMs, times, counts } = contestant;
  const timing = summarize(times);
  return {
    suite,
    name,
    engine,
    ...timing,
    ...verdict,
    firstMs,
    gflops: flops / (1e6 * timing.medianMs),
    ...counts,
  };
}
