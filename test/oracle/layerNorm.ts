/** Layer normalisation of a row-major [rows, columns] matrix and its cotangents, float64 plain loops. */

export interface LayerNormShape {
  readonly rows: number;
  readonly columns: number;
}

export interface LayerAffine {
  readonly weight: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
}

export function layerNorm(
  x: ArrayLike<number>,
  { rows, columns }: LayerNormShape,
  epsilon: number,
  affine: LayerAffine | undefined,
) {
  const y = new Float64Array(rows * columns);
  const [mean, variance, inverseStd] = [new Float64Array(rows), new Float64Array(rows), new Float64Array(rows)];
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) mean[i]! += x[i * columns + j]! / columns;
    for (let j = 0; j < columns; j++) variance[i]! += (x[i * columns + j]! - mean[i]!) ** 2 / columns;
    inverseStd[i] = 1 / Math.sqrt(variance[i]! + epsilon);
    for (let j = 0; j < columns; j++) {
      const normalized = (x[i * columns + j]! - mean[i]!) * inverseStd[i]!;
      y[i * columns + j] = normalized * (affine?.weight[j] ?? 1) + (affine?.bias[j] ?? 0);
    }
  }
  return { y, mean, variance, inverseStd };
}

/** For given statistics; with the sums of absolute terms that rounding errors are multiples of. */
export function layerNormGrad(
  dY: ArrayLike<number>,
  x: ArrayLike<number>,
  given: { readonly mean: ArrayLike<number>; readonly inverseStd: ArrayLike<number> },
  { rows, columns }: LayerNormShape,
  weight: ArrayLike<number> | undefined,
) {
  const make = (count: number) => new Float64Array(count);
  const [dX, magnitude] = [make(rows * columns), make(rows * columns)];
  const [dWeight, dBias, absWeight, absBias] = [make(columns), make(columns), make(columns), make(columns)];
  for (let i = 0; i < rows; i++) {
    const r = given.inverseStd[i]!;
    const normalized = (j: number) => (x[i * columns + j]! - given.mean[i]!) * r;
    const g = (j: number) => dY[i * columns + j]! * (weight?.[j] ?? 1);
    let [sum, product, absSum, absProduct] = [0, 0, 0, 0];
    for (let j = 0; j < columns; j++) {
      sum += g(j) / columns;
      absSum += Math.abs(g(j)) / columns;
      product += (g(j) * normalized(j)) / columns;
      absProduct += Math.abs(g(j) * normalized(j)) / columns;
      dWeight[j]! += dY[i * columns + j]! * normalized(j);
      absWeight[j]! += Math.abs(dY[i * columns + j]! * normalized(j));
      dBias[j]! += dY[i * columns + j]!;
      absBias[j]! += Math.abs(dY[i * columns + j]!);
    }
    for (let j = 0; j < columns; j++) {
      dX[i * columns + j] = r * (g(j) - sum - normalized(j) * product);
      magnitude[i * columns + j] = r * (Math.abs(g(j)) + absSum + Math.abs(normalized(j)) * absProduct);
    }
  }
  return { dX, magnitude, dWeight, dBias, absWeight, absBias };
}
