/** Symmetric eigenproblems for applications with a GPU device, encoder and buffers of their own. */
import type { Engine } from "../device/engine.ts";
import { type EighPlanShape, eighFamily } from "./eighSolver.ts";
import type { PlanBuffer } from "./portChecks.ts";
import { familyRequirements, type RequirementOptions, type Requirements } from "./requirements.ts";
import { planFor, type SolverPlan } from "./solverPlan.ts";

export interface EighBuffers {
  /** f32[batch, n, n] row-major; the lower triangle is read. Not written. */
  readonly a: PlanBuffer;
  /** f32[batch, n], in the shape's order. */
  readonly values: PlanBuffer;
  /** f32[batch, n, n], eigenvectors as columns; with `vectors` in the shape. */
  readonly vectors?: PlanBuffer | undefined;
}

export type EighPlan = SolverPlan<EighBuffers>;

/**
 * What solving symmetric eigenproblems takes. No GPU is needed to ask.
 *
 * @throws EngineError LINALG-ORDER, LINALG-SHAPE for a shape that no device solves
 */
export function requirements(shape: EighPlanShape, options: RequirementOptions = {}): Requirements {
  return familyRequirements(eighFamily, shape, options);
}

/**
 * Prepares a solver of symmetric eigenproblems: compiles its pipelines and makes its scratch on the engine's device, which may be
 * borrowed (`Engine.from`).
 *
 * @throws EngineError LINALG-ORDER, LINALG-SHAPE for a shape that no device solves; LIMIT-DEVICE naming the limits that the device
 *         lacks, what it has, what is needed, and what would fit; LIMIT-MEMORY, KERNEL-COMPILE
 */
export function plan(engine: Engine, shape: EighPlanShape): Promise<EighPlan> {
  return planFor(engine, eighFamily, shape);
}
