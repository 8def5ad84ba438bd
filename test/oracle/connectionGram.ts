/** Float64 reference of shaders/dual/connection_gram: inner products of f_i ⊗ J_i^o from those of their factors. */

/** jj [outputs·samples, outputs·samples] and ff [samples, samples], rows ordered output by output. */
export function connectionGram(
  jj: ArrayLike<number>,
  ff: ArrayLike<number>,
  { outputs, samples }: { outputs: number; samples: number },
): Float64Array {
  const order = outputs * samples;
  const y = new Float64Array(order * order);
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < samples; i++) {
      for (let p = 0; p < outputs; p++) {
        for (let j = 0; j < samples; j++) {
          const at = (o * samples + i) * order + (p * samples + j);
          y[at] = jj[at]! * ff[i * samples + j]!;
        }
      }
    }
  }
  return y;
}
