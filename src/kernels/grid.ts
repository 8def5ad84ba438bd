/** Dispatch grid arithmetic, the twin of shaders/lib/index.wgsl. */
import { EngineError } from "../errors.ts";
import type { Grid } from "./kernel.ts";

/** Largest grid dimension that every WebGPU device allows. */
export const MAX_GRID_DIMENSION = 65_535;

export function ceilDiv(a: number, b: number): number {
  return Math.ceil(a / b);
}

/**
 * A one-dimensional grid of `workgroups`, folded into y beyond 65,535; kernels unfold it with `workgroup_index` and guard the excess.
 *
 * @throws EngineError LIMIT-GRID beyond 65,535² workgroups
 */
export function foldGrid(workgroups: number): Grid {
  if (workgroups <= MAX_GRID_DIMENSION) return [Math.max(1, workgroups), 1, 1];
  const y = ceilDiv(workgroups, MAX_GRID_DIMENSION);
  if (y > MAX_GRID_DIMENSION) {
    throw new EngineError({
      code: "LIMIT-GRID",
      message: `${workgroups} workgroups do not fit a dispatch (at most ${MAX_GRID_DIMENSION}² )`,
      fix: "Use a smaller tensor.",
    });
  }
  return [ceilDiv(workgroups, y), y, 1];
}
