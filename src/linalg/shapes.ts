/** Any solver by its shape, for those who take both: benchmarks. Applications take one (plan.ts, svdPlan.ts) and do not ship the other. */
import type { Target } from "../kernels/call.ts";
import { type EighPlanShape, eighFamily } from "./eighSolver.ts";
import type { Solver } from "./solver.ts";
import { type SvdPlanShape, svdFamily } from "./svdSolver.ts";

export type { Solver };
export type PlanShape = EighPlanShape | SvdPlanShape;

/** @throws EngineError LINALG-ORDER, LINALG-SHAPE for a shape that no device solves */
export function solverOf(shape: PlanShape, target: Target): Solver {
  return "n" in shape ? eighFamily.solver(shape, target) : svdFamily.solver(shape, target);
}
