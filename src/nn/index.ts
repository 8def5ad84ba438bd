/** Models: layers, ResNets, small networks, projectors, target networks, weights. Re-exports only. */
export * from "./fold.ts";
export * from "./init.ts";
export * from "./layers.ts";
export * from "./mlp.ts";
export * from "./resnet.ts";
export * from "./scope.ts";
export * from "./smallNets.ts";
export * from "./spec.ts";
export * from "./target.ts";
export * from "./weights.ts";
