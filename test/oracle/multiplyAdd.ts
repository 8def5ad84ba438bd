/** Float64 reference of shaders/bench/multiply_add.wgsl. */

export interface MultiplyAddSpec {
  readonly invocations: number;
  readonly chains: number;
  readonly rounds: number;
  readonly factor: number;
  readonly shift: number;
  readonly start: number;
}

/** y [invocations, 4]: the sum of all chains after 4·rounds steps, in every component. */
export function multiplyAdd(spec: MultiplyAddSpec): Float64Array {
  const { invocations, chains, rounds, factor, shift, start } = spec;
  const y = new Float64Array(4 * invocations);
  for (let i = 0; i < invocations; i++) {
    let sum = 0;
    for (let c = 0; c < chains; c++) {
      let x = start + i + c;
      for (let step = 0; step < 4 * rounds; step++) x = factor * x + shift;
      sum += x;
    }
    y.fill(sum, 4 * i, 4 * i + 4);
  }
  return y;
}
