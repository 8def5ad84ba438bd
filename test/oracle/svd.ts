/**
 * Float64 reference of the singular value decomposition: one-sided Jacobi with plain rotations on the columns of the matrix itself,
 * row-cyclic, no QR before it (Hestenes 1958; relative accuracy for scaled columns: Demmel & Veselić 1992).
 */

export interface Svd {
  /** Descending. */
  readonly values: Float64Array;
  /** [columns, columns] row-major, column j for values[j]. */
  readonly right: Float64Array;
}

/** Singular values, and right vectors when asked for, of z [rows, columns], rows ≥ columns. */
export function svd(z: ArrayLike<number>, rows: number, columns: number, withRight = false): Svd {
  // Columns of z, and below them those of the accumulated rotations: one contiguous run each.
  const length = rows + (withRight ? columns : 0);
  const w = new Float64Array(length * columns);
  for (let j = 0; j < columns; j++) {
    for (let i = 0; i < rows; i++) w[j * length + i] = z[i * columns + j]!;
    if (withRight) w[j * length + rows + j] = 1;
  }
  for (let sweep = 0; sweep < 60; sweep++) {
    let rotations = 0;
    for (let p = 0; p < columns; p++) {
      for (let q = p + 1; q < columns; q++) rotations += rotate(w, p * length, q * length, rows, length);
    }
    if (rotations === 0) break;
  }
  const norms = Array.from({ length: columns }, (_, j) => Math.sqrt(dot(w, j * length, j * length, rows)));
  const order = norms.map((_, j) => j).sort((i, j) => norms[j]! - norms[i]!);
  const right = new Float64Array(withRight ? columns * columns : 0);
  if (withRight) {
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < columns; j++) right[i * columns + j] = w[order[j]! * length + rows + i]!;
    }
  }
  return { values: Float64Array.from(order, (j) => norms[j]!), right };
}

/** Singular values alone, descending. */
export function svdReference(z: ArrayLike<number>, rows: number, columns: number): Float64Array {
  return svd(z, rows, columns).values;
}

function dot(w: Float64Array, x: number, y: number, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += w[x + i]! * w[y + i]!;
  return sum;
}

/** Makes the first `rows` of two runs orthogonal and turns the rest along; 0 when they were, to rounding. */
function rotate(w: Float64Array, x: number, y: number, rows: number, length: number): number {
  const xx = dot(w, x, x, rows);
  const yy = dot(w, y, y, rows);
  const xy = dot(w, x, y, rows);
  if (Math.abs(xy) <= 2 ** -50 * Math.sqrt(xx * yy)) return 0;
  const zeta = (yy - xx) / (2 * xy);
  const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const c = 1 / Math.hypot(1, t);
  const s = c * t;
  for (let i = 0; i < length; i++) {
    const [p, q] = [w[x + i]!, w[y + i]!];
    w[x + i] = c * p - s * q;
    w[y + i] = s * p + c * q;
  }
  return 1;
}
