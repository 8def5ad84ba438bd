/** The buffer that drives a replayed step, the twin of shaders/lib/step_state.wgsl: step counter, records, first bad step, rate. */

export const STEP_STATE_WORDS = 4;
export const STEP_STATE_BYTES = 4 * STEP_STATE_WORDS;

/** No step has had NaN or infinity in its loss or state. */
const NONE = 0xffff_ffff;

export interface StepState {
  readonly step: number;
  readonly records: number;
  /** First step with NaN or infinity in its loss; where the step has `noteNonfinite`, in parameters or running averages, too. */
  readonly nonfiniteStep: number | undefined;
  readonly learningRate: number;
}

export function encodeStepState(state: StepState): Uint32Array<ArrayBuffer> {
  const bytes = new ArrayBuffer(STEP_STATE_BYTES);
  new Uint32Array(bytes).set([state.step, state.records, state.nonfiniteStep ?? NONE]);
  new Float32Array(bytes)[3] = state.learningRate;
  return new Uint32Array(bytes);
}

export function decodeStepState(bytes: ArrayBuffer, offsetBytes = 0): StepState {
  const view = new DataView(bytes, offsetBytes, STEP_STATE_BYTES);
  const nonfinite = view.getUint32(8, true);
  return {
    step: view.getUint32(0, true),
    records: view.getUint32(4, true),
    nonfiniteStep: nonfinite === NONE ? undefined : nonfinite,
    learningRate: view.getFloat32(12, true),
  };
}
