/** Float64 reference of shaders/matmul: Y = epilogue(scale·op(A)·op(B)) with leading dimensions, offsets and batch strides. */

export interface MatmulSpec {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly lda: number;
  readonly ldb: number;
  readonly ldy: number;
  readonly aOffset: number;
  readonly bOffset: number;
  readonly yOffset: number;
  readonly addendOffset: number;
  readonly biasOffset: number;
  readonly aBatchStride: number;
  readonly bBatchStride: number;
  readonly yBatchStride: number;
  readonly scale: number;
  readonly relu: boolean;
}

export interface MatmulOperands {
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
  readonly bias?: ArrayLike<number> | undefined;
  readonly addend?: ArrayLike<number> | undefined;
}

/** A copy of `y` with the product's entries written; all others, between rows and around the matrices, keep their value. */
export function matmul({ a, b, bias, addend }: MatmulOperands, spec: MatmulSpec, y: ArrayLike<number>): Float64Array {
  const { batch, m, n, k, lda, ldb, ldy, aOffset, bOffset, yOffset, addendOffset } = spec;
  const out = Float64Array.from(y);
  for (let g = 0; g < batch; g++) {
    const a0 = aOffset + g * spec.aBatchStride;
    const b0 = bOffset + g * spec.bBatchStride;
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) {
          const left = spec.transposeA ? a[a0 + l * lda + i]! : a[a0 + i * lda + l]!;
          const right = spec.transposeB ? b[b0 + j * ldb + l]! : b[b0 + l * ldb + j]!;
          sum += left * right;
        }
        const at = g * spec.yBatchStride + i * ldy + j;
        let value = spec.scale * sum;
        if (bias) value += bias[spec.biasOffset + j]!;
        if (addend) value += addend[addendOffset + at]!;
        if (spec.relu && value < 0) value = 0;
        out[yOffset + at] = value;
      }
    }
  }
  return out;
}
