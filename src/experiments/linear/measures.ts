/** What a finished linear run is measured by, on the CPU in float64. */
import { type LinearTheory, measuredStepTimes, relativeErrors } from "../../theory/index.ts";
import type { MetricsRecord } from "../contract.ts";
import type { Feature } from "./data.ts";
import type { LinearShape } from "./graph.ts";

/** Step times and their distance from the theory; for toy data also how much of each feature the encoder holds. */
export function measure(
  history: readonly MetricsRecord[],
  theory: LinearTheory,
  { d, m }: LinearShape,
  features: readonly Feature[],
  initial: Float32Array,
  final: Float32Array,
): Record<string, unknown> {
  const stepTimes = measuredStepTimes(
    history.map((record) => record.t),
    history.map((record) => record.spectrum),
    d,
  );
  return {
    stepTimes,
    relativeErrors: relativeErrors(stepTimes, theory.discreteStepTimes),
    learned: history.at(-1)?.spectrum.filter((value) => value >= 0.5).length ?? 0,
    ...(features.length > 0
      ? {
          featureAmplitudes: features.map(({ name, vector }) => ({
            name,
            initial: amplitude(initial, vector, d, m),
            final: amplitude(final, vector, d, m),
          })),
        }
      : {}),
  };
}

/** FA(e) = ‖W e‖. */
function amplitude(weights: Float32Array, direction: ArrayLike<number>, d: number, m: number): number {
  let squares = 0;
  for (let row = 0; row < d; row++) {
    let product = 0;
    for (let column = 0; column < m; column++) product += (weights[row * m + column] ?? 0) * (direction[column] ?? 0);
    squares += product * product;
  }
  return Math.sqrt(squares);
}
