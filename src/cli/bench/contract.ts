/** What a benchmark is given and what it delivers: plain data but for the context it runs in. */
import type { AdapterDescription } from "../../device/adapter.ts";
import type { Engine } from "../../device/engine.ts";
import type { GpuCalls } from "./gpuCalls.ts";
import type { MultiplyAddVariant } from "./multiplyAdd.ts";
import type { Peer } from "./peerContract.ts";

/** The table of suites is in suites.ts; another suite is another name here and another entry there. */
export const SUITE_NAMES = ["eigh", "matmul", "conv", "step"] as const;
export type SuiteName = (typeof SUITE_NAMES)[number];

/** Our rows' `engine`. */
export const OURS = "eigenstep";
/** `engine` of multiply-adds from registers, as many as the row's own, that took turns with a product. */
export const MULTIPLY_ADDS = "multiply-adds alone";

/** Plain JSON. */
export interface BenchTask {
  readonly kind: "bench";
  readonly suites: readonly SuiteName[];
  /** Also measure the alternatives, whose modules the page loads from the command's server. */
  readonly peers: boolean;
  /** Only rows whose names contain this; all unless given. */
  readonly only?: string | undefined;
  /** Steps of a soak in the suite `step`; none unless given. */
  readonly soakSteps?: number | undefined;
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
  readonly slowestMs: number | null;
  readonly runs: number;
  /** The result was within the stated bound of a float64 reference. */
  readonly verified: boolean;
  /** Largest error over the largest magnitude of the result. */
  readonly error: number | null;

  /** Compilation and first run, before the timed ones. */
  readonly firstMs?: number;
  /** Median time over that of our row of the same name. */
  readonly ratio?: number;
  /** From a formula, a multiply-add counting two; equal for all engines. */
  readonly gflops?: number;
  readonly percentOfCeiling?: number;

  /** Of one run in steady state; the same counter for all engines (`GpuCalls`). */
  readonly dispatches?: number;
  readonly passes?: number;
  readonly submits?: number;
  readonly buffersCreated?: number;
  readonly bindGroupsCreated?: number;
  /** Buffers and bind groups included; encoders, passes and command buffers are not. */
  readonly objectsCreated?: number;
  readonly writeBuffers?: number;
  readonly bytesReadBack?: number;
  readonly jsMs?: number;

  /** Of the suite `eigh`. */
  readonly n?: number;
  readonly batch?: number;
  readonly scale?: number;
  /** Iterations the solver says it took. */
  readonly sweeps?: number;

  /** Of the suite `step`: the loss of each state, the first before any update. */
  readonly losses?: readonly number[];
  /** Most bytes of buffers alive at once beyond what was alive before. */
  readonly peakGpuBytes?: number;
  /** What the engine itself says: our planner, or a peer's own account. */
  readonly reportedGpuBytes?: number;
  /** Of a soak: steps per second at its end over those at step 100. */
  readonly speedKept?: number;
  /** Of a soak: bytes of buffers alive at its end beyond those at step 100. */
  readonly memoryGrowthBytes?: number;

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
  /** Which row decided, where the value is the least of several. */
  readonly where?: string;
}

/** What the adapter can do, measured in the same run. */
export interface Ceiling {
  /** Of fused multiply-adds on vec4 in registers (shaders/bench/multiply_add.wgsl). */
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
  /** Installed before any engine was started. */
  readonly calls: GpuCalls;
  /** Alternatives, in the order in which they are measured; none without `--peers`. */
  readonly peers: readonly Peer[];
  /** The variant of multiply-adds that reached the ceiling before the suites. */
  readonly multiplyAdds: MultiplyAddVariant;
  /** Whether a row of this name is wanted. */
  readonly wants: (name: string) => boolean;
  readonly soakSteps: number | undefined;
}

export interface Suite {
  measure(context: BenchContext): Promise<readonly BenchRow[]>;
  targets(rows: readonly BenchRow[], adapter: Pick<AdapterDescription, "isSoftware">): readonly BenchTarget[];
}

/** A row without a measurement, and why. */
export function unmeasured(row: Pick<BenchRow, "suite" | "name" | "engine">, note: string): BenchRow {
  const { suite, name, engine } = row;
  const none = { medianMs: null, fastestMs: null, slowestMs: null, error: null };
  return { suite, name, engine, ...none, runs: 0, verified: false, note };
}
