/** Float64 references of the steps before one-sided Jacobi: order of the columns, triangle of a QR (Golub & Van Loan 2013, §5.2). */

export interface Order {
  /** Power of two that brings the largest entry into [1, 2); 0 when there is none. */
  readonly shrink: number;
  /** Columns by descending largest magnitude, equal ones as they stand. */
  readonly columns: readonly number[];
}

export function order(z: ArrayLike<number>, rows: number, columns: number): Order {
  const largest = Array.from({ length: columns }, (_, j) => {
    let most = 0;
    for (let i = 0; i < rows; i++) most = Math.max(most, Math.abs(z[i * columns + j]!));
    return most;
  });
  const most = Math.max(...largest);
  return {
    shrink: most > 0 ? 2 ** -Math.floor(Math.log2(most)) : 0,
    columns: largest.map((_, j) => j).sort((i, j) => largest[j]! - largest[i]! || i - j),
  };
}

/** R of a QR by Householder reflections, [columns, columns] row-major, with a diagonal ≥ 0. */
export function triangle(z: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const a = Float64Array.from(z);
  for (let j = 0; j < Math.min(rows, columns); j++) {
    let squares = 0;
    for (let i = j; i < rows; i++) squares += a[i * columns + j]! ** 2;
    const norm = Math.sqrt(squares);
    if (norm === 0) continue;
    const v = new Float64Array(rows);
    for (let i = j; i < rows; i++) v[i] = a[i * columns + j]!;
    v[j] = v[j]! + (v[j]! >= 0 ? norm : -norm);
    let vv = 0;
    for (let i = j; i < rows; i++) vv += v[i]! ** 2;
    for (let c = j; c < columns; c++) {
      let va = 0;
      for (let i = j; i < rows; i++) va += v[i]! * a[i * columns + c]!;
      for (let i = j; i < rows; i++) a[i * columns + c] = a[i * columns + c]! - ((2 * va) / vv) * v[i]!;
    }
  }
  const r = new Float64Array(columns * columns);
  for (let i = 0; i < Math.min(rows, columns); i++) {
    const sign = a[i * columns + i]! < 0 ? -1 : 1;
    for (let j = i; j < columns; j++) r[i * columns + j] = sign * a[i * columns + j]!;
  }
  return r;
}
