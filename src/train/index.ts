/** Public surface of `eigenstep/train`: training steps as plans, replay, checkpoints. Re-exports only. */
export {
  restoreTensors,
  type StateBuffer,
  StateReadback,
  stateTensors,
  type TrainingState,
} from "./checkpoint.ts";
export { readTensors } from "./readTensors.ts";
export { type ReplayOptions, type ReplayResult, replay, type StepRecord } from "./replay.ts";
export { decodeStepState, encodeStepState, STEP_STATE_BYTES, STEP_STATE_WORDS, type StepState } from "./stepState.ts";
export { type Advance, Trainer, type TrainerOptions } from "./trainer.ts";
export {
  compileTrainingStep,
  DEFAULT_RING_CAPACITY,
  dispatchCounts,
  type Objective,
  planTrainingStep,
  type RecordedExtra,
  stepStateTensor,
  type TrainingStep,
  type TrainingStepOptions,
  targetOf,
  trainingStep,
} from "./trainingStep.ts";
