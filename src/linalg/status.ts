/** What a solver says about each matrix. */
import { STATUS_WORDS } from "./eighCalls.ts";

export type EighStatus = "ok" | "nonfinite" | "not-converged";

export interface MatrixStatus {
  readonly status: EighStatus;
  /** Sweeps of Jacobi rotations that the matrix took. */
  readonly sweeps: number;
  /** Bit 0: NaN or infinity in the input; bit 1: not converged in the sweeps allowed. */
  readonly flags: number;
  /** Off-diagonal that is left, relative to the Frobenius norm. */
  readonly offNorm: number;
  /** Estimate of the residual made on the GPU, relative to the Frobenius norm; 0 where the solver makes none. */
  readonly residual: number;
}

/** @param words u32[batch, STATUS_WORDS] */
export function decodeStatus(words: ArrayBuffer, batch: number): MatrixStatus[] {
  const integers = new Uint32Array(words);
  const floats = new Float32Array(words);
  return Array.from({ length: batch }, (_, g) => {
    const at = STATUS_WORDS * g;
    const flags = integers[at + 1] ?? 0;
    return {
      status: flags & 1 ? "nonfinite" : flags & 2 ? "not-converged" : "ok",
      sweeps: integers[at] ?? 0,
      flags,
      offNorm: floats[at + 2] ?? 0,
      residual: floats[at + 3] ?? 0,
    };
  });
}
