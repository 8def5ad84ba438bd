/** What a benchmark is given and what it delivers: plain data but for the context it runs in. */
import type { AdapterDescription } from "../../device/adapter.ts";
import type { Engine } from "../../device/engine.ts";

/** The table of suites is in suites.ts; another suite is another name here and another entry there. */
export const SUITE_NAMES = ["eigh"] as const;
export type SuiteName = (typeof SUITE_NAMES)[number];

/** Plain JSON. */
export interface BenchTask {
  readonly kind: "bench";
  readonly suites: readonly SuiteName[];
  /** Also measure the alternatives, whose modules the page loads from the command's server. */
  readonly peers: boolean;
  /** Versions of what is compared, by package. */
  readonly versions: Readonly<Record<string, string>>;
}

/** One measurement. Everything is verified before it is timed. */
export interface BenchRow {
  readonly suite: SuiteName;
  /** What was measured: the same name for every engine. */
  readonly name: string;
  readonly engine: string;
  /** Median of `runs` timed runs, after warm-up; null when nothing was timed, `note` says why. */
  readonly medianMs: number | null;
  readonly fastestMs: number | null;
  readonly runs: number;
  /** The result was within the stated bound of a float64 reference. */
  readonly verified: boolean;
  /** Largest error over the largest magnitude of the result. */
  readonly error: number | null;
  readonly n?: number;
  readonly batch?: number;
  readonly scale?: number;
  /** Iterations the solver says it took. */
  readonly sweeps?: number;
  /** Of one run; our own engine only. */
  readonly dispatches?: number;
  readonly submits?: number;
  readonly objectsCreated?: number;
  readonly note?: string;
}

/** A number that we hold ourselves to; `aim` is what would please, if that is more. */
export interface BenchTarget {
  readonly name: string;
  /** Null when its rows were not measured. */
  readonly value: number | null;
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly aim?: number;
  readonly met: boolean | null;
}

/** What the adapter can do, measured in the same run. */
export interface Ceiling {
  /** Of a 512 × 512 × 512 product by the kernel that the default table picks. */
  readonly gflops: number;
  /** Read and written by a copy of 64 MiB. */
  readonly gbps: number;
  /** Of many small dispatches in one pass. */
  readonly usPerDispatch: number;
}

/** What `eigenstep bench --json` prints. */
export interface BenchDocument {
  readonly adapter: AdapterDescription;
  readonly versions: Readonly<Record<string, string>>;
  readonly ceiling: Ceiling;
  readonly rows: readonly BenchRow[];
  readonly targets: readonly BenchTarget[];
}

export interface BenchContext {
  readonly engine: Engine;
  readonly signal: AbortSignal;
  /** Shown while the benchmark runs. */
  readonly progress: (text: string) => void;
  /** Alternatives that solve the suite's problem, in the order in which they are measured; none without `--peers`. */
  readonly peers: readonly PeerSolver[];
}

export interface SuiteResult {
  readonly rows: readonly BenchRow[];
  readonly targets: readonly BenchTarget[];
}

export type Suite = (context: BenchContext) => Promise<SuiteResult>;

/** Eigenvalues of one symmetric matrix by another library; bench/peers has the implementations. */
export interface PeerSolver {
  /** Name and device for the table. */
  readonly engine: string;
  /** True when it solves on the CPU what lies on the GPU, so that a read-back of the matrix belongs to its time. */
  readonly readsBack: boolean;
  /** `a` is [n, n], symmetric. What is not part of a solve (upload, compilation of the shape) is done here. */
  prepareEigenvalues(a: Float32Array, n: number): Promise<PreparedPeer>;
}

export interface PreparedPeer {
  /** Solves and resolves to the eigenvalues on the host, in any order. `a` is the matrix as just read back, for solvers that want it. */
  run(a: Float32Array | undefined): Promise<ArrayLike<number>>;
  release(): void;
}

/** What a module of bench/peers exports as `openPeers`. */
export type OpenPeers = () => Promise<readonly PeerSolver[]>;
