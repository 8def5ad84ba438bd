/** Tall matrices with known singular values, made in float64 from a seed and rounded to f32 once. */
import { SeededNormals } from "./seededNormals.ts";

/** d values from 1 to `smallest`, each the same factor below the one before. */
export function geometricValues(d: number, smallest: number): number[] {
  return Array.from({ length: d }, (_, i) => (d === 1 ? 1 : smallest ** (i / (d - 1))));
}

/** f32[rows, σ.length], U·diag(σ)·Vᵀ with U's columns and V Haar-distributed: Householder reflections from both sides (Stewart 1980). */
export function withSingularValues(sigma: readonly number[], rows: number, seed: number): Float32Array {
  const columns = sigma.length;
  const source = new SeededNormals(seed);
  const z = new Float64Array(rows * columns);
  for (let j = 0; j < columns; j++) z[j * columns + j] = sigma[j]!;
  for (let start = columns - 1; start >= 0; start--) {
    reflectRows(z, rows, columns, start, source);
    if (start < columns - 1) reflectColumns(z, rows, columns, start, source);
  }
  return Float32Array.from(z);
}

/** f32[rows, scale.length], G·diag(scale) with G standard normal: every singular value is well-conditioned relative to itself. */
export function withScaledColumns(scale: readonly number[], rows: number, seed: number): Float32Array {
  const columns = scale.length;
  const source = new SeededNormals(seed);
  return Float32Array.from({ length: rows * columns }, (_, at) => source.next() * scale[at % columns]!);
}

/** Rows ≥ start by I − 2vvᵀ/vᵀv, v random. */
function reflectRows(z: Float64Array, rows: number, columns: number, start: number, source: SeededNormals): void {
  const [v, h] = randomVector(rows, start, source);
  const w = new Float64Array(columns);
  for (let i = start; i < rows; i++) for (let j = 0; j < columns; j++) w[j]! += v[i]! * z[i * columns + j]!;
  for (let i = start; i < rows; i++) for (let j = 0; j < columns; j++) z[i * columns + j]! -= h * v[i]! * w[j]!;
}

function reflectColumns(z: Float64Array, rows: number, columns: number, start: number, source: SeededNormals): void {
  const [v, h] = randomVector(columns, start, source);
  for (let i = 0; i < rows; i++) {
    let dot = 0;
    for (let j = start; j < columns; j++) dot += z[i * columns + j]! * v[j]!;
    for (let j = start; j < columns; j++) z[i * columns + j]! -= h * dot * v[j]!;
  }
}

function randomVector(length: number, start: number, source: SeededNormals): readonly [Float64Array, number] {
  const v = new Float64Array(length);
  let norm = 0;
  for (let i = start; i < length; i++) {
    v[i] = source.next();
    norm += v[i]! ** 2;
  }
  return [v, 2 / norm];
}
