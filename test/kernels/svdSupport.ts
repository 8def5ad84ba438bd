/** Runs svdCalls on host matrices, makes matrices with prescribed singular values, measures decompositions in float64. */
import type { Engine } from "../../src/device/engine.ts";
import type { Target } from "../../src/kernels/call.ts";
import { svdCalls } from "../../src/linalg/svdCalls.ts";
import type { TestRandom } from "../support/random.ts";
import { runCalls } from "./runCalls.ts";

export const SOFTWARE: Target = { isSoftware: true, matmulFamily: "register" };
export const GPU: Target = { isSoftware: false, matmulFamily: "workgroup" };

export interface Decomposition {
  readonly values: Float32Array;
  readonly left: Float32Array;
  readonly right: Float32Array;
  readonly sweeps: number;
  readonly flags: number;
  readonly cosine: number;
}

export async function decompose(
  engine: Engine,
  matrices: readonly Float32Array[],
  { rows, columns, left = false, right = false }: { rows: number; columns: number; left?: boolean; right?: boolean },
  target: Target = SOFTWARE,
): Promise<Decomposition[]> {
  const batch = matrices.length;
  const k = Math.min(rows, columns);
  const z = Float32Array.from(matrices.flatMap((matrix) => [...matrix]));
  const sizes = [k, 4, ...(right ? [columns * k] : []), ...(left ? [rows * k] : [])];
  const { outputs } = await runCalls(
    engine,
    svdCalls({ rows, columns, batch, left, right }, target),
    z,
    sizes.map((size) => size * batch),
  );
  const part = (index: number, g: number) => {
    const size = sizes[index] ?? 0;
    return new Float32Array(outputs[index] ?? new ArrayBuffer(0)).slice(g * size, (g + 1) * size);
  };
  return matrices.map((_, g) => {
    const words = new Uint32Array(part(1, g).buffer);
    return {
      values: part(0, g),
      right: right ? part(2, g) : new Float32Array(0),
      left: left ? part(right ? 3 : 2, g) : new Float32Array(0),
      sweeps: words[0]!,
      flags: words[1]!,
      cosine: part(1, g)[2]!,
    };
  });
}

/** U diag(σ) Vᵀ [rows, σ.length] rounded to f32, U and V from Gram–Schmidt of normal numbers in float64. */
export function prescribed(rows: number, sigma: readonly number[], random: TestRandom): Float32Array<ArrayBuffer> {
  const d = sigma.length;
  const u = orthonormal(rows, d, random);
  const v = orthonormal(d, d, random);
  return Float32Array.from({ length: rows * d }, (_, at) => {
    const [i, j] = [Math.floor(at / d), at % d];
    let sum = 0;
    for (let k = 0; k < d; k++) sum += u[k]![i]! * sigma[k]! * v[k]![j]!;
    return sum;
  });
}

function orthonormal(length: number, count: number, random: TestRandom): Float64Array[] {
  const basis: Float64Array[] = [];
  for (let j = 0; j < count; j++) {
    const v = Float64Array.from({ length }, () => random.normal());
    for (let pass = 0; pass < 2; pass++) {
      for (const other of basis) {
        let dot = 0;
        for (let i = 0; i < length; i++) dot += v[i]! * other[i]!;
        for (let i = 0; i < length; i++) v[i]! -= dot * other[i]!;
      }
    }
    const norm = Math.hypot(...v);
    basis.push(v.map((x) => x / norm));
  }
  return basis;
}

/** ‖Z − U diag(σ) Vᵀ‖_F/‖Z‖_F, ‖UᵀU − I‖_F and ‖VᵀV − I‖_F. */
export function departures(
  z: Float32Array,
  rows: number,
  columns: number,
  { values, left, right }: Decomposition,
): { readonly residual: number; readonly left: number; readonly right: number } {
  const k = values.length;
  let error = 0;
  let norm = 0;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += left[i * k + l]! * values[l]! * right[j * k + l]!;
      error += (z[i * columns + j]! - sum) ** 2;
      norm += z[i * columns + j]! ** 2;
    }
  }
  return { residual: Math.sqrt(error / norm), left: gramError(left, rows, k), right: gramError(right, columns, k) };
}

function gramError(vectors: Float32Array, length: number, k: number): number {
  let sum = 0;
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < k; j++) {
      let dot = 0;
      for (let l = 0; l < length; l++) dot += vectors[l * k + i]! * vectors[l * k + j]!;
      sum += (dot - (i === j ? 1 : 0)) ** 2;
    }
  }
  return Math.sqrt(sum);
}
