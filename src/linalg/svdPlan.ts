/** Singular values for applications with a GPU device, encoder and buffers of their own. Apart from plan.ts: who needs one solver ships one. */
import type { Engine } from "../device/engine.ts";
import type { PlanBuffer } from "./portChecks.ts";
import { familyRequirements, type RequirementOptions, type Requirements } from "./requirements.ts";
import { planFor, type SolverPlan } from "./solverPlan.ts";
import { type SvdPlanShape, svdFamily } from "./svdSolver.ts";

export interface SvdBuffers {
  /** f32[batch, rows, columns] row-major. Not written. */
  readonly z: PlanBuffer;
  /** f32[batch, k] descending, k = min(rows, columns). */
  readonly values: PlanBuffer;
  /** f32[batch, columns, k], right singular vectors as columns; with `right` in the shape. */
  readonly right?: PlanBuffer | undefined;
  /** f32[batch, rows, k], left singular vectors as columns; with `left` in the shape. */
  readonly left?: PlanBuffer | undefined;
}

export type SvdPlan = SolverPlan<SvdBuffers>;

/** What a singular value decomposition takes; see `requirements`. @throws EngineError LINALG-SHAPE */
export function svdRequirements(shape: SvdPlanShape, options: RequirementOptions = {}): Requirements {
  return familyRequirements(svdFamily, shape, options);
}

/** Prepares a singular value decomposition; see `plan`. @throws EngineError LINALG-SHAPE, LIMIT-DEVICE, LIMIT-MEMORY, KERNEL-COMPILE */
export function planSvd(engine: Engine, shape: SvdPlanShape): Promise<SvdPlan> {
  return planFor(engine, svdFamily, shape);
}
