import type { KernelCall, Target } from "../kernels/call.ts";

export interface SvdShape {
  readonly rows: number;
  readonly columns: number;
  readonly batch: number;
  readonly left: boolean;
  readonly right: boolean;
}

// Placeholder until the SVD engineer's file replaces it.
export function svdCalls(_shape: SvdShape, _target: Target): readonly KernelCall[] {
  throw new Error("not there yet");
}
