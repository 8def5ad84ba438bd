/** The step state (shaders/lib/step_state.wgsl) as the four words that a kernel sees. */
import type { StepState } from "../oracle/train.ts";

export function packStepState({ step, records, nonfiniteStep, learningRate }: StepState): Uint32Array {
  const words = Uint32Array.of(step, records, nonfiniteStep, 0);
  new Float32Array(words.buffer)[3] = learningRate;
  return words;
}
