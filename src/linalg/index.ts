/** Public surface of `eigenstep/linalg`. Re-exports only. */
export type { AdapterDescription, LimitName } from "../device/adapter.ts";
export { Engine, type EngineRequest } from "../device/engine.ts";
export { EngineError, type EngineErrorInit, isEngineError } from "../errors.ts";
export {
  affordableColumns,
  type DecompositionErrors,
  decompositionErrors,
  singularErrors,
} from "./decompositionErrors.ts";
export { type EighOptions, type EighResult, eigh } from "./eigh.ts";
export { MAX_EIGH_ORDER } from "./eighCalls.ts";
export type { EigenvalueOrder, EighPlanShape } from "./eighSolver.ts";
export { type EighBuffers, type EighPlan, plan, requirements } from "./plan.ts";
export type { PlanBuffer } from "./portChecks.ts";
export {
  type PowSymBuffers,
  type PowSymResult,
  type PowSymShape,
  planPowSym,
  powSym,
  type SymmetricExponent,
} from "./powSym.ts";
export type { RequirementOptions, Requirements } from "./requirements.ts";
export { SolverPlan } from "./solverPlan.ts";
export type { EighStatus, MatrixStatus } from "./status.ts";
export { type SubspaceAlignment, type SubspaceAlignmentOptions, subspaceAlignment } from "./subspaceAlignment.ts";
export { type SpectrumOptions, type SvdOptions, type SvdResult, spectrum, svd } from "./svd.ts";
export { planSvd, type SvdBuffers, type SvdPlan, svdRequirements } from "./svdPlan.ts";
export { MAX_SVD_SIDES, type SvdPlanShape } from "./svdSolver.ts";
