/** Float64 references of the kernels of self-supervised losses in shaders/ssl, by plain loops from their headers. */

type Numbers = ArrayLike<number>;
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const sumOf = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0);

export interface RowSize {
  readonly rows: number;
  readonly columns: number;
  readonly stride: number;
}

/** y and stats = (s, k): modes 0 max, 1 inside the root, 2 outside it, 3 clip. */
export function l2Normalize(x: Numbers, { rows, columns, stride }: RowSize, mode: number, epsilon: number) {
  const y = new Float64Array(rows * stride);
  const stats = new Float64Array(2 * rows);
  for (let i = 0; i < rows; i++) {
    const norm = Math.sqrt(sumOf(range(columns).map((j) => x[i * columns + j]! ** 2)));
    const isLong = norm > epsilon;
    const [s, k] = [
      [1 / Math.max(norm, epsilon), isLong ? 1 : 0],
      [1 / Math.sqrt(norm ** 2 + epsilon), 1],
      [1 / (norm + epsilon), norm > 0 ? (norm + epsilon) / norm : 0],
      isLong ? [epsilon / norm, epsilon ** -2] : [1, 0],
    ][mode]!;
    for (let j = 0; j < columns; j++) y[i * stride + j] = s! * x[i * columns + j]!;
    stats.set([s!, k!], 2 * i);
  }
  return { y, stats };
}

export function l2NormalizeGrad(dY: Numbers, y: Numbers, stats: Numbers, { rows, columns, stride }: RowSize) {
  const dX = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const along = sumOf(range(columns).map((j) => y[i * stride + j]! * dY[i * stride + j]!));
    for (let j = 0; j < columns; j++) {
      const at = i * stride + j;
      dX[i * columns + j] = stats[2 * i]! * (dY[at]! - stats[2 * i + 1]! * y[at]! * along);
    }
  }
  return dX;
}

export interface SimilaritySize {
  readonly pairs: number;
  readonly columnStart: number;
  readonly columns: number;
  readonly stride: number;
  readonly weightStride: number;
  readonly scale: number;
  readonly inverseTemperature: number;
  readonly negativeWeight: number;
  readonly beta: number;
}

const inner = (x: Numbers, i: number, j: number, stride: number): number =>
  sumOf(range(stride).map((k) => x[i * stride + k]! * x[j * stride + k]!));

function covarianceWeight(u: Numbers, v: Numbers | undefined, i: number, j: number, size: SimilaritySize): number {
  const alike = v ? inner(v, i % size.pairs, j % size.pairs, size.weightStride) : inner(u, i, j, size.stride);
  return size.negativeWeight / (1 + Math.exp((1 - alike) * size.inverseTemperature));
}

/** terms and stats of anchors 0 … rows − 1: kind 0 softmax, 1 covariance, 2 spectral. */
export function similarityRows(u: Numbers, v: Numbers | undefined, rows: number, kind: number, size: SimilaritySize) {
  const { pairs, columnStart, columns, stride, scale, beta, negativeWeight } = size;
  const terms = new Float64Array(rows);
  const stats = new Float64Array(2 * rows);
  for (let i = 0; i < rows; i++) {
    const p = scale * inner(u, i, (i + pairs) % (2 * pairs), stride);
    const negatives = range(columns)
      .map((c) => columnStart + c)
      .filter((j) => j % pairs !== i % pairs);
    const similarities = negatives.map((j) => scale * inner(u, i, j, stride));
    if (kind === 0) {
      const odds = sumOf(similarities.map((s) => Math.exp(s - p)));
      const c = 1 / (1 + beta);
      terms[i] = c * Math.log1p(odds) + (c - 1) * p;
      stats.set([p + Math.log1p(odds), (c * odds) / (1 + odds) + 1 - c], 2 * i);
    } else if (kind === 1) {
      const weights = negatives.map((j) => covarianceWeight(u, v, i, j, size));
      terms[i] = sumOf(weights.map((w, at) => w * ((1 + beta) * (1 - p) - (1 - similarities[at]!))));
      stats.set([sumOf(weights), 0], 2 * i);
    } else {
      terms[i] = negativeWeight * sumOf(similarities.map((s) => s * s)) - (2 * p) / pairs;
    }
  }
  return { terms, stats };
}

export interface WeightsPart {
  readonly rowStart: number;
  readonly rows: number;
  readonly rowStat: boolean;
  readonly columnStat: boolean;
  readonly factor: number;
}

export function similarityWeights(
  u: Numbers,
  v: Numbers | undefined,
  stats: Numbers,
  kind: number,
  size: SimilaritySize,
  { rowStart, rows, rowStat, columnStat, factor }: WeightsPart,
): Float64Array {
  const { pairs, columnStart, columns, stride, scale, beta, negativeWeight } = size;
  return Float64Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [rowStart + Math.floor(at / columns), columnStart + (at % columns)];
    if (i === j) return 0;
    const isPartner = i % pairs === j % pairs;
    const anchors = [...(rowStat ? [i] : []), ...(columnStat ? [j] : [])];
    if (kind === 0) {
      if (isPartner) return -factor * scale * sumOf(anchors.map((a) => stats[2 * a + 1]!));
      const s = scale * inner(u, i, j, stride);
      return ((factor * scale) / (1 + beta)) * sumOf(anchors.map((a) => Math.exp(s - stats[2 * a]!)));
    }
    if (kind === 1) {
      if (isPartner) return -factor * (1 + beta) * (stats[2 * i]! + stats[2 * j]!);
      return 2 * factor * covarianceWeight(u, v, i, j, size);
    }
    return factor * (isPartner ? -2 / pairs : 2 * negativeWeight * inner(u, i, j, stride));
  });
}

/** Loss and residual (half its derivative) of [batch, n, n]; `shortfall` stands for target − c_ii, `terms` are added. */
export function matrixPenalty(
  c: Numbers,
  n: number,
  weights: { readonly diagonal: number; readonly target: number; readonly offDiagonal: number },
  { shortfall, terms = [] }: { readonly shortfall?: Numbers; readonly terms?: Numbers } = {},
) {
  let loss = sumOf(Array.from(terms));
  const residual = Float64Array.from({ length: c.length }, (_, at) => {
    const [i, j] = [Math.floor(at / n) % n, at % n];
    const distance = i !== j ? c[at]! : shortfall ? -shortfall[i]! : c[at]! - weights.target;
    const half = (i === j ? weights.diagonal : weights.offDiagonal) * distance;
    loss += half * distance;
    return half;
  });
  return { loss, residual };
}

/** Columns of both views [2, rows, columns]. */
function columnsOf(z: Numbers, rows: number, columns: number) {
  return [0, 1].map((v) =>
    range(columns).map((j) => {
      const values = range(rows).map((i) => z[(v * rows + i) * columns + j]!);
      const mean = sumOf(values) / rows;
      const centered = values.map((x) => x - mean);
      return { values, centered, squares: sumOf(centered.map((x) => x * x)) };
    }),
  );
}

export function barlowColumns(z: Numbers, rows: number, columns: number, epsilon: number) {
  const views = columnsOf(z, rows, columns);
  const y = new Float64Array(2 * rows * columns);
  const inverseStd = new Float64Array(2 * columns);
  const shortfall = new Float64Array(columns).fill(1);
  for (let j = 0; j < columns; j++) {
    views.forEach((view, v) => {
      const { centered, squares } = view[j]!;
      inverseStd[v * columns + j] = 1 / Math.sqrt(squares / rows + epsilon);
      centered.forEach((x, i) => {
        y[(v * rows + i) * columns + j] = x * inverseStd[v * columns + j]!;
      });
    });
    for (let i = 0; i < rows; i++) shortfall[j]! -= (y[i * columns + j]! * y[(rows + i) * columns + j]!) / rows;
  }
  return { y, inverseStd, shortfall };
}

export interface VicregWeights {
  readonly epsilon: number;
  readonly invariance: number;
  readonly variance: number;
}

export function vicregColumns(z: Numbers, rows: number, columns: number, weights: VicregWeights) {
  const views = columnsOf(z, rows, columns);
  const centered = new Float64Array(2 * rows * columns);
  const slope = new Float64Array(2 * columns);
  const terms = new Float64Array(columns);
  for (let j = 0; j < columns; j++) {
    views.forEach((view, v) => {
      const column = view[j]!;
      const std = Math.sqrt(column.squares / (rows - 1) + weights.epsilon);
      if (std < 1) slope[v * columns + j] = -weights.variance / ((rows - 1) * std);
      terms[j]! += weights.variance * Math.max(0, 1 - std);
      column.centered.forEach((x, i) => {
        centered[(v * rows + i) * columns + j] = x;
      });
    });
    const [a, b] = [views[0]![j]!.values, views[1]![j]!.values];
    terms[j]! += weights.invariance * sumOf(a.map((x, i) => (x - b[i]!) ** 2));
  }
  return { centered, slope, terms };
}

export function vicregPull(z: Numbers, centered: Numbers, slope: Numbers, columns: number, invariance: number) {
  const count = z.length / 2;
  return Float64Array.from({ length: z.length }, (_, at) => {
    const v = at < count ? 0 : 1;
    const difference = z[at]! - z[v === 0 ? at + count : at - count]!;
    return 2 * invariance * difference + slope[v * columns + (at % columns)]! * centered[at]!;
  });
}

export interface DistanceSize {
  readonly rows: number;
  readonly columns: number;
  readonly negatives: number;
}

export interface DistanceLoss {
  readonly isLinear: boolean;
  readonly inverseTemperature: number;
  readonly margin: number;
  readonly height: number;
  readonly beta: number;
}

export function distanceContrast(a: Numbers, p: Numbers, n: Numbers, size: DistanceSize, loss: DistanceLoss) {
  const { rows, columns, negatives } = size;
  const half = (x: Numbers, i: number, y: Numbers, j: number): number =>
    sumOf(range(columns).map((k) => (x[i * columns + k]! - y[j * columns + k]!) ** 2)) / 2;
  const terms = new Float64Array(rows);
  const slopes = new Float64Array(rows * (1 + negatives));
  for (let i = 0; i < rows; i++) {
    const near = half(a, i, p, i);
    const far = range(negatives).map((k) => half(a, i, n, i * negatives + k));
    if (loss.isLinear) {
      terms[i] = near - far[0]! + loss.beta * near;
      slopes.set([1 + loss.beta, -1], 2 * i);
      continue;
    }
    const powers = far.map((r) => Math.exp((near - r + loss.margin) * loss.inverseTemperature));
    const total = 1 + sumOf(powers);
    terms[i] = loss.height * Math.log(total) + loss.beta * near;
    const out = powers.map((power) => (-loss.height * loss.inverseTemperature * power) / total);
    slopes.set([loss.beta - sumOf(out), ...out], i * (1 + negatives));
  }
  return { terms, slopes };
}

export function distanceContrastGrad(
  a: Numbers,
  p: Numbers,
  n: Numbers,
  slopes: Numbers,
  size: DistanceSize,
  factor: number,
) {
  const { rows, columns, negatives } = size;
  const dAnchor = new Float64Array(rows * columns);
  const dPositive = new Float64Array(rows * columns);
  const dNegatives = new Float64Array(rows * negatives * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < columns; k++) {
      const at = i * columns + k;
      const near = factor * slopes[i * (1 + negatives)]! * (a[at]! - p[at]!);
      dPositive[at] = -near;
      dAnchor[at] = near;
      for (let h = 0; h < negatives; h++) {
        const other = (i * negatives + h) * columns + k;
        const far = factor * slopes[i * (1 + negatives) + 1 + h]! * (a[at]! - n[other]!);
        dNegatives[other] = -far;
        dAnchor[at]! += far;
      }
    }
  }
  return { dAnchor, dPositive, dNegatives };
}

export interface CosineSize {
  readonly rows: number;
  readonly columns: number;
  readonly shift: number;
  readonly epsilon: number;
}

/** Per row (1/‖p‖, 1/‖z‖, κ_p, κ_z), 1 − cosine, and the units. */
export function cosineRows(p: Numbers, z: Numbers, { rows, columns, shift, epsilon }: CosineSize) {
  const stats = new Float64Array(4 * rows);
  const distances = new Float64Array(rows);
  for (let i = 0; i < rows; i++) {
    const j = (i + shift) % rows;
    const norm = (x: Numbers, row: number): number =>
      Math.sqrt(sumOf(range(columns).map((k) => x[row * columns + k]! ** 2)));
    const norms = [norm(p, i), norm(z, j)];
    const [inverseP, inverseZ] = norms.map((n) => 1 / Math.max(n, epsilon));
    const cosine = sumOf(range(columns).map((k) => p[i * columns + k]! * inverseP! * z[j * columns + k]! * inverseZ!));
    stats.set([inverseP!, inverseZ!, ...norms.map((n) => (n > epsilon ? cosine : 0))], 4 * i);
    distances[i] = 1 - cosine;
  }
  return { stats, distances };
}

export function cosineRowsGrad(
  p: Numbers,
  z: Numbers,
  stats: Numbers,
  { rows, columns, shift }: CosineSize,
  factor: number,
) {
  const dP = new Float64Array(rows * columns);
  const dZ = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    const [inverseP, inverseZ, kappaP, kappaZ] = range(4).map((k) => stats[4 * i + k]!);
    for (let k = 0; k < columns; k++) {
      const [at, other] = [i * columns + k, ((i + shift) % rows) * columns + k];
      const [unitP, unitZ] = [p[at]! * inverseP!, z[other]! * inverseZ!];
      dP[at] = -factor * inverseP! * (unitZ - kappaP! * unitP);
      dZ[other] = -factor * inverseZ! * (unitP - kappaZ! * unitZ);
    }
  }
  return { dP, dZ };
}

/** Loss and slope of each trial: mean squared distances over a whole batch, then −1/(1 + e^{s/τ}) or s = r₊ − r₋. */
export function batchContrast(z: Numbers, trials: number, count: number, inverseTemperature: number | undefined) {
  const at = (view: number, trial: number, i: number): number => z[(view * trials + trial) * count + i]!;
  const terms = range(trials).map((trial) => {
    const mean = (other: number) =>
      sumOf(range(count).map((i) => (at(0, trial, i) - at(other, trial, i)) ** 2)) / count;
    const [near, far] = [mean(1), mean(2)];
    if (inverseTemperature === undefined) return { near, far, loss: near - far, slope: 1 };
    const sigmoid = 1 / (1 + Math.exp((near - far) * inverseTemperature));
    return { near, far, loss: -sigmoid, slope: inverseTemperature * sigmoid * (1 - sigmoid) };
  });
  return {
    losses: Float64Array.from(terms, ({ loss }) => loss),
    slopes: Float64Array.from(terms, ({ slope }) => slope),
    distances: Float64Array.from(terms, ({ near, far }) => near + far),
  };
}

/** Cotangents of anchors, positives and negatives, [3, trials, count]. */
export function batchContrastGrad(z: Numbers, slopes: Numbers, dLosses: Numbers, trials: number, count: number) {
  const dZ = new Float64Array(3 * trials * count);
  for (const trial of range(trials)) {
    const factor = (2 * slopes[trial]! * dLosses[trial]!) / count;
    for (const i of range(count)) {
      const place = (view: number) => (view * trials + trial) * count + i;
      const [a, p, n] = [z[place(0)]!, z[place(1)]!, z[place(2)]!];
      // d/da of (a − p)² − (a − n)² is 2(n − p), and so on.
      dZ[place(0)] = factor * (n - p);
      dZ[place(1)] = factor * (p - a);
      dZ[place(2)] = factor * (a - n);
    }
  }
  return dZ;
}
