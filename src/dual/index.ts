/** Dual deep networks and the covariance operators of their layers (Tian et al. 2020). Re-exports only. */
export * from "./connection.ts";
export * from "./measures.ts";
export * from "./network.ts";
export * from "./operator.ts";
export * from "./pairMatrix.ts";
export * from "./populationLoss.ts";
export * from "./spectrum.ts";
export * from "./tupleLoss.ts";
