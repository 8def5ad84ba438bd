/** Float64 references of shaders/reduce. */

/** y[i] = scale·Σ_j x[i, j], or scale·Σ_j x[i, j]² with square; x is [rows, columns]. */
export function reduceRows(
  x: ArrayLike<number>,
  { rows, columns, scale = 1, square = false }: { rows: number; columns: number; scale?: number; square?: boolean },
): Float64Array {
  const y = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    let sum = 0;
    for (let j = 0; j < columns; j++) {
      const value = x[i * columns + j]!;
      sum += square ? value * value : value;
    }
    y[i] = scale * sum;
  }
  return y;
}

/** y[g, j] = scale·Σ_i x[g, i, j]; x is [batch, rows, columns]. */
export function reduceColumns(
  x: ArrayLike<number>,
  { batch, rows, columns, scale = 1 }: { batch: number; rows: number; columns: number; scale?: number },
): Float64Array {
  const y = new Float64Array(batch * columns);
  for (let g = 0; g < batch; g++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let i = 0; i < rows; i++) sum += x[(g * rows + i) * columns + j]!;
      y[g * columns + j] = scale * sum;
    }
  }
  return y;
}
