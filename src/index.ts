/** Public surface of `eigenstep`: engine, graphs, differentiation, plans, training. Re-exports only. */

export { gelu } from "./autodiff/activations.ts";
export { type CommandList, CompiledPlan } from "./autodiff/compiledPlan.ts";
export { type ConvOptions, conv2d } from "./autodiff/conv.ts";
export {
  add,
  affine,
  center,
  concat,
  constant,
  crossCorrelation,
  frobeniusIdentity,
  type MatmulOptions,
  matmul,
  multiply,
  relu,
  reshape,
  scale,
  slice,
  standardize,
  subtract,
  sum,
  sumOverColumns,
  sumOverRows,
  sumSquares,
} from "./autodiff/functions.ts";
export { grad, vjp } from "./autodiff/grad.ts";
export { Graph, type Node, type Segment, Tensor } from "./autodiff/graph.ts";
export { eigenvalues, eigh, type PowSymOptions, powSym, singularValues, spectrum, svd } from "./autodiff/linalg.ts";
export {
  type BatchNormOptions,
  type BatchNormResult,
  batchNorm,
  type LayerNormOptions,
  layerNorm,
} from "./autodiff/norm.ts";
export { type Placement, type Plan, type PlannedCall, planTotals } from "./autodiff/plan.ts";
export { type PlanRequest, planGraph } from "./autodiff/planner.ts";
export { averagePool, globalAveragePool, maxPool, type PoolOptions } from "./autodiff/pool.ts";
export { type L2NormalizeOptions, l2Normalize, stopGradient } from "./autodiff/ssl.ts";
export { type AdapterDescription, adapterLine, type LimitName } from "./device/adapter.ts";
export { type BufferRequest, Engine, type EngineRequest } from "./device/engine.ts";
export { EngineError, type EngineErrorInit, isEngineError } from "./errors.ts";
export type { DType, Target, TensorSpec } from "./ops/opDefinition.ts";
export { type OptimizerUpdate, type SgdOptions, sgd } from "./optim/sgd.ts";
export { type ReplayOptions, type ReplayResult, replay, type StepRecord } from "./train/replay.ts";
export { Trainer, type TrainerOptions } from "./train/trainer.ts";
export {
  compileTrainingStep,
  type Objective,
  planTrainingStep,
  stepStateTensor,
  type TrainingStep,
  type TrainingStepOptions,
  targetOf,
  trainingStep,
} from "./train/trainingStep.ts";
