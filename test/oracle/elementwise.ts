/** Float64 references of shaders/elementwise, written from the formulas in their headers. */

/** |x| of every element. An oracle applied to absolute values gives the sum of absolute terms that an error bound multiplies. */
export function absolute(x: ArrayLike<number>): Float64Array {
  const y = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) y[i] = Math.abs(x[i]!);
  return y;
}

/** y = alpha·x + beta, or max(alpha·x + beta, 0) with relu. */
export function elementwiseUnary(
  x: ArrayLike<number>,
  { alpha, beta, relu = false }: { alpha: number; beta: number; relu?: boolean },
): Float64Array {
  const y = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) {
    const value = alpha * x[i]! + beta;
    y[i] = relu && value < 0 ? 0 : value;
  }
  return y;
}

export type BinaryOperation = "add" | "multiply" | "reluGrad";
export type Broadcast = "none" | "row" | "column" | "scalar";

/**
 * a is [rows, columns]; b is [rows, columns], [columns] (row), [rows] (column) or [1] (scalar).
 * add: alpha a + beta b · multiply: alpha a · beta b · reluGrad: alpha a where b > 0, else 0.
 */
export function elementwiseBinary(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: { operation: BinaryOperation; broadcast: Broadcast; columns: number; alpha: number; beta: number },
): Float64Array {
  const { operation, broadcast, columns, alpha, beta } = options;
  const y = new Float64Array(a.length);
  const rows = a.length / columns;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let right = b[0]!;
      if (broadcast === "none") right = b[i * columns + j]!;
      if (broadcast === "row") right = b[j]!;
      if (broadcast === "column") right = b[i]!;
      const left = alpha * a[i * columns + j]!;
      if (operation === "add") y[i * columns + j] = left + beta * right;
      if (operation === "multiply") y[i * columns + j] = left * (beta * right);
      if (operation === "reluGrad") y[i * columns + j] = right > 0 ? left : 0;
    }
  }
  return y;
}

/** A copy of y with y[yOffset + i] = x[xOffset + i] for i below count. */
export function copyRange(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  { count, xOffset, yOffset }: { count: number; xOffset: number; yOffset: number },
): Float64Array {
  const out = Float64Array.from(y);
  for (let i = 0; i < count; i++) out[yOffset + i] = x[xOffset + i]!;
  return out;
}
