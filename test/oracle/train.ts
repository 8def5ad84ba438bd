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
  const own = Number.isFinite(loss) ? NONE : state.step;
  return { ...state, step: state.step + 1, nonfiniteStep: Math.min(state.nonfiniteStep, own) };
}

/** Notes the step of averages, or the one that starts from parameters, that are NaN or infinite, unless an earlier one is noted. */
export function noteNonfinite(
  state: StepState,
  { parameters, averages }: { parameters: ArrayLike<number>; averages: ArrayLike<number> },
): StepState {
  const isBad = (values: ArrayLike<number>) => Array.from(values).some((value) => !Number.isFinite(value));
  const own = isBad(averages) ? state.step : isBad(parameters) ? state.step + 1 : NONE;
  return { ...state, nonfiniteStep: Math.min(state.nonfiniteStep, own) };
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
