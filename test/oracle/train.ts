/** Reference of shaders/train: the step state as plain numbers. */

export const NONE = 0xffff_ffff;

export interface StepState {
  readonly step: number;
  readonly records: number;
  readonly nonfiniteStep: number;
  readonly learningRate: number;
}

/** Counts the step; notes it when its loss is the first that is NaN or infinite. */
export function stepAdvance(state: StepState, loss: number): StepState {
  const isFirstBad = !Number.isFinite(loss) && state.nonfiniteStep === NONE;
  return { ...state, step: state.step + 1, nonfiniteStep: isFirstBad ? state.step : state.nonfiniteStep };
}

/** Writes loss and spectrum as record number `records` of a ring of [capacity, 1 + d]. */
export function metricsRecord(
  state: StepState,
  ring: ArrayLike<number>,
  { loss, spectrum, capacity }: { loss: number; spectrum: ArrayLike<number>; capacity: number },
): { state: StepState; ring: Float64Array } {
  const next = Float64Array.from(ring);
  const width = 1 + spectrum.length;
  const slot = state.records % capacity;
  next[slot * width] = loss;
  for (let j = 0; j < spectrum.length; j++) next[slot * width + 1 + j] = spectrum[j]!;
  return { state: { ...state, records: state.records + 1 }, ring: next };
}
