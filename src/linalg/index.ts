/** Public surface of `eigenstep/linalg`. Re-exports only. */
export { type DecompositionErrors, decompositionErrors } from "./decompositionErrors.ts";
export { type EighResult, type EighStatus, eigh } from "./eigh.ts";
export { MAX_EIGH_ORDER } from "./eighCalls.ts";
