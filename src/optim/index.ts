/** Optimisers over the flat parameter buffer, with learning rates computed on the GPU. */
export * from "./adam.ts";
export * from "./lars.ts";
export * from "./optimizer.ts";
export type { Schedule } from "./schedule.ts";
export type { Exclusions, ParameterGroup } from "./segments.ts";
export { type SgdOptions, sgd } from "./sgd.ts";
export type { ClipOptions, OptimizerOptions, OptimizerUpdate } from "./update.ts";
