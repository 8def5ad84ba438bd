/** Batch normalisation of a row-major [rows, channels] matrix and its cotangents, float64 plain loops. */

export interface BatchNormShape {
  readonly rows: number;
  readonly channels: number;
}

export interface BatchNormOptions {
  readonly epsilon: number;
  readonly mean?: "normal" | "detached" | "omitted";
  readonly variance?: "normal" | "detached" | "omitted";
  readonly unbiased?: boolean;
  readonly relu?: boolean;
  readonly weight?: ArrayLike<number> | undefined;
  readonly bias?: ArrayLike<number> | undefined;
  readonly addend?: ArrayLike<number> | undefined;
  /** (mean, variance) to use as constants instead of the batch's. */
  readonly running?: { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> } | undefined;
}

/** Mean and unbiased variance per channel, each sum compensated by its own mean. */
export function moments(x: ArrayLike<number>, { rows, channels }: BatchNormShape) {
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < rows; i++) mean[c]! += x[i * channels + c]! / rows;
    for (let i = 0; i < rows; i++) variance[c]! += (x[i * channels + c]! - mean[c]!) ** 2 / (rows - 1);
  }
  return { mean, variance };
}

/** Mean that is subtracted and reciprocal that is multiplied by, given (mean, unbiased variance). */
function normalizers(
  given: { mean: ArrayLike<number>; variance: ArrayLike<number> },
  rows: number,
  o: BatchNormOptions,
) {
  const factor = o.running || o.unbiased ? 1 : (rows - 1) / rows;
  return {
    subtracted: Float64Array.from(given.mean, (m) => (o.mean === "omitted" ? 0 : m)),
    inverseStd: Float64Array.from(given.variance, (v) =>
      o.variance === "omitted" ? 1 : 1 / Math.sqrt(factor * v + o.epsilon),
    ),
    factor,
  };
}

export function batchNorm(x: ArrayLike<number>, shape: BatchNormShape, options: BatchNormOptions): Float64Array {
  const { rows, channels } = shape;
  const { subtracted, inverseStd } = normalizers(options.running ?? moments(x, shape), rows, options);
  return Float64Array.from({ length: rows * channels }, (_, at) => {
    const c = at % channels;
    let y = (x[at]! - subtracted[c]!) * inverseStd[c]!;
    y = y * (options.weight?.[c] ?? 1) + (options.bias?.[c] ?? 0) + (options.addend?.[at] ?? 0);
    return options.relu ? Math.max(y, 0) : y;
  });
}

/**
 * Cotangents for given statistics (mean, unbiased variance), with the sums of absolute terms that rounding errors are multiples of.
 *
 * @param mask y of the forward pass: with relu the cotangent passes where it is positive
 */
export function batchNormGrad(
  dY: ArrayLike<number>,
  x: ArrayLike<number>,
  given: { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> },
  mask: ArrayLike<number> | undefined,
  { rows, channels }: BatchNormShape,
  options: BatchNormOptions,
) {
  const { subtracted, inverseStd, factor } = normalizers(given, rows, options);
  const d = Float64Array.from({ length: rows * channels }, (_, i) => (mask && !(mask[i]! > 0) ? 0 : dY[i]!));
  const make = () => new Float64Array(channels);
  const [dWeight, dBias, absWeight, absBias] = [make(), make(), make(), make()];
  for (let at = 0; at < d.length; at++) {
    const c = at % channels;
    const normalized = (x[at]! - subtracted[c]!) * inverseStd[c]!;
    dWeight[c]! += d[at]! * normalized;
    absWeight[c]! += Math.abs(d[at]! * normalized);
    dBias[c]! += d[at]!;
    absBias[c]! += Math.abs(d[at]!);
  }
  const meanPart = options.running || (options.mean ?? "normal") !== "normal" ? 0 : 1 / rows;
  const variancePart = options.running || (options.variance ?? "normal") !== "normal" ? 0 : factor / (rows - 1);
  const dX = new Float64Array(d.length);
  const magnitude = new Float64Array(d.length);
  for (let at = 0; at < d.length; at++) {
    const c = at % channels;
    const scale = (options.weight?.[c] ?? 1) * inverseStd[c]!;
    const slope = (x[at]! - given.mean[c]!) * inverseStd[c]! * variancePart;
    dX[at] = scale * (d[at]! - meanPart * dBias[c]! - slope * dWeight[c]!);
    magnitude[at] = Math.abs(scale) * (Math.abs(d[at]!) + meanPart * absBias[c]! + Math.abs(slope) * absWeight[c]!);
  }
  return { dX, dWeight, dBias, masked: d, magnitude, absWeight, absBias };
}
