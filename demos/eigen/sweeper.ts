/** Jacobi's method one sweep at a time: the solver's kernel, stopped after each sweep, and its work matrix read back. */
import type { Engine } from "../../src/device/engine.ts";
import type { KernelCall, Operand } from "../../src/kernels/call.ts";
import { runKernel } from "../../src/kernels/runKernel.ts";
import { eighCalls } from "../../src/linalg/eighCalls.ts";
import { decompositionErrors, type EighStatus, eigh } from "../../src/linalg/index.ts";

/** The matrix after some sweeps. */
export interface Frame {
  /** 0 for the matrix as it was given. */
  readonly sweep: number;
  /** f32[n, n]: orthogonally similar to the matrix given, up to rounding. */
  readonly entries: Float32Array;
  /** Its off-diagonal's Frobenius norm, relative to the whole matrix's. */
  readonly offNorm: number;
  /** No rotation was needed in this sweep: the diagonal holds the eigenvalues. */
  readonly isConverged: boolean;
}

export interface Solution {
  /** Descending. */
  readonly values: Float32Array;
  readonly sweeps: number;
  readonly status: EighStatus;
  /** ‖AV − V diag(λ)‖_F / ‖A‖_F and ‖VᵀV − I‖_F, in float64 on the CPU. */
  readonly residual: number;
  readonly orthogonality: number;
}

export function firstFrame(entries: Float32Array, n: number): Frame {
  return { sweep: 0, entries, offNorm: offNorm(entries, n), isConverged: false };
}

/** One sweep on the GPU. */
export async function nextFrame(engine: Engine, frame: Frame, n: number): Promise<Frame> {
  const { entries, sweep } = frame;
  const { isSoftware } = engine.adapter;
  const matmulFamily = isSoftware ? "register" : "workgroup";
  const call = eighCalls({ n, batch: 1, vectors: true }, { isSoftware, matmulFamily }).find(isSolver);
  if (!call) throw new Error(`order ${n} is not solved by one kernel`);
  const buffers = Object.fromEntries(
    Object.entries(call.bindings).map(([name, operand]) => [name, name === "a" ? entries : space(operand, n)]),
  );
  const { kernel, params } = call;
  const knobs = { ...call.knobs, MAX_SWEEPS: 1 };
  const read = ["work", "basis", "values", "vectors", "status"];
  const results = (await runKernel(engine, kernel, { buffers, params, knobs, read })) as Record<string, Float32Array>;
  const { work = NONE, basis = NONE, values = NONE, vectors = NONE, status = NONE } = results;
  const [sweeps = 0, flags = 0] = new Uint32Array(status.buffer);
  // A zero matrix is done before it begins: no sweep, and nothing in `work`.
  if (sweeps === 0) return { ...frame, sweep: sweep + 1, isConverged: true };
  const grow = scaleOf(entries, n);
  // The kernel keeps a lower triangle, whose rows may be padded.
  const stride = Math.round(Math.sqrt(work.length));
  const next = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const value = (work[i * stride + j] ?? 0) * grow;
      next[i * n + j] = value;
      next[j * n + i] = value;
    }
  }
  // The diagonal, kept apart from the triangle, comes out sorted; the vectors, in both orders, tell whose each number is.
  const position = positions(basis, vectors, n);
  for (let rank = 0; rank < n; rank++) {
    const i = position[rank] ?? rank;
    next[i * n + i] = values[rank] ?? 0;
  }
  return { sweep: sweep + 1, entries: next, offNorm: offNorm(next, n), isConverged: (flags & 2) === 0 };
}

const NONE = new Float32Array(0);

function isSolver({ kernel }: KernelCall): boolean {
  return "MAX_SWEEPS" in kernel.shader.knobs;
}

/** Room for what the kernel writes: values, status words, vectors; scratch as it asks. */
function space(operand: Operand, n: number): Float32Array {
  if (operand.kind === "scratch") return new Float32Array(operand.elements);
  return new Float32Array(operand.kind === "output" ? ([n, 4, n * n][operand.index] ?? 4) : 4);
}

/** For each column of `vectors` the row of `basis` (rows padded to fours) that has the same bits. */
function positions(basis: Float32Array, vectors: Float32Array, n: number): number[] {
  const stride = basis.length / n;
  const isSame = (row: number, rank: number): boolean => {
    for (let i = 0; i < n; i++) if (basis[row * stride + i] !== vectors[i * n + rank]) return false;
    return true;
  };
  return Array.from({ length: n }, (_, rank) => {
    for (let row = 0; row < n; row++) if (isSame(row, rank)) return row;
    throw new Error(`vector ${rank} is not in the basis`);
  });
}

/** The whole solve in one go, as an application gets it, and how good it is. */
export async function solve(engine: Engine, entries: Float32Array, n: number): Promise<Solution> {
  const { values, vectors, sweeps, status } = await eigh(engine, entries, { n, vectors: true });
  const { residual, orthogonality } = decompositionErrors(entries, values, vectors, n);
  return { values, sweeps: sweeps[0] ?? 0, status: status[0] ?? "ok", residual, orthogonality };
}

/** The eigenvalues as far as they are known: the diagonal, descending. */
export function diagonal({ entries }: Frame, n: number): Float32Array {
  return Float32Array.from({ length: n }, (_, i) => entries[i * n + i] ?? 0).sort((x, y) => y - x);
}

/** The power of two by which the kernel divides first: that of the largest entry. */
function scaleOf(entries: Float32Array, n: number): number {
  let largest = 0;
  for (let at = 0; at < n * n; at++) largest = Math.max(largest, Math.abs(entries[at] ?? 0));
  const bits = new Uint32Array(Float32Array.of(largest).buffer)[0] ?? 0;
  return 2 ** (Math.min(Math.max(bits >>> 23, 2), 252) - 127);
}

function offNorm(entries: Float32Array, n: number): number {
  let off = 0;
  let all = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const square = (entries[i * n + j] ?? 0) ** 2;
      all += square;
      if (i !== j) off += square;
    }
  }
  return all === 0 ? 0 : Math.sqrt(off / all);
}
