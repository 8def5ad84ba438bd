/** One update of an exponential moving average, float64. */
export function movingAverage(
  average: ArrayLike<number>,
  value: ArrayLike<number>,
  { increment, steps }: { readonly increment: number; readonly steps: number },
  step: number,
): Float64Array {
  const part = steps > 0 ? (Math.cos((Math.PI * Math.min(step, steps)) / steps) + 1) / 2 : 1;
  const weight = increment * part;
  return Float64Array.from(average, (entry, i) => (1 - weight) * entry + weight * value[i]!);
}
