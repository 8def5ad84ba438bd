/** Public surface of `eigenstep/linalg`. Re-exports only. */
export { MAX_EIGH_ORDER } from "../kernels/eighVariant.ts";
export { type DecompositionErrors, decompositionErrors } from "./decompositionErrors.ts";
export { type EighResult, type EighStatus, eigh } from "./eigh.ts";
